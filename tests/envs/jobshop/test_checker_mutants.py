"""Of hundreds of faults in honest schedules the checker accepts none that a plain count does not."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from graphsched.envs.jobshop import DOMAIN
from graphsched.envs.jobshop.instance import JobShopInstance
from tests.mutations import accepted

IDLE = JobShopInstance.from_jobs(
    "idle", [[(0, 3), (1, 0), (2, 2)], [(1, 4), (0, 0)], [(0, 0), (2, 5)]], release_time=[0, 2, 5]
)
CASES = [*((kind, seed) for kind in ("random", "irregular") for seed in (0, 1)), ("idle", 0)]


def plain_makespan(instance, solution):
    """Makespan by comparing every pair of operations; None if a rule is broken."""
    start, end = solution.start.tolist(), solution.end.tolist()
    for i, (s, e, m) in enumerate(zip(start, end, solution.machine.tolist(), strict=True)):
        job = int(instance.job[i])
        ready = int(instance.release_time[job])
        if i > instance.job_ptr[job]:
            ready = end[i - 1]
        if m != instance.machine[i] or e - s != instance.duration[i] or s < ready:
            return None
    for i, j in combinations(range(len(start)), 2):
        together = max(start[i], start[j]) < min(end[i], end[j])
        empty = start[i] == end[i] or start[j] == end[j]
        if solution.machine[i] == solution.machine[j] and together and not empty:
            return None
    return max(end)


@pytest.mark.parametrize(("kind", "seed"), CASES)
def test_what_passes_is_a_schedule_of_its_makespan(kind, seed):
    instance = IDLE
    if kind != "idle":
        size = "6x5" if kind == "random" else ""
        instance = DOMAIN.generators[kind](np.random.default_rng(seed), size)
    honest = DOMAIN.baseline("spt")(instance)
    assert plain_makespan(instance, honest) == honest.makespan
    for mutant, found in accepted(DOMAIN, instance, honest, 500, seed, claim="makespan"):
        assert plain_makespan(instance, found) == found.makespan, mutant
