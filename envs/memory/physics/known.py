"""What placing each storage would give, kept until something that it depends on changes.

That is the instructions of its lifetime, and those before and after that a copy may use. What changes
are the instructions of the residencies of a storage that is placed: its load, its copies and the
accesses that become fast are all in there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphsched.envs.core.kernels.jit import kernel
from graphsched.envs.memory.physics.arena import EPS, RESIDENCIES, Arena, spare
from graphsched.envs.memory.physics.placing import place

if TYPE_CHECKING:
    from graphsched.envs.memory.physics.program import Problem
    from graphsched.envs.memory.physics.state import KnownState

FIRST, STOP = range(2)  # instructions [first, stop)


@kernel(entry=False, allocates=False)
def forget(k: KnownState, b: int, p: Problem) -> None:
    """Nothing is known."""
    k.changes[b] = 0
    for g in range(len(p.size)):
        k.at[b, g] = -1


@kernel(entry=False, allocates=False)
def note_change(k: KnownState, b: int, a: Arena, g: int) -> None:
    """A storage was placed."""
    n = k.changes[b]
    for r in range(a.whole[RESIDENCIES]):
        if a.owner[r] == g:
            k.change[b, n, FIRST], k.change[b, n, STOP] = a.start[r], a.end[r]
            n += 1
    k.changes[b] = n


@kernel(entry=False, allocates=False)
def is_known(k: KnownState, b: int, g: int) -> bool:
    """Whether what is known still holds."""
    if k.at[b, g] < 0:
        return False
    first, stop = k.reads[b, g, FIRST], k.reads[b, g, STOP]
    for n in range(k.at[b, g], k.changes[b]):
        if k.change[b, n, FIRST] < stop and k.change[b, n, STOP] > first:
            return False
    k.at[b, g] = k.changes[b]
    return True


@kernel(entry=False, allocates=False)
def _reach(p: Problem, a: Arena, g: int, t: int, end: int, step: int) -> int:
    """How far a copy looks from instruction t on: `end`, or where it is done or memory is full."""
    left, room = p.copy_bytes[g] * (1 - EPS), p.capacity - p.size[g]
    while left > 0 and t != end:
        left = 0.0 if a.load[t] > room else left - max(spare(p, a, t), 0.0)
        t += step
    return t


@kernel(entry=False, allocates=False)
def know(k: KnownState, b: int, p: Problem, a: Arena, g: int) -> None:
    """Find out what placing a storage would give now, if that isn't known."""
    if is_known(k, b, g):
        return
    first, stop = p.access_time[p.access_ptr[g]], p.access_time[p.access_ptr[g + 1] - 1] + 1
    if p.live_in[g]:
        first = _reach(p, a, g, first - 1, -1, -1) + 1
    if p.live_out[g]:
        stop = _reach(p, a, g, stop, len(p.compute), 1)
    place(p, a, g, False, k.outcome[b, g])
    k.reads[b, g, FIRST], k.reads[b, g, STOP], k.at[b, g] = first, stop, k.changes[b]
