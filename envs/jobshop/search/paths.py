"""Heads and tails of a schedule, and what a move does to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphsched.envs.core.kernels.jit import kernel
from graphsched.envs.jobshop.search.shop import (
    AFTER,
    AT,
    BEFORE,
    DURATION,
    END,
    FOLLOWING,
    PREVIOUS,
    TAIL,
)

if TYPE_CHECKING:
    from graphsched.envs.jobshop.search.shop import Ints, Rows, Shop


@kernel(entry=False)
def _update_ends(times: Ints, links: Rows, order: Rows, low: int) -> None:
    """Earliest ends anew from a place in the topological order on."""
    for i in range(low, len(order)):
        x = order[i]
        ready = max(times[links[x + BEFORE] + END], times[links[x + PREVIOUS] + END])
        times[x + END] = ready + times[x + DURATION]


@kernel(entry=False)
def _update_tails(times: Ints, links: Rows, order: Rows, high: int) -> None:
    """Tails anew from a place in the topological order back to its start."""
    for i in range(high, -1, -1):
        x = order[i]
        rest = max(times[links[x + AFTER] + TAIL], times[links[x + FOLLOWING] + TAIL])
        times[x + TAIL] = rest + times[x + DURATION]


@kernel(entry=False)
def makespan(times: Ints, last: Rows) -> int:
    """The latest end of the jobs' last operations."""
    latest = times[last[0] + END]
    for x in last:
        latest = max(latest, times[x + END])
    return int(latest)


@kernel
def set_order(shop: Shop, order: Ints) -> int:
    """Run every machine's operations in a topological order, (N,) of all; returns the makespan."""
    n, machines = len(order), len(shop.newest) - 1
    times, links, newest = shop.times, shop.links, shop.newest
    newest[:] = 4 * n
    for i in range(n):
        x = 4 * order[i]
        shop.order[i], times[x + AT] = x, i
        m = shop.machine[order[i]]
        links[x + PREVIOUS] = links[x + FOLLOWING] = 4 * n
        if m < machines:
            links[x + PREVIOUS] = newest[m]
            links[newest[m] + FOLLOWING] = x
            newest[m] = x
    _update_ends(times, links, shop.order, 0)
    _update_tails(times, links, shop.order, n - 1)
    return makespan(times, shop.last)


@kernel(entry=False)
def _link(links: Rows, u: int, v: int, forward: bool) -> None:
    """Take u out of its machine's order and put it right behind v, or right before it."""
    left, right = links[u + PREVIOUS], links[u + FOLLOWING]
    links[left + FOLLOWING], links[right + PREVIOUS] = right, left
    if forward:
        left, right = v, links[v + FOLLOWING]
    else:
        left, right = links[v + PREVIOUS], v
    links[u + PREVIOUS], links[u + FOLLOWING] = left, right
    links[left + FOLLOWING], links[right + PREVIOUS] = u, u


@kernel(entry=False)
def _sort_forward(
    times: Ints, links: Rows, order: Rows, moved: Rows, u: int, low: int, high: int
) -> None:
    """Bring u, and what depends on it, behind all others of [low, high] in the order.

    What is to move has no place, -1, until all others have theirs.
    """
    to, count = low, 0
    for i in range(low, high + 1):
        x = order[i]
        if x == u or times[links[x + BEFORE] + AT] < 0 or times[links[x + PREVIOUS] + AT] < 0:
            times[x + AT] = -1
            moved[count] = x
            count += 1
        else:
            order[to], times[x + AT] = x, to
            to += 1
    for i in range(count):
        x = moved[i]
        order[to + i], times[x + AT] = x, to + i


@kernel(entry=False)
def _sort_backward(
    times: Ints, links: Rows, order: Rows, moved: Rows, u: int, low: int, high: int
) -> None:
    """Bring u, and what it depends on, before all others of [low, high] in the order."""
    to, count = high, 0
    for i in range(high, low - 1, -1):
        x = order[i]
        if x == u or times[links[x + AFTER] + AT] < 0 or times[links[x + FOLLOWING] + AT] < 0:
            times[x + AT] = -1
            moved[count] = x
            count += 1
        else:
            order[to], times[x + AT] = x, to
            to -= 1
    for i in range(count):
        x = moved[i]
        order[to - i], times[x + AT] = x, to - i


@kernel
def move(shop: Shop, u: int, v: int, forward: bool) -> None:
    """Put u right behind v, or right before it, and bring order, heads and tails up to date.

    The move must be acyclic. Only the part of the order between both changes.
    """
    times, links, order = shop.times, shop.links, shop.order
    _link(links, u, v, forward)
    if forward:
        low, high = times[u + AT], times[v + AT]
        _sort_forward(times, links, order, shop.moved, u, low, high)
    else:
        low, high = times[v + AT], times[u + AT]
        _sort_backward(times, links, order, shop.moved, u, low, high)
    _update_ends(times, links, order, low)
    _update_tails(times, links, order, high)
