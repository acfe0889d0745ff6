"""Instances by weight, random ones and one's own: what a run trains on and is validated on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from graphsched.envs.core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from graphsched.envs.core.domain import Domain
    from graphsched.training.settings.config import Stage

    Draw = Callable[[np.random.Generator], Any]

VALIDATION_STREAM = 0x76616C  # sets validation apart from every training stream


def is_generated(domain: Domain[Any, Any], spec: str) -> bool:
    """Whether a word of a configuration means a generator, not files or the library.

    Here a generator goes before a set of the library that has its name.
    """
    return spec.partition(":")[0] in domain.generators


def generator(domain: Domain[Any, Any], spec: str) -> Draw:
    """Draws instances of a kind such as ``mixed:10x10-30x20``; raises InputError if malformed."""
    name, _, size = spec.partition(":")
    if name not in domain.generators:
        known = ", ".join(sorted(domain.generators))
        raise InputError(f"instances {spec!r:.60}", f"no generator {name!r:.40}; one of {known}")
    make = domain.generators[name]
    make(np.random.default_rng(0), size)  # complains now rather than in the middle of a run
    return lambda rng: make(rng, size)


class InstanceSource:
    """Draws training instances of several kinds by weight, by stages of a curriculum.

    Attributes:
        progress: used share of the budget, to be kept up to date by the owner.
    """

    def __init__(
        self,
        domain: Domain[Any, Any],
        instances: Mapping[str, float],
        curriculum: Sequence[Stage] = (),
        pools: Mapping[str, Sequence[Any]] | None = None,
    ) -> None:
        """Args: see `TrainConfig`; pools: instances of the words that are no generators.

        Raises InputError for malformed kinds.
        """
        self.progress = 0.0
        pools = pools or {}
        stages = [(0.0, instances), *((stage.start, stage.instances) for stage in curriculum)]
        self._stages: list[tuple[float, np.ndarray, list[Draw]]] = []
        for start, weights in sorted(stages, key=lambda stage: stage[0]):
            kinds = filled(weights, pools)
            draws = [_member(pools[k]) if k in pools else generator(domain, k) for k in kinds]
            self._stages.append((start, _shares(kinds), draws))

    def __call__(self, rng: np.random.Generator) -> Any:
        """The next instance."""
        _, shares, kinds = [stage for stage in self._stages if stage[0] <= self.progress][-1]
        return kinds[int(rng.choice(len(kinds), p=shares))](rng)


def validation_instances(
    domain: Domain[Any, Any],
    kinds: Sequence[str],
    count: int,
    seed: int,
    pools: Mapping[str, Sequence[Any]] | None = None,
) -> list[list[Any]]:
    """Instances kind by kind: ``count`` random ones, the same for the same seed, or the pool's."""
    pools = pools or {}
    draws = [None if kind in pools else generator(domain, kind) for kind in kinds]
    return [
        list(pools[kind])
        if draw is None
        else [draw(np.random.default_rng([seed, VALIDATION_STREAM, n, i])) for i in range(count)]
        for n, (kind, draw) in enumerate(zip(kinds, draws, strict=True))
    ]


def filled(
    weights: Mapping[str, float], pools: Mapping[str, Sequence[Any]] | None
) -> dict[str, float]:
    """The kinds without those whose pool is empty."""
    return {k: w for k, w in weights.items() if pools is None or k not in pools or pools[k]}


def _member(pool: Sequence[Any]) -> Draw:
    return lambda rng: pool[int(rng.integers(len(pool)))]


def _shares(kinds: Mapping[str, float]) -> np.ndarray:
    weights = np.array(list(kinds.values()), np.float64)
    shares: np.ndarray = weights / weights.sum()
    return shares
