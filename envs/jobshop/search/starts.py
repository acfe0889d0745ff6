"""Quick schedules to set out from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from graphsched.envs.core.jit import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from graphsched.envs.jobshop.search.shop import Shop

    Ints = NDArray[np.int64]

FAR = np.int64(2**62)


@kernel
def dispatch(shop: Shop, first: Ints, tail: Ints, machines: int, order: Ints) -> None:
    """A schedule by the longest remaining work after the operation, as a topological order.

    The machine is that of the operation that could end first (Giffler & Thompson 1960); the
    candidates are the operations on it that could start within 0.3 of the time until then.

    Args:
        shop: the instance.
        first: (J,) the jobs' first operations.
        tail: (N,) work of the job after each operation; may be perturbed.
        machines: number of them.
        order: (N,) filled.
    """
    n, jobs = len(shop.job), len(shop.last)
    upcoming, ready = first.copy(), shop.release.copy()
    free = np.zeros(machines + 1, np.int64)  # the last one: of operations on no machine
    for step in range(n):
        soonest, start, focus = FAR, FAR, machines
        for j in range(jobs):
            x = upcoming[j]
            if x > shop.last[j]:
                continue
            begin = max(ready[j], free[shop.machine[x]])
            if begin + shop.duration[x] < soonest:
                soonest, start, focus = begin + shop.duration[x], begin, shop.machine[x]
        chosen, best = -1, np.int64(-1)
        for j in range(jobs):
            x = upcoming[j]
            if x > shop.last[j] or shop.machine[x] != focus:
                continue
            begin = max(ready[j], free[focus])
            if 10 * (begin - start) <= 3 * (soonest - start) and tail[x] > best:
                best, chosen = tail[x], j
        x = upcoming[chosen]
        order[step] = x
        ready[chosen] = max(ready[chosen], free[focus]) + shop.duration[x]
        if focus >= 0:
            free[focus] = ready[chosen]
        upcoming[chosen] += 1
