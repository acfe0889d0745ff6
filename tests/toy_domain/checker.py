"""Feasibility and cost of a crew's work, derived from the instance alone."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from graphsched.envs.core.domain import Violation

if TYPE_CHECKING:
    from tests.toy_domain.instance import CrewInstance, Job
    from tests.toy_domain.solution import CrewSolution, Run


def delay(jitter: int, world: int, job: int, task: int) -> int:
    """Minutes that a task takes longer than planned; the same whatever was decided before."""
    return int(np.random.default_rng((world, job, task)).integers(jitter + 1)) if jitter else 0


def _minutes(instance: CrewInstance, run: Run, world: int) -> int:
    planned = instance.jobs[run.job].work[run.task] * instance.workers[run.worker].pace
    planned = -(-planned // 2) if run.rush else planned
    return planned + delay(instance.jitter, world, run.job, run.task)


def _check_run(instance: CrewInstance, solution: CrewSolution, run: Run) -> list[Violation]:
    ends = {(r.job, r.task): r.end for r in solution.runs}
    job = instance.jobs[run.job]
    out = []
    if run.end - run.start != _minutes(instance, run, solution.world):
        out.append(Violation("duration", f"{run} takes {run.end - run.start} minutes"))
    if run.rush and not instance.workers[run.worker].can_rush:
        out.append(Violation("rush", f"{run}: this worker never rushes"))
    if run.start < max([job.arrival, *(ends[run.job, t] for t in job.after[run.task])]):
        out.append(Violation("precedence", f"{run} starts too early"))
    return out


def check(instance: CrewInstance, solution: CrewSolution) -> list[Violation]:
    """Every violated rule, the claimed cost included."""
    wanted = sorted((j, t) for j, job in enumerate(instance.jobs) for t in range(len(job.work)))
    if sorted((run.job, run.task) for run in solution.runs) != wanted:
        return [Violation("tasks", "not every task is carried out exactly once")]
    if any(not 0 <= run.worker < len(instance.workers) for run in solution.runs):
        return [Violation("worker", "a run names a worker that there isn't")]
    out = [v for run in solution.runs for v in _check_run(instance, solution, run)]
    for worker in range(len(instance.workers)):
        mine = sorted((r for r in solution.runs if r.worker == worker), key=lambda r: r.start)
        for first, second in pairwise(mine):
            rest = first.end - first.start if first.rush else 0
            if second.start < first.end + rest:
                out.append(Violation("overlap", f"{second} begins before {first} and rest end"))
    if cost(instance, solution) != solution.flow:
        found = cost(instance, solution)
        out.append(Violation("cost", f"claims {solution.flow}, but total flow time is {found}"))
    return out


def cost(instance: CrewInstance, solution: CrewSolution) -> float:
    """Total flow time, minutes."""
    return float(
        sum(
            max(run.end for run in solution.runs if run.job == j) - job.arrival
            for j, job in enumerate(instance.jobs)
        )
    )


def _longest_path(instance: CrewInstance, job: Job) -> int:
    done: list[int] = []
    for work, after in zip(job.work, job.after, strict=True):
        fastest = min(
            -(-work * worker.pace // 2) if worker.can_rush else work * worker.pace
            for worker in instance.workers
        )
        done.append(fastest + max((done[t] for t in after), default=0))
    return max(done)


def lower_bound(instance: CrewInstance) -> float:
    """Total flow time if every job had the crew to itself."""
    return float(sum(_longest_path(instance, job) for job in instance.jobs))
