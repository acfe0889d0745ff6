"""A genetic algorithm over task order and lanes, seeded with HEFT, PEFT and serial plans.

A chromosome is a topological order and a lane for each task; decoding plans the tasks in that
order, each into the first gap of its lane. Crossover takes the first tasks from one parent, order
and lanes, and the rest as the other has them; mutation moves tasks in the order, and sends tasks to
a lane by chance or to that of earliest finish (after Omara & Arafa 2010, "Genetic algorithms for
task scheduling problem"). A child takes the place of the worse of two, unless it is worse itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from graphsched.envs.core.clock import cpu_s, fitting
from graphsched.envs.core.domain import Baseline
from graphsched.envs.core.kernels.jit import kernel
from graphsched.envs.soc.baselines.offline import PLANNERS, Jitter, Plan
from graphsched.envs.soc.baselines.search import STARTS, anytime
from graphsched.envs.soc.physics.tasks import find_gap, insert
from graphsched.envs.soc.search.improve import of_plan
from graphsched.envs.soc.search.moves import draw, stream
from graphsched.envs.soc.search.state import State, empty_state, inputs_at

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from graphsched.envs.soc.physics.tasks import Tasks

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

POPULATION = 48
MUTATION = 2.0  # tasks of a child that change their lane, on average, and their place likewise
ANEW = -1  # in place of a lane: whichever finishes first


class Population(NamedTuple):
    """Chromosomes, and room for a child in the last row. N tasks."""

    order: Ints  # (POPULATION + 1, N)
    lane: Ints  # (POPULATION + 1, N)
    cost: Floats  # (POPULATION + 1,)


@kernel(entry=False)
def _decode(
    tasks: Tasks, s: State, begin: Floats, finish: Floats, order: Ints, lane: Ints
) -> float:
    """Makespan; `ANEW` lanes are filled in, and s has lanes and ends. begin, finish: (P, N)."""
    lanes = tasks.duration.shape[1]
    s.last[:] = 0  # tasks on each lane
    latest = 0.0
    for i in order:
        low, high = (0, lanes) if lane[i] == ANEW else (lane[i], lane[i] + 1)
        best, at, where, spot = np.inf, 0.0, -1, 0
        for p in range(low, high):
            length = tasks.duration[i, p]
            if length == np.inf:
                continue
            ready = inputs_at(tasks, s, i, p)
            start, place = find_gap(begin[p], finish[p], s.last[p], ready, length)
            if start + length < best:
                best, at, where, spot = start + length, start, p, place
        insert(begin[where], finish[where], s.last[where], spot, at, best)
        s.last[where] += 1
        s.lane[i], s.end[i] = where, best
        s.rest[i] = at
        lane[i] = where
        latest = max(latest, best)
    return latest


@kernel(entry=False)
def _cross(population: Population, a: int, b: int, child: int, random: Ints, taken: Ints) -> None:
    """The first tasks as in a, the rest in b's order and on b's lanes."""
    size = population.order.shape[1]
    cut = int(draw(random) * (size + 1))
    order, lane = population.order[child], population.lane[child]
    taken[:] = 0
    for k in range(cut):
        i = population.order[a, k]
        order[k] = i
        lane[i] = population.lane[a, i]
        taken[i] = 1
    for k in range(size):
        i = population.order[b, k]
        if not taken[i]:
            order[cut] = i
            lane[i] = population.lane[b, i]
            cut += 1


@kernel(entry=False)
def _shift(tasks: Tasks, order: Ints, at: int, random: Ints, mark: Ints) -> None:
    """Move the task at a place of the order to another between its inputs and its users."""
    size, i = len(order), order[at]
    mark[:] = 0
    for e in range(tasks.pred_ptr[i], tasks.pred_ptr[i + 1]):
        mark[tasks.pred[e]] = 1
    for e in range(tasks.succ_ptr[i], tasks.succ_ptr[i + 1]):
        mark[tasks.succ[e]] = 1
    low, high = at, at
    while low > 0 and not mark[order[low - 1]]:
        low -= 1
    while high < size - 1 and not mark[order[high + 1]]:
        high += 1
    to = low + int(draw(random) * (high - low + 1))
    step = 1 if to > at else -1
    while at != to:
        order[at] = order[at + step]
        at += step
    order[to] = i


@kernel(entry=False)
def _mutate(tasks: Tasks, order: Ints, lane: Ints, random: Ints, mark: Ints) -> None:
    size, lanes = tasks.duration.shape
    for k in range(size):
        if draw(random) * size < MUTATION:
            _shift(tasks, order, k, random, mark)
        if draw(random) * size < MUTATION:
            p = int(draw(random) * 2 * lanes)
            i = order[k]
            lane[i] = p if p < lanes and tasks.duration[i, p] < np.inf else ANEW


@kernel(entry=False)
def _tournament(population: Population, sign: float, random: Ints) -> int:
    """The cheaper of two (sign 1) or the dearer (-1)."""
    a, b = int(draw(random) * POPULATION), int(draw(random) * POPULATION)
    return a if sign * population.cost[a] <= sign * population.cost[b] else b


@kernel
def breed(
    tasks: Tasks,
    population: Population,
    s: State,
    begin: Floats,  # (P, N)
    finish: Floats,  # (P, N)
    first: int,
    children: int,
    random: Ints,
) -> None:
    """Fill the rows of the population from ``first`` on by mutation, then breed children."""
    for k in range(first, POPULATION):
        population.order[k] = population.order[k % first]
        population.lane[k] = population.lane[k % first]
        _mutate(tasks, population.order[k], population.lane[k], random, s.mark)
    for k in range(POPULATION if first < POPULATION else 0):
        population.cost[k] = _decode(
            tasks, s, begin, finish, population.order[k], population.lane[k]
        )
    order, lane = population.order[POPULATION], population.lane[POPULATION]
    for _ in range(children):
        a, b = _tournament(population, 1.0, random), _tournament(population, 1.0, random)
        _cross(population, a, b, POPULATION, random, s.mark)
        _mutate(tasks, order, lane, random, s.mark)
        cost = _decode(tasks, s, begin, finish, order, lane)
        k = _tournament(population, -1.0, random)
        if cost <= population.cost[k]:
            population.order[k] = order
            population.lane[k] = lane
            population.cost[k] = cost


@kernel
def decode(tasks: Tasks, s: State, begin: Floats, finish: Floats, order: Ints, lane: Ints) -> float:
    """Starts and ends of a chromosome, in ``s.rest`` and ``s.end``; returns the makespan."""
    return _decode(tasks, s, begin, finish, order, lane)


def evolve(
    tasks: Tasks,
    jitter: Jitter | None,
    seconds: float,
    seed: int,
    children: int = 2**62,
) -> Plan:
    """The best plan met within so many seconds, or so many children."""
    began = cpu_s()
    size, lanes = tasks.duration.shape
    seeds = [PLANNERS[name][0](tasks, jitter) for name in STARTS]
    population = Population(
        np.empty((POPULATION + 1, size), np.int64),
        np.empty((POPULATION + 1, size), np.int64),
        np.full(POPULATION + 1, np.inf),
    )
    for k, found in enumerate(seeds):
        pe = tasks.lane_pe[found.lane]
        population.lane[k], population.order[k] = of_plan(tasks, pe, found.start, found.end)
    seed = seed if jitter is None else int(jitter.rng.integers(2**32))
    random = stream(seed)
    room = (empty_state(size, lanes), np.empty((lanes, size)), np.empty((lanes, size)))
    breed(tasks, population, *room, len(seeds), 0, random)
    done = 0
    while (spent := cpu_s() - began) < seconds and done < children:
        piece = min(fitting(done + POPULATION, spent, seconds), children - done)
        breed(tasks, population, *room, POPULATION, piece, random)
        done += piece
    best = int(np.argmin(population.cost[:POPULATION]))
    s, begin, finish = room
    lane = population.lane[best].copy()
    cost = decode(tasks, s, begin, finish, population.order[best], lane)
    found = Plan(lane, s.rest.copy(), s.end.copy(), cost)
    return min(found, *seeds, key=lambda each: each.makespan)


BASELINE = Baseline(
    make=anytime(evolve),
    summary="genetic algorithm over order and PEs, seeded with HEFT (after Omara & Arafa 2010)",
    is_anytime=True,
)
