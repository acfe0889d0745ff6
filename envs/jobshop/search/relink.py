"""Schedules between two others, for path relinking (Peng, Lü, Cheng 2015)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from graphsched.envs.core.kernels.jit import kernel
from graphsched.envs.jobshop.search.moves import draw

if TYPE_CHECKING:
    from graphsched.envs.jobshop.search.shop import Ints, Shop


@kernel
def blend(one: Ints, other: Ints, share: int, random: Ints, order: Ints) -> None:
    """A topological order between two others: it takes up now the one's next, now the other's.

    Two operations whose order both agree on keep it, so that jobs stay in order, no cycle arises
    and nothing needs repair.

    Args:
        one: (N,) topological order.
        other: (N,) topological order.
        share: how often the next operation is the one's, in 1024.
        random: (1,) state of the generator.
        order: (N,) filled.
    """
    n = len(order)
    taken = np.zeros(n, np.int64)
    a, b = 0, 0
    for i in range(n):
        if draw(random, 1024) < share:
            while taken[one[a]]:
                a += 1
            x = one[a]
        else:
            while taken[other[b]]:
                b += 1
            x = other[b]
        order[i] = x
        taken[x] = 1


@kernel
def predecessors(shop: Shop, order: Ints, previous: Ints) -> None:
    """Fill each operation's predecessor on its machine, (N,), or N if it has none."""
    n, machines = len(order), len(shop.newest) - 1
    shop.newest[:] = n
    for x in order:
        m = shop.machine[x]
        previous[x] = n
        if m < machines:
            previous[x] = shop.newest[m]
            shop.newest[m] = x
