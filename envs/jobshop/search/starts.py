"""Quick schedules to set out from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from graphsched.envs.core.kernels.jit import kernel
from graphsched.envs.jobshop.search.shop import DURATION, END

if TYPE_CHECKING:
    from graphsched.envs.jobshop.search.shop import Ints, Shop

FAR = 2**62


@kernel
def dispatch(shop: Shop, urgency: Ints, order: Ints) -> None:
    """Fill the topological order, (N,), of a schedule that prefers urgent operations.

    The machine is that of the operation that could end first (Giffler & Thompson 1960); the
    candidates are the operations on it that could start within 0.3 of the time until then.
    ``urgency`` has (N,) non-negative numbers, the work that follows in the job, say.
    """
    n, jobs, machines = len(order), len(shop.last), len(shop.newest) - 1
    upcoming, ready = shop.first.copy(), shop.times[4 * (n + 1) + END :: 4].copy()
    free = np.zeros(machines + 1, np.int64)  # the last one is for operations on no machine
    for step in range(n):
        soonest, start, focus = FAR, FAR, machines
        for j in range(jobs):
            x = upcoming[j]
            if 4 * x > shop.last[j]:
                continue
            begin = max(ready[j], free[shop.machine[x]])
            if begin + shop.times[4 * x + DURATION] < soonest:
                soonest, start = begin + shop.times[4 * x + DURATION], begin
                focus = shop.machine[x]
        chosen, most = 0, -1
        for j in range(jobs):
            x = upcoming[j]
            if 4 * x > shop.last[j] or shop.machine[x] != focus:
                continue
            begin = max(ready[j], free[focus])
            if 10 * (begin - start) <= 3 * (soonest - start) and urgency[x] > most:
                chosen, most = j, urgency[x]
        x = upcoming[chosen]
        order[step] = x
        ready[chosen] = max(ready[chosen], free[focus]) + shop.times[4 * x + DURATION]
        if focus < machines:
            free[focus] = ready[chosen]
        upcoming[chosen] = x + 1
