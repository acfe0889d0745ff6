"""A search for instances on which one solver is worst, held against another.

After PISA (Coleman & Krishnamachari 2024, "PISA: An Adversarial Approach To Comparing Task Graph
Scheduling Algorithms", arXiv 2403.07120): simulated annealing over instances, where a move is a
small random change of the instance. Means over benchmarks hide what such a search shows.
"""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from graphsched.envs.core.clock import cpu_s
from graphsched.envs.core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from graphsched.eval.attacks.duel import Comparison, Duel

LOG = logging.getLogger(__name__)
HOT, COLD = 0.1, 0.003  # first and last temperature, in logarithms of the ratio
MORE = 0.4  # chance that a move makes a further change, again and again
STREAM = 0x617474  # sets the search apart from every other stream


@dataclass(frozen=True)
class AttackSettings:
    """How long and how far is searched.

    Attributes:
        steps: moves of a restart; cooling goes by them, so that a time limit only cuts off.
        restarts: independent searches.
        seed: of all of them.
        largest: size that an instance may grow to, as a multiple of the start's, see `size_of`.
        time_limit_s: processor time of all restarts together, shared out evenly.
    """

    steps: int = 300
    restarts: int = 5
    seed: int = 0
    largest: float = 1.5
    time_limit_s: float = math.inf

    def __post_init__(self) -> None:
        """Validate; raises InputError naming the option."""
        for name, least in (("steps", 1), ("restarts", 1), ("seed", 0), ("largest", 1.0)):
            value = getattr(self, name)
            if not value >= least:
                raise InputError(f"--{name}", f"expected at least {least:g}, found {value:g}")
        if not self.time_limit_s > 0:
            found = f"found {self.time_limit_s:g}"
            raise InputError("--time-limit", f"expected more than 0 seconds, {found}")


@dataclass
class Course:
    """One restart.

    Attributes:
        number: of the restart, from 0 on.
        best: worst instance for the solver so far.
        first: the instance that it set out from.
        steps: moves made.
        compared, refused: instances that were solved; that were too large, or beyond comparison.
        trajectory: (move, score) of every improvement, the start included.
    """

    number: int
    best: Comparison | None = None
    first: Comparison | None = None
    steps: int = 0
    compared: int = 0
    refused: int = 0
    trajectory: list[tuple[int, float]] = field(default_factory=list)


@dataclass
class Attack:
    """A search and what it has found, at any moment of it.

    Attributes:
        duel: the two solvers.
        pool: (restart, random generator) -> instances, of which the worst is set out from.
        settings: how far to search.
        tell: called after every move.
        courses: the restarts that have begun.
        infeasible: instances with solutions that the checker refuses, and what it says.
        interrupted: whether the user stopped the search.
        seconds: processor time.
    """

    duel: Duel
    pool: Callable[[int, np.random.Generator], Sequence[Any]]
    settings: AttackSettings
    tell: Callable[[str], None] = lambda words: None
    courses: list[Course] = field(default_factory=list)
    infeasible: list[tuple[Any, list[str]]] = field(default_factory=list)
    interrupted: bool = False
    seconds: float = 0.0

    def __post_init__(self) -> None:
        """Raises InputError if instances of the domain can't be varied."""
        if self.duel.domain.perturb is None:
            raise InputError(f"domain {self.duel.domain.name!r}", "its instances can't be varied")

    def run(self) -> None:
        """Search; an interruption (Ctrl-C) ends it and loses nothing.

        Raises:
            InputError: no instance to set out from can be compared.
        """
        began, settings = cpu_s(), self.settings
        try:
            for number in range(settings.restarts):
                share = settings.time_limit_s * (number + 1) / settings.restarts
                self._restart(number, began + share)
        except KeyboardInterrupt:
            self.interrupted = True
        self.seconds = cpu_s() - began

    def _restart(self, number: int, deadline: float) -> None:
        rng = np.random.default_rng([self.settings.seed, STREAM, number])
        course = Course(number)
        self.courses.append(course)
        current = self._start(course, rng)
        if current is None:
            raise InputError("--start", "no instance on which the two solvers can be compared")
        scale = max(abs(current.cost), abs(current.cost_against), 1e-9)
        room = self.settings.largest * size_of(current.instance)
        for step in range(1, self.settings.steps + 1):
            if cpu_s() >= deadline:
                return
            current = self._move(course, current, step, scale, room, rng)
            assert course.best is not None
            self.tell(f"restart {number + 1}, {self.duel.measure} {course.best.score:.3f}")

    def _start(self, course: Course, rng: np.random.Generator) -> Comparison | None:
        """The worst of the restart's pool."""
        for instance in self.pool(course.number, rng):
            found = self.duel.compare(instance)
            course.compared += 1
            if found is not None and self._is_sound(found):
                self._keep(course, found, 0)
        course.first = course.best
        return course.best

    def _move(
        self,
        course: Course,
        current: Comparison,
        step: int,
        scale: float,
        room: float,
        rng: np.random.Generator,
    ) -> Comparison:
        """The instance after a move: a changed one, or the same as before."""
        perturb = self.duel.domain.perturb
        assert perturb is not None
        changed = perturb(current.instance, rng)
        while rng.random() < MORE:
            changed = perturb(changed, rng)
        chance = rng.random()
        course.steps = step
        found = self._compared(course, changed, room)
        if found is None:
            return current
        gain = self.duel.energy(found, scale) - self.duel.energy(current, scale)
        share = (step - 1) / max(self.settings.steps - 1, 1)
        heat = HOT * (COLD / HOT) ** share
        if gain < 0 and chance >= math.exp(gain / heat):
            return current
        assert course.best is not None
        if found.score > course.best.score:
            if not self._is_sound(found):
                return current
            self._keep(course, found, step)
        return found

    def _compared(self, course: Course, instance: Any, room: float) -> Comparison | None:
        """Both solvers on an instance; None if it is too large, or refused by one of them."""
        found = None
        if size_of(instance) <= room:
            course.compared += 1
            try:
                found = self.duel.compare(instance)
            except InputError as error:
                LOG.debug("%s", error)
        course.refused += found is None
        return found

    def _is_sound(self, found: Comparison) -> bool:
        """Whether the checker agrees with both solutions; what it says otherwise is kept."""
        if violations := self.duel.violations(found):
            self.infeasible.append((found.instance, violations))
        return not violations

    def _keep(self, course: Course, found: Comparison, step: int) -> None:
        if course.best is None or found.score > course.best.score:
            course.best = found
            course.trajectory.append((step, found.score))


def size_of(instance: Any) -> int:
    """Numbers and words in the instance's JSON document."""
    return _leaves(instance.to_json())


def _leaves(value: Any) -> int:
    if isinstance(value, dict):
        return sum(map(_leaves, value.values()))
    return sum(map(_leaves, value)) if isinstance(value, list | tuple) else 1
