"""Named instances, and the row of a report that an instance belongs to."""

from __future__ import annotations

import numpy as np

from graphsched.envs.core.domain import Library
from graphsched.envs.core.errors import InputError
from graphsched.envs.soc.features import ccr
from graphsched.envs.soc.generators import TOY_OPTIMUM, ds3_default_soc, ds3gym, ds3gym_mix, toy
from graphsched.envs.soc.instance import SocInstance
from graphsched.envs.soc.sources.profiles import default_soc, wifi_jobs

NAMES = ("top", "wifi-tx", "wifi-rx")
WORLDS = 10  # of each stream
STREAMS = {"ds3gym": ds3gym, "ds3gym-mix": ds3gym_mix, "ds3-default-soc": ds3_default_soc}
NOISES = ("0", "0.5")


def _world(name: str) -> SocInstance:
    """A stream's world by name, such as ``ds3gym-0.5-07``."""
    setting, _, number = name.rpartition("-")
    kind, _, noise = setting.rpartition("-")
    made = STREAMS[kind](np.random.default_rng((20, int(number))), noise)
    return SocInstance(
        name, made.platform, made.jobs, made.stream, made.noise, made.ticks, made.seed
    )


_SETS = {
    "canonical": ("top",),
    "wifi": ("wifi-tx", "wifi-rx"),
    **{
        f"{kind}-worlds": tuple(
            f"{kind}-{noise}-{k:02d}" for noise in NOISES for k in range(WORLDS)
        )
        for kind in STREAMS
    },
}


def load(name: str) -> SocInstance:
    """Instance by name; raises InputError for an unknown one."""
    if name == "top":
        return toy(np.random.default_rng(0))
    for job in wifi_jobs():
        if job.name == name:
            return SocInstance(name, default_soc(), (job,), ticks=True)
    if any(name in members for members in _SETS.values()):
        return _world(name)
    raise InputError(f"instance {name!r:.40}", f"not one of {', '.join(NAMES)}")


LIBRARY: Library[SocInstance] = Library(sets=_SETS, load=load)


def best_known(instance: SocInstance) -> float | None:
    """The proven optimum of the canonical graph, told by its numbers too; None elsewhere."""
    canonical = instance.name == "top" and instance.to_json() == load("top").to_json()
    return TOY_OPTIMUM if canonical else None


def group(instance: SocInstance) -> str:
    """Tasks and the nearest power of ten to the CCR; of a stream its setting and noise."""
    if instance.stream is not None:
        noise = instance.noise.std if instance.noise.kind != "none" else 0
        kinds = "1 kind" if len(instance.jobs) == 1 else f"{len(instance.jobs)} kinds"
        return f"{instance.platform.name}: {kinds}, noise {noise:g}"
    (job,) = instance.jobs
    ratio = np.expm1(ccr(job, instance.platform, instance.ticks))
    if ratio <= 0:
        return f"{job.num_tasks} tasks"
    return f"{job.num_tasks} tasks CCR {10.0 ** round(float(np.log10(ratio))):g}"
