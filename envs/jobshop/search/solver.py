"""Tabu search under a limit of processor time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from graphsched.envs.core.clock import cpu_s
from graphsched.envs.jobshop.bounds import heads_and_tails, lower_bound
from graphsched.envs.jobshop.search.paths import set_order
from graphsched.envs.jobshop.search.shop import END, order_of, shop_of
from graphsched.envs.jobshop.search.starts import dispatch
from graphsched.envs.jobshop.search.tabu import BEST, CURRENT, FOUND, ITERATION, empty_memory, run
from graphsched.envs.jobshop.solution import JobShopSolution

if TYPE_CHECKING:
    from collections.abc import Sequence

    from graphsched.envs.jobshop.instance import JobShopInstance
    from graphsched.envs.jobshop.search.shop import Ints

CHUNK_S = 0.004  # between two looks at the clock
FIRST_CHUNK = 20


class Search:
    """One search: the instance, the schedule in hand and the best so far.

    Attributes:
        best: makespan of the best schedule so far.
        iterations: moves made so far.
    """

    def __init__(self, instance: JobShopInstance, seed: int) -> None:
        """Without a schedule yet; give it at least one."""
        self.instance = instance
        self.shop = shop_of(instance)
        self.memory = empty_memory(instance.num_operations, instance.num_jobs, seed)
        self.bound = int(lower_bound(instance))
        self.tenure = 10 + instance.num_jobs // instance.num_machines
        self.best = int(np.iinfo(np.int64).max)
        self.best_order = np.zeros(instance.num_operations, np.int64)
        self.iterations = 0
        self._chunk = FIRST_CHUNK

    @property
    def is_optimal(self) -> bool:
        """Whether the best schedule meets the lower bound."""
        return self.best <= self.bound

    def set_out_from(self, order: Ints) -> None:
        """Take up the schedule of a topological order, with an empty memory."""
        m = self.memory
        found = set_order(self.shop, order)
        m.tabu[:] = 0
        m.best[:] = order
        m.facts[BEST] = m.facts[CURRENT] = found
        m.facts[FOUND] = m.facts[ITERATION]
        self._keep()

    def run(self, iterations: int, until: float) -> int:
        """Tabu search for some iterations or until the clock says so; the makespan it reached."""
        m, left = self.memory, iterations
        while left > 0 and not self.is_optimal:
            began = cpu_s()
            if began >= until:
                break
            count = min(self._chunk, left)
            run(self.shop, m, count, self.tenure, self.bound)
            took = cpu_s() - began
            room = min(CHUNK_S, max(until - began - took, 0.0))
            self._chunk = max(1, min(2 * count, int(count * room / max(took, 1e-6))))
            left -= count
            self.iterations += count
            self._keep()
        return int(m.facts[BEST])

    def solution(self) -> JobShopSolution:
        """The best schedule so far, every operation as early as it can be."""
        set_order(self.shop, self.best_order)
        ends = self.shop.table[: self.instance.num_operations, END]
        return JobShopSolution.from_starts(self.instance, ends - self.instance.duration)

    def _keep(self) -> None:
        if self.memory.facts[BEST] < self.best:
            self.best = int(self.memory.facts[BEST])
            self.best_order[:] = self.memory.best


def improve(
    instance: JobShopInstance, starts: Sequence[JobShopSolution], seconds: float, seed: int
) -> JobShopSolution:
    """The best schedule found from the given ones within some processor time."""
    until = cpu_s() + seconds
    search = Search(instance, seed)
    orders = [order_of(np.asarray(s.start), np.asarray(s.end)) for s in starts]
    for order in orders[::-1]:  # usually given best first: the search goes on from the last one
        search.set_out_from(order)
    if not orders:
        search.set_out_from(first_order(instance))
    search.run(2**62, until)
    return search.solution()


def first_order(instance: JobShopInstance) -> Ints:
    """A schedule by a quick rule, as a topological order."""
    order = np.zeros(instance.num_operations, np.int64)
    dispatch(shop_of(instance), heads_and_tails(instance)[1], order)
    return order
