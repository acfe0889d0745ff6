"""Means over kinds of instances with their standard errors, and what a paired difference tells."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from graphsched.eval.judging.verdicts import FEWEST

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

NORMAL = 1.959964  # two-sided, 95%


class Estimate(NamedTuple):
    """A weighted mean, its standard error and the error's degrees of freedom.

    Both are None of a single instance, which tells nothing about how instances vary.
    """

    mean: float
    se: float | None
    degrees: float | None


@dataclass(frozen=True)
class Kinds:
    """Which of I instances is of which of K kinds, and how much the kinds weigh.

    Attributes:
        labels: (I,) int64, the kind of each.
        weights: (K,) float64, shares that add up to 1.
    """

    labels: NDArray[np.int64]
    weights: NDArray[np.float64]

    @property
    def shares(self) -> NDArray[np.float64]:
        """(I,) weight of each instance in a mean over kinds."""
        counts = np.bincount(self.labels, minlength=len(self.weights))
        shares: NDArray[np.float64] = (self.weights / counts)[self.labels]
        return shares

    def means(self, values: NDArray[np.float64]) -> list[float]:
        """Mean of each kind."""
        return [float(values[self.labels == k].mean()) for k in range(len(self.weights))]

    def estimate(self, values: NDArray[np.float64]) -> Estimate:
        """Weighted mean over kinds of (I,) values.

        The kinds are strata: their variances of the mean add up, weighted by the squares of their
        shares (Cochran 1977, Sampling Techniques, section 5.4), the degrees of freedom are
        Satterthwaite's. Where a kind has one instance only, which says nothing of its variance, all
        are taken as one sample, whose error is the larger one.
        """
        mean = float(self.shares @ values)
        counts = np.bincount(self.labels, minlength=len(self.weights))
        if len(values) < 2:
            return Estimate(mean, None, None)
        if counts.min() < 2:
            n = len(values)
            variance = n / (n - 1) * float(((self.shares * (values - mean)) ** 2).sum())
            return Estimate(mean, math.sqrt(variance), float(n - 1))
        spread = [float(values[self.labels == k].var(ddof=1)) for k in range(len(counts))]
        parts = self.weights**2 * np.array(spread) / counts
        variance = float(parts.sum())
        if variance == 0.0:
            return Estimate(mean, 0.0, float(len(values) - len(counts)))
        degrees = variance**2 / float((parts**2 / (counts - 1)).sum())
        return Estimate(mean, math.sqrt(variance), degrees)


@dataclass(frozen=True)
class Improvement:
    """How far exported weights are below those that a training began with, on the same instances.

    Attributes:
        pct: mean over kinds of the difference of relative costs, in percent points; positive is
            better than the start.
        se: its standard error; None of a single instance.
        low, high: 95% interval of the mean by Student's t.
        instances: that were paired.
        excludes_zero: whether the difference can be told from noise.
    """

    pct: float
    se: float | None
    low: float | None
    high: float | None
    instances: int
    excludes_zero: bool

    def to_json(self) -> dict[str, Any]:
        """JSON document."""
        return {**asdict(self), "verdict": self.in_words()}

    def in_words(self) -> str:
        """One clause."""
        if self.se is None or self.low is None or self.high is None:
            return f"{self.pct:+.2f} percent points better than the start, but one instance tells nothing"
        better = "better" if self.pct > 0 else "worse"
        amount = f"{abs(self.pct):.2f} ± {self.se:.2f} percent points"
        interval = f"95% interval {self.low:.2f} to {self.high:.2f}, {self.instances} instances"
        if self.excludes_zero:
            verb = "improved the start" if self.pct > 0 else "made the start worse"
            return f"the training {verb} by {amount} ({interval})"
        if self.pct == 0.0 and self.se == 0.0:
            return "no improvement: the weights decide as those of the start"
        if self.instances < FEWEST:
            few = f"fewer than {FEWEST} instances are too few to tell"
            return f"{better} than the start by {amount}, but {few}"
        change = f"{better} than the start by {amount}"
        return f"no improvement that can be told from noise: {change} ({interval})"


def improvement(start: NDArray[np.float64], now: NDArray[np.float64], kinds: Kinds) -> Improvement:
    """Compare (I,) relative costs in percent, instance by instance."""
    mean, se, degrees = kinds.estimate(start - now)
    if se is None or degrees is None:
        return Improvement(mean, None, None, None, len(now), False)
    half = quantile(degrees) * se
    excludes = abs(mean) > half and se > 0.0 and len(now) >= FEWEST
    return Improvement(mean, se, mean - half, mean + half, len(now), excludes)


def quantile(degrees: float) -> float:
    """Student's t below which 97.5% lie: Cornish and Fisher's expansion about the normal's.

    Within 0.5% from five degrees of freedom on; Abramowitz and Stegun (1964), 26.7.5.
    """
    z, v = NORMAL, degrees
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
    )
    return z + sum(term / v ** (i + 1) for i, term in enumerate(terms))


def with_error(value: float, error: float | None, signed: bool = False) -> str:
    """``12.31 ± 0.42``, or the number alone."""
    number = f"{value:+.2f}" if signed else f"{value:.2f}"
    return number if error is None else f"{number} ± {error:.2f}"


def row_gap(row: Mapping[str, Any]) -> str:
    """Gap of a row of a run's history with its error, which older rows lack."""
    return f"{with_error(row['gap_pct'], row.get('gap_se'))}%"
