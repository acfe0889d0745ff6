"""Tabu search under a limit of processor time: one schedule in hand, the best one kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from graphsched.envs.core.clock import cpu_s, fitting
from graphsched.envs.jobshop.bounds import heads_and_tails, lower_bound
from graphsched.envs.jobshop.search.paths import set_order
from graphsched.envs.jobshop.search.shop import ends_of, order_of, shop_of
from graphsched.envs.jobshop.search.starts import dispatch
from graphsched.envs.jobshop.search.tabu import BEST, CURRENT, FOUND, ITERATION, empty_memory, run
from graphsched.envs.jobshop.solution import JobShopSolution

if TYPE_CHECKING:
    from graphsched.envs.jobshop.instance import JobShopInstance
    from graphsched.envs.jobshop.search.shop import Ints

ENDLESS = 2**62


class Search:
    """One search of an instance; moves depend on the seed only, their number on the time as well.

    Attributes:
        instance: that is solved.
        rng: for everything but the tabu search, which has its own.
        best: makespan of the best schedule so far.
        best_order: (N,) its operations in a topological order.
        moves: made so far.
    """

    def __init__(
        self, instance: JobShopInstance, seed: int, seconds: float, moves: int = ENDLESS
    ) -> None:
        """Set out without a schedule; the clock runs.

        Args:
            instance: to solve.
            seed: of the random numbers.
            seconds: of processor time from now on.
            moves: limit on their number.
        """
        self._began = cpu_s()
        self._seconds = seconds
        self._most = moves
        self.instance = instance
        self.rng = np.random.default_rng(seed)
        self.shop = shop_of(instance)
        self.memory = empty_memory(instance.num_operations, instance.num_jobs, self.rng)
        self.best = ENDLESS
        self.best_order = np.zeros(instance.num_operations, np.int64)
        self.moves = 0
        self._bound = int(lower_bound(instance))
        self._work_after = heads_and_tails(instance)[1]
        self._tenure = 10 + instance.num_jobs // instance.num_machines

    @property
    def _spent(self) -> float:
        return cpu_s() - self._began

    @property
    def is_over(self) -> bool:
        """Whether the best schedule meets the lower bound, or the time or the moves are up."""
        return self.best <= self._bound or self.moves >= self._most or self._spent >= self._seconds

    def dispatched(self, noise: float = 0.0) -> Ints:
        """A schedule by the longest remaining work, perturbed by relative noise; (N,) order."""
        order = np.zeros(self.instance.num_operations, np.int64)
        factor = np.exp(noise * self.rng.standard_normal(len(order)))
        dispatch(self.shop, (self._work_after * factor).astype(np.int64), order)
        return order

    def set_out_from(self, order: Ints) -> int:
        """Take up the schedule of a topological order, (N,), with nothing tabu; its makespan."""
        m = self.memory
        found = set_order(self.shop, order)
        m.tabu[:] = 0
        m.best[:] = order
        m.facts[BEST] = m.facts[CURRENT] = found
        m.facts[FOUND] = m.facts[ITERATION]
        self._keep()
        return found

    def by_start(self, order: Ints) -> Ints:
        """The same schedule's operations as they start, (N,), instead of in any topological order.

        The schedule in hand is lost.
        """
        set_order(self.shop, order)
        ends = ends_of(self.shop)
        return order_of(ends - self.instance.duration, ends)

    def descend(self, patience: int) -> int:
        """Tabu search until so many moves brought nothing better; returns the least makespan."""
        facts = self.memory.facts
        while not self.is_over:
            left = int(facts[FOUND]) + patience - int(facts[ITERATION])
            piece = fitting(self.moves, self._spent, self._seconds)
            count = min(piece, left, self._most - self.moves)
            if count <= 0:
                break
            self.moves += run(self.shop, self.memory, count, self._tenure, self._bound)
            self._keep()
        return int(facts[BEST])

    def solution(self) -> JobShopSolution:
        """The best schedule so far, every operation as early as it can be."""
        set_order(self.shop, self.best_order)
        ends = ends_of(self.shop)
        return JobShopSolution.from_starts(self.instance, ends - self.instance.duration)

    def _keep(self) -> None:
        if self.memory.facts[BEST] < self.best:
            self.best = int(self.memory.facts[BEST])
            self.best_order[:] = self.memory.best
