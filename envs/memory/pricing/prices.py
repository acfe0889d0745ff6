"""Prices of fast memory and of copying, and a bound on latency, by Lagrangian relaxation.

Three kinds of constraint are given prices: fast memory at each instruction, the copies that fit
beside it, and that an instruction can't save more than its arithmetic leaves. Then each storage
chooses its best stay for itself, by dynamic programming over its accesses. Offsets are left out,
and copies may use all bandwidth that could ever be spare, so the value is a lower bound; prices are
improved by subgradient steps after Polyak (1969).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from graphsched.envs.core.kernels.jit import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from graphsched.envs.memory.physics.program import Problem

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

STEPS = 120
OUT, CLEAN, DIRTY = range(3)  # how an access is served: by slow memory; fast; fast, slow is stale
COPIED = 3  # added to such a number: a copy came between
MEMORY, COPIES, ACCESSES = range(3)  # what has prices, and how much of it is used


class Prices(NamedTuple):
    """What the relaxation knows.

    Attributes:
        memory: (T,) us per byte of fast memory during an instruction.
        copy: (T,) us per byte copied beside it.
        share: (T,) in [0, 1], how much of a saving of one more operand counts.
        profit: (G,) us that each storage gains at these prices; 0 for those that stay out.
        income: (G,) us that it saves in its best stay, prices left out.
        bound: no mapping is faster, us.
    """

    memory: Floats
    copy: Floats
    share: Floats
    profit: Floats
    income: Floats
    bound: float


@kernel(entry=False)
def _cheapest(
    total: Floats, copy: Floats, low: int, high: int, backward: bool
) -> tuple[float, int]:
    """Least price per byte of a copy in [low, high) and of being in memory on the way there.

    Args:
        total: (T + 1,) prefix sums of memory prices.
        copy: (T,) prices of copies.
        low: first instruction.
        high: the one after the last.
        backward: the way is from the copy to `high`, else from `low` to the copy.
    """
    best, where = np.inf, -1
    for k in range(high - low):
        t = high - 1 - k if backward else low + k
        held = total[high] - total[t] if backward else total[t + 1] - total[low]
        if held >= best:
            break
        if held + copy[t] < best:
            best, where = held + copy[t], t
    return best, where


@kernel(entry=False)
def _stay(
    p: Problem, g: int, saving: Floats, total: Floats, copy: Floats, work: Floats, back: Ints
) -> tuple[float, int]:
    """Best stay of a storage at given prices: its value and how the last access is served.

    ``work[j, s]`` is the best value up to access j if it is served so (`OUT`, `CLEAN`, `DIRTY`), and
    ``back[j, s]`` how the one before is, plus `COPIED` if a copy came between.
    """
    first, end = p.access_ptr[g], p.access_ptr[g + 1]
    size = float(p.size[g])
    for k in range(first, end):
        j, t = k - first, p.access_time[k]
        here = saving[k] - size * (total[t + 1] - total[t])
        state = DIRTY if p.access_writes[k] else CLEAN
        work[j, OUT] = work[j, CLEAN] = work[j, DIRTY] = -np.inf
        if j == 0:
            work[0, OUT], back[0, OUT] = 0.0, OUT
            if not p.live_in[g]:
                work[0, state], back[0, state] = here, OUT
            elif t > 0:
                price, _ = _cheapest(total, copy, 0, t, True)
                work[0, state] = here - p.copy_bytes[g] * price
                back[0, state] = COPIED + OUT
            continue
        before = p.access_time[k - 1]
        out = work[j - 1, OUT]
        back[j, OUT] = OUT
        if work[j - 1, CLEAN] > out:
            out, back[j, OUT] = work[j - 1, CLEAN], CLEAN
        if t > before + 1:
            if np.isfinite(work[j - 1, DIRTY]):
                price, _ = _cheapest(total, copy, before + 1, t, False)
                value = work[j - 1, DIRTY] - p.copy_bytes[g] * price
                if value > out:
                    out, back[j, OUT] = value, DIRTY
            price, _ = _cheapest(total, copy, before + 1, t, True)
            work[j, state] = out + here - p.copy_bytes[g] * price
            back[j, state] = COPIED + back[j, OUT]
        work[j, OUT] = out
        held = size * (total[t] - total[before + 1])
        for s in (CLEAN, DIRTY):
            value = work[j - 1, s] + here - held
            to = DIRTY if s == DIRTY else state
            if value > work[j, to]:
                work[j, to], back[j, to] = value, s
    last = end - 1 - first
    best, state = 0.0, OUT
    if work[last, OUT] > best:
        best, state = work[last, OUT], OUT
    if work[last, CLEAN] > best:
        best, state = work[last, CLEAN], CLEAN
    value = work[last, DIRTY]
    if p.live_out[g] and np.isfinite(value):
        t = p.access_time[end - 1]
        price, _ = _cheapest(total, copy, t + 1, len(p.compute), False)
        value -= p.copy_bytes[g] * price
    if value > best:
        best, state = value, DIRTY
    return best, state


@kernel(entry=False)
def _account(
    p: Problem, g: int, state: int, total: Floats, copy: Floats, back: Ints, use: Floats
) -> None:
    """Add what a storage's best stay uses."""
    first, end = p.access_ptr[g], p.access_ptr[g + 1]
    size, moved = float(p.size[g]), p.copy_bytes[g]
    if state == DIRTY and p.live_out[g]:
        low = p.access_time[end - 1] + 1
        _, t = _cheapest(total, copy, low, len(p.compute), False)
        use[COPIES, t] += moved
        use[MEMORY, low : t + 1] += size
    for k in range(end - 1, first - 1, -1):
        t, came = p.access_time[k], back[k - first, state]
        low = p.access_time[k - 1] + 1 if k > first else 0
        copied, before = came >= COPIED, came % COPIED
        if state != OUT:
            use[ACCESSES, k] = 1.0
            use[MEMORY, t] += size
            if copied:
                _, c = _cheapest(total, copy, low, t, True)
                use[COPIES, c] += moved
                use[MEMORY, c:t] += size
            elif k > first:
                use[MEMORY, low:t] += size
        if before == DIRTY and (state == OUT or copied):
            _, c = _cheapest(total, copy, low, t, False)
            use[COPIES, c] += moved
            use[MEMORY, low : c + 1] += size
        state = before


@kernel
def improve_prices(
    p: Problem,
    goal: float,
    steps: int,
    memory: Floats,  # (T,) and so on: prices, improved in place
    copy: Floats,
    share: Floats,
    profit: Floats,
    income: Floats,
) -> float:
    """Subgradient steps from the given prices; returns the best bound, us, with its prices left.

    Args:
        p: the program.
        goal: latency of a mapping, us: an upper bound to aim at.
        steps: how many.
        memory: prices, as in `Prices`, improved in place; so are `copy` and `share`.
        copy: as in `Prices`.
        share: as in `Prices`.
        profit: as in `Prices`; filled.
        income: as in `Prices`; filled.
    """
    size, longest = len(p.compute), 0
    for g in range(len(p.size)):
        longest = max(longest, p.access_ptr[g + 1] - p.access_ptr[g])
    work, back = np.empty((longest, 3)), np.zeros((longest, 3), np.int64)
    slow = np.maximum(p.compute, p.slow_all * p.slow_us)
    room = slow - np.maximum(p.compute, p.slow_all * p.fast_us)
    alone = p.access_bytes * (p.slow_us - p.fast_us)
    total, use = np.zeros(size + 1), np.zeros((3, max(size, len(alone))))
    gains, saving = np.empty(len(p.size)), np.empty(len(alone))
    now = (memory.copy(), copy.copy(), share.copy())
    best, relax, stuck = -np.inf, 1.0, 0
    for _ in range(steps):
        total[1:] = np.cumsum(now[MEMORY])
        use[:] = 0.0
        for k in range(len(alone)):
            saving[k] = now[ACCESSES][p.access_time[k]] * alone[k]
        upper = np.sum((1 - now[ACCESSES]) * room)
        upper += p.capacity * total[size] + np.sum(now[COPIES] * p.cap)
        for g in range(len(p.size)):
            gains[g] = 0.0
            if 0 < p.size[g] <= p.capacity and p.access_ptr[g] < p.access_ptr[g + 1]:
                gains[g], state = _stay(p, g, saving, total, now[COPIES], work, back)
                if gains[g] > 0:
                    upper += gains[g]
                    _account(p, g, state, total, now[COPIES], back, use)
        bound = np.sum(slow) - upper
        stuck += 1
        if bound > best:
            best, stuck = bound, 0
            memory[:], copy[:], share[:] = now
            for g in range(len(p.size)):
                profit[g], income[g] = gains[g], 0.0
            for k in range(len(alone)):
                income[p.access_storage[k]] += use[ACCESSES, k] * saving[k]
        if stuck >= 5:
            relax, stuck = relax * 0.6, 0
            now[MEMORY][:], now[COPIES][:], now[ACCESSES][:] = memory, copy, share
            continue
        saved = np.zeros(size)
        for k in range(len(alone)):
            saved[p.access_time[k]] += use[ACCESSES, k] * alone[k]
        for t in range(size):
            use[MEMORY, t] = (1 - use[MEMORY, t] / p.capacity) if p.capacity else 0.0
            use[COPIES, t] = (1 - use[COPIES, t] / p.cap[t]) if p.cap[t] > 0 else 0.0
            use[ACCESSES, t] = (saved[t] / room[t] - 1) if room[t] > 0 else 0.0
            for row, price in enumerate((now[MEMORY][t], now[COPIES][t])):
                if price <= 0 and use[row, t] > 0:
                    use[row, t] = 0.0
        norm = np.sum(use[:, :size] ** 2)
        if norm <= 1e-18:
            break
        step = relax * max(goal - bound, 1e-6 * goal) / norm
        for t in range(size):
            now[MEMORY][t] = max(now[MEMORY][t] - step * use[MEMORY, t] / max(p.capacity, 1), 0.0)
            if p.cap[t] > 0:
                now[COPIES][t] = max(now[COPIES][t] - step * use[COPIES, t] / p.cap[t], 0.0)
            if room[t] > 0:
                counts = now[ACCESSES][t] - step * use[ACCESSES, t] / room[t]
                now[ACCESSES][t] = min(max(counts, 0.0), 1.0)
    return best


def prices_of(p: Problem, goal: float, steps: int = STEPS) -> Prices:
    """Prices after so many steps towards the latency of a known mapping, us."""
    size, storages = len(p.compute), len(p.size)
    memory, copy, share = np.zeros(size), np.zeros(size), np.ones(size)
    profit, income = np.zeros(storages), np.zeros(storages)
    bound = improve_prices(p, goal, steps, memory, copy, share, profit, income)
    least = float(np.maximum(p.compute, p.slow_all * p.fast_us).sum())
    return Prices(memory, copy, share, profit, income, max(float(bound), least))
