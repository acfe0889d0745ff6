"""Moves in a mapping itself: a run of accesses comes in over others, which find new places or none."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from graphsched.envs.core.graph import columns, features
from graphsched.envs.core.kernels.draws import draw
from graphsched.envs.core.kernels.jit import kernel
from graphsched.envs.memory.improving.mapping import (
    Copies,
    copy_again,
    empty_copies,
    fill,
    loss,
    residency_at,
    run_of,
    take_out,
)
from graphsched.envs.memory.physics.arena import (
    LATENCY,
    RESIDENCIES,
    Arena,
    copy_end,
    copy_mapping,
    copy_start,
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
    Floats = NDArray[np.float64]

EJECTION = features(
    "saved",  # time that the run saves / latency, log scale
    "lost",  # time that the runs in the way save / latency, log scale
    "whole",  # the same of all of their storages
    "net",  # saved - lost, / their sum
    "density",  # log of time saved by byte and instruction, of the run over those in the way
    "ejected",  # log(1 + runs in the way)
    "accesses",  # log of those of the run
    "length",  # instructions / all
    "size",  # / capacity
    "ejected_held",  # log of their bytes times instructions / the run's
    "copied_in",  # 1 if the run begins with a copy
    "written_back",  # 1 if it ends with one
    "ejected_copies",  # log(1 + copies of those in the way)
    "load",  # mean of the memory in use over the run / capacity
    "all",  # 1 if all of the storage's accesses are meant
    "absent",  # 1 if none of them is fast
    "rest",  # share of its accesses outside the run
    "place",  # middle of the run / all instructions
    "free",  # 1 if nothing is in the way
    "tries",  # log(1 + how often its storage was brought in)
)
RUN = columns(EJECTION)
FOLLOWERS = 12  # storages that are looked at again besides those that were ejected
REACH = 4.0  # log of the largest ratio that a feature tells


class Worths(NamedTuple):
    """What is lost where a residency goes, noted for all of a mapping's when it changes."""

    run: Floats  # (R,) time that a residency saves, us: the sum of what each of its accesses does
    copies: Ints  # (R,) of it, into fast memory and back
    whole: Floats  # (G,) time that a storage's residencies save, us
    load: Floats  # (T + 1,) sum of the memory in use at all earlier instructions, bytes


def empty_worths(p: Problem) -> Worths:
    """Room for all mappings of a program."""
    size = len(p.access_time) + 1
    rows = np.zeros(size), np.zeros(size, np.int64), np.zeros(len(p.size))
    return Worths(*rows, np.zeros(len(p.compute) + 1))


class Ejection(NamedTuple):
    """Proposals and room to try one; K of them."""

    open: Ints  # (A,) slow accesses that would save time
    opened: Ints  # (1,) how many
    run: Ints  # (K, 6) storage, first access, access after the run, start, end, offset
    queue: Ints  # (R,) storages to place again
    worth: Floats  # (R,)
    tries: Ints  # (G,)
    copies: Copies
    worths: Worths


def empty_ejection(p: Problem, offered: int) -> Ejection:
    """Room for all mappings of a program."""
    size = len(p.access_time) + 1
    return Ejection(
        np.zeros(size, np.int64),
        np.zeros(1, np.int64),
        np.zeros((offered, 6), np.int64),
        np.zeros(size + FOLLOWERS, np.int64),
        np.zeros(size + FOLLOWERS),
        np.zeros(len(p.size), np.int64),
        empty_copies(p),
        empty_worths(p),
    )


@kernel(entry=False, allocates=False)
def _note_worths(p: Problem, a: Arena, w: Worths) -> None:
    w.whole[:] = 0.0
    for r in range(a.whole[RESIDENCIES]):
        low, high = run_of(p, a, r)
        w.run[r] = 0.0
        for u in range(low, high):
            w.run[r] += loss(p, a, u)
        w.whole[a.owner[r]] += w.run[r]
        copied, back = a.start[r] < p.access_time[low], a.end[r] > p.access_time[high - 1] + 1
        w.copies[r] = int(copied) + int(back)
    for t in range(len(p.compute)):
        w.load[t + 1] = w.load[t] + a.load[t]


@kernel(entry=False, allocates=False)
def note_open(p: Problem, a: Arena, e: Ejection) -> None:
    """List the slow accesses that would save time, and what residencies are worth."""
    _note_worths(p, a, e.worths)
    count = 0
    for u in range(len(p.access_time)):
        if not a.hit[u] and p.size[p.access_storage[u]] <= p.capacity and gain(p, a, u) > 0.0:
            e.open[count] = u
            count += 1
    e.opened[0] = count


@kernel(entry=False, allocates=False)
def _room(p: Problem, a: Arena, t: int) -> float:
    """Bytes that copies can move while an instruction runs, those that do so now included."""
    lasts = max(p.compute[t], a.slow[t] * p.slow_us + a.fast[t] * p.fast_us)
    return float(max(min(p.cap[t], lasts / p.slow_us - a.slow[t]), 0.0))


@kernel(entry=False, allocates=False)
def _begins(p: Problem, a: Arena, g: int, j: int) -> int:
    """Instruction at which a run from access j on would begin, -1 if it can't."""
    at = p.access_time[j]
    if j == p.access_ptr[g] and not p.live_in[g]:
        return int(at)
    low = p.access_time[j - 1] + 1 if j > p.access_ptr[g] else 0
    t, left = at, p.copy_bytes[g]
    while left > 0 and t > low:
        t -= 1
        left -= _room(p, a, t)
    return int(t) if left <= 0 and t < at else -1


@kernel(entry=False, allocates=False)
def _ends(p: Problem, a: Arena, g: int, j: int, after: int) -> int:
    """Instruction at which it would end, -1 if it can't."""
    end, written = p.access_ptr[g + 1], False
    for u in range(j, after):
        written |= p.access_writes[u]
    t = p.access_time[after - 1] + 1
    if not written or (after == end and not p.live_out[g]):
        return int(t)
    high, first = (p.access_time[after] if after < end else len(p.compute)), t
    left = p.copy_bytes[g]
    while left > 0 and t < high:
        left -= _room(p, a, t)
        t += 1
    return int(t) if left <= 0 and t > first else -1


@kernel(entry=False, allocates=False)
def propose_run(p: Problem, a: Arena, e: Ejection, k: int, stream: Ints) -> bool:
    """Draw a run and a place for it; whether there is one."""
    u = e.open[draw(stream, e.opened[0])]
    g = p.access_storage[u]
    j, after = u, u + 1
    if draw(stream, 2) == 0:
        j, after = p.access_ptr[g], p.access_ptr[g + 1]
    else:
        wanted = 1 + draw(stream, 4)
        while after < p.access_ptr[g + 1] and not a.hit[after] and after - j < wanted:
            after += 1
    start, end = _begins(p, a, g, j), _ends(p, a, g, j, after)
    if start < 0 or end < 0:
        return False
    e.run[k, 0], e.run[k, 1], e.run[k, 2] = g, j, after
    e.run[k, 3], e.run[k, 4] = start, end
    e.run[k, 5] = _offset(p, a, start, end, p.size[g], stream)
    return True


@kernel(entry=False, allocates=False)
def propose_runs(p: Problem, a: Arena, e: Ejection, offered: int, stream: Ints) -> int:
    """Draw so many runs; how many of them there are, after twice as many tries."""
    found = 0
    for _ in range(2 * offered if e.opened[0] else 0):
        if found < offered and propose_run(p, a, e, found, stream):
            found += 1
    return found


@kernel(entry=False, allocates=False)
def _offset(p: Problem, a: Arena, start: int, end: int, size: int, stream: Ints) -> int:
    """Where to: beside the top or the bottom of one that is there meanwhile, or at an end."""
    met, pick = 0, -1
    for r in range(a.whole[RESIDENCIES]):
        if a.start[r] < end and a.end[r] > start:
            met += 1
            if draw(stream, met) == 0:
                pick = r
    way, top = draw(stream, 4), (p.capacity - size) // p.alignment * p.alignment
    if pick < 0 or way == 0:
        return int(0 if draw(stream, 2) == 0 else top)
    offset = a.offset[pick]
    if way == 1:
        offset += p.size[a.owner[pick]]
    elif way == 2:
        offset += p.size[a.owner[pick]] - size
    return int(min(max(offset, 0), top))


@kernel(entry=False, allocates=False)
def _in_the_way(p: Problem, a: Arena, run: Ints, r: int) -> bool:
    """Whether a residency is where a run is to come, or is one of its own."""
    g, start, end, offset = run[0], run[3], run[4], run[5]
    if a.start[r] >= end or a.end[r] <= start:
        return False
    if a.owner[r] == g:
        return True
    return bool(a.offset[r] < offset + p.size[g] and offset < a.offset[r] + p.size[a.owner[r]])


@kernel(entry=False, allocates=False)
def _log(part: float, whole: float) -> float:
    return float(min(max(np.log((part + 1e-12) / (whole + 1e-12)), -REACH), REACH))


@kernel(entry=False, allocates=False)
def describe_run(p: Problem, a: Arena, e: Ejection, run: Ints, row: NDArray[np.float32]) -> None:
    """Fill the features of a run that may come in, (F,)."""
    g, j, after, start, end = run[0], run[1], run[2], run[3], run[4]
    first, stop = p.access_ptr[g], p.access_ptr[g + 1]
    saved, hits = 0.0, 0
    for u in range(j, after):
        saved += 0.0 if a.hit[u] else max(gain(p, a, u), 0.0)
    for u in range(first, stop):
        hits += a.hit[u]
    lost, whole, held, met, copies = 0.0, 0.0, 0.0, 0, 0
    for r in range(a.whole[RESIDENCIES]):
        if _in_the_way(p, a, run, r):
            met += 1
            held += p.size[a.owner[r]] * float(a.end[r] - a.start[r])
            copies += e.worths.copies[r]
            lost += e.worths.run[r]
            whole += e.worths.whole[a.owner[r]]
    load = e.worths.load[end] - e.worths.load[start]
    latency, length = a.real[LATENCY], end - start
    own = p.size[g] * float(length)
    row[RUN.saved] = np.log1p(1e3 * saved / latency)
    row[RUN.lost] = np.log1p(1e3 * max(lost, 0.0) / latency)
    row[RUN.whole] = np.log1p(1e3 * max(whole, 0.0) / latency)
    row[RUN.net] = (saved - lost) / max(saved + lost, 1e-12)
    row[RUN.density] = _log(saved / own, lost / max(held, 1.0)) if met else REACH
    row[RUN.ejected] = np.log1p(met)
    row[RUN.accesses] = np.log(after - j)
    row[RUN.length] = length / len(p.compute)
    row[RUN.size] = p.size[g] / p.capacity
    row[RUN.ejected_held] = _log(held, own) if met else -REACH
    row[RUN.copied_in] = start < p.access_time[j]
    row[RUN.written_back] = end > p.access_time[after - 1] + 1
    row[RUN.ejected_copies] = np.log1p(copies)
    row[RUN.load] = load / (length * p.capacity)
    row[RUN.all] = after - j == stop - first
    row[RUN.absent] = hits == 0
    row[RUN.rest] = 1.0 - (after - j) / (stop - first)
    row[RUN.place] = 0.5 * (start + end) / len(p.compute)
    row[RUN.free] = met == 0
    row[RUN.tries] = np.log1p(e.tries[g])


@kernel(entry=False, allocates=False)
def _bring_in(p: Problem, a: Arena, run: Ints) -> bool:
    """Place a run where it was meant to be, or where it fits; whether that can be."""
    g, j, after = run[0], run[1], run[2]
    at, size = p.access_time[j], p.size[g]
    low = p.access_time[j - 1] + 1 if j > p.access_ptr[g] else 0
    if j > p.access_ptr[g] and a.hit[j - 1]:
        low = a.end[residency_at(a, g, p.access_time[j - 1])]
    produced = j == p.access_ptr[g] and not p.live_in[g]
    start = at if produced else copy_start(p, a, low, at, g)
    done = p.access_time[after - 1] + 1
    end = done
    if run[4] > done:
        high = p.access_time[after] if after < p.access_ptr[g + 1] else len(p.compute)
        if after < p.access_ptr[g + 1] and a.hit[after]:
            high = a.start[residency_at(a, g, p.access_time[after])]
        end = copy_end(p, a, done, high, g)
    if start < 0 or end < 0:
        return False
    offset = run[5]
    for r in range(a.whole[RESIDENCIES]):
        if a.start[r] < end and a.end[r] > start:
            if a.owner[r] == g:
                return False
            if a.offset[r] < offset + size and offset < a.offset[r] + p.size[a.owner[r]]:
                offset = fit(p, a, start, end, size)
                break
    if offset < 0:
        return False
    if not produced:
        take(p, a, at - 1, start - 1, -1, p.copy_bytes[g])
    if end > done:
        take(p, a, done, end, 1, p.copy_bytes[g])
    insert(p, a, g, start, end, offset)
    for u in range(j, after):
        make_fast(p, a, u)
    return True


@kernel(entry=False, allocates=False)
def _queue_up(e: Ejection, count: int, g: int, worth: float) -> int:
    """Add a storage to those to be placed again, the worthiest first; once each."""
    for k in range(count):
        if e.queue[k] == g:
            return count
    k = count
    while k > 0 and e.worth[k - 1] < worth:
        e.queue[k], e.worth[k] = e.queue[k - 1], e.worth[k - 1]
        k -= 1
    e.queue[k], e.worth[k] = g, worth
    return count + 1


@kernel(entry=False, allocates=False)
def try_run(
    p: Problem, best: Arena, a: Arena, e: Ejection, run: Ints, stream: Ints, report: Floats
) -> float:
    """Latency after a run came in, what was in its way and some others being placed again, us.

    Infinite if it can't come in.
    """
    copy_mapping(p, best, a)
    count = 0
    e.tries[run[0]] += 1
    for r in range(a.whole[RESIDENCIES] - 1, -1, -1):
        if _in_the_way(p, a, run, r):
            g, j_after = a.owner[r], run_of(p, a, r)
            worth = 0.0
            for u in range(j_after[0], j_after[1]):
                worth += loss(p, a, u)
            held = p.size[g] * float(a.end[r] - a.start[r])
            take_out(p, a, r)
            if g != run[0]:
                count = _queue_up(e, count, g, worth / held)
    if not copy_again(p, a, e.copies) or not _bring_in(p, a, run):
        return np.inf
    for _ in range(min(FOLLOWERS, e.opened[0])):
        u = e.open[draw(stream, e.opened[0])]
        g = p.access_storage[u]
        lasts = p.access_time[p.access_ptr[g + 1] - 1] + 1 - p.access_time[p.access_ptr[g]]
        count = _queue_up(e, count, g, max(gain(p, best, u), 0.0) / (p.size[g] * float(lasts)))
    count = _queue_up(e, count, run[0], 0.0)
    for k in range(count):
        fill(p, a, e.queue[k], report)
    return float(a.real[LATENCY])
