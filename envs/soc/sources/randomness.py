"""Randomness of the world as counter-based streams: a value depends on what it is for alone.

Every draw is a hash of (seed, purpose, entity, event), so that all schedulers meet the same arrivals
and the same execution times, whatever they do in between. The hash is the finaliser of SplitMix64
(Steele, Lea & Flood 2014, "Fast splittable pseudorandom number generators"), chained.
"""

from __future__ import annotations

import math

import numpy as np

from graphsched.envs.core.kernels.jit import kernel

GAP, KIND, DURATION = 1, 2, 3  # purposes
EXACT, GAUSSIAN, LOGNORMAL = 0, 1, 2  # as in `instance.NOISES`
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_S30, _S27, _S31, _S11 = np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(11)


@kernel(entry=False)
def _mix(x: np.uint64) -> np.uint64:
    x = (x ^ (x >> _S30)) * _FIRST
    x = (x ^ (x >> _S27)) * _SECOND
    return x ^ (x >> _S31)


@kernel
def uniform(seed: int, purpose: int, entity: int, event: int) -> float:
    """A number in (0, 1)."""
    x = np.uint64(seed)
    for part in (purpose, entity, event):
        x = _mix(x + _GOLDEN * np.uint64(part + 1))
    return (float(x >> _S11) + 0.5) / 9007199254740992.0


@kernel
def normal(seed: int, purpose: int, entity: int, event: int) -> float:
    """A standard normal number (Box & Muller 1958)."""
    radius = math.sqrt(-2.0 * math.log(uniform(seed, purpose, entity, 2 * event)))
    return radius * math.cos(2.0 * math.pi * uniform(seed, purpose, entity, 2 * event + 1))


@kernel
def gap(seed: int, arrival: int, mean: float, ticks: bool) -> float:
    """Time from an arrival to the next."""
    out = -mean * math.log(uniform(seed, GAP, arrival, 0))
    return math.floor(out) if ticks else out


@kernel
def most_arrivals(seed: int, mean: float, horizon: float, ticks: bool) -> int:
    """Arrivals up to the horizon if none has to wait."""
    at, count = 0.0, 0
    while at <= horizon:
        at += gap(seed, count, mean, ticks)
        count += 1
    return count


@kernel
def kind(seed: int, job: int, cumulative: np.ndarray) -> int:
    """Kind of the job with this number in order of entry; cumulative: (kinds,) shares."""
    u = uniform(seed, KIND, job, 0) * cumulative[-1]
    k = 0
    while k + 1 < len(cumulative) and u >= cumulative[k]:
        k += 1
    return k


@kernel
def duration(seed: int, job: int, task: int, mean: float, noise: int, std: float) -> float:
    """Actual execution time of a task whose mean is known."""
    if noise == EXACT or std == 0.0:
        return mean
    z = normal(seed, DURATION, job, task)
    if noise == GAUSSIAN:
        return max(float(round(mean + std * mean * z)), 1.0)
    return mean * math.exp(std * z - 0.5 * std * std)
