"""The step-wise game: access by access, an operand is copied in, stays, or is served from slow memory.

After mallocMuZero's MMapGame. A dead end is an access whose contents are in fast memory only, where
they can neither stay nor be written back in time: the game returns to the decision that brought
them there and serves that one from slow memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphsched.envs.core.kernels.jit import kernel
from graphsched.envs.core.sim import DONE, WAITING
from graphsched.envs.memory.physics.arena import (
    Arena,
    clear,
    copy_end,
    copy_start,
    fit,
    insert,
    make_fast,
    take,
)
from graphsched.envs.memory.physics.state import COPY, SLOW, STAY, State
from graphsched.envs.memory.physics.staying import grow, is_free, residency

if TYPE_CHECKING:
    from graphsched.envs.memory.physics.program import Problem


@kernel(entry=False)
def _final(s: State, b: int, p: Problem, a: Arena, u: int, g: int, dirty: bool) -> int:
    """End of the stay that the storage needs if access `u` is fast; -1: impossible."""
    t = p.access_time[u]
    if u + 1 < p.access_ptr[g + 1] or not p.live_out[g] or not dirty:
        return int(t) + 1
    return copy_end(p, a, t + 1, len(p.compute), g)


@kernel(entry=False)
def _retreat(s: State, b: int, p: Problem, a: Arena, u: int, g: int) -> int:
    """End of the write-back that must come before a slow access; -1: impossible."""
    before = p.access_time[u - 1]
    end = copy_end(p, a, before + 1, p.access_time[u], g)
    if end < 0:
        return -1
    r = residency(a, g, s.lasts[b, g])
    return end if is_free(p, a, a.offset[r], p.size[g], before + 1, end) else -1


@kernel(entry=False)
def _entry(s: State, b: int, p: Problem, a: Arena, u: int, g: int, choice: int) -> tuple[int, int]:
    """Start and end of a fast access's stay; (-1, -1) if it is not possible."""
    t = p.access_time[u]
    first = u == p.access_ptr[g]
    final = _final(s, b, p, a, u, g, s.stale[b, g] or p.access_writes[u])
    if final < 0:
        return -1, -1
    if choice == STAY:
        if s.lasts[b, g] >= 0:
            r = residency(a, g, s.lasts[b, g])
            free = is_free(p, a, a.offset[r], p.size[g], s.lasts[b, g], final)
            return (s.lasts[b, g], final) if free else (-1, -1)
        if not first or p.live_in[g]:
            return -1, -1
        return (t, final) if fit(p, a, t, final, p.size[g]) >= 0 else (-1, -1)
    if s.stale[b, g] or (first and not p.live_in[g]):
        return -1, -1
    start = copy_start(p, a, 0 if first else p.access_time[u - 1] + 1, t, g)
    if start < 0 or fit(p, a, start, final, p.size[g]) < 0:
        return -1, -1
    return start, final


@kernel(entry=False)
def _options(s: State, b: int, p: Problem, a: Arena, u: int) -> None:
    """The choices for an access."""
    g = p.access_storage[u]
    found = 0
    if not s.forced[b, u] and p.size[g] <= p.capacity:
        for choice in (STAY, COPY):
            start, _ = _entry(s, b, p, a, u, g, choice)
            if start >= 0 and found == 0:
                s.candidate[b, found] = choice
                found += 1
    if not s.stale[b, g] or _retreat(s, b, p, a, u, g) >= 0:
        s.candidate[b, found] = SLOW
        found += 1
    s.num_candidates[b] = found


@kernel(entry=False)
def serve(s: State, b: int, p: Problem, a: Arena, u: int, choice: int) -> None:
    """Decide on an access."""
    g, t = p.access_storage[u], p.access_time[u]
    s.chosen[b, u] = choice
    if choice == SLOW:
        if s.stale[b, g]:
            end = _retreat(s, b, p, a, u, g)
            take(p, a, p.access_time[u - 1] + 1, end, 1, p.copy_bytes[g])
            grow(p, a, g, s.lasts[b, g], end)
        s.stale[b, g], s.lasts[b, g] = False, -1
        return
    dirty = s.stale[b, g] or p.access_writes[u]
    start, final = _entry(s, b, p, a, u, g, choice)
    if final > t + 1:
        take(p, a, t + 1, final, 1, p.copy_bytes[g])
    if choice == STAY and s.lasts[b, g] >= 0:
        grow(p, a, g, s.lasts[b, g], final)
    else:
        if choice == COPY:
            take(p, a, t - 1, start - 1, -1, p.copy_bytes[g])
        insert(p, a, g, start, final, fit(p, a, start, final, p.size[g]))
    s.stale[b, g], s.lasts[b, g] = dirty, final
    make_fast(p, a, u)


@kernel(entry=False)
def _rewind(s: State, b: int, p: Problem, a: Arena, u: int) -> None:
    """Back to the decision that brought the contents of a dead end into fast memory."""
    g = p.access_storage[u]
    origin = u - 1
    while origin > p.access_ptr[g] and s.chosen[b, origin] == STAY:
        origin -= 1
    s.forced[b, origin] = True
    begin(s, b, p, a)
    while p.program_order[s.cursor[b]] != origin:
        v = p.program_order[s.cursor[b]]
        serve(s, b, p, a, v, s.chosen[b, v])
        s.cursor[b] += 1


@kernel(entry=False)
def begin(s: State, b: int, p: Problem, a: Arena) -> None:
    """The game from its start."""
    clear(p, a)
    s.cursor[b] = 0
    for g in range(len(p.size)):
        s.stale[b, g], s.lasts[b, g] = False, -1


@kernel(entry=False)
def next_access(s: State, b: int, p: Problem, a: Arena) -> None:
    """Go on to the next access with a choice, or to the end."""
    while s.cursor[b] < len(p.access_time):
        u = p.program_order[s.cursor[b]]
        _options(s, b, p, a, u)
        if s.num_candidates[b] == 0:
            _rewind(s, b, p, a, u)
            continue
        last = s.cursor[b] + 1 == len(p.access_time) and s.decisions[b] == 0
        if s.num_candidates[b] > 1 or last:
            s.status[b] = WAITING
            return
        serve(s, b, p, a, u, s.candidate[b, 0])
        s.cursor[b] += 1
    s.status[b] = DONE
