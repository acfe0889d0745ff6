"""One slot's physics: pure data that can be copied, and the moves on it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from tests.toy_domain.checker import delay
from tests.toy_domain.solution import CrewSolution, Run

if TYPE_CHECKING:
    from tests.toy_domain.instance import CrewInstance

DISPATCH, SPEED = 0, 1
Pair = tuple[int, int, int]  # job, task, worker
DEFER: Pair = (-1, -1, -1)


@dataclass
class Slot:
    """A running episode; times in minutes."""

    instance: CrewInstance
    world: int
    now: int = 0
    flow: int = 0  # jobs in the system, integrated over time so far
    runs: list[Run] = field(default_factory=list)
    rested: list[int] = field(default_factory=list)  # per worker: when it is free again
    pair: Pair | None = None  # dispatched, its speed not yet decided
    decisions: int = 0
    rewarded_flow: int = 0  # what the rewards given so far account for
    answered: int = 0  # when the last decision was made
    offers: list[tuple[Pair, bool]] = field(default_factory=list)  # candidates: pair, rush

    def __post_init__(self) -> None:
        """Everyone is free at first."""
        self.rested = self.rested or [0] * len(self.instance.workers)

    def copy(self) -> Slot:
        """The same state, independent of this one; instances are immutable and shared."""
        return replace(
            self, runs=list(self.runs), rested=list(self.rested), offers=list(self.offers)
        )

    @property
    def kind(self) -> int:
        """Kind of the pending decision."""
        return DISPATCH if self.pair is None else SPEED

    def finish_of(self, job: int) -> int | None:
        """When a job is complete; None while some task has not been started."""
        ends = [run.end for run in self.runs if run.job == job]
        return max(ends) if len(ends) == len(self.instance.jobs[job].work) else None

    def alive(self) -> list[int]:
        """Jobs that have arrived and are not complete."""
        return [
            j
            for j, job in enumerate(self.instance.jobs)
            if job.arrival <= self.now and not ((end := self.finish_of(j)) and end <= self.now)
        ]

    def started(self, job: int) -> list[int]:
        """Tasks of a job that have been started."""
        return [run.task for run in self.runs if run.job == job]

    def ready(self) -> list[tuple[int, int]]:
        """(job, task) that could start now."""
        ended = {(run.job, run.task) for run in self.runs if run.end <= self.now}
        return [
            (j, t)
            for j in self.alive()
            for t, after in enumerate(self.instance.jobs[j].after)
            if t not in self.started(j) and all((j, before) in ended for before in after)
        ]

    def next_event(self) -> int | None:
        """The next arrival, completion or end of a rest."""
        times = [job.arrival for job in self.instance.jobs]
        times += [run.end for run in self.runs] + self.rested
        return min((t for t in times if t > self.now), default=None)

    def wait(self) -> None:
        """Let time pass until the next event."""
        event = self.next_event()
        assert event is not None
        for j, job in enumerate(self.instance.jobs):
            end = self.finish_of(j)
            until = event if end is None else min(end, event)
            self.flow += max(0, until - max(job.arrival, self.now))
        self.now = event

    def find_offers(self, may_defer: bool) -> None:
        """Fill `offers`; empty if nothing can be done before the next event."""
        if self.pair is not None:
            can_rush = self.instance.workers[self.pair[2]].can_rush
            self.offers = [(self.pair, rush) for rush in ((False, True) if can_rush else (False,))]
            return
        free = [w for w, rested in enumerate(self.rested) if rested <= self.now]
        self.offers = [((j, t, w), False) for j, t in self.ready() for w in free]
        if self.offers and may_defer and self.next_event() is not None:
            self.offers.append((DEFER, False))

    def apply(self, choice: int) -> None:
        """Carry out one of the offers."""
        pair, rush = self.offers[choice]
        self.offers = []
        if pair == DEFER:
            self.wait()
        elif self.pair is None:
            self.pair = pair
        else:
            self.pair = None
            self._run(*pair, rush)

    def _run(self, job: int, task: int, worker: int, rush: bool) -> None:
        planned = self.instance.jobs[job].work[task] * self.instance.workers[worker].pace
        minutes = (planned + 1) // 2 if rush else planned
        minutes += delay(self.instance.jitter, self.world, job, task)
        self.runs.append(Run(job, task, worker, rush, self.now, self.now + minutes))
        self.rested[worker] = self.now + minutes * (2 if rush else 1)

    @property
    def over(self) -> bool:
        """Whether every job is complete."""
        ends = [self.finish_of(j) for j in range(len(self.instance.jobs))]
        return all(end is not None and end <= self.now for end in ends)

    def solution(self) -> CrewSolution:
        """The finished work."""
        return CrewSolution(tuple(self.runs), self.world, self.flow)
