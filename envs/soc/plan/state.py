"""Struct-of-arrays of the static mode: one row per slot, padded to the largest instance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from graphsched.envs.soc.physics.tasks import Tasks

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

IDLE, WAITING, DONE = 0, 1, 2


class StaticState(NamedTuple):
    """B slots, N tasks, P lanes, E edges, C candidates."""

    # the instance
    size: Ints  # (B,) tasks
    lanes: Ints  # (B,)
    home: Ints  # (B,) lane that runs the whole job in the least time
    ticks: Ints  # (B,) 1 if transfers are cut to whole units
    duration: Floats  # (B, N, P)
    slowness: Floats  # (B, P, P)
    pred_ptr: Ints  # (B, N + 1)
    pred: Ints  # (B, E)
    pred_volume: Floats  # (B, E)
    succ_ptr: Ints  # (B, N + 1)
    succ: Ints  # (B, E)
    succ_volume: Floats  # (B, E)
    mean: Floats  # (B, N)
    least: Floats  # (B, N) least duration
    rank_up: Floats  # (B, N)
    rank_down: Floats  # (B, N)
    oct: Floats  # (B, N, P)
    tail: Floats  # (B, N) least time after the task, transfers left out
    by_rank: Ints  # (B, N) tasks by falling upward rank
    mean_slowness: Floats  # (B,)
    lane_slowness: Floats  # (B, P)
    support: Floats  # (B, P)
    ccr: Floats  # (B,)
    noise: Floats  # (B,)
    unit: Floats  # (B,) mean task duration, > 0
    scale: Floats  # (B,) longest path, > 0
    first_bound: Floats  # (B,) makespan bound before the first move, > 0
    # the partial plan
    lane: Ints  # (B, N) -1 where not planned
    start: Floats  # (B, N)
    end: Floats  # (B, N)
    waits: Ints  # (B, N) predecessors that are not planned
    begin: Floats  # (B, P, N) intervals of each lane
    finish: Floats  # (B, P, N)
    filled: Ints  # (B, P) number of intervals
    load: Floats  # (B, P) planned work
    planned: Ints  # (B,)
    front: Ints  # (B,) place in by_rank before which all tasks are planned
    bound: Floats  # (B,) makespan bound given the plan
    # the pending decision
    status: Ints  # (B,)
    decisions: Ints  # (B,)
    paid_bound: Floats  # (B,)
    now: Floats  # (B,) earliest start of any candidate
    num_ready: Ints  # (B,)
    num_candidates: Ints  # (B,)
    task: Ints  # (B, C) of each candidate
    where: Ints  # (B, C) its lane
    ready_at: Floats  # (B, C) arrival of its data
    at: Floats  # (B, C) its start
    place: Ints  # (B, C) among the lane's intervals


_SHAPES = {
    "duration": "NP",
    "oct": "NP",
    "slowness": "PP",
    "begin": "PN",
    "finish": "PN",
    **dict.fromkeys(("pred_ptr", "succ_ptr"), "n"),
    **dict.fromkeys(("pred", "pred_volume", "succ", "succ_volume"), "E"),
    **dict.fromkeys(("mean", "least", "rank_up", "rank_down", "tail", "by_rank"), "N"),
    **dict.fromkeys(("lane", "start", "end", "waits"), "N"),
    **dict.fromkeys(("filled", "load", "lane_slowness", "support"), "P"),
    **dict.fromkeys(("task", "where", "ready_at", "at", "place"), "C"),
}
_WHOLE = {
    *(
        "size",
        "lanes",
        "home",
        "ticks",
        "pred_ptr",
        "pred",
        "succ_ptr",
        "succ",
        "by_rank",
        "lane",
        "waits",
    ),
    *(
        "filled",
        "planned",
        "front",
        "status",
        "decisions",
        "num_ready",
        "num_candidates",
        "task",
        "where",
    ),
    "place",
}


def empty_state(slots: int, tasks: int, lanes: int, edges: int, candidates: int) -> StaticState:
    """Zeroed arrays with room for instances up to the given sizes."""
    sizes = {"N": tasks, "n": tasks + 1, "P": lanes, "E": edges, "C": candidates}
    arrays: dict[str, Any] = {
        name: np.zeros(
            (slots, *(sizes[letter] for letter in _SHAPES.get(name, ""))),
            np.int64 if name in _WHOLE else np.float64,
        )
        for name in StaticState._fields
    }
    return StaticState(**arrays)


def grow_state(state: StaticState, needs: Sequence[Tasks], candidates: int) -> StaticState:
    """The same state with room for further jobs; itself where there already is."""
    slots, tasks, lanes = state.duration.shape
    have = (tasks, lanes, state.pred.shape[1])
    need = (
        max(len(t.mean) for t in needs),
        max(len(t.lane_pe) for t in needs),
        max(len(t.pred) for t in needs),
    )
    if all(h >= n for h, n in zip(have, need, strict=True)):
        return state
    size, width, links = (max(h, n) for h, n in zip(have, need, strict=True))
    larger = empty_state(slots, size, width, links, candidates)
    for old, new in zip(state, larger, strict=True):
        new[tuple(slice(0, n) for n in old.shape)] = old
    return larger
