"""Teaching: what a solver or a policy's rollouts say of many instances becomes a dataset."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from graphsched.agents.bundles.provenance import git_hash, versions
from graphsched.envs.core.clock import cpu_s
from graphsched.envs.core.errors import InputError
from graphsched.eval.solvers.request import Request, request_contender
from graphsched.training.instances import InstanceSource
from graphsched.training.teaching.card import MOST_EPISODES, Card, options_table
from graphsched.training.teaching.dataset import Episode, add_shard, begin_dataset
from graphsched.training.teaching.relabel import relabel
from graphsched.training.teaching.trials import try_out

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from graphsched.envs.core.domain import Domain
    from graphsched.training.teaching.relabel import Relabelling
    from graphsched.training.teaching.trials import Trials

TEACH_STREAM = 0x746561  # sets instances to teach with apart from every other stream
SHARD = 60  # episodes of a file: what an interrupt costs at most


@dataclass(frozen=True)
class Lesson:
    """What is asked for.

    Attributes:
        domain: of the instances; it has to know how solutions are followed.
        options: of the simulator that decisions are made in.
        solver: word of the teacher, as `eval.solvers.words.parse_word` reads it.
        time_limit_s: processor time for each instance, if the word has none.
        kinds: weight of each kind of instance, GENERATOR:SIZE.
        given: instances instead; `count` of them are taken, from the first.
        spec: how the given ones were named.
        count: episodes.
        seed: of instances and teacher.
        shard: episodes of a file.
        relabelling: of a policy's episodes; None: those of the teacher's solutions are kept.
        trials: by which a policy teaches itself, in place of a solver.
    """

    domain: Domain[Any, Any]
    options: Any
    solver: str = ""
    time_limit_s: float | None = None
    kinds: Mapping[str, float] = field(default_factory=dict)
    given: Sequence[Any] = ()
    spec: str = "given"
    count: int = 720
    seed: int = 0
    shard: int = SHARD
    relabelling: Relabelling | None = None
    trials: Trials | None = None

    def __post_init__(self) -> None:
        """Validate; raises InputError naming the option."""
        if self.domain.follow is None and self.trials is None:
            problem = "solutions don't tell their decisions: it has no `Domain.follow`"
            raise InputError(f"domain {self.domain.name!r}", problem)
        if not 1 <= self.count <= MOST_EPISODES:
            problem = f"expected 1 to {MOST_EPISODES} episodes, found {self.count}"
            raise InputError("--count", problem)
        if self.given and self.count > len(self.given):
            problem = f"expected at most the {len(self.given)} given instances, found {self.count}"
            raise InputError("--count", problem)
        if self.seed < 0:
            raise InputError("--seed", f"expected at least 0, found {self.seed}")

    @property
    def instances(self) -> str:
        """What the instances are, in words that differ if they do."""
        if not self.given:
            return ",".join(f"{kind}={weight:g}" for kind, weight in self.kinds.items())
        documents = json.dumps([instance.to_json() for instance in self.given[: self.count]])
        return f"{self.spec} (SHA-256 {hashlib.sha256(documents.encode()).hexdigest()})"


class Pupils:
    """The instances of a lesson."""

    def __init__(self, lesson: Lesson) -> None:
        """Raises InputError if a kind of instance isn't known."""
        self._lesson = lesson
        self._source = None if lesson.given else InstanceSource(lesson.domain, lesson.kinds)

    def __call__(self, number: int) -> Any:
        """The instance of an episode; the same for the same seed."""
        if self._source is None:
            return self._lesson.given[number]
        return self._source(np.random.default_rng([self._lesson.seed, TEACH_STREAM, number]))


class Teacher:
    """Draws instances, solves them and follows the solutions."""

    def __init__(self, lesson: Lesson) -> None:
        """Open the solver. Raises InputError if it or a kind of instance isn't known."""
        self._lesson, self.instance = lesson, Pupils(lesson)
        asked = Request(baseline=lesson.solver, time_limit_s=lesson.time_limit_s)
        contender = request_contender(lesson.domain, self.instance(0), asked)
        self.name, self.time_limit_s = contender.name, contender.time_limit_s
        self._solve = contender.make(lesson.seed, contender.time_limit_s)

    def shard(
        self, numbers: Sequence[int], tell: Callable[[str], None]
    ) -> tuple[list[Episode], dict[str, Any]]:
        """The episodes with these numbers, and figures of them."""
        lesson, instances, solutions = self._lesson, [], []
        for number in numbers:
            instances.append(self.instance(number))
            solutions.append(self.solve(instances[-1]))
            if number == numbers[0]:
                _try(lesson, instances[0], solutions[0])
            tell(instances[-1].name)
        found = _play(lesson, instances, solutions, numbers)
        pairs = zip(instances, solutions, strict=True)
        taught = [lesson.domain.cost(instance, solution) for instance, solution in pairs]
        decisions = sum(len(episode.actions) for episode in found.episodes)
        figures = {"decisions": decisions, "inexact": found.inexact}
        return found.episodes, figures | _gaps(lesson, found.episodes, np.array(taught))

    def solve(self, instance: Any) -> Any:
        """The teacher's solution; raises InputError unless it is feasible."""
        solution = self._solve(instance)
        violations = self._lesson.domain.check(instance, solution)
        if violations:
            problem = f"its solution of {instance.name!r:.60} is infeasible"
            raise InputError(self.name, f"{problem}: {violations[0].message}")
        return solution


class SelfTeacher:
    """Draws instances and tries out the candidates of a policy's own decisions."""

    name = "rollouts"
    time_limit_s = None

    def __init__(self, lesson: Lesson) -> None:
        """Raises InputError if a kind of instance isn't known."""
        assert lesson.trials is not None
        self._lesson, self._how, self.instance = lesson, lesson.trials, Pupils(lesson)

    def shard(
        self, numbers: Sequence[int], tell: Callable[[str], None]
    ) -> tuple[list[Episode], dict[str, Any]]:
        """The episodes with these numbers, and figures of them."""
        lesson = self._lesson
        instances = [self.instance(number) for number in numbers]
        found = try_out(
            lesson.domain, lesson.options, self._how, instances, _seeds(lesson, numbers)
        )
        for instance in instances:
            tell(instance.name)
        tried = sum(0 if e.tried is None else len(e.tried) for e in found.episodes)
        figures: dict[str, Any] = {"decisions": tried, "inexact": found.better}
        figures |= {"spread_pct": 100.0 * found.spread, "noise_pct": 100.0 * found.noise}
        costs = np.array([episode.cost for episode in found.episodes])
        return found.episodes, figures | _gaps(lesson, found.episodes, costs)


def _seeds(lesson: Lesson, numbers: Sequence[int]) -> list[int]:
    """Of episodes, so that other seeds of a lesson see other futures."""
    return [lesson.seed * MOST_EPISODES + number for number in numbers]


def open_teacher(lesson: Lesson) -> Teacher | SelfTeacher:
    """Whoever teaches it. Raises InputError if a solver or a kind of instance isn't known."""
    return Teacher(lesson) if lesson.trials is None else SelfTeacher(lesson)


@dataclass(frozen=True)
class Followed:
    """Where solutions lead, followed through the simulator.

    Attributes:
        episodes: one for each solution.
        inexact: decisions that were not just what the solutions do.
    """

    episodes: list[Episode]
    inexact: int


def follow(
    domain: Domain[Any, Any],
    options: Any,
    instances: Sequence[Any],
    solutions: Sequence[Any],
    seeds: Sequence[int],
) -> Followed:
    """Follow solutions through a simulator, all side by side.

    Args:
        domain: that has `Domain.follow`.
        options: of the simulator.
        instances: one or more.
        solutions: of each.
        seeds: of the episodes.

    Raises:
        InputError: solutions of this kind can't be followed.
    """
    assert domain.follow is not None
    sim = domain.simulator(len(instances), options)
    sim.reset(range(len(instances)), instances, seeds)
    slots, inexact = sim.observe()["slot"], 0  # all that have anything to decide
    actions: list[list[int]] = [[] for _ in instances]
    while len(slots):
        chosen, exact = domain.follow(sim, slots, [solutions[slot] for slot in slots.tolist()])
        inexact += int((~exact).sum())
        for slot, action in zip(slots.tolist(), chosen.tolist(), strict=True):
            actions[slot].append(action)
        result = sim.step(chosen)
        slots = result.slots[~result.dones]
    episodes = [
        Episode(instance, seed, np.array(taken, np.int64), None, cost)
        for instance, seed, taken, cost in zip(
            instances, seeds, actions, sim.costs().tolist(), strict=True
        )
    ]
    return Followed(episodes, inexact)


def ask(lesson: Lesson, teacher: Teacher | SelfTeacher) -> Card:
    """The card of what a lesson asks for, without shards."""
    return Card(
        domain=lesson.domain.name,
        simulator=options_table(lesson.options),
        instances=lesson.instances,
        teacher=teacher.name,
        time_limit_s=teacher.time_limit_s,
        seed=lesson.seed,
        count=lesson.count,
        policy=_whose(lesson),
        versions=versions(),
        git=git_hash(),
    )


def _whose(lesson: Lesson) -> str | None:
    """Policy whose episodes are labelled."""
    how = lesson.trials or lesson.relabelling
    return None if how is None else how.words


def teach(
    lesson: Lesson,
    teacher: Teacher | SelfTeacher,
    folder: Path,
    tell: Callable[[str], None] = lambda words: None,
) -> Card:
    """Write a dataset, or what it lacks; an interrupt costs the shard in progress.

    Args:
        lesson: what is asked for.
        teacher: of the lesson.
        folder: of the dataset.
        tell: called with a few words for every episode that is there.

    Raises:
        InputError: something else is in the folder, or the teacher fails.
    """
    card = begin_dataset(folder, ask(lesson, teacher), lesson.domain)
    for _ in range(card.episodes):
        tell("already there")
    while card.episodes < card.count:
        began, size = cpu_s(), min(lesson.shard, card.count - card.episodes)
        numbers = range(card.episodes, card.episodes + size)
        episodes, figures = teacher.shard(numbers, tell)
        card = add_shard(folder, card, episodes, figures | {"seconds": cpu_s() - began})
    return card


def _gaps(
    lesson: Lesson, episodes: Sequence[Episode], taught: NDArray[np.float64]
) -> dict[str, float]:
    """Costs of a teacher's solutions (N,), and what episodes make of them, above lower bounds."""
    reached = np.array([episode.cost for episode in episodes])
    bounds = np.array([lesson.domain.lower_bound(episode.instance) for episode in episodes])
    reference = np.where(bounds > 0, bounds, np.maximum(taught, 1e-9))
    return {
        "teacher_gap_pct": _mean_pct(taught, reference),
        "replay_gap_pct": _mean_pct(reached, reference),
        "excess_pct": _mean_pct(reached, np.maximum(taught, 1e-9)),
    }


def _play(
    lesson: Lesson, instances: list[Any], solutions: list[Any], seeds: Sequence[int]
) -> Followed:
    """Episodes of the solutions, or of the policy that is to be taught."""
    what = lesson.domain, lesson.options
    if lesson.relabelling is None:
        return follow(*what, instances, solutions, seeds)
    return Followed(*relabel(*what, lesson.relabelling, instances, solutions, seeds))


def _try(lesson: Lesson, instance: Any, solution: Any) -> None:
    """Raise InputError if such solutions can't be followed, before many more are found."""
    assert lesson.domain.follow is not None
    sim = lesson.domain.simulator(1, lesson.options)
    sim.reset([0], [instance], [0])
    slots = sim.observe()["slot"]
    lesson.domain.follow(sim, slots, [solution] * len(slots))


def _mean_pct(costs: Any, reference: Any) -> float:
    """Mean of costs above a reference, percent."""
    return float(100.0 * np.mean(costs / reference - 1.0))
