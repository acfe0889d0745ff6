"""Random instances for tests."""

from __future__ import annotations

import numpy as np

from graphsched.envs.soc.instance import Job, Platform, SocInstance


def draw_instance(seed: int, tasks: int = 9, pes: int = 4) -> SocInstance:
    """A small random graph on a platform with all that may be peculiar about one."""
    rng = np.random.default_rng(seed)
    tasks, pes = int(rng.integers(1, tasks + 1)), int(rng.integers(1, pes + 1))
    duration = rng.integers(0, 5, (tasks, pes)) * rng.choice([1.0, 0.37])
    barred = rng.random((tasks, pes)) < 0.2
    barred[np.arange(tasks), rng.integers(0, pes, tasks)] = False
    upper = np.triu(rng.random((tasks, tasks)) < rng.choice([0.1, 0.4]), 1)
    edge = np.ascontiguousarray(np.argwhere(upper).T)
    volume = rng.integers(0, 4, edge.shape[1]) * rng.choice([0.0, 1.0, 2.3])
    platform = Platform(
        "p",
        tuple(f"pe{p}" for p in range(pes)),
        rng.uniform(0.5, 2.0, (pes, pes)),
        rng.integers(1, 3, pes),
    )
    names = tuple(f"t{i}" for i in range(tasks))
    job = Job("j", names, np.where(barred, np.inf, duration), edge, volume)
    return SocInstance("i", platform, (job,), ticks=bool(rng.integers(2)))
