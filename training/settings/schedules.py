"""Schedules: pure functions of progress in [0, 1] to a share of the peak value."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import cos, pi

import numpy as np

Schedule = Callable[[float], float]


def constant(progress: float) -> float:
    """Always 1."""
    del progress
    return 1.0


def linear(progress: float) -> float:
    """From 1 to 0."""
    return 1.0 - progress


def cosine(progress: float) -> float:
    """Half a period of a cosine from 1 to 0 (Loshchilov and Hutter 2017, eq. 5)."""
    return 0.5 * (1.0 + cos(pi * progress))


def rex(progress: float) -> float:
    """Reflected exponential (Chen, Wolfe and Kyrillidis 2022, "REX", eq. 1): decays late."""
    return (1.0 - progress) / (0.5 + 0.5 * (1.0 - progress))


SCHEDULES: dict[str, Schedule] = {
    "constant": constant,
    "linear": linear,
    "cosine": cosine,
    "rex": rex,
}


def table(values: Sequence[float]) -> Schedule:
    """Linear interpolation of values at equal distances over [0, 1]."""
    points = np.linspace(0.0, 1.0, len(values))
    return lambda progress: float(np.interp(progress, points, values))


def with_warmup(schedule: Schedule, share: float) -> Schedule:
    """Rise linearly from 0 over a share of the budget, then run the schedule over the rest."""
    if share <= 0.0:
        return schedule

    def warmed(progress: float) -> float:
        if progress < share:
            return progress / share
        return schedule((progress - share) / (1.0 - share) if share < 1.0 else 0.0)

    return warmed


def with_floor(schedule: Schedule, floor: float) -> Schedule:
    """Never below the floor, except while warming up would be: apply before `with_warmup`."""
    return lambda progress: max(schedule(progress), floor)


def refine(
    gradient_norms: Sequence[float], power: float = 1.0, smoothing: float = 0.1
) -> tuple[float, ...]:
    """Schedule refined from the gradient norms of an earlier run; for `table`.

    Defazio, Cutkosky, Mehta and Mishchenko (2023), "When, Why and How Much? Adaptive Learning Rate
    Scheduling by Refinement", algorithm 1: the norms are median-filtered, w = norm^-power, and the
    rate at t is ``w[t] * sum(w[t + 1:])``. Warm-up comes out of large early norms, the decay to
    zero out of the sum.

    Args:
        gradient_norms: (T,) positive norms at equal distances over the run, T >= 2.
        power: 2 for L2 norms and plain gradient steps, 1 for L1 norms and Adam.
        smoothing: width of the median filter as a share of the run.

    Returns:
        (T,) shares of the peak rate, the largest being 1.
    """
    norms = np.asarray(gradient_norms, np.float64)
    half = int(smoothing * len(norms) / 2)
    padded = np.pad(norms, half, mode="reflect") if half else norms
    smooth = np.median(np.lib.stride_tricks.sliding_window_view(padded, 2 * half + 1), axis=1)
    weights = np.maximum(smooth, 1e-12) ** -power
    later = np.append(np.cumsum(weights[::-1])[::-1][1:], 0.0)
    rates = weights * later
    return tuple((rates / rates.max()).tolist())


@dataclass(frozen=True)
class AutomaticDiscount:
    """Discount that rises once what a shorter horizon rewards has been mastered.

    After the idea of Liu et al. (2024), "Imitation Learning from Observation with Automatic
    Discount Scheduling": far rewards only disturb until the near ones are earned. Here a horizon
    is mastered when the mean return has not improved for `patience` rollouts. Horizons
    ``1 / (1 - gamma)`` rise geometrically from that of `start` to that of `end`.

    Attributes:
        start, end: discounts below 1.
        stages: horizons passed through, both ends included.
        patience: rollouts without improvement that end a stage.
        stage, best, stale: state: present stage, best return in it, rollouts since then.
    """

    start: float
    end: float
    stages: int = 8
    patience: int = 10
    stage: int = 0
    best: float = -np.inf
    stale: int = 0

    @property
    def gamma(self) -> float:
        """The present discount."""
        if self.stage >= self.stages - 1:
            return self.end
        ratio = (1.0 - self.end) / (1.0 - self.start)
        return 1.0 - (1.0 - self.start) * float(ratio ** (self.stage / (self.stages - 1)))

    def after(self, mean_return: float) -> AutomaticDiscount:
        """State after a rollout of that mean return."""
        if mean_return > self.best:
            return replace(self, best=mean_return, stale=0)
        if self.stale + 1 < self.patience:
            return replace(self, stale=self.stale + 1)
        stage = min(self.stage + 1, self.stages - 1)
        return replace(self, stage=stage, best=-np.inf, stale=0)
