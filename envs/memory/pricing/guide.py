"""What is worked out once for each program: orders to choose from, and prices."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from graphsched.envs.memory.physics.arena import empty_arena
from graphsched.envs.memory.physics.orders import benefits, lifetimes, order_of, scores
from graphsched.envs.memory.physics.placing import decode
from graphsched.envs.memory.physics.program import problem_of
from graphsched.envs.memory.pricing.prices import prices_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from graphsched.envs.memory.instance import MemoryInstance

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]


class Guide(NamedTuple):
    """G storages, T instructions, K lists.

    Attributes:
        lists: (K, W) storages worth placing in each order: those of `ORDERS`, the best of them, and
            by margin.
        latency: us, of placing by the best of `ORDERS`.
        benefit: (G,) us saved by each storage alone.
        price_sum: (T + 1,) prefix sums of the memory prices, us per byte.
        margin: (G,) 1 - price of a whole lifetime / benefit, in [-3, 1].
        profit_share: (G,) profit / income at these prices.
    """

    lists: Ints
    latency: float
    benefit: Floats
    price_sum: Floats
    margin: Floats
    profit_share: Floats


@lru_cache(maxsize=4096)
def guide_of(instance: MemoryInstance) -> Guide:
    """The guide of a program."""
    p = problem_of(instance)
    arena = empty_arena(len(p.compute), len(p.access_time))
    table = scores(p)
    orders = [order_of(row) for row in table]
    found = [decode(p, arena, order) for order in orders]
    best = int(np.argmin(found))
    prices = prices_of(p, found[best])
    total = np.concatenate([[0.0], np.cumsum(prices.memory)])
    benefit = benefits(p)
    first, last = lifetimes(p)
    price = p.size * (total[last + 1] - total[first])
    margin = np.clip(1 - price / np.maximum(benefit, 1e-300), -3.0, 1.0)
    worth = np.isfinite(table[0])
    by_margin = order_of(np.where(worth, margin, -np.inf))
    share = np.where(prices.income > 0, prices.profit / np.maximum(prices.income, 1e-300), 0.0)
    return Guide(
        lists=np.stack([*orders, orders[best], by_margin]),
        latency=float(found[best]),
        benefit=benefit,
        price_sum=total,
        margin=np.where(worth, margin, 0.0),
        profit_share=np.clip(share, 0.0, 1.0),
    )
