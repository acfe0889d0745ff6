"""Schedules for tests, built without any code of the package's simulator."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from graphsched.envs.jobshop.instance import JobShopInstance
from graphsched.envs.jobshop.solution import JobShopSolution

Serial = Callable[[JobShopInstance, Sequence[int]], JobShopSolution]


def _serial(instance: JobShopInstance, priorities: Sequence[int]) -> JobShopSolution:
    assert instance.release_time is not None
    start = np.zeros(instance.num_operations, np.int64)
    ready = instance.release_time.tolist()
    free = [0] * instance.num_machines
    upcoming = instance.job_ptr[:-1].tolist()
    for turn in range(instance.num_operations):
        open_jobs = [j for j, i in enumerate(upcoming) if i < instance.job_ptr[j + 1]]
        job = open_jobs[priorities[turn % len(priorities)] % len(open_jobs)]
        i = upcoming[job]
        machine = int(instance.machine[i])
        start[i] = max(ready[job], free[machine])
        ready[job] = free[machine] = int(start[i] + instance.duration[i])
        upcoming[job] += 1
    return JobShopSolution.from_starts(instance, start)


@pytest.fixture(scope="session")
def serial() -> Serial:
    """A semi-active schedule: job after job as the numbers say, each as early as it can."""
    return _serial
