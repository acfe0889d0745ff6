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
)
from graphsched.envs.memory.physics.state import COPY, SLOW, STAY, State
from graphsched.envs.memory.physics.staying import grow, is_free, residency
from graphsched.envs.memory.physics.undo import note, take_back, take_noted

if TYPE_CHECKING:
    from graphsched.envs.memory.physics.program import Problem

START, END, OFFSET = range(3)  # of `State.fast_stay`


@kernel(entry=False, allocates=False)
def _final(s: State, b: int, p: Problem, a: Arena, u: int, g: int) -> int:
    """End of the stay that the storage needs if access `u` is fast; -1: impossible."""
    t = p.access_time[u]
    dirty = s.stale[b, g] or p.access_writes[u]
    if u + 1 < p.access_ptr[g + 1] or not p.live_out[g] or not dirty:
        return int(t) + 1
    return copy_end(p, a, t + 1, len(p.compute), g)


@kernel(entry=False, allocates=False)
def _retreat(s: State, b: int, p: Problem, a: Arena, u: int, g: int) -> int:
    """End of the write-back that must come before a slow access; -1: impossible."""
    before = p.access_time[u - 1]
    end = copy_end(p, a, before + 1, p.access_time[u], g)
    if end < 0:
        return -1
    r = residency(a, g, s.lasts[b, g])
    return end if is_free(p, a, a.offset[r], p.size[g], before + 1, end) else -1


@kernel(entry=False, allocates=False)
def _fast_choice(s: State, b: int, p: Problem, a: Arena, u: int, g: int) -> int:
    """How access `u` can be fast, `SLOW` if it can't; fills in the stay that it takes."""
    t, last, end = p.access_time[u], s.lasts[b, g], _final(s, b, p, a, u, g)
    produced = u == p.access_ptr[g] and not p.live_in[g]
    choice, start, offset = SLOW, t, -1
    if end < 0:
        return SLOW
    if last >= 0:
        r = residency(a, g, last)
        if is_free(p, a, a.offset[r], p.size[g], last, end):
            choice, start, offset = STAY, last, a.offset[r]
    elif produced:
        choice, offset = STAY, fit(p, a, t, end, p.size[g])
    if offset < 0 and not s.stale[b, g] and not produced:
        choice = COPY
        low = 0 if u == p.access_ptr[g] else p.access_time[u - 1] + 1
        start = copy_start(p, a, low, t, g)
        offset = -1 if start < 0 else fit(p, a, start, end, p.size[g])
    s.fast_stay[b, START], s.fast_stay[b, END], s.fast_stay[b, OFFSET] = start, end, offset
    return choice if offset >= 0 else SLOW


@kernel(entry=False, allocates=False)
def find_choices(s: State, b: int, p: Problem, a: Arena, u: int) -> None:
    """The choices for an access."""
    g = p.access_storage[u]
    found = 0
    if not s.forced[b, u] and p.size[g] <= p.capacity:
        choice = _fast_choice(s, b, p, a, u, g)
        if choice != SLOW:
            s.candidate[b, found] = choice
            found += 1
    if not s.stale[b, g] or _retreat(s, b, p, a, u, g) >= 0:
        s.candidate[b, found] = SLOW
        found += 1
    s.num_candidates[b] = found


@kernel(entry=False, allocates=False)
def serve(s: State, b: int, p: Problem, a: Arena, u: int, choice: int) -> None:
    """Decide on an access whose choices were just found."""
    g = p.access_storage[u]
    s.chosen[b, u] = choice
    note(s.undo, b, a, u, s.stale[b, g], s.lasts[b, g])
    if choice == SLOW:
        if s.stale[b, g]:
            end = _retreat(s, b, p, a, u, g)
            take_noted(s.undo, b, p, a, p.access_time[u - 1] + 1, end, 1, p.copy_bytes[g])
            grow(p, a, g, s.lasts[b, g], end)
            s.undo.end[b, u] = end
        s.stale[b, g], s.lasts[b, g] = False, -1
        return
    _serve_fast(s, b, p, a, u, choice)
    make_fast(p, a, u)


@kernel(entry=False, allocates=False)
def _serve_fast(s: State, b: int, p: Problem, a: Arena, u: int, choice: int) -> None:
    """The stay of an access that is served by fast memory, and its copies."""
    g, t = p.access_storage[u], p.access_time[u]
    start, end = s.fast_stay[b, START], s.fast_stay[b, END]
    if end > t + 1:
        take_noted(s.undo, b, p, a, t + 1, end, 1, p.copy_bytes[g])
    stays = choice == STAY and s.lasts[b, g] >= 0
    if stays:
        grow(p, a, g, s.lasts[b, g], end)
    else:
        if choice == COPY:
            take_noted(s.undo, b, p, a, t - 1, start - 1, -1, p.copy_bytes[g])
        insert(p, a, g, start, end, s.fast_stay[b, OFFSET])
    s.undo.end[b, u], s.undo.is_new[b, u] = end, not stays
    s.stale[b, g], s.lasts[b, g] = s.stale[b, g] or p.access_writes[u], end


@kernel(entry=False, allocates=False)
def _rewind(s: State, b: int, p: Problem, a: Arena, u: int) -> None:
    """Back to the decision that brought the contents of a dead end into fast memory."""
    g = p.access_storage[u]
    origin = u - 1
    while origin > p.access_ptr[g] and s.chosen[b, origin] == STAY:
        origin -= 1
    s.forced[b, origin] = True
    while u != origin:
        s.cursor[b] -= 1
        u = p.program_order[s.cursor[b]]
        take_back(s.undo, b, p, a, u)
        g = p.access_storage[u]
        s.stale[b, g], s.lasts[b, g] = s.undo.stale[b, u], s.undo.lasts[b, u]


@kernel(entry=False, allocates=False)
def begin(s: State, b: int, p: Problem, a: Arena) -> None:
    """The game from its start."""
    clear(p, a)
    s.cursor[b], s.undo.notes[b] = 0, 0
    for g in range(len(p.size)):
        s.stale[b, g], s.lasts[b, g] = False, -1


@kernel(entry=False, allocates=False)
def next_access(s: State, b: int, p: Problem, a: Arena) -> None:
    """Go on to the next access with a choice, or to the end."""
    while s.cursor[b] < len(p.access_time):
        u = p.program_order[s.cursor[b]]
        find_choices(s, b, p, a, u)
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
