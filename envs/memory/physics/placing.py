"""Placing one storage after another: as long in fast memory as fits, else in pieces.

The greedy decoder of priorities. A storage produced in fast memory stays there for as many of its
accesses as there is room; where it doesn't fit, it is prefetched for a later access if the copy can
be hidden. A piece that was written to and is wanted in slow memory afterwards is written back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from graphsched.envs.core.kernels.jit import kernel
from graphsched.envs.memory.physics.arena import (
    LATENCY,
    Arena,
    clear,
    copy_end,
    copy_start,
    end_of_fit,
    fit,
    gain,
    insert,
    make_fast,
    take,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from graphsched.envs.memory.physics.program import Problem

    Ints = NDArray[np.int64]

SAVED, HELD, COPIED, SERVED = range(4)  # of what `place` reports


@kernel(entry=False, allocates=False)
def piece(
    p: Problem,
    a: Arena,
    g: int,
    j: int,
    low: int,
    stop: int,
    bound: int,
    commit: bool,
    report: NDArray[np.float64],
) -> tuple[int, int]:
    """The longest run of accesses from j on that fits.

    Args:
        p: the program.
        a: the mapping so far.
        g: storage.
        j: its access to begin with.
        low: first instruction at which a copy may start.
        stop: the access before which the run ends.
        bound: instruction at which that access needs the contents in slow memory, if there is one.
        commit: whether to place it.
        report: (4,) added to: time saved, us; bytes times instructions; bytes copied; accesses.

    Returns:
        The access after the run (j if none fits), and the first instruction before which slow
        memory has the contents.
    """
    end = p.access_ptr[g + 1]
    at, size = p.access_time[j], p.size[g]
    if gain(p, a, j) <= 0.0 and (j + 1 == end or p.live_in[g] or j > p.access_ptr[g]):
        return j, 0
    produced = j == p.access_ptr[g] and not p.live_in[g]
    start = at if produced else copy_start(p, a, low, at, g)
    if start < 0:
        return j, 0
    limit = end_of_fit(p, a, start, p.access_time[stop - 1] + 1, size)
    last = stop - 1
    while last >= j and p.access_time[last] >= limit:
        last -= 1
    while last >= j:
        if last == end - 1 or gain(p, a, last) > 0.0:
            saved, written = 0.0, False
            for k in range(j, last + 1):
                saved += gain(p, a, k)
                written |= p.access_writes[k]
            if saved <= 0.0:
                return j, 0
            after = bound if last == stop - 1 else p.access_time[last + 1]
            until = p.access_time[last] + 1
            back = written and (last < end - 1 or p.live_out[g])
            if back:
                until = copy_end(p, a, until, after, g)
            if until >= 0:
                offset = fit(p, a, start, until, size)
                if offset >= 0:
                    report[SAVED] += saved
                    report[HELD] += size * float(until - start)
                    report[COPIED] += p.copy_bytes[g] * (int(back) + int(not produced))
                    report[SERVED] += last + 1 - j
                    if commit:
                        if not produced:
                            take(p, a, at - 1, start - 1, -1, p.copy_bytes[g])
                        if back:
                            first = p.access_time[last] + 1
                            take(p, a, first, until, 1, p.copy_bytes[g])
                        insert(p, a, g, start, until, offset)
                        for k in range(j, last + 1):
                            make_fast(p, a, k)
                    return last + 1, until
        last -= 1
    return j, 0


@kernel(entry=False, allocates=False)
def place(p: Problem, a: Arena, g: int, commit: bool, report: NDArray[np.float64]) -> None:
    """Place a storage that is nowhere in fast memory, or say what that would give.

    Args:
        p: the program.
        a: the mapping so far.
        g: storage.
        commit: whether to place it.
        report: (4,) as in `piece`, from zero.
    """
    report[:] = 0.0
    if p.size[g] > p.capacity:
        return
    j, low, end = p.access_ptr[g], 0, p.access_ptr[g + 1]
    while j < end:
        after, since = piece(p, a, g, j, low, end, len(p.compute), commit, report)
        if after == j:
            low = p.access_time[j] + 1
            j += 1
        else:
            low, j = since, after


@kernel(entry=False, allocates=False)
def is_hit(p: Problem, a: Arena, g: int) -> bool:
    """Whether fast memory serves any access to a storage."""
    hits = 0
    for u in range(p.access_ptr[g], p.access_ptr[g + 1]):
        hits += a.hit[u]
    return hits > 0


@kernel(entry=False, allocates=False)
def place_absent(p: Problem, a: Arena, order: Ints, report: NDArray[np.float64]) -> None:
    """Place the storages of an order that are nowhere in fast memory; -1 is none."""
    for k in range(len(order)):
        g = order[k]
        if g >= 0 and not is_hit(p, a, g):
            place(p, a, g, True, report)


@kernel(entry=False, allocates=False)
def sweep(p: Problem, a: Arena, order: Ints, report: NDArray[np.float64]) -> None:
    """Place the storages of an order; those that found no place get a second chance at the end.

    Bandwidth and time saved by others may have made room for their copies.
    """
    for _ in range(2):
        place_absent(p, a, order, report)


@kernel
def decode(p: Problem, a: Arena, order: Ints) -> float:
    """Latency of placing storages in an order from the beginning, us; the arena is left so."""
    clear(p, a)
    sweep(p, a, order, np.zeros(4))
    return float(a.real[LATENCY])
