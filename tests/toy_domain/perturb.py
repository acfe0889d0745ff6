"""A small random change of a crew's instance."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from graphsched.envs.core.parts.perturbing import perturbed_name

if TYPE_CHECKING:
    import numpy as np

    from tests.toy_domain.instance import CrewInstance


def perturb(instance: CrewInstance, rng: np.random.Generator) -> CrewInstance:
    """Another amount of work of a task, another arrival, or another pace of a worker."""
    named = replace(instance, name=perturbed_name(instance.name))
    kind = int(rng.integers(3))
    if kind == 0:
        w = int(rng.integers(len(instance.workers)))
        workers = list(instance.workers)
        workers[w] = replace(workers[w], pace=int(rng.integers(1, 5)))
        return replace(named, workers=tuple(workers))
    j = int(rng.integers(len(instance.jobs)))
    jobs, job = list(instance.jobs), instance.jobs[j]
    if kind == 1:
        jobs[j] = replace(job, arrival=max(job.arrival + int(rng.integers(-3, 4)), 0))
    else:
        work = list(job.work)
        work[int(rng.integers(len(work)))] = int(rng.integers(1, 12))
        jobs[j] = replace(job, work=tuple(work))
    return replace(named, jobs=tuple(sorted(jobs, key=lambda each: each.arrival)))
