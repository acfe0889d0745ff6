"""``belady``: program order; what is used furthest in the future makes room.

Belady 1966 ("A study of replacement algorithms for a virtual-storage computer") for a scratchpad
whose future is known. An access that fast memory would serve quicker gets its operand there: made
there by the instruction that produces it, else copied in beforehand, as late as the copy can be
hidden. Where there is no room, storages leave, that whose next use is furthest first, since their
last use, which is in the past: dirty ones once they are written back. A storage stays until it has
to leave or is not used any more. Offsets are by best fit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from graphsched.envs.core.domain import Baseline, SolverOptions
from graphsched.envs.core.kernels.jit import kernel
from graphsched.envs.memory.physics.arena import (
    LATENCY,
    Arena,
    clear,
    copy_mapping,
    empty_arena,
    fit,
    gain,
    insert,
    make_fast,
    take,
)
from graphsched.envs.memory.physics.mapping import solution_of
from graphsched.envs.memory.physics.program import problem_of
from graphsched.envs.memory.physics.staying import earliest_end, latest_start, shrink

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from graphsched.envs.memory.instance import MemoryInstance
    from graphsched.envs.memory.physics.program import Problem
    from graphsched.envs.memory.solution import MemorySolution

    Bools = NDArray[np.bool_]
    Ints = NDArray[np.int64]

ABSENT = -1  # no access, no time: not in fast memory; can't leave


@kernel(entry=False)
def _furthest(p: Problem, last: Ints, start: int, t: int) -> int:
    """The storage whose next use is furthest, among those not used since `start` nor at `t`; or -1."""
    found, when = -1, t
    for g in range(len(last)):
        u = last[g]
        if u != ABSENT and p.access_time[u] < start and p.access_time[u + 1] > when:
            found, when = g, p.access_time[u + 1]
    return found


@kernel(entry=False)
def _leave(p: Problem, a: Arena, g: int, u: int, by: int, dirty: bool) -> int:
    """A storage that stays until further notice leaves after access `u`; when it is gone, or -1."""
    after, forever = p.access_time[u] + 1, len(p.compute)
    until = earliest_end(p, a, after, by, g) if dirty else after
    if until >= 0:
        if dirty:
            take(p, a, after, until, 1, p.copy_bytes[g])
        shrink(p, a, g, forever, until)
    return until


@kernel(entry=False)
def _enter(p: Problem, a: Arena, old: Arena, u: int, last: Ints, dirty: Bools, since: Ints) -> None:
    """Make room for the operand of an access that fast memory would serve quicker, if possible.

    Args:
        p: the program.
        a: the mapping so far; what is there stays until the end of the program.
        old: room for what to come back to.
        u: the access.
        last: (G,) latest access of each storage that is there, else ABSENT.
        dirty: (G,) whether slow memory lacks its contents.
        since: (G,) first instruction at which a copy of it could begin.
    """
    g, t, forever = p.access_storage[u], p.access_time[u], len(p.compute)
    made = u == p.access_ptr[g] and not p.live_in[g]
    start = t if made else latest_start(p, a, since[g], t, g)
    if start < 0 or p.size[g] > p.capacity:
        return
    copy_mapping(p, a, old)
    gone = np.full(len(last), ABSENT, np.int64)  # when those that make room are gone
    mine = last.copy()
    while True:
        offset = fit(p, a, start, forever, p.size[g])
        if offset >= 0:
            break
        victim = _furthest(p, mine, start, t)
        if victim < 0:
            copy_mapping(p, old, a)
            return
        gone[victim] = _leave(p, a, victim, mine[victim], start, dirty[victim])
        mine[victim] = ABSENT
    for v in range(len(gone)):
        if gone[v] != ABSENT:
            last[v], dirty[v], since[v] = ABSENT, False, gone[v]
    if not made:
        take(p, a, t - 1, start - 1, -1, p.copy_bytes[g])
    insert(p, a, g, start, forever, offset)
    last[g] = u


@kernel(entry=False)
def _is_lost(p: Problem, a: Arena, u: int, dirty: Bools) -> bool:
    """Whether an access is the last of a result that couldn't be written back after it."""
    g = p.access_storage[u]
    wanted = p.live_out[g] and (dirty[g] or p.access_writes[u])
    if not wanted or u + 1 < p.access_ptr[g + 1]:
        return False
    return earliest_end(p, a, p.access_time[u] + 1, len(p.compute), g) < 0


@kernel(entry=False)
def _serve(p: Problem, a: Arena, u: int, last: Ints, dirty: Bools) -> None:
    """Serve an access from fast memory, where its storage is; it leaves if it isn't used any more."""
    g = p.access_storage[u]
    soiled = dirty[g] or p.access_writes[u]
    if u + 1 == p.access_ptr[g + 1]:
        _leave(p, a, g, u, len(p.compute), soiled and p.live_out[g])
        last[g] = ABSENT
    else:
        last[g], dirty[g] = u, soiled
    make_fast(p, a, u)


@kernel(entry=False)
def _run(p: Problem, a: Arena, old: Arena, banned: Bools) -> int:
    """The whole program.

    Args:
        p: the program.
        a: room for the mapping.
        old: room for what to come back to.
        banned: (G,) storages that stay in slow memory; those are added whose contents are in fast
            memory only when they have to be written back and can't be.

    Returns:
        How many were added; the mapping is one only if none was.
    """
    clear(p, a)
    size, added = len(p.size), 0
    last, dirty = np.full(size, ABSENT, np.int64), np.zeros(size, np.bool_)
    since = np.zeros(size, np.int64)
    for i in range(len(p.program_order)):
        u = p.program_order[i]
        g = p.access_storage[u]
        lost = _is_lost(p, a, u, dirty)
        if lost and last[g] != ABSENT:
            banned[g] |= dirty[g]
            added += int(dirty[g])
            _leave(p, a, g, last[g], len(p.compute), False)
            last[g] = ABSENT
        after = u + 1 < p.access_ptr[g + 1]
        made = u == p.access_ptr[g] and not p.live_in[g]
        quicker = (gain(p, a, u) > 0.0 or (made and after)) and not lost
        if last[g] == ABSENT and quicker and not banned[g]:
            _enter(p, a, old, u, last, dirty, since)
        if last[g] != ABSENT:
            _serve(p, a, u, last, dirty)
        if last[g] == ABSENT:
            since[g] = max(since[g], p.access_time[u] + 1)
    return added


@kernel
def replace_furthest(p: Problem, a: Arena, old: Arena) -> float:
    """Play a program; a result that couldn't be written back is left in slow memory from the start.

    Args:
        p: the program.
        a: room for the mapping.
        old: room for what to come back to.

    Returns:
        The latency, us; the arena holds the mapping.
    """
    banned = np.zeros(len(p.size), np.bool_)
    while _run(p, a, old, banned) > 0:
        pass
    return float(a.real[LATENCY])


def belady(options: SolverOptions) -> Callable[[MemoryInstance], MemorySolution]:
    """Nothing to choose."""
    del options

    def solve(instance: MemoryInstance) -> MemorySolution:
        p = problem_of(instance)
        arena, spare = (empty_arena(len(p.compute), len(p.access_time)) for _ in range(2))
        replace_furthest(p, arena, spare)
        return solution_of(arena)

    return solve


BASELINE = Baseline(
    make=belady,
    summary="program order; what is used furthest in the future makes room (Belady 1966)",
    is_rule=True,
)
