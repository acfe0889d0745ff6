"""Time reversal: every schedule read backwards is a schedule of the reversed jobs, equally long.

Decoding the reversed instance as well gives a constructive policy a second, different chance.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from graphsched.envs.core.domain import Symmetry
from graphsched.envs.core.errors import InputError
from graphsched.envs.jobshop.instance import JobShopInstance
from graphsched.envs.jobshop.solution import JobShopSolution

if TYPE_CHECKING:
    from numpy.typing import NDArray


def _mirror(instance: JobShopInstance) -> NDArray[np.int64]:
    """(num_operations,) int64: the operation in the same place counted from its job's other end."""
    first, last = instance.job_ptr[:-1], instance.job_ptr[1:]
    mirrored: NDArray[np.int64] = (first + last - 1)[instance.job] - np.arange(
        instance.num_operations
    )
    return mirrored


def reverse(instance: JobShopInstance) -> JobShopInstance:
    """The instance with every job's operations in reverse order.

    Due dates have no counterpart there and are dropped.

    Raises:
        InputError: some job has a release time, which would become a deadline.
    """
    assert instance.release_time is not None
    if instance.release_time.any():
        job = int(np.flatnonzero(instance.release_time)[0])
        found = f"job {job} is released at {instance.release_time[job]}"
        raise InputError(f"release_time of {instance.name}", f"cannot be reversed: {found}")
    mirror = _mirror(instance)
    return JobShopInstance(
        instance.name,
        instance.job_ptr,
        instance.machine[mirror],
        instance.duration[mirror],
        instance.num_machines,
    )


def restore(instance: JobShopInstance, solution: JobShopSolution) -> JobShopSolution:
    """Schedule of `instance` from one of ``reverse(instance)``: what ended at e starts at C - e."""
    start = solution.end.max() - solution.end
    return JobShopSolution.from_starts(instance, start[_mirror(instance)])


REVERSE: Symmetry[JobShopInstance, JobShopSolution] = Symmetry(reverse, restore)
