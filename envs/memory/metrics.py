"""Measures of a mapping beside its latency."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from graphsched.envs.memory.physics.program import problem_of

if TYPE_CHECKING:
    from graphsched.envs.memory.instance import MemoryInstance
    from graphsched.envs.memory.solution import MemorySolution


def metrics(instance: MemoryInstance, solution: MemorySolution) -> dict[str, float]:
    """``speed-up`` over slow memory alone, ``fast accesses %`` and ``occupancy %`` of fast memory.

    Occupancy is the mean over instructions of the bytes held.
    """
    p = problem_of(instance)
    slow = float(np.maximum(p.compute, p.slow_all * p.slow_us).sum())
    held = np.zeros(len(p.compute) + 1)
    np.add.at(held, solution.start, p.size[solution.storage])
    np.add.at(held, solution.end, -p.size[solution.storage])
    stays: dict[int, list[tuple[int, int]]] = {}
    columns = (solution.storage.tolist(), solution.start.tolist(), solution.end.tolist())
    for g, start, end in zip(*columns, strict=True):
        stays.setdefault(g, []).append((start, end))
    pairs = zip(p.access_storage.tolist(), p.access_time.tolist(), strict=True)
    hits = sum(any(a <= t < b for a, b in stays.get(g, ())) for g, t in pairs)
    return {
        "speed-up": slow / max(solution.cost, 1e-300),
        "fast accesses %": 100 * hits / max(len(p.access_time), 1),
        "occupancy %": 100 * float(np.cumsum(held)[:-1].mean()) / max(p.capacity, 1),
    }
