"""Mappings: when and where storages are in fast memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from graphsched.envs.core.errors import InputError
from graphsched.envs.core.parts.values import count, number

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from graphsched.envs.memory.instance import MemoryInstance

SCHEMA = 2  # 1 had the last instruction as the end of a residency
_ROW = ("storage", "start", "end", "offset")


@dataclass(frozen=True, eq=False)
class MemorySolution:
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
    if not isinstance(document, dict) or not isinstance(document.get("residencies"), list):
        raise InputError("residencies", "missing; expected a list")
    schema = document.get("schema", 1)
    if type(schema) is not int or schema not in (1, SCHEMA):
        raise InputError("schema", f"expected 1 or {SCHEMA}, found {schema!r:.40}")
    inclusive = int(schema == 1)
    limits = {"storage": instance.num_storages, "start": instance.num_instructions}
    limits["end"] = instance.num_instructions + 1 - inclusive
    columns: dict[str, list[int]] = {key: [] for key in _ROW}
    for i, row in enumerate(document["residencies"]):
        for key in _ROW:
            where = f"residencies[{i}].{key}"
            value = count(row.get(key) if isinstance(row, dict) else None, where)
            if value >= limits.get(key, value + 1):
                raise InputError(where, f"expected in [0, {limits[key]}), found {value}")
            columns[key].append(value)
    order = document.get("order")
    if order is not None:
        if not isinstance(order, list):
            raise InputError("order", f"expected a list of storages, found {order!r:.60}")
        order = np.array([count(g, "order") for g in order], np.int64)
        if np.any(order >= instance.num_storages) or len(np.unique(order)) < len(order):
            raise InputError("order", f"expected each of {instance.num_storages} storages once")
    cost = number(document.get("cost"), "cost")
    arrays = [np.array(columns[key], np.int64) for key in _ROW]
    arrays[_ROW.index("end")] += inclusive
    return MemorySolution(arrays[0], arrays[1], arrays[2], arrays[3], cost, order)
