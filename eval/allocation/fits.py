"""First fit and best fit of buffers in fixed orders."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from graphsched.envs.core.errors import InputError
from graphsched.envs.core.kernels.jit import kernel
from graphsched.eval.allocation.solution import Placement, placement

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from graphsched.eval.allocation.instance import Allocation

    Ints = NDArray[np.int64]


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


def best_fit_of_orders(problem: Allocation) -> Placement:
    """The lowest of all fits in all orders."""
    found = [fit(problem, order, best) for order in ORDERS for best in (False, True)]
    return min(found, key=lambda p: p.height)
