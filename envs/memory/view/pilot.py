"""Looking ahead from a candidate: place it and all that would follow, and see the latency."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from graphsched.envs.core.kernels.jit import kernel
from graphsched.envs.memory.physics.arena import LATENCY, Arena, copy_mapping, empty_arena
from graphsched.envs.memory.physics.placing import place
from graphsched.envs.memory.physics.state import BEST_LIST, MOST_CANDIDATES, State

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from graphsched.envs.memory.physics.program import Problem


class Scratch(NamedTuple):
    """Room to try things."""

    arena: Arena
    report: NDArray[np.float64]  # (4,)
    latency: NDArray[np.float64]  # (C,)


def empty_scratch(instructions: int, accesses: int) -> Scratch:
    """Room for programs up to the given sizes."""
    return Scratch(empty_arena(instructions, accesses), np.zeros(4), np.zeros(MOST_CANDIDATES))


@kernel(entry=False, allocates=False)
def pilot(s: State, b: int, p: Problem, a: Arena, g: int, scratch: Scratch) -> float:
    """Latency after placing a storage and then all others by the best of the fixed orders, us."""
    to, report = scratch.arena, scratch.report
    copy_mapping(p, a, to)
    place(p, to, g, True, report)
    for k in range(s.heads[b, BEST_LIST], s.worth[b]):
        other = s.lists[b, BEST_LIST, k]
        if other == g or s.settled[b, other]:
            continue
        place(p, to, other, True, report)
    return float(to.real[LATENCY])
