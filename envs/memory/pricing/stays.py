"""The best stay of a storage at given prices, by dynamic programming over its accesses."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from graphsched.envs.core.kernels.jit import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from graphsched.envs.memory.physics.program import Problem

    Bools = NDArray[np.bool_]
    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

OUT, CLEAN, DIRTY = range(3)  # how an access is served: by slow memory; fast; fast, slow is stale
COPIED = 3  # added to such a number: a copy came between
TOLERANCE = 2e-6  # of the bytes of a copy; the checker's own, and some


class Stays(NamedTuple):
    """Room for the stays of all storages. T instructions, A accesses, C sizes, L of one storage.

    Attributes:
        latest: (A,) from which instruction on a copy in is there in time at best; -1: impossible.
        earliest: (A,) before which instruction a copy out after the access is done; -1: never.
        roomy: (A,) before the access there is time for a copy out and one in.
        total: (C, T + 1) prefix sums of the price of a size, us.
        copy_price: (T,) us per byte.
        saving: (A,) us.
        hit: (A,) served by fast memory in the best stays.
        copied: (T,) bytes that they copy.
        held: (C, T + 1) how many storages of a size begin to be there, less those that end.
        fast: (T,) bytes touched in fast memory.
        work: (L, 3) best value up to an access that is served so.
        back: (L, 3) how the one before is, plus `COPIED`.
        into: (L, 2) first instruction of a copy in, and the one that it is priced at.
        out: (L, 2) the instruction after a copy out, and the one that it is priced at.
    """

    latest: Ints
    earliest: Ints
    roomy: Bools
    total: Floats
    copy_price: Floats
    saving: Floats
    hit: Bools
    copied: Floats
    held: Ints
    fast: Floats
    work: Floats
    back: Ints
    into: Ints
    out: Ints


def empty_stays(p: Problem, sizes: int) -> Stays:
    """Zeroed arrays."""
    instructions, accesses = len(p.compute), len(p.access_time)
    longest = int(np.diff(p.access_ptr).max(initial=1))
    return Stays(
        latest=np.zeros(accesses, np.int64),
        earliest=np.zeros(accesses, np.int64),
        roomy=np.zeros(accesses, np.bool_),
        total=np.zeros((sizes, instructions + 1)),
        copy_price=np.zeros(instructions),
        saving=np.zeros(accesses),
        hit=np.zeros(accesses, np.bool_),
        copied=np.zeros(instructions),
        held=np.zeros((sizes, instructions + 1), np.int64),
        fast=np.zeros(instructions),
        work=np.zeros((longest, 3)),
        back=np.zeros((longest, 3), np.int64),
        into=np.zeros((longest, 2), np.int64),
        out=np.zeros((longest, 2), np.int64),
    )


def room_for_copies(p: Problem, s: Stays) -> None:
    """Fill in how close to an access a copy can be, if it had all that the engines ever move."""
    moved = np.concatenate([[0.0], np.cumsum(p.cap)])
    storage, t = p.access_storage, p.access_time
    need = p.copy_bytes[storage] * (1 - TOLERANCE)
    is_first, is_last = np.ones((2, len(t)), np.bool_)
    is_first[1:] = is_last[:-1] = storage[1:] != storage[:-1]
    low = np.where(is_first, 0, np.roll(t, 1) + 1)
    high = np.where(is_last, len(p.compute), np.roll(t, -1))
    start = np.minimum(np.searchsorted(moved, moved[t] - need, side="right") - 1, t - 1)
    end = np.maximum(np.searchsorted(moved, moved[t + 1] + need), t + 2)
    s.latest[:] = np.where(start >= low, start, -1)
    s.earliest[:] = np.where(end <= high, end, -1)
    s.roomy[:] = moved[t] - moved[np.minimum(low, t)] >= 2 * need


@kernel(entry=False)
def _copy_in(
    total: Floats, price: Floats, size: float, low: int, latest: int, t: int
) -> tuple[float, int, int]:
    """Least price of a copy begun in [low, latest] and of memory from there to t; both moments."""
    least, where = np.inf, -1
    for u in range(latest, t):
        if price[u] <= least:
            least, where = price[u], u
    best, start, at = total[t] - total[latest] + size * least, latest, where
    u = latest - 1
    while u >= low and total[t] - total[u] < best:
        if price[u] < least:
            least, where = price[u], u
        found = total[t] - total[u] + size * least
        if found < best:
            best, start, at = found, u, where
        u -= 1
    return best, start, at


@kernel(entry=False)
def _copy_out(
    total: Floats, price: Floats, size: float, t: int, earliest: int, high: int
) -> tuple[float, int, int]:
    """The same for a copy out from t on that ends in [earliest, high]."""
    least, where = np.inf, -1
    for u in range(t, earliest):
        if price[u] < least:
            least, where = price[u], u
    best, end, at = total[earliest] - total[t] + size * least, earliest, where
    u = earliest + 1
    while u <= high and total[u] - total[t] < best:
        if price[u - 1] < least:
            least, where = price[u - 1], u - 1
        found = total[u] - total[t] + size * least
        if found < best:
            best, end, at = found, u, where
        u += 1
    return best, end, at


@kernel(entry=False)
def _access(p: Problem, g: int, j: int, total: Floats, s: Stays) -> None:
    """Best values up to access j of a storage, from those up to the one before."""
    k = p.access_ptr[g] + j
    t, size = p.access_time[k], p.copy_bytes[g]
    here = s.saving[k] - (total[t + 1] - total[t])
    state = DIRTY if p.access_writes[k] else CLEAN
    for i in range(3):
        s.work[j, i] = -np.inf
    before = p.access_time[k - 1] if j else -1
    out, since = 0.0, OUT  # served by slow memory now, and how it was before
    ready, origin = 0.0, OUT  # there is time for a copy in now
    if j:
        out = s.work[j - 1, OUT]
        if s.work[j - 1, CLEAN] > out:
            out, since = s.work[j - 1, CLEAN], CLEAN
        ready, origin = out, since
        if s.work[j - 1, DIRTY] > -np.inf and s.earliest[k - 1] >= 0:
            price, s.out[j, 0], s.out[j, 1] = _copy_out(
                total, s.copy_price, size, before + 1, s.earliest[k - 1], t
            )
            left = s.work[j - 1, DIRTY] - price
            if left > out:
                out, since = left, DIRTY
            if s.roomy[k] and left > ready:
                ready, origin = left, DIRTY
    s.work[j, OUT], s.back[j, OUT] = out, since
    if j == 0 and not p.live_in[g]:
        s.work[j, state], s.back[j, state] = here, OUT
    elif s.latest[k] >= 0:
        price, s.into[j, 0], s.into[j, 1] = _copy_in(
            total, s.copy_price, size, before + 1, s.latest[k], t
        )
        s.work[j, state], s.back[j, state] = ready + here - price, COPIED + origin
    if j == 0:
        return
    for i in (CLEAN, DIRTY):
        stayed = s.work[j - 1, i] + here - (total[t] - total[before + 1])
        to = DIRTY if i == DIRTY else state
        if stayed > s.work[j, to]:
            s.work[j, to], s.back[j, to] = stayed, i


@kernel(entry=False)
def _take(p: Problem, g: int, state: int, held: Ints, s: Stays) -> None:
    """Add what the stay uses that ends in a state. held: (T + 1,) of the storage's size."""
    size = p.copy_bytes[g]
    for j in range(p.access_ptr[g + 1] - p.access_ptr[g] - 1, -1, -1):
        k = p.access_ptr[g] + j
        t, low = p.access_time[k], p.access_time[k - 1] + 1 if j else p.access_time[k]
        before, is_copied = s.back[j, state] % COPIED, s.back[j, state] >= COPIED
        if state != OUT:
            s.hit[k] = True
            held[t + 1] -= 1
            held[s.into[j, 0] if is_copied else low] += 1
            if is_copied:
                s.copied[s.into[j, 1]] += size
        if before == DIRTY and (state == OUT or is_copied):
            held[low] += 1
            held[s.out[j, 0]] -= 1
            s.copied[s.out[j, 1]] += size
        state = before


@kernel(entry=False)
def best_stay(p: Problem, g: int, kind: int, s: Stays) -> float:
    """What a storage gains at most, us; adds what it uses for that. ``kind``: of its size."""
    total, size, end = s.total[kind], len(p.compute), p.access_ptr[g + 1]
    count = end - p.access_ptr[g]
    for j in range(count):
        _access(p, g, j, total, s)
    best, state = s.work[count - 1, OUT], OUT
    if s.work[count - 1, CLEAN] > best:
        best, state = s.work[count - 1, CLEAN], CLEAN
    left = s.work[count - 1, DIRTY]
    price, until, at = 0.0, -1, -1
    if left > best and p.live_out[g]:
        left = -np.inf if s.earliest[end - 1] < 0 else left
        if left > best:
            low, earliest = p.access_time[end - 1] + 1, s.earliest[end - 1]
            price, until, at = _copy_out(total, s.copy_price, p.copy_bytes[g], low, earliest, size)
            left -= price
    if left > best:
        best, state = left, DIRTY
        if p.live_out[g]:
            s.held[kind, p.access_time[end - 1] + 1] += 1
            s.held[kind, until] -= 1
            s.copied[at] += p.copy_bytes[g]
    if best > 0:
        _take(p, g, state, s.held[kind], s)
    return float(max(best, 0.0))
