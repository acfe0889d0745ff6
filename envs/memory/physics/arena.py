"""The state of one mapping in the making, and the physics that every kernel shares.

Instruction ``t`` takes ``max(compute, slow bytes * slow_us + fast bytes * fast_us)``. What the slow
memory's link has left while it runs, copies may use: prefetches into fast memory and write-backs
out of it. Moving an operand from slow to fast memory only ever leaves more, so a copy that found
room keeps it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from graphsched.envs.core.kernels.jit import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from graphsched.envs.memory.physics.program import Problem

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float64]
    Bools = NDArray[np.bool_]

RESIDENCIES, FIRST_FIT = range(2)  # of `Arena.whole`
LATENCY = 0  # of `Arena.real`
EPS = 1e-9  # relative tolerance of byte counts


class Arena(NamedTuple):
    """Mutable arrays of one mapping; residencies are sorted by offset."""

    slow: Floats  # (T,) bytes that each instruction finds in slow memory
    fast: Floats  # (T,)
    used: Floats  # (T,) bytes of its spare bandwidth that copies take
    load: Ints  # (T,) bytes of fast memory taken
    hit: Bools  # (A,) accesses served by fast memory
    start: Ints  # (R,) first instruction of a residency; R = A + 1
    end: Ints  # (R,) first instruction after it
    offset: Ints  # (R,)
    owner: Ints  # (R,) storage
    whole: Ints  # (2,) number of residencies, and whether first fit places them, not best fit
    real: Floats  # (1,) latency, us


def empty_arena(instructions: int, accesses: int, slots: int | None = None) -> Arena:
    """Zeroed arrays; with a leading dimension if `slots` is given."""
    lead = () if slots is None else (slots,)
    sizes = {"T": instructions, "A": accesses, "R": accesses + 1, "2": 2, "1": 1}
    shapes = "TTTTARRRR21"
    kinds: Any = [np.float64] * 3 + [np.int64, np.bool_] + [np.int64] * 5 + [np.float64]
    return Arena(
        *(np.zeros((*lead, sizes[s]), kind) for s, kind in zip(shapes, kinds, strict=True))
    )


@kernel(entry=False, allocates=False)
def duration(p: Problem, t: int, slow: float, fast: float) -> float:
    """Time of an instruction with so many bytes in each memory, us."""
    return float(max(p.compute[t], slow * p.slow_us + fast * p.fast_us))


@kernel(entry=False, allocates=False)
def clear(p: Problem, a: Arena) -> None:
    """Nothing is in fast memory."""
    total = 0.0
    for t in range(len(p.compute)):
        a.slow[t] = p.slow_all[t]
        a.fast[t] = 0.0
        a.used[t] = 0.0
        a.load[t] = 0
        total += duration(p, t, p.slow_all[t], 0.0)
    a.hit[: len(p.access_time)] = False
    a.whole[RESIDENCIES] = 0
    a.real[LATENCY] = total


@kernel(entry=False, allocates=False)
def copy_mapping(p: Problem, a: Arena, to: Arena) -> None:
    """Fill another arena with a mapping."""
    for t in range(len(p.compute)):
        to.slow[t], to.fast[t] = a.slow[t], a.fast[t]
        to.used[t], to.load[t] = a.used[t], a.load[t]
    for u in range(len(p.access_time)):
        to.hit[u] = a.hit[u]
    for r in range(a.whole[RESIDENCIES]):
        to.start[r], to.end[r] = a.start[r], a.end[r]
        to.offset[r], to.owner[r] = a.offset[r], a.owner[r]
    to.whole[RESIDENCIES], to.whole[FIRST_FIT] = a.whole[RESIDENCIES], a.whole[FIRST_FIT]
    to.real[LATENCY] = a.real[LATENCY]


@kernel(entry=False, allocates=False)
def spare(p: Problem, a: Arena, t: int) -> float:
    """Bytes that further copies can move while an instruction runs."""
    room = duration(p, t, a.slow[t], a.fast[t]) / p.slow_us - a.slow[t]
    return float(min(p.cap[t], room) - a.used[t])


@kernel(entry=False, allocates=False)
def gain(p: Problem, a: Arena, access: int) -> float:
    """Time saved if the access alone moved to fast memory now, us."""
    t, size = p.access_time[access], p.access_bytes[access]
    before = duration(p, t, a.slow[t], a.fast[t])
    return before - duration(p, t, a.slow[t] - size, a.fast[t] + size)


@kernel(entry=False, allocates=False)
def copy_start(p: Problem, a: Arena, low: int, high: int, g: int) -> int:
    """Latest instruction in [low, high) from which a copy into fast memory is there by `high`.

    -1 if there is none, or if fast memory is full on the way.
    """
    left, room = p.copy_bytes[g] * (1 - EPS), p.capacity - p.size[g]
    t = high
    while left > 0 and t > low:
        t -= 1
        if a.load[t] > room:
            return -1
        left -= max(spare(p, a, t), 0.0)
    return t if left <= 0 and t < high else -1


@kernel(entry=False, allocates=False)
def copy_end(p: Problem, a: Arena, low: int, high: int, g: int) -> int:
    """Earliest instruction in (low, high] before which a copy out, begun at low, is done.

    -1 if there is none, or if fast memory is full on the way.
    """
    left, room = p.copy_bytes[g] * (1 - EPS), p.capacity - p.size[g]
    t = low
    while left > 0 and t < high:
        if a.load[t] > room:
            return -1
        left -= max(spare(p, a, t), 0.0)
        t += 1
    return t if left <= 0 and t > low else -1


@kernel(entry=False, allocates=False)
def take(p: Problem, a: Arena, first: int, stop: int, step: int, size: float) -> None:
    """Use the spare bandwidth of instructions first, first + step, ... before stop for a copy."""
    left = size
    t = first
    while left > 0 and t != stop:
        part = min(left, max(spare(p, a, t), 0.0))
        a.used[t] += part
        left -= part
        t += step


@kernel(entry=False, allocates=False)
def end_of_fit(p: Problem, a: Arena, start: int, end: int, size: int) -> int:
    """End of the instructions from start on at which so many bytes, somewhere, are free."""
    for t in range(start, end):
        if a.load[t] + size > p.capacity:
            return t
    return end


@kernel(entry=False, allocates=False)
def fit(p: Problem, a: Arena, start: int, end: int, size: int) -> int:
    """Offset that is free throughout [start, end): in the smallest gap, or the first; or -1."""
    best, slack, top = -1, p.capacity + 1, 0
    for r in range(a.whole[RESIDENCIES]):
        if a.start[r] >= end or a.end[r] <= start:
            continue
        room = a.offset[r] - top
        if size <= room < slack:
            best, slack = top, room
            if a.whole[FIRST_FIT]:
                return best
        top = max(top, a.offset[r] + p.size[a.owner[r]])
    room = p.capacity - top
    if size <= room < slack:
        best = top
    return best


@kernel(entry=False, allocates=False)
def insert(p: Problem, a: Arena, storage: int, start: int, end: int, offset: int) -> None:
    """A new residency."""
    r = a.whole[RESIDENCIES]
    while r > 0 and a.offset[r - 1] > offset:
        a.start[r], a.end[r] = a.start[r - 1], a.end[r - 1]
        a.offset[r], a.owner[r] = a.offset[r - 1], a.owner[r - 1]
        r -= 1
    a.start[r], a.end[r], a.offset[r], a.owner[r] = start, end, offset, storage
    a.whole[RESIDENCIES] += 1
    for t in range(start, end):
        a.load[t] += p.size[storage]


@kernel(entry=False, allocates=False)
def delete(p: Problem, a: Arena, r: int) -> None:
    """A residency is no more; what its accesses and copies were counted as stays."""
    for t in range(a.start[r], a.end[r]):
        a.load[t] -= p.size[a.owner[r]]
    a.whole[RESIDENCIES] -= 1
    for k in range(r, a.whole[RESIDENCIES]):
        a.start[k], a.end[k] = a.start[k + 1], a.end[k + 1]
        a.offset[k], a.owner[k] = a.offset[k + 1], a.owner[k + 1]


@kernel(entry=False, allocates=False)
def make_fast(p: Problem, a: Arena, access: int) -> None:
    """Serve an access from fast memory."""
    t, size = p.access_time[access], p.access_bytes[access]
    before = duration(p, t, a.slow[t], a.fast[t])
    a.slow[t] -= size
    a.fast[t] += size
    a.hit[access] = True
    a.real[LATENCY] += duration(p, t, a.slow[t], a.fast[t]) - before


@kernel(entry=False, allocates=False)
def make_slow(p: Problem, a: Arena, access: int) -> None:
    """Serve an access from slow memory again."""
    t, size = p.access_time[access], p.access_bytes[access]
    before = duration(p, t, a.slow[t], a.fast[t])
    a.slow[t] += size
    a.fast[t] -= size
    a.hit[access] = False
    a.real[LATENCY] += duration(p, t, a.slow[t], a.fast[t]) - before
