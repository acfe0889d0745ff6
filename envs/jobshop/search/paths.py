"""Heads and tails of a schedule, and what a move does to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphsched.envs.core.jit import kernel
from graphsched.envs.jobshop.search.shop import (
    AFTER,
    AT,
    BEFORE,
    DURATION,
    END,
    FOLLOWING,
    MARK,
    MOVED,
    ORDER,
    PREVIOUS,
    TAIL,
)

if TYPE_CHECKING:
    from graphsched.envs.jobshop.search.shop import Ints, Shop


@kernel(entry=False)
def _update_ends(table: Ints, lists: Ints, low: int, n: int) -> None:
    """Earliest ends anew from a place in the topological order on."""
    for i in range(low, n):
        x = lists[ORDER, i]
        ready = max(table[table[x, BEFORE], END], table[table[x, PREVIOUS], END])
        table[x, END] = ready + table[x, DURATION]


@kernel(entry=False)
def _update_tails(table: Ints, lists: Ints, high: int) -> None:
    """Tails anew from a place in the topological order back to its start."""
    for i in range(high, -1, -1):
        x = lists[ORDER, i]
        rest = max(table[table[x, AFTER], TAIL], table[table[x, FOLLOWING], TAIL])
        table[x, TAIL] = rest + table[x, DURATION]


@kernel(entry=False)
def makespan(table: Ints, last: Ints) -> int:
    """The latest end of the jobs' last operations."""
    latest = table[last[0], END]
    for x in last:
        latest = max(latest, table[x, END])
    return int(latest)


@kernel
def set_order(shop: Shop, order: Ints) -> int:
    """Run every machine's operations in a topological order, (N,) of all; returns the makespan."""
    n, machines = len(order), len(shop.newest) - 1
    table, newest = shop.table, shop.newest
    newest[:] = n
    for i in range(n):
        x = order[i]
        shop.lists[ORDER, i], shop.lists[AT, x] = x, i
        m = shop.machine[x]
        table[x, PREVIOUS] = table[x, FOLLOWING] = n
        if m < machines:
            table[x, PREVIOUS] = newest[m]
            table[newest[m], FOLLOWING] = x
            newest[m] = x
    _update_ends(table, shop.lists, 0, n)
    _update_tails(table, shop.lists, n - 1)
    return makespan(table, shop.last)


@kernel(entry=False)
def _link(table: Ints, u: int, v: int, forward: bool) -> None:
    """Take u out of its machine's order and put it right behind v, or right before it."""
    left, right = table[u, PREVIOUS], table[u, FOLLOWING]
    table[left, FOLLOWING], table[right, PREVIOUS] = right, left
    if forward:
        left, right = v, table[v, FOLLOWING]
    else:
        left, right = table[v, PREVIOUS], v
    table[u, PREVIOUS], table[u, FOLLOWING] = left, right
    table[left, FOLLOWING], table[right, PREVIOUS] = u, u


@kernel(entry=False)
def _sort_forward(table: Ints, lists: Ints, u: int, low: int, high: int) -> None:
    """Bring u, and what depends on it, behind all others of [low, high] in the order."""
    to, count = low, 0
    for i in range(low, high + 1):
        x = lists[ORDER, i]
        if x == u or lists[MARK, table[x, BEFORE]] + lists[MARK, table[x, PREVIOUS]]:
            lists[MARK, x] = 1
            lists[MOVED, count] = x
            count += 1
        else:
            lists[ORDER, to], lists[AT, x] = x, to
            to += 1
    for i in range(count):
        x = lists[MOVED, i]
        lists[ORDER, to + i], lists[AT, x], lists[MARK, x] = x, to + i, 0


@kernel(entry=False)
def _sort_backward(table: Ints, lists: Ints, u: int, low: int, high: int) -> None:
    """Bring u, and what it depends on, before all others of [low, high] in the order."""
    to, count = high, 0
    for i in range(high, low - 1, -1):
        x = lists[ORDER, i]
        if x == u or lists[MARK, table[x, AFTER]] + lists[MARK, table[x, FOLLOWING]]:
            lists[MARK, x] = 1
            lists[MOVED, count] = x
            count += 1
        else:
            lists[ORDER, to], lists[AT, x] = x, to
            to -= 1
    for i in range(count):
        x = lists[MOVED, i]
        lists[ORDER, to - i], lists[AT, x], lists[MARK, x] = x, to - i, 0


@kernel
def move(table: Ints, lists: Ints, u: int, v: int, forward: bool, n: int) -> None:
    """Put u right behind v, or right before it, and bring order, heads and tails up to date.

    The move must be acyclic. Only the part of the order between both changes.
    """
    _link(table, u, v, forward)
    if forward:
        low, high = lists[AT, u], lists[AT, v]
        _sort_forward(table, lists, u, low, high)
    else:
        low, high = lists[AT, v], lists[AT, u]
        _sort_backward(table, lists, u, low, high)
    _update_ends(table, lists, low, n)
    _update_tails(table, lists, high)
