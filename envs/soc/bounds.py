"""The cost of a schedule and a lower bound on it, from the instance's numbers alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from graphsched.envs.soc.physics.tasks import tasks_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from graphsched.envs.soc.instance import SocInstance
    from graphsched.envs.soc.physics.tasks import Tasks
    from graphsched.envs.soc.solution import SocSolution


def tails(tasks: Tasks) -> tuple[NDArray[np.float64], float]:
    """Least time after each task (N,), and a bound on the makespan; transfers cost nothing."""
    able = np.isfinite(tasks.duration)
    least = np.where(able, tasks.duration, np.inf).min(axis=1)
    tail = np.zeros(len(least))
    for i in tasks.order[::-1].tolist():
        after = tasks.succ[tasks.succ_ptr[i] : tasks.succ_ptr[i + 1]]
        if len(after):
            tail[i] = (least[after] + tail[after]).max()
    work = least.sum() / tasks.duration.shape[1]
    return tail, float(max((least + tail).max(), work))


def completions(instance: SocInstance, solution: SocSolution) -> NDArray[np.float64]:
    """(K,) when each job's last task ends; inf while one is missing or ends after the horizon."""
    sizes = np.array([job.num_tasks for job in instance.jobs], np.int64)
    jobs = len(solution.kind)
    ended = np.full(jobs, -np.inf)
    np.maximum.at(ended, solution.job, solution.end)
    found = np.bincount(solution.job, minlength=jobs)
    horizon = instance.stream.horizon if instance.stream else np.inf
    whole = (found == sizes[solution.kind]) & (ended <= horizon)
    return np.where(whole, ended, np.inf)


def cost(instance: SocInstance, solution: SocSolution) -> float:
    """Makespan; of a stream the mean latency of completed jobs, or the horizon if there is none."""
    if instance.stream is None:
        return float(np.max(solution.end, initial=0.0))
    ended = completions(instance, solution)
    done = np.isfinite(ended)
    if not done.any():
        return instance.stream.horizon
    return float((ended[done] - solution.arrival[done]).mean())


def lower_bound(instance: SocInstance) -> float:
    """Longest path and total work by least durations.

    Of a stream its shortest job's longest path, or the horizon, which is the cost where no job is
    complete by then.

    With noise that is not a bound on anything but 0.
    """
    if instance.noise.kind != "none":
        return 0.0
    if instance.stream is not None:
        return min(_least_path(instance), instance.stream.horizon)
    return tails(tasks_of(instance.jobs[0], instance.platform, instance.ticks))[1]


def _least_path(instance: SocInstance) -> float:
    """Any completed job takes its longest path at least."""
    out = np.inf
    for job in instance.jobs:
        tasks = tasks_of(job, instance.platform, instance.ticks)
        tail, _ = tails(tasks)
        out = min(out, float((np.min(tasks.duration, axis=1) + tail).max()))
    return out
