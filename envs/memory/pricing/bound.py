"""A lower bound on latency by Lagrangian relaxation, as tight as a second allows.

`prices` is cheap and steers; this one is for reports. Three things are different. The duration of an
instruction is the largest of three: its arithmetic, its own traffic, and the time in which the slow
memory's link carries its slow operands *and* the copies beside it; a weight of each makes one price of
them, and a program that is bound by its link everywhere is told that no copy is free. A copy holds
memory for as long as its bytes take to move at best, and is impossible where there is no time for it.
And fast memory is counted several times: in bytes, and in shares of a half, a third and a quarter, of
which any set of storages that lie side by side takes no more than one either (Fekete and Schepers
2001). Prices rise by Adam (Kingma and Ba 2015) from those at which the times of the best order's
mapping are the largest of three.

Left out are all else about offsets, that storages and copies are whole, and that nothing waits for a
copy: here one may make an instruction longer.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from graphsched.envs.core.kernels.jit import kernel
from graphsched.envs.memory.physics.arena import empty_arena
from graphsched.envs.memory.physics.mapping import best_order
from graphsched.envs.memory.physics.orders import fixed_orders
from graphsched.envs.memory.physics.placing import decode
from graphsched.envs.memory.physics.program import problem_of
from graphsched.envs.memory.pricing.stays import Stays, best_stay, empty_stays, room_for_copies

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from graphsched.envs.memory.instance import MemoryInstance
    from graphsched.envs.memory.physics.arena import Arena
    from graphsched.envs.memory.physics.program import Problem

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

WORK = 1_200_000  # accesses times steps
FEWEST, MOST = 200, 2000  # steps
LENGTH = 0.05  # of the first step, as a share of what a price is measured in
MEAN, SQUARE = 0.9, 0.99  # of what Adam remembers
AVERAGED = 0.5  # of the steps, whose prices make a mean
EVERY = 50  # steps between two looks at that
SHARES = (1, 2, 3)  # memory counted in halves, thirds, fourths
COMPUTE, MOVING, LINK = range(3)  # what a duration is the largest of
SAFETY = 1e-9  # relative; of sums of floating-point numbers


class Relaxation(NamedTuple):
    """What is priced. T instructions, G storages, C sizes, J ways of counting memory.

    Attributes:
        kind: (G,) number of the storage's size, -1 for those that can't be in fast memory.
        taken: (C, J) share of fast memory that a size takes.
        scale: (T,) us, what prices of an instruction are measured in.
        unit: us, the same for memory.
    """

    kind: Ints
    taken: Floats
    scale: Floats
    unit: float


class Duals(NamedTuple):
    """Prices, or how the bound grows with each.

    Attributes:
        memory: (J, T) us for all of fast memory during an instruction.
        copy: (T,) us for all that can be copied beside it at most.
        weight: (3, T) of what its duration is the largest of, sums to 1.
    """

    memory: Floats
    copy: Floats
    weight: Floats


def counted(share: Floats) -> Floats:
    """(C, J) what storages take by each way of counting; ``share``: (C,) size / fast memory.

    More than a half counts as all of it, and half as a half; more than a third as a half; and so on:
    ``floor((k + 1) share) / k``, and as it is where that is whole.
    """
    rows = [share]
    for k in SHARES:
        parts = (k + 1) * share
        whole = np.abs(parts - np.round(parts)) < SAFETY
        rows.append(np.where(whole, share, np.floor(parts) / k))
    useful = [r for i, r in enumerate(rows) if i == 0 or (r > rows[0]).any()]
    return np.stack(useful, axis=1)


def _empty(ways: int, instructions: int) -> Duals:
    shapes: tuple[tuple[int, ...], ...] = ((ways, instructions), (instructions,), (3, instructions))
    return Duals(*(np.zeros(shape) for shape in shapes))


@kernel(entry=False)
def _parts(p: Problem, t: int, slow: float, fast: float, copied: float) -> tuple[float, ...]:
    """What an instruction's duration is the largest of, us."""
    moving = slow * p.slow_us + fast * p.fast_us
    return p.compute[t], moving, (slow + copied) * p.slow_us


@kernel(entry=False)
def value(p: Problem, r: Relaxation, s: Stays, at: Duals, slope: Duals) -> float:
    """The bound at given prices, us; fills in how it grows with each."""
    size, ways = len(p.compute), r.taken.shape[1]
    s.copied[:] = 0.0
    s.held[:] = 0
    s.hit[:] = False
    for t in range(size):
        spread = at.copy[t] / p.cap[t] if p.cap[t] > 0 else 0.0
        s.copy_price[t] = at.weight[LINK, t] * p.slow_us + spread
    for c in range(len(r.taken)):
        for t in range(size):
            price = 0.0
            for j in range(ways):
                price += r.taken[c, j] * at.memory[j, t]
            s.total[c, t + 1] = s.total[c, t] + price
    for k in range(len(p.access_time)):
        t = p.access_time[k]
        us = at.weight[MOVING, t] * (p.slow_us - p.fast_us) + at.weight[LINK, t] * p.slow_us
        s.saving[k] = p.access_bytes[k] * us
    bound = 0.0
    for t in range(size):
        parts = _parts(p, t, p.slow_all[t], 0.0, 0.0)
        for i in range(3):
            bound += at.weight[i, t] * parts[i]
        bound -= at.copy[t]
        for j in range(ways):
            bound -= at.memory[j, t]
    for g in range(len(p.size)):
        if r.kind[g] >= 0:
            bound -= best_stay(p, g, r.kind[g], s)
    _slopes(p, r, s, slope)
    return bound


@kernel(entry=False)
def _slopes(p: Problem, r: Relaxation, s: Stays, slope: Duals) -> None:
    """How much of everything the best stays use beyond what there is."""
    size, ways = len(p.compute), r.taken.shape[1]
    slope.memory[:] = -1.0
    for c in range(len(r.taken)):
        together = 0
        for t in range(size):
            together += s.held[c, t]
            for j in range(ways if together else 0):
                slope.memory[j, t] += r.taken[c, j] * together
    s.fast[:] = 0.0
    for k in range(len(p.access_time)):
        if s.hit[k]:
            s.fast[p.access_time[k]] += p.access_bytes[k]
    for t in range(size):
        slope.copy[t] = s.copied[t] / p.cap[t] - 1 if p.cap[t] > 0 else 0.0
        parts = _parts(p, t, p.slow_all[t] - s.fast[t], s.fast[t], s.copied[t])
        mean = (parts[0] + parts[1] + parts[2]) / 3
        for i in range(3):
            slope.weight[i, t] = (parts[i] - mean) / r.scale[t] if r.scale[t] > 0 else 0.0


@kernel(entry=False)
def _to_simplex(v: NDArray[np.float64]) -> None:
    """The nearest three numbers that are not negative and sum to 1, in place."""
    falling, total, shift = np.sort(v)[::-1], 0.0, 0.0
    for i in range(3):
        total += falling[i]
        if falling[i] > (total - 1) / (i + 1):
            shift = (total - 1) / (i + 1)
    for i in range(3):
        v[i] = max(v[i] - shift, 0.0)


@kernel(entry=False)
def _follow(at: Floats, slope: Floats, mean: Floats, square: Floats, step: Floats) -> None:
    """One step of Adam on prices that aren't negative. All are (T,); step: us."""
    for t in range(len(at)):
        mean[t] = MEAN * mean[t] + (1 - MEAN) * slope[t]
        square[t] = SQUARE * square[t] + (1 - SQUARE) * slope[t] ** 2
        if square[t] > 0:
            at[t] = max(at[t] + step[t] * mean[t] / np.sqrt(square[t]), 0.0)


@kernel(entry=False)
def _follow_weights(at: Floats, slope: Floats, mean: Floats, square: Floats, step: float) -> None:
    """The same for weights, three to an instruction. at, slope, mean: (3, T); square: (T,)."""
    new = np.zeros(3)
    for t in range(len(square)):
        norm = slope[0, t] ** 2 + slope[1, t] ** 2 + slope[2, t] ** 2
        square[t] = SQUARE * square[t] + (1 - SQUARE) * norm
        if square[t] <= 0:
            continue
        for i in range(3):
            mean[i, t] = MEAN * mean[i, t] + (1 - MEAN) * slope[i, t]
            new[i] = at[i, t] + step * mean[i, t] / np.sqrt(square[t])
        _to_simplex(new)
        at[:, t] = new


@kernel
def ascend(
    p: Problem,
    r: Relaxation,
    s: Stays,
    at: Duals,
    slope: Duals,
    mean: Duals,
    square: Duals,
    average: Duals,
    steps: int,
) -> float:
    """The best bound met in so many steps from given prices, us.

    Args:
        p: the program.
        r: what is priced.
        s: room to work in.
        at: prices to begin with; moved.
        slope: room to work in, and so are `mean` and `square`, of zeros.
        mean: see `slope`.
        square: see `slope`.
        average: zeros; becomes the sum of the later prices.
        steps: how many.
    """
    best, summed, size = -np.inf, 0, len(p.compute)
    moved = np.empty(size)
    for n in range(steps):
        best = max(best, value(p, r, s, at, slope))
        warming = np.sqrt(1 - SQUARE ** (n + 1)) / (1 - MEAN ** (n + 1))
        step = LENGTH * (1 - n / steps) ** 2 * warming
        moved[:] = step * r.unit
        for j in range(r.taken.shape[1]):
            _follow(at.memory[j], slope.memory[j], mean.memory[j], square.memory[j], moved)
        moved[:] = step * r.scale
        _follow(at.copy, slope.copy, mean.copy, square.copy, moved)
        _follow_weights(at.weight, slope.weight, mean.weight, square.weight[0], step)
        if n >= steps * AVERAGED:
            average.memory[:] += at.memory
            average.copy[:] += at.copy
            average.weight[:] += at.weight
            summed += 1
            if n % EVERY == 0 or n == steps - 1:
                middle = Duals(
                    average.memory / summed, average.copy / summed, average.weight / summed
                )
                best = max(best, value(p, r, s, middle, slope))
    return best


def _known(p: Problem) -> Arena:
    """The mapping of the best fixed order."""
    arena = empty_arena(len(p.compute), len(p.access_time))
    decode(p, arena, best_order(p, fixed_orders(p)))
    return arena


def bound_of(p: Problem, alignment: int, steps: int) -> float:
    """The bound after so many steps, us."""
    used = (p.size > 0) & (p.copy_bytes <= p.capacity) & (np.diff(p.access_ptr) > 0)
    # The topmost storage may lack the bytes that others are aligned by.
    lacking = int((p.size - p.copy_bytes)[used].max(initial=0))
    capacity = (p.capacity + lacking) // alignment * alignment
    fits = used & (p.size <= capacity)
    least = np.maximum(p.compute, p.slow_all * p.fast_us).sum()
    if not fits.any():
        return float(np.maximum(p.compute, p.slow_all * p.slow_us).sum())
    sizes, kind = np.unique(p.size[fits], return_inverse=True)
    kinds = np.full(len(p.size), -1)
    kinds[fits] = kind
    a = _known(p)
    parts = np.stack(
        [p.compute, a.slow * p.slow_us + a.fast * p.fast_us, (a.slow + a.used) * p.slow_us]
    )
    scale = parts.max(axis=0)
    relaxation = Relaxation(kinds, counted(sizes / capacity), scale, float(scale.mean()))
    ways, size = relaxation.taken.shape[1], len(p.compute)
    at, slope, mean, square, average = (_empty(ways, size) for _ in range(5))
    at.weight[:] = parts >= scale * (1 - 1e-6)
    at.weight[:] /= at.weight.sum(axis=0)
    stays = empty_stays(p, len(sizes))
    room_for_copies(p, stays)
    found = ascend(p, relaxation, stays, at, slope, mean, square, average, steps)
    return max(float(found) - SAFETY * float(scale.sum()), float(least))


@lru_cache(maxsize=4096)
def lower_bound(instance: MemoryInstance) -> float:
    """No mapping is faster, us."""
    p = problem_of(instance)
    steps = int(np.clip(WORK // max(len(p.access_time), 1), FEWEST, MOST))
    return bound_of(p, instance.machine.alignment, steps)
