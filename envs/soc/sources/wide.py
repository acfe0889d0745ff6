"""Streams on platforms of all kinds: what a policy has to bear that is to serve any.

Few general PEs run everything, accelerators some kinds of task hundreds of times quicker; links to
them may be slow. Loads, shapes, noise and shares of communication differ as much.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from graphsched.envs.soc.instance import Job, Noise, Platform, SocInstance, Stream
from graphsched.envs.soc.sources.shapes import EXACT_SHAPES, SHAPES

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

SLOW = 0.01  # bandwidth of links to accelerators, where those are slow
SLOW_SHARE = 0.3  # of platforms


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def _platform(rng: np.random.Generator) -> tuple[Platform, int]:
    """A platform, and how many of its PEs are general ones, which come first."""
    general, special = int(rng.integers(1, 4)), int(rng.integers(0, 4))
    pes = general + special
    link = 2.0 ** rng.uniform(-1.0, 1.0, (pes, pes))
    link = np.sqrt(link * link.T)
    if rng.random() < SLOW_SHARE:
        link[:general, general:] *= SLOW
        link[general:, :general] *= SLOW
    names = [f"cpu{p}" for p in range(general)] + [f"acc{p}" for p in range(special)]
    capacity = rng.integers(1, 5, pes).astype(float)
    return Platform("wide", tuple(names), link, capacity), general


def _times(rng: np.random.Generator, pes: int, general: int) -> Floats:
    """(kinds of task, PEs): times, inf where an accelerator doesn't run the kind."""
    kinds = int(rng.integers(2, 13))
    middle, deviation = _log_uniform(rng, 3.0, 60.0), rng.uniform(0.3, 1.5)
    base = middle * np.exp(deviation * rng.standard_normal(kinds))
    out = np.full((kinds, pes), np.inf)
    for p in range(pes):
        if p < general:
            out[:, p] = base / 2.0 ** rng.uniform(-1.0, 1.0)
            continue
        runs = rng.random(kinds) < rng.uniform(0.1, 0.5)
        runs[rng.integers(kinds)] = True
        out[runs, p] = out[runs, 0] / _log_uniform(rng, 2.0, 300.0)
    return np.asarray(np.maximum(out, 0.01))


def _job(rng: np.random.Generator, number: int, times: Floats) -> Job:
    """5 to 30 tasks of random kinds."""
    tasks = int(rng.integers(5, 31))
    shape = str(rng.choice([*SHAPES, "chain"]))
    if shape == "chain":
        edge = np.stack([np.arange(tasks - 1), np.arange(1, tasks)])
    else:
        edge = SHAPES[shape](rng, tasks)
        tasks = max(int(edge.max(initial=0)) + 1, tasks if shape in EXACT_SHAPES else 1)
    kind = rng.integers(0, len(times), tasks)
    names = tuple(f"{kind[i]}-{i}" for i in range(tasks))
    volume = rng.uniform(0.2, 1.8, len(edge[0]))
    return Job(f"{shape}{number}", names, times[kind], edge.astype(np.int64), volume)


def _with_volumes(job: Job, platform: Platform, general: int, ccr: float) -> Job:
    """Volumes that take this share of the times on general PEs, slow links left out."""
    link = platform.bandwidth[:general, :general]
    apart = ~np.eye(general, dtype=bool)
    move = float((1.0 / link[apart]).mean()) if general > 1 else 1.0
    factor = ccr * float(job.duration[:, :general].mean()) / move
    return Job(job.name, job.task_names, job.duration, job.edge, np.asarray(job.volume * factor))


def _noise(rng: np.random.Generator) -> Noise:
    if rng.random() < 0.5:
        return Noise()
    return Noise(str(rng.choice(["gaussian", "lognormal"])), float(rng.uniform(0.1, 0.7)))


def wide_world(
    rng: np.random.Generator,
    arrivals: float,
    measure: Callable[[Job, Platform], tuple[float, float]],
) -> SocInstance:
    """A random platform with 1 to 4 kinds of job, until about so many have arrived.

    measure: least path of a job, and least work for each lane.
    """
    platform, general = _platform(rng)
    times, ccr = _times(rng, platform.num_pes, general), _log_uniform(rng, 0.02, 2.0)
    jobs = tuple(
        _with_volumes(_job(rng, number, times), platform, general, ccr)
        for number in range(int(rng.integers(1, 5)))
    )
    path, work = np.mean([measure(job, platform) for job in jobs], axis=0).tolist()
    gap, most = max(rng.uniform(0.12, 0.9) * path, work), int(rng.integers(3, 10))
    stream = Stream(
        arrivals * gap,
        max_in_system=most,
        mean_gap=gap,
        mix=(1.0 / len(jobs),) * len(jobs),
        fill=int(rng.integers(1, most + 1)),
    )
    seed = int(rng.integers(0, 2**62))
    return SocInstance("wide", platform, jobs, stream, _noise(rng), seed=seed)
