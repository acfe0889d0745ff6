"""The priority form: which storage is placed next. The choice is among the heads of several orders."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphsched.envs.core.kernels.jit import kernel
from graphsched.envs.core.sim import DONE, WAITING
from graphsched.envs.memory.physics.known import know, note_change
from graphsched.envs.memory.physics.placing import SAVED, place, sweep
from graphsched.envs.memory.physics.state import BEST_LIST, NUM_LISTS, State

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from graphsched.envs.memory.physics.arena import Arena
    from graphsched.envs.memory.physics.program import Problem


@kernel(entry=False, allocates=False)
def settle(s: State, b: int, p: Problem, a: Arena, g: int, report: NDArray[np.float64]) -> None:
    """Place a storage now."""
    place(p, a, g, True, report)
    note_change(s.known, b, a, g)
    s.settled[b, g] = True
    s.placed[b, s.num_placed[b]] = g
    s.num_placed[b] += 1


@kernel(entry=False, allocates=False)
def _offer(s: State, b: int, p: Problem, a: Arena) -> None:
    """The heads of all orders; an order passes over storages that would gain nothing now."""
    found = 0
    for k in range(NUM_LISTS):
        while s.heads[b, k] < s.worth[b]:
            g = s.lists[b, k, s.heads[b, k]]
            if s.settled[b, g]:
                s.heads[b, k] += 1
                continue
            known = False
            for c in range(found):
                known |= s.candidate[b, c] == g
            if not known:
                know(s.known, b, p, a, g)
                if s.known.outcome[b, g, SAVED] <= 0.0:
                    s.heads[b, k] += 1
                    continue
                s.candidate[b, found] = g
                found += 1
            break
    s.num_candidates[b] = found


@kernel(entry=False, allocates=False)
def _finish(s: State, b: int, p: Problem, a: Arena, report: NDArray[np.float64]) -> None:
    """What was passed over gets another chance."""
    sweep(p, a, s.lists[b, BEST_LIST, : s.worth[b]], report)
    s.status[b] = DONE


@kernel(entry=False, allocates=False)
def next_choice(s: State, b: int, p: Problem, a: Arena, report: NDArray[np.float64]) -> None:
    """Go on to the next decision with a choice, or to the end."""
    while True:
        _offer(s, b, p, a)
        first = s.decisions[b] == 0
        if s.num_candidates[b] > 1 or (s.num_candidates[b] == 1 and first):
            s.status[b] = WAITING
            return
        if s.num_candidates[b] == 0:
            _finish(s, b, p, a, report)
            return
        settle(s, b, p, a, s.candidate[b, 0], report)
