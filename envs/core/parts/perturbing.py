"""Small random changes of instances, see `Domain.perturb`: what the domains' own have in common."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

InstanceT = TypeVar("InstanceT", bound="DataclassInstance")
Change = Callable[[InstanceT, np.random.Generator], InstanceT]
MARK = "~"


def perturbed_name(name: str) -> str:
    """A name that no benchmark instance has, so that none of its known values is looked up."""
    return name if name.endswith(MARK) else name + MARK


def changed(
    instance: InstanceT,
    rng: np.random.Generator,
    kinds: Sequence[tuple[Change[InstanceT], float]],
) -> InstanceT:
    """The instance after one change, under a perturbed name.

    Args:
        instance: a dataclass with a name; left as it is.
        rng: source of randomness.
        kinds: changes and their probabilities.
    """
    kind, _ = kinds[int(rng.choice(len(kinds), p=[share for _, share in kinds]))]
    name: Any = instance
    return replace(kind(instance, rng), name=perturbed_name(name.name))


def draw_factor(rng: np.random.Generator, spread: float) -> float:
    """Log-normal, with 1 as its median. spread: standard deviation of the logarithm."""
    return float(np.exp(spread * rng.standard_normal()))
