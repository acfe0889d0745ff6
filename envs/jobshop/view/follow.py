"""The decisions of a schedule: which candidate it lets on the focus machine first."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from graphsched.envs.core.kernels.jit import kernel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from graphsched.envs.core.slots import SlotSim
    from graphsched.envs.jobshop.instance import JobShopInstance
    from graphsched.envs.jobshop.physics.state import State
    from graphsched.envs.jobshop.solution import JobShopSolution

    Ints = NDArray[np.int64]


@kernel
def _choose(
    state: State,
    slots: Ints,  # (N,) that wait
    start: Ints,  # (N, O) of each operation in the schedule to follow
    actions: Ints,  # (N,) out
    exact: NDArray[np.bool_],  # (N,) out
) -> None:
    """The candidate that starts first; exact unless another operation comes before it there.

    An operation of no duration comes before one that starts as it does. What is left of a tie goes
    to the candidate that would start now when the schedule says, then to the lower operation.
    """
    for i in range(len(slots)):
        b = slots[i]
        m = state.focus[b]
        best, best_at, best_end, best_off = -1, 0, 0, 0
        for c in range(state.num_candidates[b]):
            j = state.candidate[b, c]
            o = state.next_operation[b, j]
            at = start[i, o]
            end = at + state.duration[b, o]
            off = abs(max(state.job_ready[b, j], state.machine_ready[b, m]) - at)
            if best < 0 or (at, end, off) < (best_at, best_end, best_off):
                best, best_at, best_end, best_off = c, at, end, off
        actions[i] = best
        exact[i] = True
        for k in range(state.machine_ptr[b, m], state.machine_ptr[b, m + 1]):
            o = state.by_tail[b, k]
            if o >= state.next_operation[b, state.job[b, o]]:
                before = (start[i, o], start[i, o] + state.duration[b, o]) < (best_at, best_end)
                exact[i] = exact[i] and not before


def follow(
    simulator: SlotSim[JobShopInstance, JobShopSolution, State],
    slots: Ints,
    solutions: Sequence[JobShopSolution],
) -> tuple[Ints, NDArray[np.bool_]]:
    """Which job schedules let on the focus machines next; see `Domain.follow`."""
    start = np.zeros((len(slots), max((len(s.start) for s in solutions), default=0)), np.int64)
    for row, solution in zip(start, solutions, strict=True):
        row[: len(solution.start)] = solution.start
    actions, exact = np.empty(len(slots), np.int64), np.empty(len(slots), np.bool_)
    _choose(simulator.state, slots, start, actions, exact)
    return actions, exact
