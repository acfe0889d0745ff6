"""A small random change of a job shop, for searches over instances."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from graphsched.envs.core.parts.perturbing import changed, draw_factor

if TYPE_CHECKING:
    import numpy as np

    from graphsched.envs.jobshop.instance import JobShopInstance

SPREAD = 0.7  # standard deviation of the logarithm of a changed time over the time before
LONGEST = 99  # of the usual generators; a shop with longer operations keeps its own limit


def _scaled(rng: np.random.Generator, time: int, least: int, most: int) -> int:
    """A time near the given one; never the same unless there is no other."""
    draw = round(max(time, 1) * draw_factor(rng, SPREAD))
    if draw == time:
        draw += 1 if time < most else -1
    return min(max(draw, least), most)


def _duration(instance: JobShopInstance, rng: np.random.Generator) -> JobShopInstance:
    duration = instance.duration.copy()
    i = int(rng.integers(len(duration)))
    duration[i] = _scaled(rng, int(duration[i]), 1, max(LONGEST, int(duration.max())))
    return replace(instance, duration=duration)


def _machines(instance: JobShopInstance, rng: np.random.Generator) -> JobShopInstance:
    """Two operations of a job change machines, so that a job visits the same ones as before."""
    job = int(rng.integers(instance.num_jobs))
    first, end = instance.job_ptr[job : job + 2].tolist()
    if end - first < 2:
        return _duration(instance, rng)
    a, b = (first + rng.choice(end - first, 2, replace=False)).tolist()
    machine = instance.machine.copy()
    machine[[a, b]] = machine[[b, a]]
    return replace(instance, machine=machine)


def _release(instance: JobShopInstance, rng: np.random.Generator) -> JobShopInstance:
    """A release time, in shops that have any."""
    assert instance.release_time is not None
    if not instance.release_time.any():
        return _duration(instance, rng)
    release = instance.release_time.copy()
    j = int(rng.integers(len(release)))
    release[j] = _scaled(rng, int(release[j]), 0, int(release.max()) + 1)
    return replace(instance, release_time=release)


KINDS = ((_duration, 0.55), (_machines, 0.35), (_release, 0.1))


def perturb(instance: JobShopInstance, rng: np.random.Generator) -> JobShopInstance:
    """The shop with another duration, another order of machines in a job, or another release time.

    Args:
        instance: left as it is.
        rng: source of randomness.
    """
    return changed(instance, rng, KINDS)
