"""Measures of schedules beside the cost: throughput, utilisation, energy, jobs left behind."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from graphsched.envs.soc.bounds import completions

if TYPE_CHECKING:
    from graphsched.envs.soc.instance import SocInstance
    from graphsched.envs.soc.solution import SocSolution

PER = 1000.0  # time units that throughput counts jobs in


def metrics(instance: SocInstance, solution: SocSolution) -> dict[str, float]:
    """Measures by name; energy only where the platform's powers are known.

    ``utilisation %`` is busy time over what all PEs could do up to the end. Of a stream also:
    ``jobs completed`` by the horizon, ``jobs per 1000``, ``latency p95`` of the completed ones and
    ``oldest unfinished``, the age at the horizon of the oldest job still in the system.
    """
    platform = instance.platform
    assert platform.capacity is not None
    end = instance.stream.horizon if instance.stream else float(np.max(solution.end, initial=0.0))
    length = np.minimum(solution.end, end) - np.minimum(solution.start, end)
    busy = np.bincount(solution.pe, length, platform.num_pes)
    out = {
        "utilisation %": 100 * float(busy.sum()) / max(float(platform.capacity.sum()) * end, 1e-9)
    }
    if platform.busy_power is not None:
        energy = float(busy @ platform.busy_power)
        if platform.idle_power is not None:
            idle = np.maximum(end - busy / platform.capacity, 0.0)
            energy += float(idle @ platform.idle_power)
        out["energy"] = energy
    if instance.stream is not None:
        out |= _of_stream(instance, solution, end)
    return out


def _of_stream(instance: SocInstance, solution: SocSolution, horizon: float) -> dict[str, float]:
    ended = completions(instance, solution)
    done = np.isfinite(ended)
    latency = ended[done] - solution.arrival[done]
    return {
        "jobs completed": float(done.sum()),
        f"jobs per {PER:g}": PER * float(done.sum()) / horizon,
        "latency p95": float(np.percentile(latency, 95)) if done.any() else horizon,
        "oldest unfinished": float(np.max(horizon - solution.arrival[~done], initial=0.0)),
    }
