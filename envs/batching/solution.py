"""The log of what was served when: iterations of replicas, and spans of requests in them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from graphsched.envs.core.errors import InputError
from graphsched.envs.core.parts.documents import (
    LARGEST,
    check_head,
    read_integer,
    read_list,
    read_number,
)
from graphsched.envs.core.parts.values import PythonScalars

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
    blocks: int  # that come back from the host's memory


class Leave(NamedTuple):
    """Columns of ``leave``."""

    request: int
    replica: int
    iteration: int
    why: int
    blocks: int  # that go to the host's memory


MOVED, SPAN, ENTRY, LEAVE = Moved(*range(2)), Span(*range(5)), Entry(*range(6)), Leave(*range(5))
COLUMNS = {
    "moved": Moved._fields,
    "span": Span._fields,
    "entry": Entry._fields,
    "leave": Leave._fields,
}
WHY = ("recompute", "swap", "fail")


@dataclass(frozen=True, eq=False)
class BatchingSolution(PythonScalars):
    """What happened. N requests, L iterations, S spans, A entries, P leaves.

    The k-th iteration of a replica is the k-th row with its number. A span is a run of consecutive
    iterations of a replica in which a request has the same number of tokens.

    Attributes:
        home: (N,) int64, replica of each request; -1 if it was rejected at once.
        replica: (L,) int64 of each iteration, those of a replica in order.
        begin_s, end_s: (L,) float64.
        moved: (L, 2) int64, blocks swapped in and out by the iteration, and copies.
        span: (S, 5) int64: request, replica, first iteration, iterations, tokens in each.
        entry: (A, 6) int64: request, replica, iteration that admits it, tokens that need no
            computing, whether it comes back from the host's memory, and with how many blocks.
        leave: (P, 5) int64: request, replica, iteration that does without it, reason (`WHY`), and
            blocks that go to the host's memory.
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
        names = ("home", "replica", "begin_s", "end_s", *COLUMNS)
        arrays = {name: getattr(self, name).tolist() for name in names}
        return {"schema": 1, "domain": "batching", "cost": self.cost, **arrays}


def _whole(document: Mapping[str, Any], name: str, least: int, limit: int) -> Ints:
    """(R,) integers in [least, limit)."""
    values = read_list(document[name], name, "integers")
    return np.array(
        [read_integer(v, f"{name}[{i}]", least, limit - 1) for i, v in enumerate(values)], np.int64
    )


def _times(document: Mapping[str, Any], name: str) -> Floats:
    values = read_list(document[name], name, "numbers")
    return np.array([read_number(v, f"{name}[{i}]") for i, v in enumerate(values)], np.float64)


def _table(document: Mapping[str, Any], name: str, limits: Mapping[str, int]) -> Ints:
    """(R, columns) integers, each from 0 to below the limit of its column."""
    fields = COLUMNS[name]
    shape = f"rows [{', '.join(fields)}]"
    rows = read_list(document[name], name, shape)
    for i, row in enumerate(rows):
        if not isinstance(row, list) or len(row) != len(fields):
            raise InputError(f"{name}[{i}]", f"expected {shape}, found {row!r:.60}")
        for field, value in zip(fields, row, strict=True):
            read_integer(value, f"{name}[{i}].{field}", 0, limits.get(field, LARGEST) - 1)
    return np.array(rows, np.int64).reshape(-1, len(fields))


def solution_from_json(instance: BatchingInstance, document: Mapping[str, Any]) -> BatchingSolution:
    """Inverse of `BatchingSolution.to_json`; raises InputError naming the field.

    Only shapes and ranges are checked here: whether the log is feasible is the checker's word.
    """
    check_head(document, "batching", ("home", "replica", "begin_s", "end_s", *COLUMNS, "cost"))
    size, replicas = len(instance.requests), len(instance.replicas)
    home = _whole(document, "home", -1, replicas)
    if len(home) != size:
        raise InputError("home", f"expected {size} replicas, found {len(home)}")
    replica = _whole(document, "replica", 0, replicas)
    limits = {"request": size, "replica": replicas, "swapped": 2, "why": len(WHY)}
    begin, end = _times(document, "begin_s"), _times(document, "end_s")
    tables = {name: _table(document, name, limits) for name in COLUMNS}
    for name, column in (("begin_s", begin), ("end_s", end), ("moved", tables["moved"])):
        if len(column) != len(replica):
            problem = f"expected {len(replica)} rows, as in replica, found {len(column)}"
            raise InputError(name, problem)
    cost = read_number(document["cost"], "cost")
    return BatchingSolution(home, replica, begin, end, **tables, cost=cost)
