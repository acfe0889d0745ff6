"""Placement by fixed orders, and what needs no order at all."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from graphsched.envs.core.domain import Baseline, SolverOptions
from graphsched.envs.core.knobs import Knob
from graphsched.envs.memory.options import MemoryOptions
from graphsched.envs.memory.physics.arena import empty_arena
from graphsched.envs.memory.physics.mapping import solve_order
from graphsched.envs.memory.physics.orders import ORDERS, by_power, fixed_orders, order_of, scores
from graphsched.envs.memory.physics.placing import decode
from graphsched.envs.memory.physics.program import problem_of
from graphsched.envs.memory.pricing.guide import guide_of
from graphsched.envs.memory.simulator import MemorySim

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from graphsched.envs.memory.instance import MemoryInstance
    from graphsched.envs.memory.solution import MemorySolution

    Ints = NDArray[np.int64]
    Solver = Callable[[MemoryInstance], MemorySolution]

POWER = Knob((0.0, 0.25, 0.4, 0.5, 0.6, 0.75, 1.0, 1.25, 1.5, 2.0), default=1.0)
SPREAD = 0.1  # of ranks, as a share of their number, in best-of-N runs


def _best(instance: MemoryInstance, orders: list[Ints]) -> MemorySolution:
    p = problem_of(instance)
    arena = empty_arena(len(p.compute), len(p.access_time))
    found = [decode(p, arena, order) for order in orders]
    return solve_order(instance, orders[int(np.argmin(found))])


def _sampled(
    instance: MemoryInstance, orders: list[Ints], options: SolverOptions
) -> MemorySolution:
    """Best of so many orders: the given ones first, then these with perturbed ranks."""
    rng = np.random.default_rng(options.seed)
    spread = SPREAD if options.temperature is None else options.temperature
    tries = list(orders)
    while len(tries) < options.samples:
        order = orders[len(tries) % len(orders)]
        ranks = np.arange(len(order)) + spread * len(order) * rng.standard_normal(len(order))
        tries.append(order[np.argsort(ranks)])
    return _best(instance, tries)


def _by_order(k: int, options: SolverOptions) -> Solver:
    return lambda i: _sampled(i, [order_of(scores(problem_of(i))[k])], options)


def _by_power(options: SolverOptions) -> Solver:
    power = float(options.settings.get("power", POWER.default))
    return lambda i: _sampled(i, [order_of(by_power(problem_of(i), power))], options)


def _best_of_orders(options: SolverOptions) -> Solver:
    return lambda i: _sampled(i, fixed_orders(problem_of(i)), options)


def _margin(options: SolverOptions) -> Solver:
    return lambda i: _sampled(i, [guide_of(i).lists[-1]], options)


def _random(options: SolverOptions) -> Solver:
    def solve(instance: MemoryInstance) -> MemorySolution:
        rng = np.random.default_rng(options.seed)
        worth = order_of(scores(problem_of(instance))[0])
        return _best(instance, [rng.permutation(worth) for _ in range(options.samples)])

    return solve


def _all_slow(options: SolverOptions) -> Solver:
    del options
    return lambda i: solve_order(i, np.zeros(0, np.int64))


def _stepwise(options: SolverOptions) -> Solver:
    """Whatever can be fast is, in program order: the first choice of each access."""
    del options

    def solve(instance: MemoryInstance) -> MemorySolution:
        sim = MemorySim(1, MemoryOptions(actions="step"))
        sim.reset([0], [instance], [0])
        while sim.waiting.any():
            sim.step(np.zeros(1, np.int64))
        return sim.solution(0)

    return solve


SUMMARIES = {
    "benefit-root-size": "time saved / sqrt(size): the order of XLA's memory space assignment",
    "benefit-size": "time saved per byte",
    "benefit": "time saved",
    "largest": "size, largest first",
    "smallest": "size, smallest first",
    "first": "first access",
    "byte-time": "size times lifetime, least first",
    "benefit-byte-time": "time saved per byte and instruction",
    "traffic-byte-time": "bytes touched per byte and instruction",
}
BASELINES = {
    "all-slow": Baseline(make=_all_slow, summary="nothing in fast memory"),
    "random": Baseline(make=_random, summary="random order"),
    **{
        name: Baseline(make=partial(_by_order, k), summary=SUMMARIES[name], is_rule=True)
        for k, name in enumerate(ORDERS)
    },
    "benefit-size": Baseline(
        make=_by_power, summary=SUMMARIES["benefit-size"], is_rule=True, knobs={"power": POWER}
    ),
    "best-of-orders": Baseline(
        make=_best_of_orders, summary="best of the nine fixed orders", is_rule=True
    ),
    "margin": Baseline(make=_margin, summary="1 - price / time saved, by Lagrangian prices"),
    "step-greedy": Baseline(make=_stepwise, summary="program order, fast wherever possible"),
}
