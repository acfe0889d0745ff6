"""Struct-of-arrays of the streaming mode: one row per slot, padded to the largest instance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

IDLE, WAITING, DONE = 0, 1, 2  # of a slot
BLOCKED, READY, ASSIGNED, RUNNING, FINISHED = 0, 1, 2, 3, 4  # of a task


class StreamState(NamedTuple):
    """B slots, Q kinds of job, N tasks, P lanes, E edges, J jobs of an episode, K in the system."""

    # the instance
    lanes: Ints  # (B,)
    kinds: Ints  # (B,)
    ticks: Ints  # (B,)
    noise_kind: Ints  # (B,)
    noise: Floats  # (B,)
    contention: Ints  # (B,) 1 if a pair of PEs carries one transfer at a time
    horizon: Floats  # (B,)
    most_live: Ints  # (B,)
    mean_gap: Floats  # (B,)
    queues: Ints  # (B,) 1 if arrivals wait outside when full
    seed: Ints  # (B,)
    shares: Floats  # (B, Q) cumulative
    size: Ints  # (B, Q)
    duration: Floats  # (B, Q, N, P)
    slowness: Floats  # (B, P, P)
    lane_pe: Ints  # (B, P)
    pred_ptr: Ints  # (B, Q, N + 1)
    pred: Ints  # (B, Q, E)
    pred_volume: Floats  # (B, Q, E)
    succ_ptr: Ints  # (B, Q, N + 1)
    succ: Ints  # (B, Q, E)
    succ_volume: Floats  # (B, Q, E)
    mean: Floats  # (B, Q, N)
    least: Floats  # (B, Q, N)
    rank_up: Floats  # (B, Q, N)
    rank_down: Floats  # (B, Q, N)
    oct: Floats  # (B, Q, N, P)
    mean_slowness: Floats  # (B,)
    lane_slowness: Floats  # (B, P)
    support: Floats  # (B, P)
    ccr: Floats  # (B,)
    unit: Floats  # (B,)
    scale: Floats  # (B,)
    reference: Floats  # (B,) latency that a reward of 0 stands for
    expected: Floats  # (B,) jobs that an episode completes, roughly
    # the world
    clock: Floats  # (B,)
    next_arrival: Floats  # (B,)
    draws: Ints  # (B,) gaps drawn
    outside: Ints  # (B,) jobs that wait outside
    lost: Ints  # (B,)
    jobs: Ints  # (B,) that entered
    num_live: Ints  # (B,)
    live: Ints  # (B, K) numbers of the jobs in the system, oldest first
    completed: Ints  # (B,)
    latency: Floats  # (B,) sum over completed jobs
    presence: Floats  # (B,) time in the system, summed over all jobs
    paid: Floats  # (B,) rewards so far
    kind: Ints  # (B, J)
    arrival: Floats  # (B, J)
    left: Ints  # (B, J) tasks not finished
    unassigned: Ints  # (B, J)
    status: Ints  # (B, J, N)
    waits: Ints  # (B, J, N)
    lane: Ints  # (B, J, N)
    start: Floats  # (B, J, N)
    end: Floats  # (B, J, N)
    data_at: Floats  # (B, J, N)
    turn: Ints  # (B, J, N) order of assignment
    running_job: Ints  # (B, P) -1 if idle
    running_task: Ints  # (B, P)
    busy_until: Floats  # (B, P) actual end
    expected_end: Floats  # (B, P) by the mean
    promised: Floats  # (B, P) end of the assigned work, never re-estimated
    busy: Floats  # (B, P) time worked
    link_free: Floats  # (B, P, P)
    # the pending decision
    state: Ints  # (B,)
    decisions: Ints  # (B,)
    turns: Ints  # (B,)
    deferred: Ints  # (B,) 1 until the next event
    offer_first: Ints  # (B,) 1 if the first move is a decision although it is forced
    num_ready: Ints  # (B,)
    num_candidates: Ints  # (B,)
    free: Floats  # (B, P) estimated end of the assigned work
    queue: Ints  # (B, P) tasks assigned and not started
    job: Ints  # (B, C) number of each candidate's job; -1 defers
    task: Ints  # (B, C)
    where: Ints  # (B, C)
    ready_at: Floats  # (B, C)
    at: Floats  # (B, C) estimated start


_SHAPES = {
    "duration": "QNP",
    "oct": "QNP",
    "slowness": "PP",
    "link_free": "PP",
    "shares": "Q",
    "size": "Q",
    "live": "K",
    **dict.fromkeys(("pred_ptr", "succ_ptr"), "Qn"),
    **dict.fromkeys(("pred", "pred_volume", "succ", "succ_volume"), "QE"),
    **dict.fromkeys(("mean", "least", "rank_up", "rank_down"), "QN"),
    **dict.fromkeys(("kind", "arrival", "left", "unassigned"), "J"),
    **dict.fromkeys(("status", "waits", "lane", "start", "end", "data_at", "turn"), "JN"),
    **dict.fromkeys(("lane_pe", "lane_slowness", "support", "running_job", "running_task"), "P"),
    **dict.fromkeys(("busy_until", "expected_end", "promised", "busy", "free", "queue"), "P"),
    **dict.fromkeys(("job", "task", "where", "ready_at", "at"), "C"),
}
_WHOLE = {
    *("lanes", "kinds", "ticks", "noise_kind", "contention", "most_live", "queues", "seed", "size"),
    *("lane_pe", "pred_ptr", "pred", "succ_ptr", "succ", "draws", "outside", "lost", "jobs"),
    *("num_live", "live", "completed", "kind", "left", "unassigned", "status", "waits", "lane"),
    *(
        "turn",
        "running_job",
        "running_task",
        "state",
        "decisions",
        "turns",
        "deferred",
        "offer_first",
    ),
    *("num_ready", "num_candidates", "queue", "job", "task", "where"),
}


def empty_state(slots: int, sizes: dict[str, int]) -> StreamState:
    """Zeroed arrays; sizes by the letters of `StreamState` (n is N + 1)."""
    sizes = {**sizes, "n": sizes["N"] + 1}
    arrays: dict[str, Any] = {
        name: np.zeros(
            (slots, *(sizes[letter] for letter in _SHAPES.get(name, ""))),
            np.int64 if name in _WHOLE else np.float64,
        )
        for name in StreamState._fields
    }
    return StreamState(**arrays)


def grow_state(state: StreamState, need: dict[str, int]) -> StreamState:
    """The same state with room for further instances; itself where there already is."""
    slots, kinds, tasks, lanes = state.duration.shape
    have = {
        "Q": kinds,
        "N": tasks,
        "P": lanes,
        "E": state.pred.shape[2],
        "J": state.kind.shape[1],
        "K": state.live.shape[1],
        "C": state.job.shape[1],
    }
    if all(have[letter] >= size for letter, size in need.items()):
        return state
    larger = empty_state(slots, {k: max(size, need.get(k, 0)) for k, size in have.items()})
    for old, new in zip(state, larger, strict=True):
        new[tuple(slice(0, n) for n in old.shape)] = old
    return larger
