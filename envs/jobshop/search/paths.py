"""Heads and tails of a schedule, and what a move does to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphsched.envs.core.jit import kernel

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from graphsched.envs.jobshop.search.shop import Schedule, Shop

    Ints = NDArray[np.int64]


@kernel(entry=False)
def update_ends(shop: Shop, s: Schedule, first: int) -> None:
    """Earliest ends anew from a place in the topological order on."""
    duration, before, previous, end, order = shop.duration, shop.before, s.previous, s.end, s.order
    for i in range(first, len(shop.job)):
        x = order[i]
        end[x] = max(end[before[x]], end[previous[x]]) + duration[x]


@kernel(entry=False)
def update_tails(shop: Shop, s: Schedule, last: int) -> None:
    """Tails anew from a place in the topological order back to its start."""
    duration, after, following, tail, order = (
        shop.duration,
        shop.after,
        s.following,
        s.tail,
        s.order,
    )
    for i in range(last, -1, -1):
        x = order[i]
        tail[x] = max(tail[after[x]], tail[following[x]]) + duration[x]


@kernel
def makespan(shop: Shop, s: Schedule) -> int:
    """The latest end."""
    latest = 0
    for x in shop.last:
        latest = max(latest, s.end[x])
    return latest


@kernel
def set_order(shop: Shop, s: Schedule, order: Ints, newest: Ints) -> int:
    """Make the schedule that runs every machine's operations in a topological order.

    Args:
        shop: the instance.
        s: filled.
        order: (N,) all operations.
        newest: (M,) scratch.

    Returns:
        Its makespan.
    """
    n = len(shop.job)
    newest[:] = n
    for i in range(n):
        x = order[i]
        s.order[i], s.at[x] = x, i
        m = shop.machine[x]
        s.previous[x] = s.following[x] = n
        if m >= 0:
            s.previous[x] = newest[m]
            s.following[newest[m]] = x
            newest[m] = x
    update_ends(shop, s, 0)
    update_tails(shop, s, n - 1)
    return makespan(shop, s)


@kernel(entry=False)
def _relink(s: Schedule, n: int, u: int, v: int, forward: bool) -> None:
    """Take u out of its machine's order and put it right behind v, or right before it."""
    previous, following = s.previous, s.following
    left, right = previous[u], following[u]
    following[left], previous[right] = right, left
    if forward:
        right = following[v]
        left = v
    else:
        left = previous[v]
        right = v
    previous[u], following[u] = left, right
    following[left], previous[right] = u, u


@kernel(entry=False)
def move(shop: Shop, s: Schedule, u: int, v: int, forward: bool, scratch: Ints) -> None:
    """Put u right behind v, or right before it, and bring order, heads and tails up to date.

    The move must be acyclic. Only the part of the order between both changes: forward, u and what
    depends on it goes behind v; backward, u and what it depends on goes before v.

    Args:
        shop: the instance.
        s: the schedule, moved on.
        u: operation to move.
        v: the one that it is to be next to.
        forward: behind it, rather than before it.
        scratch: (2, N) zeros in row 0, and left so.
    """
    n = len(shop.job)
    _relink(s, n, u, v, forward)
    order, at, mark, moved = s.order, s.at, scratch[0], scratch[1]
    count = 0
    if forward:
        low, high = at[u], at[v]
        to = low
        for i in range(low, high + 1):
            x = order[i]
            b, p = shop.before[x], s.previous[x]
            if x == u or (b < n and mark[b] == 1) or mark[p] == 1:
                mark[x] = 1
                moved[count] = x
                count += 1
            else:
                order[to], at[x] = x, to
                to += 1
        for i in range(count):
            x = moved[i]
            order[to + i], at[x], mark[x] = x, to + i, 0
    else:
        low, high = at[v], at[u]
        to = high
        for i in range(high, low - 1, -1):
            x = order[i]
            if x == u or mark[shop.after[x]] == 1 or mark[s.following[x]] == 1:
                mark[x] = 1
                moved[count] = x
                count += 1
            else:
                order[to], at[x] = x, to
                to -= 1
        for i in range(count):
            x = moved[i]
            order[to - i], at[x], mark[x] = x, to - i, 0
    update_ends(shop, s, low)
    update_tails(shop, s, high)
