"""What a policy sees of task graphs: names, widths and units, and the static graph of a job.

One schema serves both modes; columns that do not apply are 0. ``unit`` is the job's mean least task
duration, ``scale`` its least path: where one PE is hundreds of times quicker than another, as an
accelerator is, means over PEs would say nothing. Ranks are least times, too: ``path`` from a task's
start to the job's end, ``rest`` from its end on a lane, ``head`` from the job's begin to its start.
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

LEAST = 1e-9  # of what is divided by
LIMIT = 20.0  # of columns in units of a mean task, and of logarithms
CANDIDATE = features(
    "duration",  # log(on this lane / least of the task)
    "duration_share",  # / unit
    "eft_over_best",  # earliest finish minus the least of all candidates / unit
    "eft_over_task_best",  # minus the least of this task / unit
    "lane_wait",  # start minus arrival of the data / unit
    "data_wait",  # arrival of the data minus now / unit
    "path",  # / scale
    "path_below_best",  # greatest of all candidates minus this / unit
    "criticality",  # earliest finish and the rest after it, from now / scale
    "straight_over_best",  # earliest finish + rest minus the least of all candidates / unit
    "straight_over_task_best",  # minus the least of this task / unit
    "head",  # / scale
    "idle",  # time that the lane idles before the start / unit
    "inserted",  # 1 if the task fills a gap between others
    "lane_load",  # planned work of the lane / scale
    "slowness",  # duration / least duration of the task, minus 1
    "local_inputs",  # share of the input data that is already on the lane
    "output",  # rest minus the longest path of a successor: what must be moved / unit
    "children",  # log(1 + successors)
    "opens",  # log(1 + successors that wait for this task alone)
    "sufferage",  # the task's second best earliest finish minus its best / unit
    "harm",  # what the other ready tasks' earliest finishes lose by it, in sum / unit
    "pilot_eft_over_best",  # outcome of each pilot minus the least of all candidates / unit
    "pilot_second_over_best",  # in a plan on the candidate's lane, in a stream by path
    "pilot_straight_over_best",  # by finish + OCT in a plan, by finish + rest in a stream
    "pilot_oldest_over_best",  # the oldest job first; in a stream only
    "pilot_over_best",  # the best of the pilots, likewise
    "pilot_mean_over_best",  # their mean, likewise
    "pilot_wins",  # share of the pilots in which no candidate is better
    "pilot",  # the best of the pilots from now / scale
    "job_age",  # time in the system / scale
    "job_left",  # share of the job's tasks that are not assigned
    "job_elders",  # log(1 + older jobs in the system)
    "job_latency",  # least end of the job minus its arrival / scale
    "job_rest",  # least end of the job from now minus the least of all jobs / scale
    "job_work",  # log(1 + least durations of its unassigned tasks / unit)
    "job_slack",  # least end of the job minus earliest finish and rest of the task / unit
    "demand",  # log(1 + least durations of what waits for the PE, for each of its lanes / unit)
    "starts",  # 1 if the task could start now
    "next_end",  # for the candidate that waits: until a task ends by its mean duration / unit
    "queue",  # log(1 + tasks that wait for the lane)
    "defer",  # 1 for the candidate that waits for the next event
)
RESOURCE = features(
    "free",  # end of the planned work minus now / unit
    "load",  # planned work / scale
    "idle",  # share of the time so far
    "slowness",  # mean over tasks of log(duration / least)
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
    "spread",  # mean over the pairs of task and lane of log(duration / least)
    "stream",  # 1 if jobs keep coming
    "jobs",  # jobs in the system / the most there may be
    "noise",  # relative standard deviation of execution times
    "work",  # log(1 + least durations of all that is unassigned / lanes / unit), in a stream
    "gap",  # log(mean time between arrivals / scale), in a stream
    "turned_away",  # 1 if jobs that find the system full are lost
)
TASK = features("duration", "spread", "path", "head", "inputs", "outputs")
PE = features("slowness", "support", "transfer")
JOB = features("tasks", "ccr", "parallelism")
EDGE = features("transfer")  # between tasks: log(1 + mean time / unit)
RUN = features("duration")  # between a task and a PE that can run it: log(this / least)
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
    unit, scale = max(tasks.least.mean(), LEAST), max(tasks.path.max(), LEAST)
    able, slower = np.isfinite(tasks.duration), log_slowness(tasks)
    inputs, outputs = np.diff(tasks.pred_ptr), np.diff(tasks.succ_ptr)
    task_rows = _matrix(
        TASK,
        duration=tasks.least / unit,
        spread=slower.sum(axis=1) / able.sum(axis=1),
        path=tasks.path / scale,
        head=tasks.head / scale,
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
    moves = _matrix(EDGE, transfer=np.log1p(transfer))
    ran = np.argwhere(able).T
    times = _matrix(RUN, duration=slower[able])
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


def log_slowness(tasks: Tasks) -> NDArray[np.float64]:
    """(N, P) log(duration / least of the task), at most `LIMIT`; 0 where a lane can't run it."""
    able = np.isfinite(tasks.duration)
    duration = np.where(able, tasks.duration, tasks.least[:, None])
    ratio = np.maximum(duration, LEAST) / np.maximum(tasks.least, LEAST)[:, None]
    return np.asarray(np.minimum(np.log(ratio), LIMIT))


def lane_slowness(tasks: Tasks) -> NDArray[np.float64]:
    """(P,) mean over a lane's tasks of log(duration / least); 0 if it runs none."""
    able = np.isfinite(tasks.duration).sum(axis=0)
    return np.asarray(log_slowness(tasks).sum(axis=0) / np.maximum(able, 1))


def spread(tasks: Tasks) -> float:
    """Mean over all pairs of a task and a lane that can run it of log(duration / least)."""
    return float(log_slowness(tasks).sum() / np.isfinite(tasks.duration).sum())


def ccr(job: Job, platform: Platform, ticks: bool = False) -> float:
    """log(1 + mean transfer time between lanes / mean least duration); 0 without edges."""
    tasks = tasks_of(job, platform, ticks)
    if not job.num_edges or len(tasks.lane_pe) < 2:
        return 0.0
    apart = ~np.eye(len(tasks.lane_pe), dtype=bool)
    move = float(np.mean(job.volume)) * float(tasks.slowness[apart].mean())
    return float(np.log1p(move / max(float(tasks.least.mean()), LEAST)))


def _parallelism(tasks: Tasks) -> float:
    """Log of total work over the longest path."""
    work, path = max(tasks.least.sum(), LEAST), max(tasks.path.max(), LEAST)
    return float(np.log(work / path + 1e-3))
