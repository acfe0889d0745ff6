"""Tabu search on the machine orders of a job shop."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from graphsched.envs.core.jit import kernel
from graphsched.envs.jobshop.search.moves import (
    can_go_before,
    can_go_behind,
    critical_path,
    draw,
    estimate_before,
    estimate_behind,
)
from graphsched.envs.jobshop.search.paths import makespan, move

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from graphsched.envs.jobshop.search.shop import Schedule, Shop

    Ints = NDArray[np.int64]

FAR = 2**62


class Memory(NamedTuple):
    """What the search remembers."""

    tabu: Ints  # (N, widest) iteration until which an operation may not go before another
    best: Ints  # (N,) topological order of the best schedule
    facts: Ints  # (4,) iteration, best makespan, iteration that found it, current makespan
    random: Ints  # (1,)
    path: Ints  # (N,) scratch
    ends: Ints  # (N,) scratch
    scratch: Ints  # (2, I) scratch


ITERATION, BEST, FOUND, CURRENT = range(4)


def empty_memory(shop: Shop, seed: int) -> Memory:
    """A memory without anything in it."""
    n, size = len(shop.job), len(shop.duration)
    return Memory(
        np.zeros((n, shop.widest), np.int64),
        np.zeros(n, np.int64),
        np.zeros(4, np.int64),
        np.array([(seed * 2654435761 + 88675123) % (2**32 - 1) + 1], np.int64),
        np.zeros(n, np.int64),
        np.zeros(n, np.int64),
        np.zeros((2, size), np.int64),
    )


@kernel(entry=False)
def _forbidden(shop: Shop, s: Schedule, m: Memory, u: int, v: int, forward: bool) -> bool:
    """Whether a move brings back an order of two operations that is tabu."""
    now, x = m.facts[ITERATION], u
    while x != v:
        if forward:
            x = s.following[x]
            if m.tabu[x, shop.place[u]] > now:
                return True
        else:
            x = s.previous[x]
            if m.tabu[u, shop.place[x]] > now:
                return True
    return False


@kernel(entry=False)
def _forbid(shop: Shop, s: Schedule, m: Memory, u: int, v: int, forward: bool, until: int) -> None:
    """Make the orders that a move is about to undo tabu."""
    x = u
    while x != v:
        if forward:
            x = s.following[x]
            m.tabu[u, shop.place[x]] = until
        else:
            x = s.previous[x]
            m.tabu[x, shop.place[u]] = until


@kernel(entry=False)
def _step(shop: Shop, s: Schedule, m: Memory, tenure: int) -> bool:
    """One move; False if the critical path has none, so that the schedule is optimal."""
    latest = m.facts[CURRENT]
    length = critical_path(shop, s, latest, m.path, m.random)
    path = m.path
    best = FAR
    best_u = best_v = other_u = other_v = -1
    best_forward = other_forward = False
    ties = others = 0
    high = 0
    while high < length:  # blocks from the end of the path to its start
        low = high
        while high + 1 < length and s.previous[path[high]] == path[high + 1]:
            high += 1
        size = high - low + 1
        first, last = path[high], path[low]
        opens = s.end[first] == shop.duration[first]  # nothing is gained by what comes first
        closes = low == 0
        for side in range(4):
            if size < 2:
                break
            for i in range(1, size):
                if side == 0:  # behind the last
                    u, v, forward = path[low + i], last, True
                    if closes:
                        break
                elif side == 1:  # before the first
                    u, v, forward = path[high - i], first, False
                    if opens:
                        break
                elif side == 2:  # the first, further back
                    u, v, forward = first, path[high - i], True
                    if (i == 1 and not opens) or v == last:
                        continue
                    if opens:
                        break
                else:  # the last, further to the front
                    u, v, forward = last, path[low + i], False
                    if (i == 1 and not closes) or v == first:
                        continue
                    if closes:
                        break
                if forward:
                    if not can_go_behind(shop, s, u, v):
                        continue
                    cost = estimate_behind(shop, s, u, v, m.ends)
                else:
                    if not can_go_before(shop, s, u, v):
                        continue
                    cost = estimate_before(shop, s, u, v, m.ends)
                others += 1
                if draw(m.random, others) == 0:
                    other_u, other_v, other_forward = u, v, forward
                if cost > best:
                    continue
                if cost >= m.facts[BEST] and _forbidden(shop, s, m, u, v, forward):
                    continue
                ties = 1 if cost < best else ties + 1
                if draw(m.random, ties) == 0:
                    best, best_u, best_v, best_forward = cost, u, v, forward
        high += 1
    if best_u < 0:
        best_u, best_v, best_forward = other_u, other_v, other_forward
    if best_u < 0:
        return False
    until = m.facts[ITERATION] + tenure + draw(m.random, 2 * tenure // 5 + 1)
    _forbid(shop, s, m, best_u, best_v, best_forward, until)
    move(shop, s, best_u, best_v, best_forward, m.scratch)
    m.facts[CURRENT] = makespan(shop, s)
    return True


@kernel
def search(shop: Shop, s: Schedule, m: Memory, iterations: int, tenure: int, bound: int) -> int:
    """Go on for some iterations; returns how many were done.

    Args:
        shop: the instance.
        s: the schedule in hand, moved on.
        m: what is remembered, kept up.
        iterations: at most.
        tenure: least number of iterations that a reversed pair stays as it is.
        bound: makespan that ends the search.
    """
    n = len(shop.job)
    for i in range(iterations):
        if m.facts[BEST] <= bound:
            return i
        m.facts[ITERATION] += 1
        _step(shop, s, m, tenure)
        if m.facts[CURRENT] < m.facts[BEST]:
            m.facts[BEST] = m.facts[CURRENT]
            m.facts[FOUND] = m.facts[ITERATION]
            m.best[:] = s.order[:n]
    return iterations
