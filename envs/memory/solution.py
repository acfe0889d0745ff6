"""Mappings: when and where storages are in fast memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from graphsched.envs.core.errors import InputError
from graphsched.envs.core.parts.documents import (
    check_head,
    integers,
    read_entries,
    read_integer,
    read_list,
    read_number,
)
from graphsched.envs.core.parts.values import PythonScalars

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from graphsched.envs.memory.instance import MemoryInstance

SCHEMA = 2  # 1 had the last instruction as the end of a residency
_ROW = ("storage", "start", "end", "offset")


@dataclass(frozen=True, eq=False)
class MemorySolution(PythonScalars):
    """A mapping with R residencies.

    An access is served from fast memory if its storage has a residency at its instruction. All else
    follows: a residency whose first access is not the one that produces the storage begins with a
    copy from slow memory; one that was written to, and is wanted in slow memory later, ends with a
    copy back after its last access. Copies move in the background from `start` up to that access,
    and from it to `end`.

    Attributes:
        storage: (R,) int64.
        start, end: (R,) int64, first instruction and the one after the last.
        offset: (R,) int64, bytes.
        cost: claimed latency, us; the checker re-derives it.
        order: storages in the order in which they were placed, if the mapping came of one; a search
            may go on from there.
    """

    storage: NDArray[np.int64]
    start: NDArray[np.int64]
    end: NDArray[np.int64]
    offset: NDArray[np.int64]
    cost: float
    order: NDArray[np.int64] | None = None

    def to_json(self) -> dict[str, Any]:
        """JSON document; `solution_from_json` reads it back."""
        columns = (getattr(self, name).tolist() for name in _ROW)
        document: dict[str, Any] = {
            "schema": SCHEMA,
            "domain": "memory",
            "cost": self.cost,
            "residencies": [
                dict(zip(_ROW, row, strict=True)) for row in zip(*columns, strict=True)
            ],
        }
        if self.order is not None:
            document["order"] = self.order.tolist()
        return document


def solution_from_json(instance: MemoryInstance, document: Mapping[str, Any]) -> MemorySolution:
    """Inverse of `MemorySolution.to_json`, and of what it was; raises InputError naming the field.

    Only the shape and the ranges are checked here: whether the mapping is feasible is the
    checker's word.
    """
    schema = check_head(document, "memory", ("residencies", "cost"), ("order",), (1, SCHEMA))
    inclusive = int(schema == 1)
    rows = read_entries(document["residencies"], "residencies", _ROW)
    size, length = instance.num_storages, instance.num_instructions
    storage = integers(rows, "storage", "residencies", 0, size)
    start = integers(rows, "start", "residencies", 0, length)
    end = integers(rows, "end", "residencies", 0, length + 1 - inclusive) + inclusive
    offset = integers(rows, "offset", "residencies", 0)
    for i in np.flatnonzero(end <= start).tolist():
        problem = f"expected at least {start[i] + 1 - inclusive}, found {end[i] - inclusive}"
        raise InputError(f"residencies[{i}].end", f"{problem}: it starts at {start[i]}")
    order = _read_order(document.get("order"), size)
    return MemorySolution(storage, start, end, offset, read_number(document["cost"], "cost"), order)


def _read_order(value: Any, size: int) -> NDArray[np.int64] | None:
    """Storages, each once at most."""
    if value is None:
        return None
    listed = read_list(value, "order", "storages")
    order = [read_integer(g, f"order[{i}]", 0, size - 1) for i, g in enumerate(listed)]
    if len(set(order)) < len(order):
        raise InputError("order", f"expected each of {size} storages once")
    return np.array(order, np.int64)
