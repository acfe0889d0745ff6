"""Random instances by weight: what a run trains on and what it is validated on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from graphsched.envs.core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from graphsched.envs.core.domain import Domain
    from graphsched.training.settings.config import Stage

VALIDATION_STREAM = 0x76616C  # sets validation apart from every training stream


def generator(domain: Domain[Any, Any], spec: str) -> Callable[[np.random.Generator], Any]:
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
    ) -> None:
        """Args: see `TrainConfig`. Raises InputError for malformed kinds."""
        self.progress = 0.0
        stages = [(0.0, instances), *((stage.start, stage.instances) for stage in curriculum)]
        self._stages = [
            (start, _shares(kinds), [generator(domain, spec) for spec in kinds])
            for start, kinds in sorted(stages, key=lambda stage: stage[0])
        ]

    def __call__(self, rng: np.random.Generator) -> Any:
        """The next instance."""
        _, shares, kinds = [stage for stage in self._stages if stage[0] <= self.progress][-1]
        return kinds[int(rng.choice(len(kinds), p=shares))](rng)


def validation_instances(
    domain: Domain[Any, Any], kinds: Sequence[str], count: int, seed: int
) -> list[Any]:
    """``count`` instances of each kind, in order; the same for the same seed."""
    return [
        draw(np.random.default_rng([seed, VALIDATION_STREAM, number, i]))
        for number, draw in enumerate([generator(domain, kind) for kind in kinds])
        for i in range(count)
    ]


def _shares(kinds: Mapping[str, float]) -> np.ndarray:
    weights = np.array(list(kinds.values()), np.float64)
    shares: np.ndarray = weights / weights.sum()
    return shares
