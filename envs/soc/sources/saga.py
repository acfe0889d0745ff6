"""The peer: HEFT of SAGA (PyPI ``anrg-saga``, an extra), which knows related PEs only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from graphsched.envs.core.errors import InputError
from graphsched.envs.core.extras import missing
from graphsched.envs.soc.instance import Job, Platform, SocInstance

if TYPE_CHECKING:
    from collections.abc import Callable

TOLERANCE = 1e-9


def related(rng: np.random.Generator, tasks: int, pes: int) -> SocInstance:
    """A layered graph with one source and one sink on PEs that differ in speed only."""
    from graphsched.envs.soc.sources.shapes import layered

    inner = layered(rng, tasks - 2) + 1
    first = np.setdiff1d(np.arange(1, tasks - 1), inner[1])
    last = np.setdiff1d(np.arange(1, tasks - 1), inner[0])
    ends = [
        np.stack([np.zeros_like(first), first]),
        np.stack([last, np.full_like(last, tasks - 1)]),
    ]
    edge = np.concatenate([inner, *ends], axis=1)
    speed = np.asarray(rng.uniform(0.5, 2.0, pes))
    link = rng.uniform(0.5, 2.0, (pes, pes))
    platform = Platform("related", tuple(f"pe{p}" for p in range(pes)), (link + link.T) / 2)
    cost = rng.uniform(1.0, 20.0, tasks)
    volume = np.asarray(rng.uniform(1.0, 20.0, edge.shape[1]))
    job = Job(
        "related", tuple(f"t{i}" for i in range(tasks)), np.outer(cost, 1.0 / speed), edge, volume
    )
    return SocInstance(f"related-{tasks}x{pes}", platform, (job,))


def saga_heft(instance: SocInstance) -> Callable[[], float]:
    """SAGA's HEFT on an instance, ready to be timed; returns the makespan.

    Raises:
        InputError: SAGA is not installed, or can't express the instance.
    """
    try:
        from saga import Network, TaskGraph
        from saga.schedulers import HeftScheduler
    except ImportError:
        raise InputError("saga", missing("saga")) from None
    if instance.is_stream:
        raise InputError(instance.name, "SAGA plans single jobs")
    job, platform = instance.jobs[0], instance.platform
    cost, speed = _factors(instance)
    names = job.task_names
    links = [
        (platform.pe_names[p], platform.pe_names[q], float(platform.bandwidth[p, q]))
        for p in range(platform.num_pes)
        for q in range(p + 1, platform.num_pes)
    ]
    network = Network.create(zip(platform.pe_names, speed.tolist(), strict=True), links)
    graph = TaskGraph.create(
        zip(names, cost.tolist(), strict=True),
        [
            (names[j], names[i], volume)
            for (j, i), volume in zip(job.edge.T.tolist(), job.volume.tolist(), strict=True)
        ],
    )
    scheduler: Any = HeftScheduler()
    return lambda: float(scheduler.schedule(network, graph).makespan)


def _factors(instance: SocInstance) -> tuple[np.ndarray, np.ndarray]:
    """Cost of each task (N,) and speed of each PE (P,) whose quotients are the durations."""
    times, link = instance.jobs[0].duration, instance.platform.bandwidth
    speed = times[:, :1].max() / times[np.argmax(times[:, 0])]
    cost = times[:, 0] * speed[0]
    if not np.allclose(cost[:, None] / speed, times, rtol=TOLERANCE, atol=0.0):
        raise InputError(instance.name, "SAGA needs PEs that differ in speed only")
    apart = ~np.eye(len(link), dtype=bool)
    if not np.allclose(link[apart], link.T[apart], rtol=TOLERANCE, atol=0.0):
        raise InputError(instance.name, "SAGA needs links that are as fast in both directions")
    return cost, speed
