"""Rounds of the search: moves in an order, then runs that come into the mapping.

What a round can't make better any more is left: the next one sets out from its order, shaken. They go
on until the time is over, or many in a row brought nothing, as happens in programs of a few accesses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from graphsched.envs.core.clock import cpu_s, fitting
from graphsched.envs.memory.improving.ejections import EJECTION
from graphsched.envs.memory.improving.episode import ORDER_SHARE
from graphsched.envs.memory.improving.mapping import load
from graphsched.envs.memory.improving.orders import ORDER_MOVE
from graphsched.envs.memory.improving.scorer import Scorer, indifferent
from graphsched.envs.memory.improving.searching import (
    begin_search,
    search_orders,
    search_runs,
    settle,
)
from graphsched.envs.memory.physics.arena import LATENCY
from graphsched.envs.memory.physics.mapping import best_order, solution_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.random import Generator
    from numpy.typing import NDArray

    from graphsched.envs.memory.improving.searching import Search
    from graphsched.envs.memory.physics.program import Problem
    from graphsched.envs.memory.solution import MemorySolution

    Ints = NDArray[np.int64]
    Step = Callable[[float, int, int], float]  # latency so far, moves, seed or -1 -> latency

IDLE_ROUNDS = 200  # that bring nothing, after which a program has nothing more to give
SHAKEN = 0.05  # standard deviation of the places that storages move between rounds / all places
NO_ORDERS = np.zeros((0, len(ORDER_MOVE)), np.float32)
NO_RUNS = np.zeros((0, len(EJECTION)), np.float32)
UNHEARD = np.zeros(0, np.float32)


class Ranking(NamedTuple):
    """What ranks the moves of both parts, and how many are on offer."""

    order_moves: Scorer
    runs: Scorer
    offered: tuple[int, int]


RANDOM = Ranking(indifferent(len(ORDER_MOVE)), indifferent(len(EJECTION)), (1, 1))


class Round(NamedTuple):
    """What a round came to.

    Attributes:
        mapping: the best one.
        order: that it came of, or passed.
    """

    mapping: MemorySolution
    order: Ints


def search_rounds(
    p: Problem,
    ranking: Ranking,
    orders: Sequence[Ints],
    given: MemorySolution | None,
    deadline_s: float,
    seed: int,
) -> MemorySolution:
    """The best mapping met, and never worse than the one given.

    Args:
        p: the program.
        ranking: of the moves.
        orders: of which the best begins.
        given: a mapping from which the first round goes on if it is better than its moves in the order.
        deadline_s: by `cpu_s`.
        seed: of all draws.
    """
    rng = np.random.default_rng(seed)
    best = _round(p, ranking, best_order(p, orders), given, deadline_s, rng)
    idle = 0
    while len(best.order) > 1 and idle < IDLE_ROUNDS and cpu_s() < deadline_s:
        found = _round(p, ranking, shaken(best.order, rng), None, deadline_s, rng)
        idle += 1
        if found.mapping.cost < best.mapping.cost:
            best, idle = found, 0
    return best.mapping if given is None or best.mapping.cost <= given.cost else given


def shaken(order: Ints, rng: Generator) -> Ints:
    """The order after all storages have moved a little."""
    places = np.arange(len(order)) + rng.normal(0.0, SHAKEN * len(order), len(order))
    return order[np.argsort(places)]


def _round(
    p: Problem,
    ranking: Ranking,
    start: Ints,
    given: MemorySolution | None,
    deadline_s: float,
    rng: Generator,
) -> Round:
    """Moves from an order, then runs from there, or from a given mapping if it is better."""
    began = cpu_s()
    s, words = begin_search(p, start), rng.integers(2**31, size=2).tolist()
    cost = settle(p, s)
    until = began + ORDER_SHARE * (deadline_s - began)
    cost = _moved(_orders(p, s, ranking), len(start), until, cost, words[0])
    order: Ints | None = s.order.copy()
    if given is not None and given.cost < cost:
        table = np.stack([given.storage, given.start, given.end, given.offset]).astype(np.int64)
        if not load(p, s.best, s.ejection.copies, table):
            return Round(given, s.order)
        cost, order = float(s.best.real[LATENCY]), given.order
    after = _moved(_runs(p, s, ranking), len(p.access_time), deadline_s, cost, words[1])
    return Round(solution_of(s.best, order if after == cost else None), s.order)


def _moved(step: Step, idle: int, deadline_s: float, cost: float, seed: int) -> float:
    """Moves until the deadline, or until so many, and the second half of all, brought nothing."""
    began, done, helped = cpu_s(), 0, 0
    while (now := cpu_s()) < deadline_s and done - helped <= max(idle, done // 2):
        # What a move takes isn't known before the first.
        tries = fitting(done, now - began, deadline_s - began) if done else 1
        found = step(cost, tries, -1 if done else seed)
        done += tries
        if found < cost:
            cost, helped = found, done
    return cost


def _orders(p: Problem, s: Search, ranking: Ranking) -> Step:
    scorer, offered = ranking.order_moves, ranking.offered[0]
    return lambda cost, tries, word: search_orders(
        p, s, scorer, cost, tries, offered, word, NO_ORDERS, UNHEARD
    )


def _runs(p: Problem, s: Search, ranking: Ranking) -> Step:
    scorer, offered = ranking.runs, ranking.offered[1]
    return lambda cost, tries, word: search_runs(
        p, s, scorer, cost, tries, offered, word, NO_RUNS, UNHEARD
    )
