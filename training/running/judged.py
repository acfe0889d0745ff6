"""What validations found for each instance, kept so that weights are compared in pairs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from graphsched.training.paired import Kinds, improvement

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from graphsched.training.paired import Improvement

MOMENTS = ("start", "best", "last")


class Judged:
    """Relative costs of the weights that a run began with, of its best and of its last ones.

    A run that has teachers began with what it knew before these, if that was anything.

    Attributes:
        kinds: which instance is of which kind, and the kinds' weights.
        start, best, last: (I,) float64 in percent, see `Validation.judge`; None before the first
            validation, and where a checkpoint is older than this record.
        rules: gap of each rule on the instances.
    """

    def __init__(self, kinds: Kinds, rules: Mapping[str, float]) -> None:
        """Args: see above."""
        self.kinds, self.rules = kinds, dict(rules)
        self.start: NDArray[np.float64] | None = None
        self.best: NDArray[np.float64] | None = None
        self.last: NDArray[np.float64] | None = None

    def add(self, relative: NDArray[np.float64], first: bool, best: bool) -> None:
        """Take in a validation; ``first`` of the run, ``best`` so far."""
        self.last = relative
        if first and self.start is None:
            self.start = relative
        if best:
            self.best = relative

    def improvement(self, weights: str = "best") -> Improvement | None:
        """What the best or last weights are better by than the first; None if that isn't known."""
        now = self.last if weights == "last" else self.best
        if self.start is None or now is None:
            return None
        return improvement(self.start, now, self.kinds)

    def to_state(self) -> dict[str, Any]:
        """For a checkpoint."""
        kinds = {"labels": self.kinds.labels, "weights": self.kinds.weights}
        found = {name: getattr(self, name) for name in MOMENTS}
        return {**found, **kinds, "rules": self.rules}

    def restore(self, state: Any) -> None:
        """Put back what `to_state` gave, or nothing; raises ValueError if it doesn't fit."""
        if state is None:
            return
        found = judged_from(state)
        if len(found.kinds.labels) != len(self.kinds.labels):
            raise ValueError("judged: other instances")
        for name in MOMENTS:
            setattr(self, name, getattr(found, name))


def judged_from(state: Mapping[str, Any]) -> Judged:
    """What `Judged.to_state` gave; raises ValueError, TypeError or KeyError if it is damaged."""
    kinds = Kinds(
        np.asarray(state["labels"], np.int64).ravel(),
        np.asarray(state["weights"], np.float64).ravel(),
    )
    found = Judged(kinds, {str(name): float(gap) for name, gap in state["rules"].items()})
    size, known = len(kinds.labels), np.bincount(kinds.labels, minlength=len(kinds.weights))
    if len(known) != len(kinds.weights) or not known.all():
        raise ValueError("judged: kinds without instances")
    for name in MOMENTS:
        values = state[name]
        if values is not None:
            values = np.asarray(values, np.float64)
            if values.shape != (size,):
                raise ValueError(f"judged.{name}: expected {size} numbers")
        setattr(found, name, values)
    return found
