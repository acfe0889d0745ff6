"""Taking decisions of the step-wise game back, the last one first, to the bit.

Sums of floating-point numbers can't be undone by subtracting, so what a decision changes of them is
noted: the latency before, and what copies used of each instruction's spare bandwidth before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphsched.envs.core.kernels.jit import kernel
from graphsched.envs.memory.physics.arena import LATENCY, Arena, delete, make_slow, spare
from graphsched.envs.memory.physics.staying import residency, shrink

if TYPE_CHECKING:
    from graphsched.envs.memory.physics.program import Problem
    from graphsched.envs.memory.physics.state import UndoState


def most_notes(instructions: int, accesses: int) -> int:
    """Notes that a game needs at most.

    A note is of an instruction whose copies come to take more. Either that ends a copy, of which each
    access makes two at most; or it takes all that is spare, but for one rounding, and then there is more
    only after another of the instruction's accesses became fast.
    """
    return 2 * accesses + 2 * (instructions + accesses)


@kernel(entry=False, allocates=False)
def note(n: UndoState, b: int, a: Arena, u: int, stale: bool, lasts: int) -> None:
    """Note what is before the decision on an access."""
    n.stale[b, u], n.lasts[b, u] = stale, lasts
    n.latency[b, u], n.noted[b, u] = a.real[LATENCY], n.notes[b]
    n.end[b, u], n.is_new[b, u] = -1, False


@kernel(entry=False, allocates=False)
def take_noted(
    n: UndoState, b: int, p: Problem, a: Arena, first: int, stop: int, step: int, size: float
) -> None:
    """`arena.take`, noting what was used before."""
    left, t = size, first
    while left > 0 and t != stop:
        part = min(left, max(spare(p, a, t), 0.0))
        if part > 0:
            k = n.notes[b]
            n.instruction[b, k], n.used[b, k] = t, a.used[t]
            n.notes[b] = k + 1
            a.used[t] += part
            left -= part
        t += step


@kernel(entry=False, allocates=False)
def take_back(n: UndoState, b: int, p: Problem, a: Arena, u: int) -> None:
    """The mapping as it was before the latest decision, which was on access `u`."""
    for k in range(n.notes[b] - 1, n.noted[b, u] - 1, -1):
        a.used[n.instruction[b, k]] = n.used[b, k]
    n.notes[b] = n.noted[b, u]
    g = p.access_storage[u]
    if n.is_new[b, u]:
        delete(p, a, residency(a, g, n.end[b, u]))
    elif n.end[b, u] >= 0:
        shrink(p, a, g, n.end[b, u], n.lasts[b, u])
    if a.hit[u]:
        make_slow(p, a, u)
    a.real[LATENCY] = n.latency[b, u]
