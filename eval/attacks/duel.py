"""Two solvers on the same instance, and how much worse the first is than the second."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from graphsched.agents.bundles.shipped import DEFAULT, shipped_policies, shipped_policy
from graphsched.envs.core.domain import SolverOptions
from graphsched.envs.core.errors import InputError
from graphsched.eval.solvers.policies import open_policy, policy_word

if TYPE_CHECKING:
    from collections.abc import Callable

    from graphsched.envs.core.domain import Domain

Measure = Literal["ratio", "difference"]
TINY = 1e-9


@dataclass(frozen=True)
class Side:
    """One of the two solvers.

    Attributes:
        name: as reports show it.
        solve: the solver.
        source: (instance) -> what tells it from others: baseline, or folder of the policy.
    """

    name: str
    solve: Callable[[Any], Any]
    source: Callable[[Any], str]


@dataclass(frozen=True)
class Comparison:
    """Both solvers on an instance.

    Attributes:
        instance: that was solved.
        cost, cost_against: of the solver under attack, and of the one that it is held against.
        score: the ratio of the first to the second, or their difference: larger is worse.
        solutions: of both.
    """

    instance: Any
    cost: float
    cost_against: float
    score: float
    solutions: tuple[Any, Any]


def side(domain: Domain[Any, Any], word: str, seed: int, time_limit_s: float) -> Side:
    """The solver that a word names: a baseline, a shipped policy, or the folder of a bundle.

    Args:
        domain: of the instances.
        word: of a command line; ``BASELINE:FILE`` has the settings of a file.
        seed: of solvers that draw random numbers.
        time_limit_s: of solvers that go on until it is over, for each instance.

    Raises:
        InputError: the word names nothing.
    """
    word = domain.current_name(word)
    if word.partition(":")[0] in {*domain.baselines, *domain.aliases} and not Path(word).is_dir():
        domain = domain.with_tuned([word])
    if word in domain.baselines:
        options = SolverOptions(seed=seed, time_limit_s=time_limit_s)
        return Side(word, domain.baseline(word, options), lambda instance: f"baseline {word}")
    shipped = shipped_policies(domain.name)
    served = word == DEFAULT and domain.shipped is not None
    if not served and word not in shipped and not Path(word).is_dir():
        known = ", ".join([*domain.baselines, *shipped])
        raise InputError(f"solver {word!r:.60}", f"not one of {known}, nor the folder of a bundle")
    return _policy(domain, word)


def _policy(domain: Domain[Any, Any], word: str) -> Side:
    """A policy, decoded greedily; ``default`` is the shipped one that serves the instance."""
    from graphsched.agents.decoding.search import policy_solver

    @cache
    def solver(name: str) -> Callable[[Any], Any]:
        return policy_solver(domain, open_policy(domain, name)[1])

    def solve(instance: Any) -> Any:
        return solver(policy_word(domain, word, [instance]))(instance)

    def source(instance: Any) -> str:
        name = policy_word(domain, word, [instance])
        folder = Path(name) if Path(name).is_dir() else shipped_policy(domain.name, name)
        return f"policy {folder.resolve()}"

    if word != DEFAULT or domain.shipped is None:
        return Side(open_policy(domain, word)[0], solve, source)
    return Side(f"policy {word}", solve, source)


class Duel:
    """Compares two solvers.

    Attributes:
        measure: ``ratio`` of their costs, or their ``difference`` where the domain says that
            ratios mean nothing, because a cost may be next to 0.
    """

    def __init__(self, domain: Domain[Any, Any], solver: Side, against: Side) -> None:
        """Args: domain: of the instances. solver: under attack. against: the other one."""
        self.domain = domain
        self.sides = solver, against
        self.measure: Measure = "ratio" if domain.cost_ratios else "difference"

    def compare(self, instance: Any) -> Comparison | None:
        """Both on an instance; None where the costs can't be compared: a ratio to 0, say."""
        first, second = (side.solve(instance) for side in self.sides)
        cost, other = self.domain.cost(instance, first), self.domain.cost(instance, second)
        if not (math.isfinite(cost) and math.isfinite(other)):
            return None
        if self.measure == "difference":
            return Comparison(instance, cost, other, cost - other, (first, second))
        if min(cost, other) < TINY:
            return None
        return Comparison(instance, cost, other, cost / other, (first, second))

    def violations(self, found: Comparison) -> list[str]:
        """What the domain's checker says against either solution, a line each."""
        return [
            f"{side.name}: {violation.kind}: {violation.message}"
            for side, solution in zip(self.sides, found.solutions, strict=True)
            for violation in self.domain.check(found.instance, solution)
        ]

    def energy(self, found: Comparison, scale: float) -> float:
        """The score on the scale of the annealing: a logarithm, or a share of a usual cost."""
        return math.log(found.score) if self.measure == "ratio" else found.score / scale
