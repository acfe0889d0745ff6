"""What the search works on: a job shop and a schedule of it as flat arrays.

N operations and J jobs. Index N stands for "none", with a head and tail of zero, and N + 1 + j for
the release of job j, which comes before its first operation. Operations without duration keep no
machine busy, so they are on none here and only carry their job's order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from graphsched.envs.jobshop.instance import JobShopInstance

    Ints = NDArray[np.int64]


class Shop(NamedTuple):
    """The instance; I = N + 1 + J."""

    duration: Ints  # (I,) zeros from N on
    job: Ints  # (N,)
    machine: Ints  # (N,) -1: none
    before: Ints  # (N,) the job's previous operation, or N + 1 + j
    after: Ints  # (N,) the job's next operation, or N
    place: Ints  # (N,) number of the operation among those of its machine
    last: Ints  # (J,) each job's last operation
    release: Ints  # (J,)
    widest: int  # operations of the machine that has most


class Schedule(NamedTuple):
    """Machine orders with heads and tails, always acyclic; every array has I entries."""

    previous: Ints  # the operation before on the machine, or N
    following: Ints  # the operation after on the machine, or N
    end: Ints  # earliest end
    tail: Ints  # longest way from the operation's start to the end of all, itself included
    order: Ints  # all operations, each after its predecessors
    at: Ints  # where `order` has the operation


def shop_of(instance: JobShopInstance) -> Shop:
    """The instance as the search sees it."""
    assert instance.release_time is not None
    n, jobs = instance.num_operations, instance.num_jobs
    duration = np.zeros(n + 1 + jobs, np.int64)
    duration[:n] = instance.duration
    machine = np.where(instance.duration > 0, instance.machine, -1)
    before, after = np.arange(n) - 1, np.arange(n) + 1
    before[instance.job_ptr[:-1]] = n + 1 + np.arange(jobs)
    after[instance.job_ptr[1:] - 1] = n
    place = np.zeros(n, np.int64)
    widest = 1
    for m in range(instance.num_machines):
        here = np.flatnonzero(machine == m)
        place[here] = np.arange(len(here))
        widest = max(widest, len(here))
    last = instance.job_ptr[1:] - 1
    release = instance.release_time.copy()
    return Shop(duration, instance.job.copy(), machine, before, after, place, last, release, widest)


def empty_schedule(shop: Shop) -> Schedule:
    """Arrays for a schedule, without one."""
    n, size = len(shop.job), len(shop.duration)
    arrays = [np.zeros(size, np.int64) for _ in Schedule._fields]
    schedule = Schedule(*arrays)
    schedule.end[n + 1 :] = shop.release
    return schedule


def order_of(start: Ints, end: Ints) -> Ints:
    """(N,) int64: the operations of a feasible schedule, each after all that it must wait for."""
    return np.lexsort((np.arange(len(start)), end, start)).astype(np.int64)
