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
        into: (L,) first instruction of a copy in before the access.
        out: (L,) the instruction after a copy out before the access.
        price: (T,) of the instructions beside which a copy would go, rising, us per byte.
        carried: (T,) bytes that they carry at most.
        carrier: (T,) which they are.
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
    price: Floats
    carried: Floats
    carrier: Ints


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
        into=np.zeros(longest, np.int64),
        out=np.zeros(longest, np.int64),
        price=np.zeros(instructions),
        carried=np.zeros(instructions),
        carrier=np.zeros(instructions, np.int64),
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


@kernel(entry=False, allocates=False)
def _widen(p: Problem, s: Stays, count: int, u: int, size: float) -> int:
    """A copy may use instruction u as well: the cheapest that carry its bytes, by price, stay.

    Args:
        p: the program.
        s: has room for them.
        count: how many there are.
        u: instruction.
        size: bytes of the copy.

    Returns:
        How many there are now.
    """
    total = 0.0
    for i in range(count):
        total += s.carried[i]
    price = s.copy_price[u]
    if count and total >= size and price >= s.price[count - 1]:
        return count
    i = count
    while i > 0 and s.price[i - 1] > price:
        s.price[i], s.carried[i], s.carrier[i] = s.price[i - 1], s.carried[i - 1], s.carrier[i - 1]
        i -= 1
    s.price[i], s.carried[i], s.carrier[i] = price, p.cap[u], u
    count, total = count + 1, total + p.cap[u]
    while count > 1 and total - s.carried[count - 1] >= size:
        total -= s.carried[count - 1]
        count -= 1
    return count


@kernel(entry=False, allocates=False)
def _price(s: Stays, count: int, size: float) -> float:
    """Of a copy by the instructions held."""
    price = 0.0
    for i in range(count):
        part = min(size, s.carried[i])
        price += part * s.price[i]
        size -= part
    return price


@kernel(entry=False, allocates=False)
def _copy(p: Problem, s: Stays, low: int, high: int, size: float) -> None:
    """Add the bytes of a copy beside [low, high), where they are cheapest."""
    count = 0
    for u in range(low, high):
        count = _widen(p, s, count, u, size)
    for i in range(count):
        part = min(size, s.carried[i])
        s.copied[s.carrier[i]] += part
        size -= part


@kernel(entry=False, allocates=False)
def _copy_in(
    p: Problem, s: Stays, total: Floats, size: float, low: int, latest: int, t: int
) -> tuple[float, int]:
    """Least price of a copy begun in [low, latest] and of memory from there to t; its begin."""
    count, start, u = 0, latest, latest - 1
    for k in range(latest, t):
        count = _widen(p, s, count, k, size)
    best = total[t] - total[latest] + _price(s, count, size)
    while u >= low and total[t] - total[u] < best:
        count = _widen(p, s, count, u, size)
        found = total[t] - total[u] + _price(s, count, size)
        if found < best:
            best, start = found, u
        u -= 1
    return best, start


@kernel(entry=False, allocates=False)
def _copy_out(
    p: Problem, s: Stays, total: Floats, size: float, t: int, earliest: int, high: int
) -> tuple[float, int]:
    """The same for a copy out from t on that ends in [earliest, high]; its end."""
    count, end, u = 0, earliest, earliest + 1
    for k in range(t, earliest):
        count = _widen(p, s, count, k, size)
    best = total[earliest] - total[t] + _price(s, count, size)
    while u <= high and total[u] - total[t] < best:
        count = _widen(p, s, count, u - 1, size)
        found = total[u] - total[t] + _price(s, count, size)
        if found < best:
            best, end = found, u
        u += 1
    return best, end


@kernel(entry=False, allocates=False)
def _access(p: Problem, g: int, j: int, total: Floats, s: Stays) -> None:
    """Best values up to access j of a storage, from those up to the one before."""
    k = p.access_ptr[g] + j
    t, size = p.access_time[k], p.copy_bytes[g] * (1 - TOLERANCE)
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
            price, s.out[j] = _copy_out(p, s, total, size, before + 1, s.earliest[k - 1], t)
            left = s.work[j - 1, DIRTY] - price
            if left > out:
                out, since = left, DIRTY
            if s.roomy[k] and left > ready:
                ready, origin = left, DIRTY
    s.work[j, OUT], s.back[j, OUT] = out, since
    if j == 0 and not p.live_in[g]:
        s.work[j, state], s.back[j, state] = here, OUT
    elif s.latest[k] >= 0:
        price, s.into[j] = _copy_in(p, s, total, size, before + 1, s.latest[k], t)
        s.work[j, state], s.back[j, state] = ready + here - price, COPIED + origin
    if j == 0:
        return
    for i in (CLEAN, DIRTY):
        stayed = s.work[j - 1, i] + here - (total[t] - total[before + 1])
        to = DIRTY if i == DIRTY else state
        if stayed > s.work[j, to]:
            s.work[j, to], s.back[j, to] = stayed, i


@kernel(entry=False, allocates=False)
def _take(p: Problem, g: int, state: int, held: Ints, s: Stays) -> None:
    """Add what the stay uses that ends in a state. held: (T + 1,) of the storage's size."""
    size = p.copy_bytes[g] * (1 - TOLERANCE)
    for j in range(p.access_ptr[g + 1] - p.access_ptr[g] - 1, -1, -1):
        k = p.access_ptr[g] + j
        t, low = p.access_time[k], p.access_time[k - 1] + 1 if j else p.access_time[k]
        before, is_copied = s.back[j, state] % COPIED, s.back[j, state] >= COPIED
        if state != OUT:
            s.hit[k] = True
            held[t + 1] -= 1
            held[s.into[j] if is_copied else low] += 1
            if is_copied:
                _copy(p, s, s.into[j], t, size)
        if before == DIRTY and (state == OUT or is_copied):
            held[low] += 1
            held[s.out[j]] -= 1
            _copy(p, s, low, s.out[j], size)
        state = before


@kernel(entry=False, allocates=False)
def best_stay(p: Problem, g: int, kind: int, s: Stays) -> float:
    """What a storage gains at most, us; adds what it uses for that. ``kind``: of its size."""
    total, size, end = s.total[kind], len(p.compute), p.access_ptr[g + 1]
    count = end - p.access_ptr[g]
    for j in range(count):
        _access(p, g, j, total, s)
    best, state = s.work[count - 1, OUT], OUT
    if s.work[count - 1, CLEAN] > best:
        best, state = s.work[count - 1, CLEAN], CLEAN
    left, low, until = s.work[count - 1, DIRTY], p.access_time[end - 1] + 1, -1
    moved = p.copy_bytes[g] * (1 - TOLERANCE)
    if p.live_out[g] and s.earliest[end - 1] < 0:
        left = -np.inf
    elif p.live_out[g] and left > best:
        price, until = _copy_out(p, s, total, moved, low, s.earliest[end - 1], size)
        left -= price
    if left > best:
        best, state = left, DIRTY
        if p.live_out[g]:
            s.held[kind, low] += 1
            s.held[kind, until] -= 1
            _copy(p, s, low, until, moved)
    if best > 0:
        _take(p, g, state, s.held[kind], s)
    return float(max(best, 0.0))
