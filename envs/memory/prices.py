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

from graphsched.envs.core.jit import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from graphsched.envs.memory.problem import Problem

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

STEPS = 120


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

    ``work[j, 0/1]`` is the best value up to access j if it is served slow or fast (2: dirty), and
    ``back[j, s]`` the state before, plus 3 if a copy came between.
    """
    first, end = p.access_ptr[g], p.access_ptr[g + 1]
    size = float(p.size[g])
    for k in range(first, end):
        j, t = k - first, p.access_time[k]
        here = saving[k] - size * (total[t + 1] - total[t])
        state = 2 if p.access_writes[k] else 1
        work[j, 0] = work[j, 1] = work[j, 2] = -np.inf
        if j == 0:
            work[0, 0], back[0, 0] = 0.0, 0
            if not p.live_in[g]:
                work[0, state], back[0, state] = here, 0
            elif t > 0:
                price, _ = _cheapest(total, copy, 0, t, True)
                work[0, state], back[0, state] = here - p.copy_bytes[g] * price, 3
            continue
        before = p.access_time[k - 1]
        out = work[j - 1, 0]
        back[j, 0] = 0
        if work[j - 1, 1] > out:
            out, back[j, 0] = work[j - 1, 1], 1
        if t > before + 1:
            if np.isfinite(work[j - 1, 2]):
                price, _ = _cheapest(total, copy, before + 1, t, False)
                value = work[j - 1, 2] - p.copy_bytes[g] * price
                if value > out:
                    out, back[j, 0] = value, 2
            price, _ = _cheapest(total, copy, before + 1, t, True)
            work[j, state] = out + here - p.copy_bytes[g] * price
            back[j, state] = 3 + back[j, 0]
        work[j, 0] = out
        held = size * (total[t] - total[before + 1])
        for s in (1, 2):
            value = work[j - 1, s] + here - held
            to = 2 if s == 2 else state
            if value > work[j, to]:
                work[j, to], back[j, to] = value, s
    last = end - 1 - first
    best, state = 0.0, 0
    if work[last, 0] > best:
        best, state = work[last, 0], 0
    if work[last, 1] > best:
        best, state = work[last, 1], 1
    value = work[last, 2]
    if p.live_out[g] and np.isfinite(value):
        t = p.access_time[end - 1]
        price, _ = _cheapest(total, copy, t + 1, len(p.compute), False)
        value -= p.copy_bytes[g] * price
    if value > best:
        best, state = value, 2
    return best, state


@kernel(entry=False)
def _account(
    p: Problem, g: int, state: int, total: Floats, copy: Floats, back: Ints, use: Floats
) -> None:
    """Add what a storage's best stay uses: rows of `use` are memory, copies, and accesses."""
    first, end = p.access_ptr[g], p.access_ptr[g + 1]
    size, moved = float(p.size[g]), p.copy_bytes[g]
    if state == 2 and p.live_out[g]:
        low = p.access_time[end - 1] + 1
        _, t = _cheapest(total, copy, low, len(p.compute), False)
        use[1, t] += moved
        use[0, low : t + 1] += size
    for k in range(end - 1, first - 1, -1):
        t, came = p.access_time[k], back[k - first, state]
        low = p.access_time[k - 1] + 1 if k > first else 0
        copied, before = came >= 3, came % 3
        if state > 0:
            use[2, k] = 1.0
            use[0, t] += size
            if copied:
                _, c = _cheapest(total, copy, low, t, True)
                use[1, c] += moved
                use[0, c:t] += size
            elif k > first:
                use[0, low:t] += size
        if before == 2 and (state == 0 or copied):
            _, c = _cheapest(total, copy, low, t, False)
            use[1, c] += moved
            use[0, low : c + 1] += size
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
    size, longest = len(p.compute), int(np.max(np.diff(p.access_ptr)))
    work, back = np.empty((longest, 3)), np.zeros((longest, 3), np.int64)
    slow = np.maximum(p.compute, p.slow_all * p.slow_us)
    room = slow - np.maximum(p.compute, p.slow_all * p.fast_us)
    alone = p.access_bytes * (p.slow_us - p.fast_us)
    total, use = np.zeros(size + 1), np.zeros((3, max(size, len(alone))))
    gains, saving = np.empty(len(p.size)), np.empty(len(alone))
    now = (memory.copy(), copy.copy(), share.copy())
    best, relax, stuck = -np.inf, 1.0, 0
    for _ in range(steps):
        total[1:] = np.cumsum(now[0])
        use[:] = 0.0
        for k in range(len(alone)):
            saving[k] = now[2][p.access_time[k]] * alone[k]
        upper = np.sum((1 - now[2]) * room)
        upper += p.capacity * total[size] + np.sum(now[1] * p.cap)
        for g in range(len(p.size)):
            gains[g] = 0.0
            if 0 < p.size[g] <= p.capacity and p.access_ptr[g] < p.access_ptr[g + 1]:
                gains[g], state = _stay(p, g, saving, total, now[1], work, back)
                if gains[g] > 0:
                    upper += gains[g]
                    _account(p, g, state, total, now[1], back, use)
        bound = np.sum(slow) - upper
        stuck += 1
        if bound > best:
            best, stuck = bound, 0
            memory[:], copy[:], share[:] = now
            for g in range(len(p.size)):
                profit[g], income[g] = gains[g], 0.0
            for k in range(len(alone)):
                income[p.access_storage[k]] += use[2, k] * saving[k]
        if stuck >= 5:
            relax, stuck = relax * 0.6, 0
            now[0][:], now[1][:], now[2][:] = memory, copy, share
            continue
        saved = np.zeros(size)
        for k in range(len(alone)):
            saved[p.access_time[k]] += use[2, k] * alone[k]
        for t in range(size):
            use[0, t] = (1 - use[0, t] / p.capacity) if p.capacity else 0.0
            use[1, t] = (1 - use[1, t] / p.cap[t]) if p.cap[t] > 0 else 0.0
            use[2, t] = (saved[t] / room[t] - 1) if room[t] > 0 else 0.0
            for row, price in enumerate((now[0][t], now[1][t])):
                if price <= 0 and use[row, t] > 0:
                    use[row, t] = 0.0
        norm = np.sum(use[:, :size] ** 2)
        if norm <= 1e-18:
            break
        step = relax * max(goal - bound, 1e-6 * goal) / norm
        for t in range(size):
            now[0][t] = max(now[0][t] - step * use[0, t] / max(p.capacity, 1), 0.0)
            if p.cap[t] > 0:
                now[1][t] = max(now[1][t] - step * use[1, t] / p.cap[t], 0.0)
            if room[t] > 0:
                now[2][t] = min(max(now[2][t] - step * use[2, t] / room[t], 0.0), 1.0)
    return best


def prices_of(p: Problem, goal: float, steps: int = STEPS) -> Prices:
    """Prices after so many steps towards the latency of a known mapping, us."""
    size, storages = len(p.compute), len(p.size)
    memory, copy, share = np.zeros(size), np.zeros(size), np.ones(size)
    profit, income = np.zeros(storages), np.zeros(storages)
    bound = improve_prices(p, goal, steps, memory, copy, share, profit, income)
    least = float(np.maximum(p.compute, p.slow_all * p.fast_us).sum())
    return Prices(memory, copy, share, profit, income, max(float(bound), least))
