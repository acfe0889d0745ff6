"""A genetic algorithm over task order and lanes, seeded with HEFT and PEFT.

A chromosome is a priority and a lane for each task; decoding plans tasks by priority, each into the
first gap of its lane. Crossover takes tasks up to a random topological position from one parent
and the rest from the other; mutation moves priorities and lanes (after Omara & Arafa 2010,
"Genetic algorithms for task scheduling problem").
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from graphsched.envs.core.clock import wall_s
from graphsched.envs.core.domain import Baseline, SolverOptions
from graphsched.envs.soc.baselines import lists
from graphsched.envs.soc.baselines.offline import PLANNERS, Plan, plan

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from graphsched.envs.soc.instance import SocInstance
    from graphsched.envs.soc.plan import Tasks
    from graphsched.envs.soc.solution import SocSolution

POPULATION, GENERATIONS, ELITE = 48, 100, 4
MUTATION = 0.05


def evolve(tasks: Tasks, rng: np.random.Generator | None, time_limit_s: float) -> Plan:
    """Best plan after `GENERATIONS`, or when the time is up."""
    rng = rng or np.random.default_rng(0)
    deadline = wall_s() + time_limit_s
    size, lanes = tasks.duration.shape
    able = np.isfinite(tasks.duration)
    seeds = [PLANNERS[name][0](tasks, None) for name in ("heft", "peft", "serial")]
    priority = np.empty((POPULATION, size))
    lane = np.empty((POPULATION, size), np.int64)
    spread = 0.1 * tasks.rank_up.mean() + 1e-9
    for k in range(POPULATION):
        found = seeds[k % len(seeds)]
        priority[k] = -found.start if k < len(seeds) else tasks.rank_up
        priority[k] += 0.0 if k < len(seeds) else spread * rng.standard_normal(size)
        lane[k] = found.lane
    costs = np.array([_decode(tasks, priority[k], lane[k]).makespan for k in range(POPULATION)])
    place = np.empty(size, np.int64)
    place[tasks.order] = np.arange(size)
    for _ in range(GENERATIONS):
        if wall_s() > deadline:
            break
        order = np.argsort(costs, kind="stable")
        priority, lane, costs = priority[order], lane[order], costs[order]
        parents = np.minimum(rng.integers(0, POPULATION, (2, POPULATION)), POPULATION - 1)
        parents = np.minimum(parents, rng.integers(0, POPULATION, (2, POPULATION)))  # tournaments
        for k in range(POPULATION - 1, ELITE - 1, -1):
            a, b = parents[:, k]
            head = place < rng.integers(0, size + 1)
            child = np.where(head, priority[a], priority[b])
            genes = np.where(head, lane[a], lane[b])
            moved = rng.random(size) < MUTATION
            child = child + moved * spread * rng.standard_normal(size)
            other = rng.integers(0, lanes, size)
            switch = (rng.random(size) < MUTATION) & able[np.arange(size), other]
            genes = np.where(switch, other, genes)
            priority[k], lane[k] = child, genes
            costs[k] = _decode(tasks, child, genes).makespan
    best = int(np.argmin(costs))
    return min(_decode(tasks, priority[best], lane[best]), *seeds, key=lambda found: found.makespan)


def _decode(tasks: Tasks, priority: NDArray[np.float64], fixed: NDArray[np.int64]) -> Plan:
    size = len(priority)
    lane, start, end = np.empty(size, np.int64), np.empty(size), np.empty(size)
    cost = lists.plan_in_order(tasks, priority, lists.EFT, fixed, lane, start, end)
    return Plan(lane, start, end, cost)


def _make(options: SolverOptions) -> Callable[[SocInstance], SocSolution]:
    planner = partial(evolve, time_limit_s=options.time_limit_s)
    return partial(plan, planner=planner, options=options)


BASELINE = Baseline(make=_make, summary="genetic algorithm over order and PEs, seeded with HEFT")
