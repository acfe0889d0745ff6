"""Struct-of-arrays of plans: one row per slot, padded to the largest instance."""

from __future__ import annotations

from typing import Annotated, NamedTuple

from graphsched.envs.core.arrays import Floats, Ints


class PlanState(NamedTuple):
    """B slots, N tasks, P lanes, E edges, C candidates."""

    # the instance
    size: Annotated[Ints, "B"]  # tasks
    lanes: Annotated[Ints, "B"]
    home: Annotated[Ints, "B"]  # lane that runs the whole job in the least time
    ticks: Annotated[Ints, "B"]  # 1 if transfers are cut to whole units
    duration: Annotated[Floats, "B", "N", "P"]
    slowness: Annotated[Floats, "B", "P", "P"]
    pred_ptr: Annotated[Ints, "B", "N+1"]
    pred: Annotated[Ints, "B", "E"]
    pred_volume: Annotated[Floats, "B", "E"]
    succ_ptr: Annotated[Ints, "B", "N+1"]
    succ: Annotated[Ints, "B", "E"]
    succ_volume: Annotated[Floats, "B", "E"]
    mean: Annotated[Floats, "B", "N"]
    least: Annotated[Floats, "B", "N"]  # least duration
    rank_up: Annotated[Floats, "B", "N"]
    rest: Annotated[Floats, "B", "N", "P"]
    head: Annotated[Floats, "B", "N"]
    path: Annotated[Floats, "B", "N"]
    tail: Annotated[Floats, "B", "N"]  # least time after the task, transfers left out
    by_rank: Annotated[Ints, "B", "N"]  # tasks by falling upward rank
    lane_slowness: Annotated[Floats, "B", "P"]
    support: Annotated[Floats, "B", "P"]
    ccr: Annotated[Floats, "B"]
    spread: Annotated[Floats, "B"]
    noise: Annotated[Floats, "B"]
    unit: Annotated[Floats, "B"]  # mean least duration of a task, > 0
    scale: Annotated[Floats, "B"]  # least path, > 0
    first_bound: Annotated[Floats, "B"]  # makespan bound before the first move, > 0
    # the partial plan
    lane: Annotated[Ints, "B", "N"]  # -1 where not planned
    start: Annotated[Floats, "B", "N"]
    end: Annotated[Floats, "B", "N"]
    waits: Annotated[Ints, "B", "N"]  # predecessors that are not planned
    begin: Annotated[Floats, "B", "P", "N"]  # intervals of each lane
    finish: Annotated[Floats, "B", "P", "N"]
    filled: Annotated[Ints, "B", "P"]  # number of intervals
    load: Annotated[Floats, "B", "P"]  # planned work
    planned: Annotated[Ints, "B"]
    front: Annotated[Ints, "B"]  # place in by_rank before which all tasks are planned
    bound: Annotated[Floats, "B"]  # makespan bound given the plan
    # the pending decision
    status: Annotated[Ints, "B"]
    decisions: Annotated[Ints, "B"]
    paid_bound: Annotated[Floats, "B"]
    now: Annotated[Floats, "B"]  # earliest start of any candidate
    num_ready: Annotated[Ints, "B"]
    num_candidates: Annotated[Ints, "B"]
    task: Annotated[Ints, "B", "C"]  # of each candidate
    where: Annotated[Ints, "B", "C"]  # its lane
    ready_at: Annotated[Floats, "B", "C"]  # arrival of its data
    at: Annotated[Floats, "B", "C"]  # its start
    place: Annotated[Ints, "B", "C"]  # among the lane's intervals
