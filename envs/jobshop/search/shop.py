"""What the search works on: a job shop and a schedule of it in two flat arrays.

N operations and J jobs. An operation's numbers are four in a row in each array, so it goes by its
*row*, four times its number: what an index costs is most of what a move costs, and this index needs
neither a product nor, as it is unsigned, a look at its sign. Row 4 N stands for "none", with a head
and tail of zero, and row 4 (N + 1 + j) for the release of job j, which comes before its first
operation. Operations without duration keep no machine busy, so they are on none here and only carry
their job's order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from graphsched.envs.jobshop.instance import JobShopInstance

    Flags = NDArray[np.bool_]
    Ints = NDArray[np.int64]
    Rows = NDArray[np.uint32]

# What `times` has of an operation.
END = 0  # earliest end
TAIL = 1  # longest way from the operation's start to the end of all, itself included
DURATION = 2
AT = 3  # where the order has the operation
# What `links` has.
PREVIOUS = 0  # the operation before on the machine, or none
FOLLOWING = 1  # the operation after on the machine, or none
BEFORE = 2  # the job's previous operation, or its release
AFTER = 3  # the job's next operation, or none


class Shop(NamedTuple):
    """A job shop with a schedule; N operations, J jobs, M machines, I = N + 1 + J."""

    times: Ints  # (4 I,)
    links: Rows  # (4 I,) rows
    order: Rows  # (N,) all rows, each after its predecessors
    moved: Rows  # (N,) scratch
    job: Ints  # (N,)
    machine: Ints  # (N,) M: on none
    first: Ints  # (J,) each job's first operation
    last: Rows  # (J,) the row of each job's last operation
    newest: Ints  # (M + 1,) scratch
    fixed: Flags  # (N,) operations that no move displaces: the first ones of machines


def shop_of(instance: JobShopInstance) -> Shop:
    """The instance as the search sees it, without a schedule yet."""
    assert instance.release_time is not None
    n, jobs = instance.num_operations, instance.num_jobs
    first, last = instance.job_ptr[:-1], instance.job_ptr[1:] - 1
    times = np.zeros((n + 1 + jobs, 4), np.int64)
    times[:n, DURATION] = instance.duration
    times[n + 1 :, END] = instance.release_time
    links = np.full((n + 1 + jobs, 4), n, np.uint32)
    links[:n, BEFORE] = np.arange(n) - 1
    links[first, BEFORE] = n + 1 + np.arange(jobs)
    links[:n, AFTER] = np.arange(n) + 1
    links[last, AFTER] = n
    machine = np.where(instance.duration > 0, instance.machine, instance.num_machines)
    return Shop(
        times=times.ravel(),
        links=4 * links.ravel(),
        order=np.zeros(n, np.uint32),
        moved=np.zeros(n, np.uint32),
        job=instance.job.astype(np.int64),
        machine=machine,
        first=first.copy(),
        last=(4 * last).astype(np.uint32),
        newest=np.zeros(instance.num_machines + 1, np.int64),
        fixed=np.zeros(n, np.bool_),
    )


def ends_of(shop: Shop) -> Ints:
    """(N,) every operation's earliest end."""
    return shop.times[END : 4 * len(shop.order) : 4]


def order_of(start: Ints, end: Ints) -> Ints:
    """(N,) the operations of a feasible schedule, each after all that it must wait for."""
    return np.lexsort((np.arange(len(start)), end, start)).astype(np.int64)
