"""Best fit, first fit, search and CP-SAT for static allocation, and a check of what they return."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from graphsched.envs.core.clock import wall_s
from graphsched.envs.core.errors import InputError
from graphsched.envs.core.jit import kernel
from graphsched.envs.memory.static_search import search

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from graphsched.envs.memory.minimalloc import Allocation

    Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Placement:
    """Where the buffers of an allocation are.

    Attributes:
        offset: (num_buffers,) first byte of each buffer.
        height: bytes of memory that are used, the largest offset + size.
        bound: proven lower bound on any height.
    """

    offset: Ints
    height: int
    bound: int


def check_placement(problem: Allocation, offset: Ints) -> list[str]:
    """What is wrong with offsets, one line each; none if they are valid.

    Compares every pair of buffers, and shares no code with the allocators. The capacity is not part
    of it: whether a height fits is for the caller to say.
    """
    if offset.shape != (problem.num_buffers,) or offset.dtype.kind not in "iu":
        return [
            f"expected {problem.num_buffers} integer offsets, found {offset.dtype} {offset.shape}"
        ]
    found = [
        f"buffer {problem.ids[i]!r}: offset {offset[i]} is negative"
        for i in np.flatnonzero(offset < 0)
    ]
    for i in range(problem.num_buffers):
        for j in range(i):
            together = problem.lower[i] < problem.upper[j] and problem.lower[j] < problem.upper[i]
            apart = (
                offset[i] + problem.size[i] <= offset[j] or offset[j] + problem.size[j] <= offset[i]
            )
            if together and not apart and problem.size[i] and problem.size[j]:
                found.append(f"buffers {problem.ids[j]!r} and {problem.ids[i]!r} overlap")
    return found


@kernel
def _fit(order: Ints, lower: Ints, upper: Ints, size: Ints, best: bool) -> Ints:
    """(num_buffers,) offsets of buffers placed one by one.

    In the lowest gap that is large enough or, with `best`, in the smallest.
    """
    n = len(order)
    offset = np.zeros(n, np.int64)
    placed = np.empty(n, np.int64)  # by offset
    for count in range(n):
        b = order[count]
        top, chosen, least = 0, -1, -1
        for k in range(count):
            other = placed[k]
            if upper[other] <= lower[b] or upper[b] <= lower[other]:
                continue
            gap = offset[other] - top
            if gap >= size[b] and (chosen < 0 or (best and gap < least)):
                chosen, least = top, gap
                if not best:
                    break
            top = max(top, offset[other] + size[other])
        offset[b] = top if chosen < 0 else chosen
        k = count
        while k > 0 and offset[placed[k - 1]] > offset[b]:
            placed[k] = placed[k - 1]
            k -= 1
        placed[k] = b
    return offset


def contention(problem: Allocation) -> Ints:
    """(num_buffers,) bytes that live in the busiest section of each buffer's life."""
    first, after = problem.sections
    return np.array([problem.load[a:b].max() for a, b in zip(first, after, strict=True)], np.int64)


ORDERS: dict[str, Callable[[Allocation], tuple[Ints, ...]]] = {  # keys, the most important last
    "size": lambda p: (p.lower, -(p.upper - p.lower), -p.size),
    "lifetime": lambda p: (-p.size, -(p.upper - p.lower)),
    "area": lambda p: (p.lower, -(p.upper - p.lower) * p.size),
    "start": lambda p: (-p.size, p.lower),
    "end": lambda p: (-p.size, -p.upper),
    "contention": lambda p: (-(p.upper - p.lower) * p.size, -contention(p)),
}


def fit(problem: Allocation, order: str, best: bool) -> Placement:
    """Buffers in one of `ORDERS`, by best fit or by first fit; raises InputError for the order."""
    if order not in ORDERS:
        raise InputError(f"order {order!r:.40}", f"not one of {', '.join(ORDERS)}")
    sequence = np.lexsort(ORDERS[order](problem)).astype(np.int64)
    return placement(problem, _fit(sequence, problem.lower, problem.upper, problem.size, best))


def placement(problem: Allocation, offset: Ints, bound: int = 0) -> Placement:
    """Offsets with their height; `bound` is a proven one, the maximum load is taken anyway."""
    height = int((offset + problem.size).max())
    return Placement(offset, height, max(bound, problem.max_load))


def best_fit_of_orders(problem: Allocation) -> Placement:
    """The lowest of all fits in all orders."""
    found = [fit(problem, order, best) for order in ORDERS for best in (False, True)]
    return min(found, key=lambda p: p.height)


def by_search(problem: Allocation, time_limit_s: float, seed: int = 0) -> Placement:
    """Contention-guided search, down to the capacity or, without one, as low as time allows.

    Starts from the lowest fit, which it never exceeds.
    """
    began = wall_s()
    best = best_fit_of_orders(problem)
    goal = problem.max_load if problem.capacity is None else problem.capacity
    low = max(best.bound, 1)  # every height below it is known to be impossible
    while best.height > max(goal, low):
        left = time_limit_s - (wall_s() - began)
        # With a capacity, only reaching it counts; without, heights fall by halves of the gap.
        target = goal if problem.capacity is not None else (low + best.height - 1) // 2
        target = max(target, low)
        share = left if problem.capacity is not None else left / 3
        offset, proven = search(problem, target, share, seed)
        if offset is not None:
            best = placement(problem, offset, low)
        elif proven:
            low = target + 1
        if offset is None and (problem.capacity is not None or left <= 0.01):
            break
    return Placement(best.offset, best.height, max(best.bound, min(low, best.height)))


def _fits(order: str, best: bool) -> Callable[[Allocation, float], Placement]:
    return lambda problem, _: fit(problem, order, best)


def _cp_sat(problem: Allocation, time_limit_s: float) -> Placement:
    from graphsched.envs.memory.static_cpsat import by_cp_sat

    return by_cp_sat(problem, time_limit_s)


ALLOCATORS: dict[str, Callable[[Allocation, float], Placement]] = {
    **{f"first-fit {order}": _fits(order, False) for order in ORDERS},
    **{f"best-fit {order}": _fits(order, True) for order in ORDERS},
    "search": by_search,
    "cp-sat": _cp_sat,
}
