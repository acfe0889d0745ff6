"""A few good schedules, and path relinking between them (Peng, Lü, Cheng 2015)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from graphsched.envs.jobshop.search.relink import blend, predecessors
from graphsched.envs.jobshop.search.shop import order_of
from graphsched.envs.jobshop.search.solver import ENDLESS, Search

if TYPE_CHECKING:
    from collections.abc import Sequence

    from graphsched.envs.jobshop.instance import JobShopInstance
    from graphsched.envs.jobshop.search.shop import Ints
    from graphsched.envs.jobshop.solution import JobShopSolution

NOISE = 0.3  # of the rule that fills the population
LEAST = 2.5  # effort, see `plan_for`, from which a population pays
IDLE = 3  # schedules for each member that bring nothing before the population starts afresh
SHARE = 256  # of the one parent in a child, in 1024
TRIES = 5  # schedules between members of which one is chosen
TRIAL = 500  # moves without anything better that end the search from each of them
NEAR = 0.05  # share of operations with another predecessor below which two schedules count as one


@dataclass(frozen=True)
class Plan:
    """How a search spends its time.

    Attributes:
        members: schedules to keep, two or more.
        patience: moves without anything better that end a tabu search.
    """

    members: int
    patience: int


def plan_for(seconds: float, operations: int) -> Plan:
    """More schedules, and more moves for each, the more moves an operation gets.

    A second has about 2e8 / operations moves. The numbers were tuned on generated instances of
    15x15 to 30x20, at 1 s and 10 s.
    """
    effort = seconds * 1e6 / operations**2
    if effort < LEAST:  # one search from the best start
        return Plan(members=2, patience=ENDLESS)
    ratio = effort / LEAST
    return Plan(members=round(3 + 2 * np.log2(ratio)), patience=round(3000 * ratio**0.2))


@dataclass
class Member:
    """A schedule: makespan, operations by start, (N,), and their machine predecessors, (N,)."""

    makespan: int
    order: Ints
    previous: Ints


class Population:
    """At most so many schedules, no two of them near each other.

    Attributes:
        members: the schedules.
        idle: how many were offered in a row that made it no better.
    """

    def __init__(self, size: int) -> None:
        """Empty, with room for some."""
        self.members: list[Member] = []
        self.idle = 0
        self._size = size

    @property
    def is_full(self) -> bool:
        """Whether a further one has to replace another."""
        return len(self.members) >= self._size

    def add(self, new: Member) -> None:
        """Let a schedule replace the one near it, or else the worst, unless it is worse itself."""
        self.idle += 1
        distances = [np.count_nonzero(new.previous != m.previous) for m in self.members]
        if distances and min(distances) < NEAR * len(new.order):
            place = int(np.argmin(distances))
        elif not self.is_full:
            self.members.append(new)
            self.idle = 0
            return
        else:
            place = int(np.argmax([m.makespan for m in self.members]))
        if new.makespan < self.members[place].makespan:
            self.idle = 0
        if new.makespan <= self.members[place].makespan:
            self.members[place] = new

    def thin(self) -> None:
        """Keep the best alone if nothing has come of the others for long."""
        if self.idle >= IDLE * self._size:
            self.members = [min(self.members, key=lambda member: member.makespan)]
            self.idle = 0


def _between(search: Search, population: Population) -> Ints:
    """(N,) order of a schedule between two members."""
    one, other = search.rng.choice(len(population.members), 2, replace=False)
    order = np.zeros(search.instance.num_operations, np.int64)
    orders = population.members[one].order, population.members[other].order
    blend(*orders, SHARE, search.memory.random, order)
    return order


def _child(search: Search, population: Population) -> Ints:
    """(N,) order to go on from: by a perturbed rule until there are enough members.

    After that the best of a few schedules between members, each improved a little, as what they
    are worth shows only then.
    """
    if not population.is_full:
        return search.dispatched(NOISE)
    least, child = ENDLESS, search.best_order
    for _ in range(TRIES):
        search.set_out_from(_between(search, population))
        makespan = search.descend(TRIAL)
        if makespan < least:
            least, child = makespan, search.memory.best.copy()
    return child


def relink(search: Search, orders: Sequence[Ints], plan: Plan) -> None:
    """Tabu search from the best orders, then from schedules between what came of them."""
    population = Population(plan.members)
    makespans = [search.set_out_from(order) for order in orders]
    waiting = [orders[i] for i in np.argsort(makespans, kind="stable")[: plan.members]]
    while not search.is_over:
        search.set_out_from(waiting.pop(0) if waiting else _child(search, population))
        makespan = search.descend(plan.patience)
        order = search.by_start(search.memory.best)
        previous = np.zeros_like(order)
        predecessors(search.shop, order, previous)
        population.add(Member(makespan, order, previous))
        population.thin()


def improve(
    instance: JobShopInstance, starts: Sequence[JobShopSolution], seconds: float, seed: int
) -> JobShopSolution:
    """The best schedule found in some processor time from the given ones, or from a rule's."""
    search = Search(instance, seed, seconds)
    orders = [order_of(s.start, s.end) for s in starts] or [search.dispatched()]
    relink(search, orders, plan_for(seconds, instance.num_operations))
    return search.solution()
