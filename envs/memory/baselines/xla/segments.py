"""Storage by storage, use by use: stay, else make room for it and fetch it again, else slow memory.

Facts from ``xla/service/memory_space_assignment/algorithm.cc`` (openxla/xla): a value's life is cut
at its uses into segments. In each, first it stays where it is, or is produced in fast memory, if
that isn't too long (no copy); else what only fast memory has is evicted; then it is prefetched; and
where that fails the use is served from slow memory. A chunk is chosen so that it is free until the
last use, or the last but one, and so on. What a program is given lies in slow memory at first, and
its results are wanted there: a last access that writes one is served from slow memory. A value
that can't be evicted is taken out altogether and tried again with more time for evictions.

Ours: copies take what the link has to spare; as that is more once operands are in fast memory, while
XLA counts the whole time of instructions, storages for which nothing could be copied are tried again
at the end. An eviction comes after the last access and holds its
chunk until it is done, and reading and writing a storage in one instruction is one access.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from graphsched.envs.core.kernels.jit import kernel
from graphsched.envs.memory.baselines.xla.picker import Picker, eviction_limit, is_short, starts
from graphsched.envs.memory.baselines.xla.repacking import repack
from graphsched.envs.memory.physics.arena import (
    LATENCY,
    Arena,
    clear,
    copy_end,
    copy_mapping,
    duration,
    end_of_fit,
    fit,
    insert,
    make_fast,
    take,
)
from graphsched.envs.memory.physics.staying import grow, is_free, latest_start, residency

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from graphsched.envs.memory.physics.program import Problem

    Ints = NDArray[np.int64]

DONE, STUCK, FULL = range(3)  # assigned; couldn't be evicted; would have found room but for gaps
RETRY_FACTOR = 2.0  # more time for evictions with each retry (`kEvictionRetryMultiplier`)


@kernel(entry=False)
def _chunk(p: Problem, a: Arena, k: Picker, g: int, j: int, stop: int, start: int) -> int:
    """Offset of a free chunk from `start` to access `j`, if possible to a later one; or -1."""
    t = p.access_time[j]
    for last in range(stop - 1, j - 1, -1):
        end = p.access_time[last] + 1
        if last > j and not is_short(k, t, p.access_time[last]):
            continue
        if end_of_fit(p, a, start, end, p.size[g]) < end:
            continue
        offset = fit(p, a, start, end, p.size[g])
        if offset >= 0:
            return offset
    return -1


@kernel(entry=False)
def _saved(p: Problem, u: int) -> float:
    """Time that an access saves in fast memory, the rest of its instruction in slow memory, us."""
    t, size = p.access_time[u], p.access_bytes[u]
    slow = p.slow_all[t]
    return duration(p, t, slow, 0.0) - duration(p, t, slow - size, size)


@kernel(entry=False)
def _fetch(p: Problem, a: Arena, k: Picker, g: int, j: int, stop: int, low: int, room: Ints) -> int:
    """Prefetch a storage for access `j`, from `low` on; DONE, STUCK for want of time, or FULL."""
    t = p.access_time[j]
    latest = latest_start(p, a, low, t, g)
    if latest < 0 or a.load[t] + p.size[g] > p.capacity:
        return STUCK
    found = starts(k, p.copy_bytes[g], low, t, _saved(p, j), room)
    out = STUCK
    for i in range(found):
        start = room[i]
        if start > latest or end_of_fit(p, a, start, t + 1, p.size[g]) <= t:
            continue
        offset = _chunk(p, a, k, g, j, stop, start)
        if offset >= 0:
            take(p, a, t - 1, start - 1, -1, p.copy_bytes[g])
            insert(p, a, g, start, t + 1, offset)
            make_fast(p, a, j)
            return DONE
        out = FULL
    return out


@kernel(entry=False)
def _stay(p: Problem, a: Arena, k: Picker, g: int, j: int, end: int) -> bool:
    """Keep a storage that is there until `end` for access `j`, if that is possible."""
    t = p.access_time[j]
    if not is_short(k, end, t):
        return False
    if not is_free(p, a, a.offset[residency(a, g, end)], p.size[g], end, t + 1):
        return False
    grow(p, a, g, end, t + 1)
    make_fast(p, a, j)
    return True


@kernel(entry=False)
def _evict(p: Problem, a: Arena, k: Picker, g: int, end: int, by: int, widening: float) -> int:
    """Write back a storage whose residency ends at `end`; the end of the copy, or -1."""
    limit = eviction_limit(k, p.copy_bytes[g], end, by, widening * k.preferred)
    until = copy_end(p, a, end, limit, g) if end < by else -1
    r = residency(a, g, end)
    if until < 0 or not is_free(p, a, a.offset[r], p.size[g], end, until):
        return -1
    take(p, a, end, until, 1, p.copy_bytes[g])
    grow(p, a, g, end, until)
    return until


@kernel(entry=False)
def _produce(p: Problem, a: Arena, k: Picker, g: int, stop: int) -> int:
    """Make a storage in fast memory and keep it until its first use, if there is one; see `DONE`."""
    j = p.access_ptr[g]
    if j + 1 >= stop or not is_short(k, p.access_time[j] + 1, p.access_time[j + 1]):
        return STUCK
    start, end = p.access_time[j], p.access_time[j + 1] + 1
    offset = _chunk(p, a, k, g, j + 1, stop, start)
    if offset < 0:
        return FULL if end_of_fit(p, a, start, end, p.size[g]) == end else STUCK
    insert(p, a, g, start, end, offset)
    make_fast(p, a, j)
    make_fast(p, a, j + 1)
    return DONE


@kernel(entry=False)
def _assign(p: Problem, a: Arena, k: Picker, g: int, widening: float, room: Ints) -> int:
    """All segments of a storage.

    Returns:
        DONE, STUCK where it must be taken out again, FULL where a chunk was missing for gaps only.
    """
    first, last = p.access_ptr[g], p.access_ptr[g + 1]
    stop = last - int(p.live_out[g] and p.access_writes[last - 1])
    out, end, dirty, low, j = DONE, -1, False, 0, first
    if not p.live_in[g]:
        made = _produce(p, a, k, g, stop)
        if made == DONE:
            end, dirty, j = p.access_time[first + 1] + 1, True, first + 2
        else:
            low, j = p.access_time[first] + 1, first + 1
            out = FULL if made == FULL else DONE
    while j < last:
        t = p.access_time[j]
        if end >= 0 and j < stop and _stay(p, a, k, g, j, end):
            end, dirty, j = t + 1, dirty or p.access_writes[j], j + 1
            continue
        if end >= 0:
            if j < stop and is_short(k, end, t) and end_of_fit(p, a, end, t + 1, p.size[g]) > t:
                out = FULL
            low = _evict(p, a, k, g, end, t, widening) if dirty else end
            if low < 0:
                return STUCK
            end = -1
        found = _fetch(p, a, k, g, j, stop, low, room) if j < stop else STUCK
        if found == DONE:
            end, dirty = t + 1, p.access_writes[j]
        elif found == FULL:
            out = FULL
        low, j = t + 1, j + 1
    wanted = end >= 0 and dirty and p.live_out[g]
    return STUCK if wanted and _evict(p, a, k, g, end, len(p.compute), widening) < 0 else out


@kernel(entry=False)
def _try(
    p: Problem, a: Arena, old: Arena, k: Picker, g: int, attempts: int, repacks: int, room: Ints
) -> int:
    """Assign a storage, with retries and perhaps a repacking; how many repackings are left."""
    copy_mapping(p, a, old)
    attempt, repacked = 0, False
    while attempt < attempts:
        found = _assign(p, a, k, g, 1.0 + RETRY_FACTOR * attempt, room)
        if found == STUCK:
            copy_mapping(p, old, a)
            attempt += 1
        elif found == FULL and repacks > 0 and not repacked:
            copy_mapping(p, old, a)
            repacks, repacked = repacks - 1, True
            if repack(p, a, old):
                copy_mapping(p, a, old)
        else:
            break
    return repacks


@kernel
def assign(
    p: Problem,
    a: Arena,
    old: Arena,
    k: Picker,
    order: Ints,
    attempts: int,
    repacks: int,
    passes: int,
) -> float:
    """Assign storages in an order, from an empty fast memory.

    Args:
        p: the program.
        a: room for the mapping.
        old: room for what to come back to.
        k: when copies may begin.
        order: storages.
        attempts: at each of them, each with more time for evictions.
        repacks: times that everything may get new offsets.
        passes: through the order; all but the first for those that are nowhere in fast memory.

    Returns:
        The latency, us; the arena holds the mapping.
    """
    clear(p, a)
    room = np.empty(len(p.compute), np.int64)
    for _ in range(passes):
        for g in order:
            if not a.hit[p.access_ptr[g] : p.access_ptr[g + 1]].any():
                repacks = _try(p, a, old, k, g, attempts, repacks, room)
    return float(a.real[LATENCY])
