"""Beginning and advancing slots, in one call for all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphsched.envs.core.kernels.jit import kernel
from graphsched.envs.core.sim import DONE
from graphsched.envs.memory.physics.arena import LATENCY, clear
from graphsched.envs.memory.physics.known import forget
from graphsched.envs.memory.physics.priority import next_choice, settle
from graphsched.envs.memory.physics.state import State, arena_at, problem_at
from graphsched.envs.memory.physics.step import begin, next_access, serve

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float64]


@kernel(allocates=False)
def begin_slots(s: State, slots: Ints, stepwise: bool, report: Floats) -> None:
    """Nothing is placed yet; up to the first choice. slots: (N,); report: (4,) room to work in."""
    for b in slots:
        p, a = problem_at(s, b), arena_at(s, b)
        clear(p, a)
        s.decisions[b] = 0
        if stepwise:
            begin(s, b, p, a)
            next_access(s, b, p, a)
        else:
            forget(s.known, b, p)
            next_choice(s, b, p, a, report)


@kernel(allocates=False)
def step_slots(
    s: State,
    slots: Ints,  # (N,) and so on
    actions: Ints,
    stepwise: bool,
    report: Floats,  # (4,) room to work in
    rewards: Floats,
    dones: NDArray[np.bool_],
) -> None:
    """Take a decision in each slot, and those without a choice that follow."""
    for i in range(len(slots)):
        b = slots[i]
        p, a = problem_at(s, b), arena_at(s, b)
        before = s.real[b, LATENCY] if s.decisions[b] else s.first_latency[b]
        s.decisions[b] += 1
        pick = s.candidate[b, actions[i]]
        if stepwise:
            serve(s, b, p, a, p.program_order[s.cursor[b]], pick)
            s.cursor[b] += 1
            next_access(s, b, p, a)
        else:
            settle(s, b, p, a, pick, report)
            next_choice(s, b, p, a, report)
        rewards[i] = (before - s.real[b, LATENCY]) / max(s.first_latency[b], 1e-300)
        dones[i] = s.status[b] == DONE
