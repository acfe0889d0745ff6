"""Taking residencies out of a mapping, and putting storages back into what is free."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from graphsched.envs.core.kernels.jit import kernel
from graphsched.envs.memory.physics.arena import (
    EPS,
    RESIDENCIES,
    Arena,
    clear,
    delete,
    duration,
    insert,
    make_fast,
    make_slow,
    spare,
)
from graphsched.envs.memory.physics.placing import piece

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from graphsched.envs.memory.physics.program import Problem

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float64]


class Copies(NamedTuple):
    """Room for the copies of a mapping, two for each residency at most."""

    stop: Ints  # (2R,) instruction before which it has to be done
    left: Floats  # (2R,) bytes
    head: Ints  # (T,) last copy that can move from an instruction on, -1 for none
    before: Ints  # (2R,) another one of the same instruction
    active: Ints  # (2R,) copies that can move now


def empty_copies(p: Problem) -> Copies:
    """Room for all mappings of a program."""
    return copies_of_size(len(p.compute), len(p.access_time))


def copies_of_size(length: int, accesses: int) -> Copies:
    """Room for all mappings of programs with so many instructions and accesses at most."""
    size = 2 * (accesses + 1)
    rows = np.zeros((3, size), np.int64)
    return Copies(rows[0], np.zeros(size), np.full(length, -1), rows[1], rows[2])


@kernel(entry=False, allocates=False)
def loss(p: Problem, a: Arena, access: int) -> float:
    """Time lost if a fast access alone moved to slow memory now, us."""
    t, size = p.access_time[access], p.access_bytes[access]
    now = duration(p, t, a.slow[t], a.fast[t])
    return duration(p, t, a.slow[t] + size, a.fast[t] - size) - now


@kernel(entry=False, allocates=False)
def run_of(p: Problem, a: Arena, r: int) -> tuple[int, int]:
    """First access that a residency serves, and the one after the last."""
    g = a.owner[r]
    j, end = p.access_ptr[g], p.access_ptr[g + 1]
    while j < end and p.access_time[j] < a.start[r]:
        j += 1
    after = j
    while after < end and p.access_time[after] < a.end[r]:
        after += 1
    return j, after


@kernel(entry=False, allocates=False)
def residency_at(a: Arena, g: int, t: int) -> int:
    """The residency of a storage at an instruction, -1 for none."""
    for r in range(a.whole[RESIDENCIES]):
        if a.owner[r] == g and a.start[r] <= t < a.end[r]:
            return r
    return -1


@kernel(entry=False, allocates=False)
def take_out(p: Problem, a: Arena, r: int) -> None:
    """A residency is no more; its copies still count as moved, see `copy_again`."""
    j, after = run_of(p, a, r)
    for u in range(j, after):
        make_slow(p, a, u)
    delete(p, a, r)


@kernel(entry=False, allocates=False)
def _note_copy(c: Copies, k: int, first: int, stop: int, size: float) -> int:
    c.stop[k], c.left[k] = stop, size * (1 - EPS)
    c.before[k], c.head[first] = c.head[first], k
    return k + 1


@kernel(entry=False, allocates=False)
def _note_copies(p: Problem, a: Arena, c: Copies) -> None:
    """List the copies of all residencies, into fast memory and back."""
    c.head[:] = -1
    k = 0
    for r in range(a.whole[RESIDENCIES]):
        g = a.owner[r]
        j, after = run_of(p, a, r)
        if j > p.access_ptr[g] or p.live_in[g]:
            k = _note_copy(c, k, a.start[r], p.access_time[j], p.copy_bytes[g])
        done = p.access_time[after - 1] + 1
        if a.end[r] > done:
            k = _note_copy(c, k, done, a.end[r], p.copy_bytes[g])


@kernel(entry=False, allocates=False)
def _most_urgent(c: Copies, count: int) -> int:
    best = 0
    for k in range(1, count):
        if c.stop[c.active[k]] < c.stop[c.active[best]]:
            best = k
    return best


@kernel(entry=False, allocates=False)
def copy_again(p: Problem, a: Arena, c: Copies) -> bool:
    """Schedule all copies anew, the most urgent first; whether they can all be hidden."""
    _note_copies(p, a, c)
    count = 0
    for t in range(len(p.compute)):
        a.used[t] = 0.0
        k = c.head[t]
        while k >= 0:
            c.active[count] = k
            count, k = count + 1, c.before[k]
        room = max(spare(p, a, t), 0.0) if count else 0.0
        while count > 0:
            best = _most_urgent(c, count)
            k = c.active[best]
            if c.stop[k] <= t:
                return False
            part = min(room, c.left[k])
            a.used[t] += part
            c.left[k] -= part
            room -= part
            if c.left[k] > 0.0:
                break
            count -= 1
            c.active[best] = c.active[count]
    return count == 0


@kernel
def load(p: Problem, a: Arena, c: Copies, table: Ints) -> bool:
    """Begin with a given mapping; table: (4, R) storage, start, end, offset; whether its copies fit."""
    clear(p, a)
    for r in range(table.shape[1]):
        insert(p, a, table[0, r], table[1, r], table[2, r], table[3, r])
    for r in range(table.shape[1]):
        j, after = run_of(p, a, r)
        for u in range(j, after):
            make_fast(p, a, u)
    return copy_again(p, a, c)


@kernel(entry=False, allocates=False)
def fill(p: Problem, a: Arena, g: int, report: Floats) -> None:
    """Serve what a storage's residencies leave to slow memory, as far as that fits and helps."""
    j, low, end = p.access_ptr[g], 0, p.access_ptr[g + 1]
    if p.size[g] > p.capacity:
        return
    while j < end:
        if a.hit[j]:
            low = a.end[residency_at(a, g, p.access_time[j])]
            j += 1
            continue
        stop, bound = j, len(p.compute)
        while stop < end and not a.hit[stop]:
            stop += 1
        if stop < end:
            bound = a.start[residency_at(a, g, p.access_time[stop])]
        after, since = piece(p, a, g, j, low, stop, bound, True, report)
        if after == j:
            low = p.access_time[j] + 1
            j += 1
        else:
            low, j = since, after
