"""The log of what was served when: iterations of replicas, and spans of requests in them."""

from __future__ import annotations

from dataclasses import dataclass, field
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
    how: int
    blocks: int  # that come back from the host's memory


class Leave(NamedTuple):
    """Columns of ``leave``."""

    request: int
    replica: int
    iteration: int
    why: int
    blocks: int  # that go to the host's memory


class Transfer(NamedTuple):
    """Columns of ``transfer``."""

    request: int
    source: int  # replica
    target: int  # replica
    blocks: int
    outcome: int


MOVED, SPAN, ENTRY, LEAVE = Moved(*range(2)), Span(*range(5)), Entry(*range(6)), Leave(*range(5))
TRANSFER = Transfer(*range(5))
COLUMNS = {
    "moved": Moved._fields,
    "span": Span._fields,
    "entry": Entry._fields,
    "leave": Leave._fields,
    "transfer": Transfer._fields,
}
WHY = ("recompute", "swap", "fail", "link")
RECOMPUTES, SWAPS_OUT, FAILS, LINKS_OUT = range(4)
HOW = ("computes", "from the host", "over the link")  # a request enters
ENTERS_ANEW, FROM_HOST, OVER_LINK = range(3)
OUTCOMES = ("copied", "moved", "aborted")
COPIED, ARRIVED, ABORTED = range(3)


@dataclass(frozen=True, eq=False)
class BatchingSolution(PythonScalars):
    """What happened. N requests, L iterations, S spans, A entries, P leaves, T transfers.

    The k-th iteration of a replica is the k-th row with its number. A span is a run of consecutive
    iterations of a replica in which a request has the same number of tokens.

    Attributes:
        home: (N,) int64, replica that each request goes to first; -1 if it was rejected at once.
        replica: (L,) int64 of each iteration, those of a replica in order.
        begin_s, end_s: (L,) float64.
        moved: (L, 2) int64, blocks swapped in and out by the iteration, and copies.
        span: (S, 5) int64: request, replica, first iteration, iterations, tokens in each.
        entry: (A, 6) int64: request, replica, iteration that admits it, tokens that need no
            computing, how it comes (`HOW`), and with how many blocks from the host's memory.
        leave: (P, 5) int64: request, replica, iteration that does without it, reason (`WHY`), and
            blocks that go to the host's memory.
        cost: claimed; the checker re-derives it.
        transfer: (T, 5) int64 of what goes over replicas' links: request, from, to, blocks, and what
            came of it (`OUTCOMES`): the request decoded on meanwhile (``copied``), or waited for it
            and was taken over (``moved``), or it broke off (``aborted``).
        sent_s: (T, 2) float64, begin and end of each.
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
    transfer: Ints = field(default_factory=lambda: np.zeros((0, 5), np.int64))
    sent_s: Floats = field(default_factory=lambda: np.zeros((0, 2)))

    def to_json(self) -> dict[str, Any]:
        """JSON document; `solution_from_json` reads it back."""
        names = ("home", "replica", "begin_s", "end_s", *COLUMNS, "sent_s")
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


def _pairs(document: Mapping[str, Any], name: str) -> Floats:
    """(R, 2) numbers."""
    rows = read_list(document[name], name, "rows [begin, end]")
    for k, row in enumerate(rows):
        if not isinstance(row, list) or len(row) != 2:
            raise InputError(f"{name}[{k}]", f"expected a row [begin, end], found {row!r:.60}")
    values = [[read_number(v, f"{name}[{k}]") for v in row] for k, row in enumerate(rows)]
    return np.array(values, np.float64).reshape(-1, 2)


def _table(document: Mapping[str, Any], name: str, limits: Mapping[str, int]) -> Ints:
    """(R, columns) integers, each from 0 to below the limit of its column."""
    fields = COLUMNS[name]
    shape = f"rows [{', '.join(fields)}]"
    rows = read_list(document[name], name, shape)
    for i, row in enumerate(rows):
        if not isinstance(row, list) or len(row) != len(fields):
            raise InputError(f"{name}[{i}]", f"expected {shape}, found {row!r:.60}")
        for column, value in zip(fields, row, strict=True):
            read_integer(value, f"{name}[{i}].{column}", 0, limits.get(column, LARGEST) - 1)
    return np.array(rows, np.int64).reshape(-1, len(fields))


def solution_from_json(instance: BatchingInstance, document: Mapping[str, Any]) -> BatchingSolution:
    """Inverse of `BatchingSolution.to_json`; raises InputError naming the field.

    Only shapes and ranges are checked here: whether the log is feasible is the checker's word.
    """
    needed = ("home", "replica", "begin_s", "end_s", *COLUMNS, "sent_s", "cost")
    check_head(document, "batching", needed)
    size, replicas = len(instance.requests), len(instance.replicas)
    home = _whole(document, "home", -1, replicas)
    if len(home) != size:
        raise InputError("home", f"expected {size} replicas, found {len(home)}")
    replica = _whole(document, "replica", 0, replicas)
    limits = {"request": size, "replica": replicas, "how": len(HOW), "why": len(WHY)}
    limits |= {"source": replicas, "target": replicas, "outcome": len(OUTCOMES)}
    begin, end = _times(document, "begin_s"), _times(document, "end_s")
    tables = {name: _table(document, name, limits) for name in COLUMNS}
    for name, column in (("begin_s", begin), ("end_s", end), ("moved", tables["moved"])):
        if len(column) != len(replica):
            problem = f"expected {len(replica)} rows, as in replica, found {len(column)}"
            raise InputError(name, problem)
    sent = _pairs(document, "sent_s")
    if len(sent) != len(tables["transfer"]):
        problem = f"expected {len(tables['transfer'])} rows, as in transfer, found {len(sent)}"
        raise InputError("sent_s", problem)
    cost = read_number(document["cost"], "cost")
    return BatchingSolution(home, replica, begin, end, **tables, cost=cost, sent_s=sent)
