"""A small random change of a task graph, its platform or its stream, for searches over instances.

The kinds of change are those of PISA (Coleman & Krishnamachari 2024, "PISA: An Adversarial Approach
To Comparing Task Graph Scheduling Algorithms", arXiv 2403.07120): weights of tasks, of edges, of
PEs and of links, and edges that come and go; for streams also the gap between arrivals.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from graphsched.envs.core.parts.perturbing import changed, draw_factor

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from graphsched.envs.soc.instance import Job, SocInstance

    Floats = NDArray[np.float64]

SPREAD = 0.7  # standard deviation of the logarithm of a changed number over the one before
GAP_SPREAD = 0.3  # the same of the gap between arrivals
RANGE = 30.0  # a changed number stays within this factor of the mean of its kind


def _scaled(rng: np.random.Generator, values: Floats, mean: float, whole: bool = False) -> Floats:
    """The values times one factor; a zero becomes the mean, or it would stay for ever."""
    mean = max(mean, 1e-9)
    out = np.where(values > 0, values, mean) * draw_factor(rng, SPREAD)
    out = np.clip(out, mean / RANGE, mean * RANGE)
    if whole:
        out = np.maximum(np.round(out), 1.0)
    return np.asarray(out, np.float64)


def _mean(times: Floats) -> float:
    return float(times[np.isfinite(times)].mean())


def _with_times(
    instance: SocInstance, job: Job, rng: np.random.Generator, place: tuple[int, int | slice]
) -> Job:
    """The job with some of its execution times times a factor; what is barred stays barred."""
    times = job.duration.copy()
    mean = _mean(times)
    part = np.asarray(times[place])
    able = np.isfinite(part)
    scaled = _scaled(rng, np.where(able, part, mean), mean, instance.ticks)
    times[place] = np.where(able, scaled, np.inf)
    return replace(job, duration=times)


def _task(instance: SocInstance, job: Job, rng: np.random.Generator) -> Job:
    """A task's work, on every PE."""
    return _with_times(instance, job, rng, (int(rng.integers(job.num_tasks)), slice(None)))


def _entry(instance: SocInstance, job: Job, rng: np.random.Generator) -> Job:
    """A task's time on one of the PEs that can run it."""
    i = int(rng.integers(job.num_tasks))
    able = np.flatnonzero(np.isfinite(job.duration[i]))
    return _with_times(instance, job, rng, (i, int(rng.choice(able))))


def _volume(instance: SocInstance, job: Job, rng: np.random.Generator) -> Job:
    """What goes along an edge."""
    if not job.num_edges:
        return _task(instance, job, rng)
    volume = job.volume.copy()
    e = int(rng.integers(len(volume)))
    mean = float(volume.mean()) or _mean(job.duration)
    volume[e] = float(_scaled(rng, volume[e : e + 1], mean)[0])
    return replace(job, volume=volume)


def _edges(instance: SocInstance, job: Job, rng: np.random.Generator) -> Job:
    """An edge more, or one less; in topological order, so that no cycle appears."""
    del instance
    there = {(int(a), int(b)) for a, b in job.edge.T}
    missing = [
        (int(a), int(b))
        for k, a in enumerate(job.order)
        for b in job.order[k + 1 :]
        if (int(a), int(b)) not in there
    ]
    if missing and (not there or rng.random() < 0.5):
        new = np.array(missing[int(rng.integers(len(missing)))])
        volume = float(job.volume.mean()) if there else _mean(job.duration)
        edge = np.concatenate([job.edge, new[:, None]], axis=1)
        return replace(job, edge=edge, volume=np.append(job.volume, volume))
    if not there:
        return replace(job)
    gone = int(rng.integers(job.num_edges))
    edge, left = np.delete(job.edge, gone, axis=1), np.delete(job.volume, gone)
    return replace(job, edge=edge, volume=left)


def _in_a_job(
    change: Callable[[SocInstance, Job, np.random.Generator], Job],
) -> Callable[[SocInstance, np.random.Generator], SocInstance]:
    def apply(instance: SocInstance, rng: np.random.Generator) -> SocInstance:
        k = int(rng.integers(len(instance.jobs)))
        jobs = list(instance.jobs)
        jobs[k] = change(instance, jobs[k], rng)
        return replace(instance, jobs=tuple(jobs))

    return apply


def _speed(instance: SocInstance, rng: np.random.Generator) -> SocInstance:
    """A PE becomes faster or slower for every task."""
    p = int(rng.integers(instance.platform.num_pes))
    slower = draw_factor(rng, SPREAD)
    jobs = []
    for job in instance.jobs:
        times, mean = job.duration.copy(), _mean(job.duration)
        able = np.isfinite(times[:, p])
        changed = np.clip(times[able, p] * slower, mean / RANGE, mean * RANGE)
        times[able, p] = np.maximum(np.round(changed), 1.0) if instance.ticks else changed
        jobs.append(replace(job, duration=times))
    return replace(instance, jobs=tuple(jobs))


def _link(instance: SocInstance, rng: np.random.Generator) -> SocInstance:
    """The link between two PEs, both ways."""
    platform = instance.platform
    if platform.num_pes < 2:
        return _speed(instance, rng)
    p, q = rng.choice(platform.num_pes, 2, replace=False).tolist()
    apart = ~np.eye(platform.num_pes, dtype=bool)
    bandwidth = platform.bandwidth.copy()
    mean = float(bandwidth[apart].mean())
    ways = np.array([bandwidth[p, q], bandwidth[q, p]])
    bandwidth[p, q], bandwidth[q, p] = _scaled(rng, ways, mean).tolist()
    return replace(instance, platform=replace(platform, bandwidth=bandwidth))


def _gap(instance: SocInstance, rng: np.random.Generator) -> SocInstance:
    """The mean time between arrivals; of a plan, a PE's speed instead."""
    if instance.stream is None:
        return _speed(instance, rng)
    stream = instance.stream
    least = stream.horizon / 1000.0  # or the episode could become endless
    gap = min(max(stream.mean_gap * draw_factor(rng, GAP_SPREAD), least), stream.horizon)
    return replace(instance, stream=replace(stream, mean_gap=gap))


KINDS = (
    (_in_a_job(_task), 0.2),
    (_in_a_job(_entry), 0.2),
    (_in_a_job(_volume), 0.2),
    (_in_a_job(_edges), 0.15),
    (_speed, 0.1),
    (_link, 0.1),
    (_gap, 0.05),
)


def perturb(instance: SocInstance, rng: np.random.Generator) -> SocInstance:
    """The instance with another time, volume, edge, speed of a PE, link, or gap between arrivals.

    Args:
        instance: left as it is.
        rng: source of randomness.
    """
    return changed(instance, rng, KINDS)
