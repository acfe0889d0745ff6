"""Struct-of-arrays of streams: one row per slot, padded to the largest instance."""

from __future__ import annotations

from typing import Annotated, NamedTuple

from graphsched.envs.core.arrays import Floats, Ints

BLOCKED, READY, ASSIGNED, RUNNING, FINISHED = range(5)  # a task


class StreamState(NamedTuple):
    """B slots, Q kinds of job, N tasks, P lanes, E edges, J jobs of an episode, K in the system."""

    # the instance
    lanes: Annotated[Ints, "B"]
    kinds: Annotated[Ints, "B"]
    ticks: Annotated[Ints, "B"]
    noise_kind: Annotated[Ints, "B"]
    noise: Annotated[Floats, "B"]
    contention: Annotated[Ints, "B"]  # 1 if a pair of PEs carries one transfer at a time
    horizon: Annotated[Floats, "B"]
    most_live: Annotated[Ints, "B"]
    mean_gap: Annotated[Floats, "B"]
    queues: Annotated[Ints, "B"]  # 1 if arrivals wait outside when full
    seed: Annotated[Ints, "B"]
    shares: Annotated[Floats, "B", "Q"]  # cumulative
    size: Annotated[Ints, "B", "Q"]
    duration: Annotated[Floats, "B", "Q", "N", "P"]
    slowness: Annotated[Floats, "B", "P", "P"]
    lane_pe: Annotated[Ints, "B", "P"]
    pred_ptr: Annotated[Ints, "B", "Q", "N+1"]
    pred: Annotated[Ints, "B", "Q", "E"]
    pred_volume: Annotated[Floats, "B", "Q", "E"]
    succ_ptr: Annotated[Ints, "B", "Q", "N+1"]
    succ: Annotated[Ints, "B", "Q", "E"]
    succ_volume: Annotated[Floats, "B", "Q", "E"]
    mean: Annotated[Floats, "B", "Q", "N"]
    least: Annotated[Floats, "B", "Q", "N"]
    rank_up: Annotated[Floats, "B", "Q", "N"]
    rest: Annotated[Floats, "B", "Q", "N", "P"]
    head: Annotated[Floats, "B", "Q", "N"]
    path: Annotated[Floats, "B", "Q", "N"]
    home: Annotated[Ints, "B", "Q", "N"]  # the PE that runs the task quickest
    lane_slowness: Annotated[Floats, "B", "P"]
    support: Annotated[Floats, "B", "P"]
    ccr: Annotated[Floats, "B"]
    spread: Annotated[Floats, "B"]
    unit: Annotated[Floats, "B"]
    scale: Annotated[Floats, "B"]
    reference: Annotated[Floats, "B"]  # latency that a reward of 0 stands for
    expected: Annotated[Floats, "B"]  # jobs that an episode completes, roughly
    # the world
    clock: Annotated[Floats, "B"]
    next_arrival: Annotated[Floats, "B"]
    draws: Annotated[Ints, "B"]  # gaps drawn
    outside: Annotated[Ints, "B"]  # jobs that wait outside
    lost: Annotated[Ints, "B"]
    jobs: Annotated[Ints, "B"]  # that entered
    num_live: Annotated[Ints, "B"]
    live: Annotated[Ints, "B", "K"]  # numbers of the jobs in the system, oldest first
    completed: Annotated[Ints, "B"]
    latency: Annotated[Floats, "B"]  # sum over completed jobs
    presence: Annotated[Floats, "B"]  # time in the system, summed over all jobs
    paid: Annotated[Floats, "B"]  # rewards so far
    kind: Annotated[Ints, "B", "J"]
    arrival: Annotated[Floats, "B", "J"]
    left: Annotated[Ints, "B", "J"]  # tasks not finished
    unassigned: Annotated[Ints, "B", "J"]
    status: Annotated[Ints, "B", "J", "N"]
    waits: Annotated[Ints, "B", "J", "N"]
    lane: Annotated[Ints, "B", "J", "N"]
    start: Annotated[Floats, "B", "J", "N"]
    end: Annotated[Floats, "B", "J", "N"]
    data_at: Annotated[Floats, "B", "J", "N"]
    turn: Annotated[Ints, "B", "J", "N"]  # order of assignment
    running_job: Annotated[Ints, "B", "P"]  # -1 if idle
    running_task: Annotated[Ints, "B", "P"]
    busy_until: Annotated[Floats, "B", "P"]  # actual end
    expected_end: Annotated[Floats, "B", "P"]  # by the mean
    promised: Annotated[Floats, "B", "P"]  # end of the assigned work, never re-estimated
    busy: Annotated[Floats, "B", "P"]  # time worked
    link_free: Annotated[Floats, "B", "P", "P"]
    # the pending decision
    slot_status: Annotated[Ints, "B"]
    decisions: Annotated[Ints, "B"]
    turns: Annotated[Ints, "B"]
    deferred: Annotated[Ints, "B"]  # 1 until the next event
    offer_first: Annotated[Ints, "B"]  # 1 if the first move is a decision although it is forced
    num_ready: Annotated[Ints, "B"]
    num_candidates: Annotated[Ints, "B"]
    free: Annotated[Floats, "B", "P"]  # estimated end of the assigned work
    queue: Annotated[Ints, "B", "P"]  # tasks assigned and not started
    job: Annotated[Ints, "B", "C"]  # number of each candidate's job; -1 defers
    task: Annotated[Ints, "B", "C"]
    where: Annotated[Ints, "B", "C"]
    ready_at: Annotated[Floats, "B", "C"]
    at: Annotated[Floats, "B", "C"]  # estimated start
