"""Random task graphs on random platforms, streams of jobs, and the toy instance.

A static size is ``TASKSxPES@CCR``, such as ``30x8@1``; each part may be a range, as in
``10..50x3..16@0.1..10`` (the CCR is then drawn log-uniformly). CCR is the communication to
computation ratio: mean transfer time of the edges over mean execution time of the tasks. A
stream's size is the standard deviation of its noise, perhaps its horizon, and perhaps the mean time
between arrivals: ``0.5@2000@60``; that of ``wide`` the number of arrivals.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from graphsched.envs.core.errors import InputError
from graphsched.envs.soc.instance import Job, Noise, Platform, SocInstance, Stream
from graphsched.envs.soc.physics.tasks import tasks_of
from graphsched.envs.soc.sources.profiles import (
    default_soc,
    mix_jobs,
    top_job,
    top_platform,
    wifi_jobs,
)
from graphsched.envs.soc.sources.shapes import EXACT_SHAPES, SHAPES
from graphsched.envs.soc.sources.stages import stages
from graphsched.envs.soc.sources.wide import wide_world

if TYPE_CHECKING:
    from collections.abc import Callable

    Generate = Callable[[np.random.Generator, str], SocInstance]

DEFAULT = "20x4@1"
TOY_OPTIMUM = 73.0  # proven by constraint programming; HEFT needs 80
_NUMBER = r"[0-9]{1,6}(?:\.[0-9]{1,6})?"
_SPAN = rf"({_NUMBER})(?:\.\.({_NUMBER}))?"
_SIZE = re.compile(rf"{_SPAN}x{_SPAN}@{_SPAN}", re.ASCII)
_STREAM = re.compile(rf"({_NUMBER})(?:@({_NUMBER}))?(?:@({_NUMBER}))?", re.ASCII)
_COUNT = re.compile(r"[0-9]{1,5}", re.ASCII)
MAX_HORIZON = 10**6
UNIT = 20.0  # mean time of a task, but for a platform's speeds
UNSUPPORTED = 0.15  # share of (task, PE) pairs ruled out, in the instances that have any


def _draw_size(rng: np.random.Generator, size: str) -> tuple[int, int, float]:
    """Tasks, PEs and CCR; raises InputError."""
    match = _SIZE.fullmatch(size or DEFAULT)
    problem = "expected TASKSxPES@CCR such as 30x8@1 or 10..50x3..16@0.1..10"
    if not match:
        raise InputError(f"size {size!r:.40}", problem)
    low, high = match.groups()[::2], match.groups()[1::2]
    spans = [(float(a), float(b or a)) for a, b in zip(low, high, strict=True)]
    whole = all(a == int(a) and b == int(b) for a, b in spans[:2])
    if not whole or any(not 0 < a <= b for a, b in spans) or spans[0][1] > 10**5:
        raise InputError(f"size {size!r:.40}", problem)
    tasks, pes = (int(rng.integers(int(a), int(b) + 1)) for a, b in spans[:2])
    a, b = np.log(spans[2])
    return tasks, pes, float(np.exp(rng.uniform(a, b)))


def _durations(rng: np.random.Generator, work: np.ndarray, pes: int) -> np.ndarray:
    """(N, P): related (a speed for each PE) or unrelated execution times of tasks' work (N,)."""
    tasks, work = len(work), work[:, None] * UNIT
    if rng.random() < 0.5:
        times = work / rng.uniform(0.5, 2.0, (1, pes))
    else:
        times = work * rng.uniform(0.5, 1.5, (tasks, pes))
    if rng.random() < 0.2 and pes > 1:
        barred = rng.random((tasks, pes)) < UNSUPPORTED
        barred[np.arange(tasks), rng.integers(0, pes, tasks)] = False
        times = np.where(barred, np.inf, times)
    return np.asarray(times)


def _static(rng: np.random.Generator, size: str, shape: str) -> SocInstance:
    tasks, pes, ccr = _draw_size(rng, size)
    edge = SHAPES[shape](rng, tasks)
    tasks = max(int(edge.max()) + 1 if edge.size else 1, tasks if shape in EXACT_SHAPES else 1)
    return _plan(rng, shape, (edge, rng.uniform(0.2, 1.8, tasks)), pes, ccr)


def _plan(
    rng: np.random.Generator, name: str, graph: tuple[np.ndarray, np.ndarray], pes: int, ccr: float
) -> SocInstance:
    """A job of edges (2, E) and work (N,) on a random platform."""
    edge, work = graph
    tasks = len(work)
    times = _durations(rng, work, pes)
    link = rng.uniform(0.5, 2.0, (pes, pes))
    link = (link + link.T) / 2
    volume = rng.uniform(0.2, 1.8, (edge.shape[1],))
    apart = ~np.eye(pes, dtype=bool)
    if edge.size and pes > 1:
        unit = float(volume.mean()) * float((1 / link[apart]).mean())
        volume *= ccr * float(times[np.isfinite(times)].mean()) / unit
    names = tuple(f"t{i}" for i in range(tasks))
    platform = Platform(f"{pes} PEs", tuple(f"pe{p}" for p in range(pes)), link)
    job = Job(name, names, times, edge, volume)
    return SocInstance(f"{name}-{tasks}x{pes}", platform, (job,))


def _shaped(shape: str) -> Generate:
    def generate(rng: np.random.Generator, size: str = "") -> SocInstance:
        return _static(rng, size, shape)

    return generate


def random(rng: np.random.Generator, size: str = "") -> SocInstance:
    """A graph of a shape that takes any number of tasks; sizes as above, by default 20x4@1."""
    return _static(rng, size, str(rng.choice(EXACT_SHAPES)))


def staged(rng: np.random.Generator, size: str = "") -> SocInstance:
    """Stages of like tasks whose times differ by magnitudes, as in scientific workflows."""
    tasks, pes, ccr = _draw_size(rng, size)
    return _plan(rng, "staged", stages(rng, tasks), pes, ccr)


def toy(rng: np.random.Generator, size: str = "") -> SocInstance:
    """The ten tasks on three PEs by which HEFT was introduced; its size is ignored."""
    del rng, size
    return SocInstance("top", top_platform(), (top_job(),))


def _setting(size: str, horizon: float, gap: float) -> tuple[Noise, float, float]:
    """Noise, horizon and mean gap that a stream's size names; otherwise those given."""
    match = _STREAM.fullmatch(size or "0")
    std, until, every = (float(part or 0) for part in match.groups()) if match else (-1.0, 0.0, 0.0)
    if not 0 <= std < 10 or until > MAX_HORIZON:
        problem = "expected the noise, NOISE@HORIZON or NOISE@HORIZON@GAP: 0.5@2000@60"
        raise InputError(f"size {size!r:.40}", problem)
    return Noise("gaussian", std) if std > 0 else Noise(), until or horizon, every or gap


def _world(rng: np.random.Generator) -> int:
    return int(rng.integers(0, 2**62))


def ds3gym(rng: np.random.Generator, size: str = "") -> SocInstance:
    """DS3Gym's setting (SoCRATES): the Top graph over and over."""
    noise, horizon, gap = _setting(size, 5000.0, 25.0)
    return SocInstance(
        f"ds3gym-{size or 0}",
        top_platform(),
        (top_job(),),
        Stream(horizon, mean_gap=gap),
        noise,
        ticks=True,
        seed=_world(rng),
    )


def ds3gym_mix(rng: np.random.Generator, size: str = "") -> SocInstance:
    """The same with five kinds of job in equal shares."""
    noise, horizon, gap = _setting(size, 5000.0, 25.0)
    jobs = mix_jobs()
    return SocInstance(
        f"ds3gym-mix-{size or 0}",
        top_platform(),
        jobs,
        Stream(horizon, mean_gap=gap, mix=(1 / len(jobs),) * len(jobs)),
        noise,
        ticks=True,
        seed=_world(rng),
    )


def ds3_default_soc(rng: np.random.Generator, size: str = "") -> SocInstance:
    """WiFi transmitters and receivers on DS3's default SoC."""
    noise, horizon, gap = _setting(size, 10000.0, 100.0)
    return SocInstance(
        f"ds3-default-soc-{size or 0}",
        default_soc(),
        wifi_jobs(),
        Stream(horizon, max_in_system=8, mean_gap=gap, mix=(0.5, 0.5), fill=1),
        noise,
        ticks=True,
        seed=_world(rng),
    )


def wide(rng: np.random.Generator, size: str = "") -> SocInstance:
    """Jobs, platform and load of all kinds; the size is the number of arrivals, by default 60."""
    if not _COUNT.fullmatch(size or "60") or not int(size or 60):
        raise InputError(f"size {size!r:.40}", "expected the number of arrivals: 60")
    return wide_world(rng, float(size or 60), _least_path_and_work)


def _least_path_and_work(job: Job, platform: Platform) -> tuple[float, float]:
    tasks = tasks_of(job, platform)
    return float(tasks.path.max()), float(tasks.least.sum() / len(tasks.lane_pe))


GENERATORS: dict[str, Generate] = {
    **{shape: _shaped(shape) for shape in SHAPES},
    "random": random,
    "staged": staged,
    "toy": toy,
    "ds3gym": ds3gym,
    "ds3gym-mix": ds3gym_mix,
    "ds3-default-soc": ds3_default_soc,
    "wide": wide,
}
