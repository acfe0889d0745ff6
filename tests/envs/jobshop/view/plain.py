"""A slot's situation in plain Python, and what rules make of it, without code of the simulator's."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from graphsched.envs.jobshop.generators import irregular
from graphsched.envs.jobshop.instance import JobShopInstance
from graphsched.envs.jobshop.options import JobShopOptions
from graphsched.envs.jobshop.simulator import JobShopSim
from graphsched.envs.jobshop.solution import JobShopSolution
from graphsched.envs.jobshop.view.opinions import Desk, empty_desk

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Rule = tuple[int, int, int]
SCALE = 100  # of the rules' weights


def waiting(seed: int, size: str, factor: int = 1, **options: Any) -> JobShopSim | None:
    """A simulator somewhere in a random episode of an irregular shop; None where it has ended.

    Args:
        seed: of all that is random.
        size: jobs x machines.
        factor: of all times.
        options: of the simulator, whose window is random.
    """
    rng = np.random.default_rng(seed)
    shop = irregular(rng, size)
    assert shop.release_time is not None
    shop = JobShopInstance(
        "shop",
        shop.job_ptr,
        shop.machine,
        shop.duration * factor,
        shop.num_machines,
        shop.release_time * factor,
    )
    window = float(rng.choice([0.0, 0.3, 1.0]))
    sim = JobShopSim(1, JobShopOptions(delay_window=window, **options))
    sim.reset([0], [shop], [0])
    for _ in range(int(rng.integers(0, shop.num_operations // 2 + 1))):
        if sim.waiting[0]:
            sim.step(rng.integers(0, sim.state.num_candidates[:1]))
    return sim if sim.waiting[0] else None


@dataclass
class Situation:
    """What is scheduled and what is left. Operations are (machine, duration) by number."""

    shop: JobShopInstance
    route: list[list[int]]  # of each job, the operations left
    ready: list[int]  # of each job
    free: list[int]  # of each machine
    start: dict[int, int]  # of scheduled operations
    focus: int
    candidates: list[int]  # jobs

    def machine(self, o: int) -> int:
        return int(self.shop.machine[o])

    def duration(self, o: int) -> int:
        return int(self.shop.duration[o])

    def tail(self, o: int) -> int:
        """Work of the job after the operation."""
        return int(self.shop.duration[o + 1 : self.shop.job_ptr[self.shop.job[o] + 1]].sum())

    def load(self, route: Sequence[Sequence[int]]) -> list[int]:
        """Work on each machine."""
        load = [0] * self.shop.num_machines
        for o in (o for operations in route for o in operations):
            load[self.machine(o)] += self.duration(o)
        return load

    def first(self, j: int) -> tuple[int, int, int]:
        """The next operation of job j, its earliest start and end."""
        o = self.route[j][0]
        start = max(self.ready[j], self.free[self.machine(o)])
        return o, start, start + self.duration(o)

    def completed(self, start: Mapping[int, int]) -> JobShopSolution:
        """The schedule with the other operations at these times."""
        times = {**self.start, **start}
        return JobShopSolution.from_starts(
            self.shop, np.array([times[o] for o in range(self.shop.num_operations)])
        )

    @property
    def latest(self) -> int:
        """The last end of what is scheduled."""
        return max((s + self.duration(o) for o, s in self.start.items()), default=0)


def empty_desk_for(sim: JobShopSim, narrow: bool = False) -> Desk:
    """Scratch space for slot 0."""
    _, jobs, machines = sim.state.visit.shape
    return empty_desk(jobs, machines, sim.state.machine.shape[1], narrow)


def situation(sim: JobShopSim) -> Situation:
    """Of slot 0."""
    state, shop = sim.state, sim._instances[0]
    assert shop is not None
    assert shop.release_time is not None
    upcoming = state.next_operation[0].tolist()
    start = {
        o: int(state.start[0, o])
        for j in range(shop.num_jobs)
        for o in range(int(shop.job_ptr[j]), upcoming[j])
    }
    ready = shop.release_time.tolist()
    free = [0] * shop.num_machines
    for o, s in start.items():
        end, m = s + int(shop.duration[o]), int(shop.machine[o])
        ready[shop.job[o]] = max(ready[shop.job[o]], end)
        free[m] = max(free[m], end)
    route = [list(range(upcoming[j], int(shop.job_ptr[j + 1]))) for j in range(shop.num_jobs)]
    candidates = state.candidate[0, : state.num_candidates[0]].tolist()
    return Situation(shop, route, ready, free, start, int(state.focus[0]), candidates)


@dataclass
class Line:
    """Jobs in line for machines, of whom a rule lets one go at a time."""

    at: Situation
    route: list[list[int]]
    ready: list[int]
    free: list[int]
    tails: Mapping[int, int]
    rule: Rule
    load: list[int]
    start: dict[int, int] = field(default_factory=dict)
    order: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for j in range(len(self.route)):
            self.line_up(j)

    def line_up(self, j: int) -> None:
        """What the rule adds to the start of job j's next operation: it stays what it is now."""
        self.order.pop(j, None)
        if self.route[j]:
            o, *later = self.route[j]
            value = self.rule[0] * self.at.duration(o) - self.rule[1] * self.tails[o]
            value -= self.rule[2] * self.load[self.at.machine(later[0])] if later else 0
            self.order[j] = value

    def earliest(self, j: int) -> int:
        return max(self.ready[j], self.free[self.at.machine(self.route[j][0])])

    def go(self, j: int) -> None:
        o = self.route[j][0]
        m, self.start[o] = self.at.machine(o), self.earliest(j)
        self.ready[j] = self.free[m] = self.start[o] + self.at.duration(o)
        self.load[m] -= self.at.duration(o)
        self.route[j] = self.route[j][1:]
        self.line_up(j)

    def go_on(self) -> dict[int, int]:
        """All that is left, by the rule; returns starts."""
        while any(self.route):
            waiting = [j for j, route in enumerate(self.route) if route]
            self.go(min(waiting, key=lambda j: (SCALE * self.earliest(j) + self.order[j], j)))
        return self.start


def forward(at: Situation, rule: Rule, first: int) -> dict[int, int]:
    """Starts of what is left, where job ``first`` goes first and all others by the rule."""
    tails = {o: at.tail(o) for route in at.route for o in route}
    ready, free = list(at.ready), list(at.free)
    line = Line(at, list(at.route), ready, free, tails, rule, at.load(at.route))
    line.go(first)
    return line.go_on()


def backward(at: Situation, rule: Rule, first: int | None) -> dict[int, int]:
    """Times from the ends of what is left to the end of all, read backwards by the rule.

    Job ``first`` goes first, so that its next operation is none of them; with None no job must.
    """
    before = {o: at.ready[j] for j, route in enumerate(at.route) for o in route}
    for route in at.route:
        for earlier, o in itertools.pairwise(route):
            before[o] = before[earlier] + at.duration(earlier)
    own = [left[1:] if j == first else left for j, left in enumerate(at.route)]
    mirror = [left[::-1] for left in own]
    jobs, machines = len(mirror), at.shop.num_machines
    return Line(at, mirror, [0] * jobs, [0] * machines, before, rule, at.load(own)).go_on()
