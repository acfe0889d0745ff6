"""Residencies that grow, shrink and are taken back, and copies that need no room of their own.

`arena.copy_start` and `arena.copy_end` ask for room in fast memory as well as for bandwidth; here
the room is there already, or is being made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphsched.envs.core.kernels.jit import kernel
from graphsched.envs.memory.physics.arena import EPS, RESIDENCIES, Arena, spare

if TYPE_CHECKING:
    from graphsched.envs.memory.physics.program import Problem


@kernel(entry=False, allocates=False)
def residency(a: Arena, g: int, end: int) -> int:
    """Number of the storage's residency with that end."""
    for r in range(a.whole[RESIDENCIES]):
        if a.owner[r] == g and a.end[r] == end:
            return r
    return -1


@kernel(entry=False, allocates=False)
def is_free(p: Problem, a: Arena, offset: int, size: int, start: int, end: int) -> bool:
    """Whether so many bytes are free there throughout [start, end)."""
    for r in range(a.whole[RESIDENCIES]):
        if a.start[r] < end and a.end[r] > start:
            top = a.offset[r] + p.size[a.owner[r]]
            if a.offset[r] < offset + size and offset < top:
                return False
    return True


@kernel(entry=False, allocates=False)
def grow(p: Problem, a: Arena, g: int, end: int, until: int) -> None:
    """A residency lasts longer."""
    a.end[residency(a, g, end)] = until
    for t in range(end, until):
        a.load[t] += p.size[g]


@kernel(entry=False, allocates=False)
def shrink(p: Problem, a: Arena, g: int, end: int, until: int) -> None:
    """A residency ends sooner."""
    a.end[residency(a, g, end)] = until
    for t in range(until, end):
        a.load[t] -= p.size[g]


@kernel(entry=False, allocates=False)
def latest_start(p: Problem, a: Arena, low: int, high: int, g: int) -> int:
    """Latest instruction in [low, high) from which the link can bring a storage by `high`; or -1."""
    left = p.copy_bytes[g] * (1 - EPS)
    t = high
    while left > 0 and t > low:
        t -= 1
        left -= max(spare(p, a, t), 0.0)
    return t if left <= 0 and t < high else -1


@kernel(entry=False, allocates=False)
def earliest_end(p: Problem, a: Arena, low: int, high: int, g: int) -> int:
    """Earliest instruction in (low, high] by which the link can take a storage away; or -1."""
    left = p.copy_bytes[g] * (1 - EPS)
    t = low
    while left > 0 and t < high:
        left -= max(spare(p, a, t), 0.0)
        t += 1
    return t if left <= 0 and t > low else -1
