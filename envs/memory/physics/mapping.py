"""Solutions from arenas and orders."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from graphsched.envs.memory.physics.arena import LATENCY, RESIDENCIES, Arena, empty_arena
from graphsched.envs.memory.physics.placing import decode
from graphsched.envs.memory.physics.program import problem_of
from graphsched.envs.memory.solution import MemorySolution

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from graphsched.envs.memory.instance import MemoryInstance
    from graphsched.envs.memory.physics.program import Problem

    Ints = NDArray[np.int64]


def solution_of(a: Arena, order: Ints | None = None) -> MemorySolution:
    """What an arena holds."""
    n = int(a.whole[RESIDENCIES])
    columns = [array[:n].copy() for array in (a.owner, a.start, a.end, a.offset)]
    cost = float(a.real[LATENCY])
    return MemorySolution(columns[0], columns[1], columns[2], columns[3], cost, order)


def best_order(p: Problem, orders: Sequence[Ints]) -> Ints:
    """The order of least latency."""
    arena = empty_arena(len(p.compute), len(p.access_time))
    return orders[int(np.argmin([decode(p, arena, order) for order in orders]))]


def solve_order(instance: MemoryInstance, order: Ints) -> MemorySolution:
    """Place storages in an order."""
    p = problem_of(instance)
    arena = empty_arena(len(p.compute), len(p.access_time))
    decode(p, arena, order)
    return solution_of(arena, order.copy())
