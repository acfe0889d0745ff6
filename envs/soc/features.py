"""What a policy sees of task graphs: names, widths and units, and the static graph of a job.

One schema serves both modes; columns that do not apply are 0. ``unit`` is the job's mean task
duration, ``scale`` its longest path by mean durations and transfers.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from graphsched.envs.core.graph import (
    EdgeType,
    GraphSchema,
    NodeType,
    StaticGraph,
    columns,
    features,
)
from graphsched.envs.soc.physics.tasks import tasks_of

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

    from graphsched.envs.core.graph import Feature
    from graphsched.envs.soc.instance import Job, Platform
    from graphsched.envs.soc.physics.tasks import Tasks

CANDIDATE = features(
    "duration",  # on this lane / mean over the lanes that can run the task
    "duration_share",  # / unit
    "eft_over_best",  # earliest finish minus the least of all candidates / unit
    "eft_over_task_best",  # minus the least of this task / unit
    "lane_wait",  # start minus arrival of the data / unit
    "data_wait",  # arrival of the data minus now / unit
    "rank_up",  # / scale
    "rank_up_below_best",  # greatest of all candidates minus this / unit
    "criticality",  # earliest finish and the path after it, from now / scale
    "oct_over_best",  # earliest finish + OCT minus the least of all candidates / unit
    "rank_down",  # / scale
    "idle",  # time that the lane idles before the start / unit
    "inserted",  # 1 if the task fills a gap between others
    "lane_load",  # planned work of the lane / scale
    "slowness",  # duration / least duration of the task, minus 1
    "local_inputs",  # share of the input data that is already on the lane
    "output",  # greatest mean transfer time to a successor / unit
    "children",  # log(1 + successors)
    "opens",  # log(1 + successors that wait for this task alone)
    "sufferage",  # the task's second best earliest finish minus its best / unit
    "pilot_eft_over_best",  # outcome of each pilot minus the least of all candidates / unit
    "pilot_second_over_best",  # by OCT in a plan, by rank in a stream
    "pilot_stay_over_best",  # in a plan only
    "pilot_over_best",  # the best of the pilots, likewise
    "pilot",  # the best of the pilots from now / scale
    "job_age",  # time in the system / scale
    "job_left",  # share of the job's tasks that are not assigned
    "job_elders",  # log(1 + older jobs in the system)
    "queue",  # log(1 + tasks that wait for the lane)
    "defer",  # 1 for the candidate that waits for the next event
)
RESOURCE = features(
    "free",  # end of the planned work minus now / unit
    "load",  # planned work / scale
    "idle",  # share of the time so far
    "slowness",  # mean over tasks of duration / mean duration, minus 1
    "support",  # share of tasks that it can run
    "queue",  # log(1 + tasks that wait for it)
)
CONTEXT = features(
    "candidates",  # log
    "ready",  # log(1 + ready tasks)
    "progress",  # share of tasks planned, or of the horizon gone
    "tasks_per_lane",  # log
    "lanes",  # log / 4
    "ccr",  # log(1 + communication to computation ratio)
    "stream",  # 1 if jobs keep coming
    "jobs",  # jobs in the system / the most there may be
    "noise",  # relative standard deviation of execution times
)
TASK = features("duration", "least", "spread", "rank_up", "rank_down", "inputs", "outputs")
PE = features("slowness", "support", "transfer")
JOB = features("tasks", "ccr", "parallelism")
EDGE = features("transfer")  # between tasks
RUN = features("duration")  # between a task and a PE that can run it
CANDIDATE_NODES = ("task", "pe")
CANDIDATE_RESOURCES = ("lane",)
SCHEMA = GraphSchema(
    nodes=(NodeType("task", TASK), NodeType("pe", PE), NodeType("job", JOB)),
    edges=(
        EdgeType("feeds", "task", "task", EDGE),
        EdgeType("fed_by", "task", "task", EDGE),
        EdgeType("can_run_on", "task", "pe", RUN),
        EdgeType("can_run", "pe", "task", RUN),
        EdgeType("part_of", "task", "job"),
        EdgeType("has", "job", "task"),
    ),
    candidate=CANDIDATE,
    candidate_nodes=CANDIDATE_NODES,
    resource=RESOURCE,
    resource_node="pe",
    candidate_resources=CANDIDATE_RESOURCES,
    context=CONTEXT,
    kinds=("assign",),
)
# Column numbers by name, for kernels.
CAND, RES, CTX = columns(CANDIDATE), columns(RESOURCE), columns(CONTEXT)
NODE = columns(features(*CANDIDATE_NODES))
ROLE = columns(features(*CANDIDATE_RESOURCES))


def _matrix(group: tuple[Feature, ...], **by_name: Any) -> NDArray[np.float32]:
    """(rows, features) of a group, from a column (rows,) for each of its names."""
    if by_name.keys() != {feature.name for feature in group}:
        raise KeyError(f"expected columns {[f.name for f in group]}, found {list(by_name)}")
    return np.stack([by_name[f.name] for f in group], axis=1).astype(np.float32)


@lru_cache(maxsize=4096)
def static_graph(job: Job, platform: Platform, ticks: bool = False) -> StaticGraph:
    """A job on a platform as a graph of tasks, PEs (a node for each lane) and the job."""
    tasks = tasks_of(job, platform, ticks)
    unit, scale = max(tasks.mean.mean(), 1e-9), max(tasks.rank_up.max(), 1e-9)
    able = np.isfinite(tasks.duration)
    finite = np.where(able, tasks.duration, 0.0)
    counts = able.sum(axis=1)
    ratio = finite / np.maximum(tasks.mean, 1e-9)[:, None]
    least = np.where(able, tasks.duration, np.inf).min(axis=1)
    spread = np.sqrt((np.where(able, ratio - 1, 0.0) ** 2).sum(axis=1) / counts)
    inputs, outputs = np.diff(tasks.pred_ptr), np.diff(tasks.succ_ptr)
    task_rows = _matrix(
        TASK,
        duration=tasks.mean / unit,
        least=least / np.maximum(tasks.mean, 1e-9),
        spread=spread,
        rank_up=tasks.rank_up / scale,
        rank_down=tasks.rank_down / scale,
        inputs=np.log1p(inputs),
        outputs=np.log1p(outputs),
    )
    slowness = tasks.slowness.mean(axis=1)
    mean_slowness = max(float(tasks.slowness.mean()), 1e-300)
    pe_rows = _matrix(
        PE,
        slowness=lane_slowness(tasks),
        support=able.mean(axis=0),
        transfer=slowness / mean_slowness,
    )
    job_row = _matrix(
        JOB,
        tasks=[np.log(job.num_tasks)],
        ccr=[ccr(job, platform, ticks)],
        parallelism=[_parallelism(tasks)],
    )
    transfer = np.asarray(job.volume) * tasks.slowness.mean() / unit
    moves = _matrix(EDGE, transfer=np.minimum(transfer, 50.0))
    ran = np.argwhere(able).T
    times = _matrix(RUN, duration=ratio[able])
    everyone = np.arange(job.num_tasks)
    one = np.zeros_like(everyone)
    return StaticGraph(
        nodes={"task": task_rows, "pe": pe_rows, "job": job_row},
        edges={
            "feeds": job.edge,
            "fed_by": job.edge[::-1].copy(),
            "can_run_on": ran,
            "can_run": ran[::-1].copy(),
            "part_of": np.stack([everyone, one]),
            "has": np.stack([one, everyone]),
        },
        edge_features={
            "feeds": moves,
            "fed_by": moves.copy(),
            "can_run_on": times,
            "can_run": times.copy(),
        },
    )


def lane_slowness(tasks: Tasks) -> NDArray[np.float64]:
    """(P,) mean over a lane's tasks of duration / the task's mean, minus 1; 0 if it runs none."""
    duration, mean = tasks.duration, tasks.mean
    able = np.isfinite(duration)
    ratio = np.where(able, duration, 0.0) / np.maximum(mean, 1e-9)[:, None]
    total = np.where(able, ratio - 1.0, 0.0).sum(axis=0)
    return np.asarray(total / np.maximum(able.sum(axis=0), 1))


def ccr(job: Job, platform: Platform, ticks: bool = False) -> float:
    """log(1 + mean transfer time between lanes / mean task duration); 0 without edges."""
    tasks = tasks_of(job, platform, ticks)
    if not job.num_edges or len(tasks.lane_pe) < 2:
        return 0.0
    apart = ~np.eye(len(tasks.lane_pe), dtype=bool)
    move = float(np.mean(job.volume)) * float(tasks.slowness[apart].mean())
    return float(np.log1p(move / max(float(tasks.mean.mean()), 1e-9)))


def _parallelism(tasks: Tasks) -> float:
    """Log of total work over the longest path."""
    mean, up = tasks.mean, tasks.rank_up
    return float(np.log(max(mean.sum(), 1e-9) / max(up.max(), 1e-9) + 1e-3))
