"""The log of what was served when: iterations of replicas, and spans of requests in them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from graphsched.envs.core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from graphsched.envs.batching.instance import BatchingInstance

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]


class Moved(NamedTuple):
    """Columns of ``moved``."""

    blocks: int
    copies: int


class Span(NamedTuple):
    """Columns of ``span``."""

    request: int
    replica: int
    iteration: int
    length: int  # iterations
    tokens: int


class Entry(NamedTuple):
    """Columns of ``entry``."""

    request: int
    replica: int
    iteration: int
    found: int
    swapped: int


class Leave(NamedTuple):
    """Columns of ``leave``."""

    request: int
    replica: int
    iteration: int
    why: int


MOVED, SPAN, ENTRY, LEAVE = Moved(*range(2)), Span(*range(5)), Entry(*range(5)), Leave(*range(4))
WIDTHS = {"moved": len(MOVED), "span": len(SPAN), "entry": len(ENTRY), "leave": len(LEAVE)}
WHY = ("recompute", "swap", "fail")


@dataclass(frozen=True, eq=False)
class BatchingSolution:
    """What happened. N requests, L iterations, S spans, A entries, P leaves.

    The k-th iteration of a replica is the k-th row with its number. A span is a run of consecutive
    iterations of a replica in which a request has the same number of tokens.

    Attributes:
        home: (N,) int64, replica of each request; -1 if it was rejected at once.
        replica: (L,) int64 of each iteration, those of a replica in order.
        begin_s, end_s: (L,) float64.
        moved: (L, 2) int64, blocks swapped in and out by the iteration, and copies.
        span: (S, 5) int64: request, replica, first iteration, iterations, tokens in each.
        entry: (A, 5) int64: request, replica, iteration that admits it, tokens that need no
            computing, and whether it comes back from the host's memory.
        leave: (P, 4) int64: request, replica, iteration that does without it, reason (`WHY`).
        cost: claimed; the checker re-derives it.
    """

    home: Ints
    replica: Ints
    begin_s: Floats
    end_s: Floats
    moved: Ints
    span: Ints
    entry: Ints
    leave: Ints
    cost: float

    def to_json(self) -> dict[str, Any]:
        """JSON document; `solution_from_json` reads it back."""
        names = ("home", "replica", "begin_s", "end_s", *WIDTHS)
        arrays = {name: getattr(self, name).tolist() for name in names}
        return {"schema": 1, "domain": "batching", "cost": self.cost, **arrays}


def _array(document: Mapping[str, Any], name: str) -> NDArray[Any]:
    if name not in document:
        raise InputError("solution", f"field {name!r} is missing")
    whole = not name.endswith("_s")
    try:
        raw = np.array(document[name])
    except ValueError:
        raise InputError(f"solution.{name}", "expected rows of equal length") from None
    width = WIDTHS.get(name)
    raw = np.zeros((0, width) if width else 0, np.int64) if raw.size == 0 else raw
    shape = (len(raw), width) if width else (len(raw),)
    if raw.shape != shape or raw.dtype.kind not in ("i" if whole else "if"):
        kind = "integers" if whole else "numbers"
        raise InputError(f"solution.{name}", f"expected {kind} of shape {shape}, found {raw.shape}")
    out = raw.astype(np.int64 if whole else np.float64)
    if not np.isfinite(out).all():
        raise InputError(f"solution.{name}", "expected finite numbers")
    return out


def solution_from_json(instance: BatchingInstance, document: Mapping[str, Any]) -> BatchingSolution:
    """Inverse of `BatchingSolution.to_json`; raises InputError naming the field.

    Only shapes and ranges are checked here: whether the log is feasible is the checker's word.
    """
    if not isinstance(document, dict):
        raise InputError("solution", "expected an object")
    names = ("home", "replica", "begin_s", "end_s", *WIDTHS)
    arrays = {name: _array(document, name) for name in names}
    size, replicas = len(instance.requests), len(instance.replicas)
    if len(arrays["home"]) != size:
        problem = f"expected {size} replicas, found {len(arrays['home'])}"
        raise InputError("solution.home", problem)
    lengths = {len(arrays[name]) for name in ("replica", "begin_s", "end_s", "moved")}
    if len(lengths) != 1:
        raise InputError("solution.replica", f"expected columns of one length, found {lengths}")
    _check(arrays["home"], -1, replicas, "home")
    _check(arrays["replica"], 0, replicas, "replica")
    for name in ("span", "entry", "leave"):
        _check(arrays[name][:, SPAN.request], 0, size, name)  # their first columns are alike
        _check(arrays[name][:, SPAN.replica], 0, replicas, name)
    _check(arrays["leave"][:, LEAVE.why], 0, len(WHY), "leave")
    cost = document.get("cost")
    if isinstance(cost, bool) or not isinstance(cost, int | float) or not np.isfinite(cost):
        raise InputError("solution.cost", f"expected a number, found {cost!r:.40}")
    return BatchingSolution(**arrays, cost=float(cost))


def _check(values: Ints, low: int, high: int, name: str) -> None:
    wrong = np.flatnonzero((values < low) | (values >= high))
    if len(wrong):
        k = int(wrong[0])
        raise InputError(f"solution.{name}[{k}]", f"expected in [{low}, {high}), found {values[k]}")
