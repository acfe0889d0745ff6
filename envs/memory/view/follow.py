"""The decisions of a mapping: which storage it places next, or which accesses it serves fast."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from graphsched.envs.core.errors import InputError
from graphsched.envs.core.kernels.jit import kernel
from graphsched.envs.memory.physics.placing import SAVED, place
from graphsched.envs.memory.physics.state import SLOW, STAY, State, arena_at, problem_at

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from graphsched.envs.memory.simulator import MemorySim
    from graphsched.envs.memory.solution import MemorySolution

    Ints = NDArray[np.int64]
    Bools = NDArray[np.bool_]


@kernel
def _next_placed(s: State, b: int, order: Ints, rank: Ints) -> tuple[int, bool]:
    """Candidate that comes first in an order; exact unless one before it could be placed now.

    Args:
        s: all slots.
        b: slot.
        order: (W,) storages.
        rank: (G,) room for their places.
    """
    p, a = problem_at(s, b), arena_at(s, b)
    rank[:] = len(order)
    for k in range(len(order)):
        rank[order[k]] = k
    best = 0
    for c in range(1, s.num_candidates[b]):
        if rank[s.candidate[b, c]] < rank[s.candidate[b, best]]:
            best = c
    until = rank[s.candidate[b, best]]
    if until == len(order):
        return best, False  # nothing more is placed
    report = np.zeros(4)
    for k in range(until):
        if not s.settled[b, order[k]]:
            place(p, a, order[k], False, report)
            if report[SAVED] > 0.0:
                return best, False
    return best, True


@kernel
def _next_served(s: State, b: int, storage: Ints, start: Ints, end: Ints) -> tuple[int, bool]:
    """Fast if the storage is there at the access; exact if it also stays or comes as there.

    storage, start, end: (R,) residencies.
    """
    p = problem_at(s, b)
    u = p.program_order[s.cursor[b]]
    g, t = p.access_storage[u], p.access_time[u]
    is_fast, stays = False, False
    for r in range(len(storage)):
        if storage[r] == g and start[r] <= t < end[r]:
            is_fast = True
            first = u == p.access_ptr[g]
            stays = not p.live_in[g] if first else start[r] <= p.access_time[u - 1]
    best = s.num_candidates[b] - 1  # slow memory is offered last, if it is
    for c in range(s.num_candidates[b]):
        if (s.candidate[b, c] != SLOW) == is_fast:
            best = c
    found = s.candidate[b, best]
    if not is_fast:
        return best, found == SLOW
    return best, found != SLOW and (found == STAY) == stays


def follow(
    simulator: MemorySim, slots: Ints, solutions: Sequence[MemorySolution]
) -> tuple[Ints, Bools]:
    """What mappings do next: by their order of placing, or access by access; see `Domain.follow`.

    Raises:
        InputError: storages are to be placed in the order of a mapping that came of none, or moves
            to be found that led to it.
    """
    if simulator.options.actions == "improve":
        problem = "doesn't tell the moves that led to it; --set actions=step follows any"
        raise InputError("solution", problem)
    state = simulator.state
    stepwise = simulator.options.actions == "step"
    rank = np.empty(state.size.shape[1], np.int64)
    actions, exact = np.empty(len(slots), np.int64), np.empty(len(slots), np.bool_)
    for k, (slot, solution) in enumerate(zip(slots.tolist(), solutions, strict=True)):
        if stepwise:
            columns = (solution.storage, solution.start, solution.end)
            actions[k], exact[k] = _next_served(state, slot, *columns)
        elif solution.order is None:
            problem = "expected a mapping that came of an order; --set actions=step follows any"
            raise InputError("solution", problem)
        else:
            actions[k], exact[k] = _next_placed(state, slot, solution.order, rank)
    return actions, exact
