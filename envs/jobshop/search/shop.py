"""What the search works on: a job shop and a schedule of it in one flat table.

N operations and J jobs. Row N of the table stands for "none", with a head and tail of zero, and row
N + 1 + j for the release of job j, which comes before its first operation. Operations without
duration keep no machine busy, so they are on none here and only carry their job's order.

One row of eight numbers fills a line of the processor's cache, and one array as argument costs
next to nothing where a function isn't inlined.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from graphsched.envs.jobshop.instance import JobShopInstance

    Ints = NDArray[np.int64]

# Columns of the table.
END = 0  # earliest end
TAIL = 1  # longest way from the operation's start to the end of all, itself included
PREVIOUS = 2  # the operation before on the machine, or N
FOLLOWING = 3  # the operation after on the machine, or N
DURATION = 4
BEFORE = 5  # the job's previous operation, or N + 1 + j
AFTER = 6  # the job's next operation, or N
JOB = 7
# Rows of the lists that go with it.
ORDER = 0  # all operations, each after its predecessors
AT = 1  # where the order has the operation
MARK = 2  # scratch, zeros
MOVED = 3  # scratch


class Shop(NamedTuple):
    """A job shop with a schedule; N operations, J jobs, M machines, I = N + 1 + J."""

    table: Ints  # (I, 8)
    lists: Ints  # (4, I)
    machine: Ints  # (N,) M: on none
    first: Ints  # (J,) each job's first operation
    last: Ints  # (J,) each job's last operation
    newest: Ints  # (M + 1,) scratch


def shop_of(instance: JobShopInstance) -> Shop:
    """The instance as the search sees it, without a schedule yet."""
    assert instance.release_time is not None
    n, jobs = instance.num_operations, instance.num_jobs
    first, last = instance.job_ptr[:-1], instance.job_ptr[1:] - 1
    table = np.zeros((n + 1 + jobs, 8), np.int64)
    table[:, (PREVIOUS, FOLLOWING)] = n
    table[:n, DURATION] = instance.duration
    table[:n, BEFORE] = np.arange(n) - 1
    table[first, BEFORE] = n + 1 + np.arange(jobs)
    table[:n, AFTER] = np.arange(n) + 1
    table[last, AFTER] = n
    table[:n, JOB] = instance.job
    table[n + 1 :, END] = instance.release_time
    lists = np.zeros((4, n + 1 + jobs), np.int64)
    machine = np.where(instance.duration > 0, instance.machine, instance.num_machines)
    newest = np.zeros(instance.num_machines + 1, np.int64)
    return Shop(table, lists, machine, first.copy(), last.copy(), newest)


def order_of(start: Ints, end: Ints) -> Ints:
    """(N,) the operations of a feasible schedule, each after all that it must wait for."""
    return np.lexsort((np.arange(len(start)), end, start)).astype(np.int64)
