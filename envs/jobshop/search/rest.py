"""The rest of a schedule that has begun, by tabu search."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from graphsched.envs.jobshop.search.shop import order_of
from graphsched.envs.jobshop.search.solver import Search

if TYPE_CHECKING:
    from graphsched.envs.core.sim import BatchSim
    from graphsched.envs.jobshop.instance import JobShopInstance
    from graphsched.envs.jobshop.search.shop import Flags, Ints
    from graphsched.envs.jobshop.solution import JobShopSolution


def order_after(begun: Flags, start: Ints, whole: JobShopSolution, duration: Ints) -> Ints:
    """(N,) topological order: what has begun, then the rest as a whole schedule has it.

    Args:
        begun: (N,) operations that have started; of each job the first ones.
        start: (N,) of those.
        whole: a schedule of all operations.
        duration: (N,)
    """
    order = order_of(whole.start, whole.start + duration)
    first = np.flatnonzero(begun)
    first = first[order_of(start[first], (start + duration)[first])]
    return np.concatenate([first, order[~begun[order]]])


def finish(
    sim: BatchSim[JobShopInstance, JobShopSolution],
    slot: int,
    instance: JobShopInstance,
    whole: JobShopSolution,
    moves: int,
    seed: int,
) -> JobShopSolution:
    """The best schedule found that goes on from a slot's situation.

    The search sets out from what a given schedule makes of the rest and leaves what the slot has
    scheduled where it is.

    Args:
        sim: a `JobShopSim`.
        slot: with an episode, begun or finished.
        instance: of the episode.
        whole: a schedule of it.
        moves: of the search.
        seed: of its random numbers.
    """
    state, size = sim.state, instance.num_operations  # type: ignore[attr-defined]
    begun = np.arange(size) < state.next_operation[slot, instance.job]
    search = Search(instance, seed, seconds=np.inf, moves=moves)
    search.shop.fixed[:] = begun
    search.set_out_from(order_after(begun, state.start[slot, :size], whole, instance.duration))
    search.descend(moves)
    return search.solution()
