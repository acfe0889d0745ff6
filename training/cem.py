"""Linear rules by the cross-entropy method, for any domain."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from graphsched.envs.core.clock import wall_s
from graphsched.envs.core.parts.linear import linear_costs
from graphsched.training.instances import InstanceSource

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from graphsched.envs.core.domain import Domain
    from graphsched.training.validation import Validation


@dataclass(frozen=True)
class CemConfig:
    """How the cross-entropy method searches.

    Attributes:
        population: weight vectors in a generation.
        elite: share of them that the next generation is drawn around.
        instances: random instances that a generation is judged on, the same for all of it.
        sigma: initial standard deviation of each weight.
        start_sigma: the same where the search starts from given weights, in units of the largest.
        sigma_floor: added to the standard deviations; falls to zero over the budget.
        smoothing: share of the elite's mean and deviation in the new ones.
        validate_every: generations between validations of the mean.
        seed: of all random streams.
    """

    population: int = 64
    elite: float = 0.15
    instances: int = 8
    sigma: float = 1.0
    start_sigma: float = 0.1
    sigma_floor: float = 0.1
    smoothing: float = 0.7
    validate_every: int = 10
    seed: int = 0


@dataclass(frozen=True)
class LinearRule:
    """A rule that was found.

    Attributes:
        weights: (F,) float32, of the candidate features.
        options: of the simulator that it was found in.
        gap_pct: on the validation instances.
        generations: searched in all.
        history: rows of minutes, generations and gap.
    """

    weights: NDArray[np.float32]
    options: Any
    gap_pct: float
    generations: int
    history: list[dict[str, float]] = field(default_factory=list)


@dataclass
class Search:
    """Mean and standard deviations (F,) of the weights that the next generation is drawn with.

    Noise that keeps the deviations from collapsing, and that decays, is due to Szita and Lőrincz
    (2006), "Learning Tetris Using the Noisy Cross-Entropy Method".
    """

    mean: NDArray[np.float64]
    sigma: NDArray[np.float64]

    def sample(self, rng: np.random.Generator, size: int) -> NDArray[np.float64]:
        """(size, F) weight vectors, the mean being the first."""
        drawn = self.mean + self.sigma * rng.standard_normal((size, len(self.mean)))
        drawn[0] = self.mean
        return drawn

    def update(
        self,
        weights: NDArray[np.float64],
        scores: NDArray[np.float64],
        config: CemConfig,
        floor: float,
    ) -> None:
        """Move towards the best of the weights (P, F) by their scores (P,), lower is better."""
        count = max(2, round(config.elite * len(weights)))
        elite = weights[np.argsort(scores, kind="stable")[:count]]
        share = config.smoothing
        self.mean = share * elite.mean(axis=0) + (1 - share) * self.mean
        self.sigma = share * (elite.std(axis=0) + floor) + (1 - share) * self.sigma


def search_rule(
    domain: Domain[Any, Any],
    options: object,
    instances: Mapping[str, float],
    validation: Validation,
    minutes: float,
    config: CemConfig | None = None,
    watch: Callable[[dict[str, float]], None] = lambda row: None,
    start: NDArray[np.float32] | None = None,
    pools: Mapping[str, Sequence[Any]] | None = None,
) -> LinearRule:
    """Search until the time is up; the mean of the best validation is the result.

    Args:
        domain: to search a rule for.
        options: of its simulator.
        instances: weight of each kind of training instance, as in `TrainConfig`.
        validation: judges the mean.
        minutes: wall-clock time; at least one generation is searched.
        config: of the search.
        watch: told of each validation.
        start: (F,) weights to search around; none by default.
        pools: training instances of the kinds that aren't drawn at random, see `own_pools`.
    """
    config = config or CemConfig()
    rng = np.random.default_rng([config.seed, 0x63656D])
    source = InstanceSource(domain, instances, (), pools)
    size = len(domain.schema.candidate)
    search = Search(np.zeros(size), np.full(size, config.sigma))
    if start is not None:
        search = Search(start / np.abs(start).max(), np.full(size, config.start_sigma))
    floor = config.sigma_floor * float(search.sigma[0]) / config.sigma
    began, best, generations = wall_s(), (np.inf, np.zeros(size, np.float32)), 0
    history: list[dict[str, float]] = []
    while True:
        progress = (wall_s() - began) / (60.0 * minutes)
        last = progress >= 1.0 and generations > 0
        if last or generations % config.validate_every == 0:
            mean = search.mean.astype(np.float32)
            gap = validation.gap(judge(domain, options, validation.instances, mean))
            best = min(best, (gap, mean), key=lambda pair: pair[0])
            history.append({"minutes": progress * minutes, "generations": generations, "gap": gap})
            watch(history[-1])
        if last:
            return LinearRule(best[1], options, best[0], generations, history)
        drawn = [source(rng) for _ in range(config.instances)]
        weights = search.sample(rng, config.population)
        costs = linear_costs(
            domain.simulator, options, drawn, weights.astype(np.float32), generations
        )
        # Instances differ in size: each is measured by what the generation makes of it on average.
        scores = (costs / costs.mean(axis=0)).mean(axis=1)
        search.update(weights, scores, config, floor * max(0.0, 1.0 - progress))
        generations += 1


def judge(
    domain: Domain[Any, Any], options: object, instances: list[Any], weights: NDArray[np.float32]
) -> NDArray[Any]:
    """(I,) float64 costs of one weight vector (F,)."""
    costs: NDArray[Any] = linear_costs(domain.simulator, options, instances, weights[None])[0]
    return costs
