"""The latency of a mapping, and lower bounds on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphsched.envs.memory.pricing import bound

if TYPE_CHECKING:
    from graphsched.envs.memory.instance import MemoryInstance
    from graphsched.envs.memory.solution import MemorySolution


def cost(instance: MemoryInstance, solution: MemorySolution) -> float:
    """Latency, us."""
    del instance
    return solution.cost


def lower_bound(instance: MemoryInstance) -> float:
    """Lagrangian bound, us: offsets left out, and storages in part; see `pricing.bound`."""
    return bound.lower_bound(instance)
