"""Tabu search on the machine orders of a job shop (Nowicki & Smutnicki 1996; Zhang et al. 2007)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from graphsched.envs.core.kernels.jit import kernel
from graphsched.envs.jobshop.search.moves import (
    critical_path,
    draw,
    estimate_before,
    estimate_behind,
    list_moves,
)
from graphsched.envs.jobshop.search.paths import makespan, move
from graphsched.envs.jobshop.search.shop import FOLLOWING, PREVIOUS

if TYPE_CHECKING:
    from graphsched.envs.jobshop.search.shop import Ints, Rows, Shop

FAR = 2**62
ITERATION, BEST, FOUND, CURRENT = range(4)


class Memory(NamedTuple):
    """What the search remembers."""

    tabu: Ints  # (N, J) until which iteration an operation may not go before one of a job
    best: Ints  # (N,) topological order of the best schedule
    facts: Ints  # (4,) iteration, best makespan, iteration that found it, current makespan
    random: Ints  # (1,)
    path: Rows  # (N,) scratch
    bounds: Ints  # (N + 1,) scratch
    moves: Rows  # (4 N, 3) scratch
    ends: Ints  # (N,) scratch


def empty_memory(operations: int, jobs: int, rng: np.random.Generator) -> Memory:
    """A memory without anything in it, with random numbers of its own."""
    return Memory(
        tabu=np.zeros((operations, jobs), np.int64),
        best=np.zeros(operations, np.int64),
        facts=np.zeros(4, np.int64),
        random=rng.integers(1, 2**32, 1),
        path=np.zeros(operations, np.uint32),
        bounds=np.zeros(operations + 1, np.int64),
        moves=np.zeros((4 * operations, 3), np.uint32),
        ends=np.zeros(operations, np.int64),
    )


@kernel(entry=False)
def _forbidden(links: Rows, job: Ints, tabu: Ints, now: int, u: int, v: int, forward: bool) -> bool:
    """Whether a move brings back an order of two operations that is tabu."""
    x = u
    while x != v:
        if forward:
            x = links[x + FOLLOWING]
            if tabu[x >> 2, job[u >> 2]] > now:
                return True
        else:
            x = links[x + PREVIOUS]
            if tabu[u >> 2, job[x >> 2]] > now:
                return True
    return False


@kernel(entry=False)
def _forbid(shop: Shop, tabu: Ints, until: int, u: int, v: int, forward: bool) -> None:
    """Make the orders tabu that a move is about to undo."""
    links, job = shop.links, shop.job
    x = u
    while x != v:
        if forward:
            x = links[x + FOLLOWING]
            tabu[u >> 2, job[x >> 2]] = until
        else:
            x = links[x + PREVIOUS]
            tabu[x >> 2, job[u >> 2]] = until


@kernel(entry=False)
def _choose(shop: Shop, m: Memory, count: int) -> int:
    """The best move that is not tabu, or that promises a new best; any one if there is none."""
    now, aspired = m.facts[ITERATION], m.facts[BEST]
    times, links, job = shop.times, shop.links, shop.job
    best, chosen, ties = FAR, -1, 0
    for i in range(count):
        u, v, forward = m.moves[i, 0], m.moves[i, 1], m.moves[i, 2] == 1
        if forward:
            cost = estimate_behind(times, links, u, v, m.ends, best)
        else:
            cost = estimate_before(times, links, u, v, m.ends, best)
        if cost > best or (cost >= aspired and _forbidden(links, job, m.tabu, now, u, v, forward)):
            continue
        ties = ties + 1 if cost == best else 1
        if ties == 1 or draw(m.random, ties) == 0:
            best, chosen = cost, i
    return chosen if chosen >= 0 else draw(m.random, count)


@kernel(entry=False)
def _step(shop: Shop, m: Memory, tenure: int) -> None:
    """One move, if the critical path has any."""
    length = critical_path(shop, m.facts[CURRENT], m.random, m.path)
    times, links, job = shop.times, shop.links, shop.job
    count = list_moves(times, links, job, shop.fixed, m.path, length, m.bounds, m.moves)
    if count == 0:
        return
    i = _choose(shop, m, count)
    u, v, forward = m.moves[i, 0], m.moves[i, 1], m.moves[i, 2] == 1
    until = m.facts[ITERATION] + tenure + draw(m.random, 2 * tenure // 5 + 1)
    _forbid(shop, m.tabu, until, u, v, forward)
    move(shop, u, v, forward)
    m.facts[CURRENT] = makespan(shop.times, shop.last)


@kernel
def run(shop: Shop, m: Memory, iterations: int, tenure: int, bound: int) -> int:
    """Go on for some iterations or until the bound is met; returns how many were done.

    A move's pairs of operations stay as they are for ``tenure`` to 1.4 of it iterations.
    """
    for i in range(iterations):
        if m.facts[BEST] <= bound:
            return i
        m.facts[ITERATION] += 1
        _step(shop, m, tenure)
        if m.facts[CURRENT] < m.facts[BEST]:
            m.facts[BEST] = m.facts[CURRENT]
            m.facts[FOUND] = m.facts[ITERATION]
            m.best[:] = shop.order >> 2
    return iterations
