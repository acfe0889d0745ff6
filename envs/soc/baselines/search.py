"""``local-search``: plans by annealing; as a baseline and as an improver of given plans."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from graphsched.envs.core.clock import cpu_s
from graphsched.envs.core.domain import Baseline, Improver, SolverOptions
from graphsched.envs.soc.baselines.offline import PLANNERS, Jitter, Plan, plan
from graphsched.envs.soc.physics.tasks import tasks_of
from graphsched.envs.soc.plan.mode import run_plan
from graphsched.envs.soc.search.improve import of_plan, search, starts_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from graphsched.envs.soc.instance import SocInstance
    from graphsched.envs.soc.physics.tasks import Tasks
    from graphsched.envs.soc.solution import SocSolution

STARTS = ("heft", "peft", "serial")


def anneal(
    tasks: Tasks, jitter: Jitter | None, seconds: float, seed: int, moves: int = 2**62
) -> Plan:
    """The best plan from several list schedulers' within so many seconds or moves."""
    began = cpu_s()
    plans = sorted((PLANNERS[name][0](tasks, jitter) for name in STARTS), key=lambda p: p.makespan)
    starts = [of_plan(tasks, tasks.lane_pe[p.lane], p.start, p.end) for p in plans]
    seed = seed if jitter is None else int(jitter.rng.integers(2**32))
    found = search(tasks, starts, seconds - (cpu_s() - began), moves, seed)
    if found.cost >= plans[0].makespan:
        return plans[0]
    start, end = starts_of(tasks, found)
    return Plan(found.lane, start, end, float(end.max()))


def anytime(
    planner: Callable[..., Plan],
) -> Callable[[SolverOptions], Callable[[SocInstance], SocSolution]]:
    """Baseline from a planner that takes seconds and a seed beside tasks and random numbers.

    The limit holds for all kinds of job of a stream and all samples together; following the plans
    of a stream comes on top.
    """

    def make(options: SolverOptions) -> Callable[[SocInstance], SocSolution]:
        def solve(instance: SocInstance) -> SocSolution:
            began = cpu_s()
            for job in instance.jobs:
                tasks_of(job, instance.platform, instance.ticks)  # kept for `plan`
            seconds = options.time_limit_s - (cpu_s() - began)
            seconds /= len(instance.jobs) * max(options.samples, 1)
            return plan(instance, partial(planner, seconds=seconds, seed=options.seed), options)

        return solve

    return make


def improve(
    instance: SocInstance,
    starts: Sequence[SocSolution],
    seconds: float,
    seed: int,
    moves: int = 2**62,
) -> SocSolution:
    """The best schedule met from given ones; see `Improver`.

    Under noise the search goes by mean execution times, so what it finds may turn out worse than
    what it was given when tasks take as long as they do: then the best of those comes back.
    """
    began = cpu_s()
    tasks = tasks_of(instance.jobs[0], instance.platform, instance.ticks)
    ranked = sorted(starts, key=lambda s: s.cost)
    plans = [_by_task(solution) for solution in ranked]
    laid = [of_plan(tasks, *each) for each in plans]
    found = search(tasks, laid, seconds - (cpu_s() - began), moves, seed)
    start, _ = starts_of(tasks, found)
    solution = run_plan(instance, tasks, found.lane, start)
    return min(ranked[0], solution, key=lambda s: s.cost)


def _by_task(solution: SocSolution) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rows = np.argsort(solution.task)
    return solution.pe[rows], solution.start[rows], solution.end[rows]


SUMMARY = "annealed moves of tasks to any place, valued exactly (after Dell'Amico & Trubian 1993)"
BASELINE = Baseline(make=anytime(anneal), summary=SUMMARY, is_anytime=True)
IMPROVER = Improver(search=improve, summary=SUMMARY, serves=lambda i: not i.is_stream)
