"""Looking ahead in a plan: what plain rules would make of each candidate.

The pilot method (Duin & Voss 1999), as in HEFT's lookahead but to the end: after each candidate the
remaining tasks are planned in order of upward rank, each on the lane of earliest finish (as HEFT
does), of least finish + rest (as PEFT does, whose table of costs is of means), or on the candidate's
lane (everything in one place).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from graphsched.envs.core.kernels.jit import kernel
from graphsched.envs.soc.physics.tasks import find_gap, insert, transfer

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

EFT, STRAIGHT, STAY = 0, 1, 2


class Scratch(NamedTuple):
    """A partial plan to play with. N tasks, P lanes."""

    lane: Ints  # (N,) -1 where not planned
    end: Floats  # (N,)
    begin: Floats  # (P, N) intervals of each lane
    finish: Floats  # (P, N)
    filled: Ints  # (P,) number of intervals


def empty_scratch(tasks: int, lanes: int) -> Scratch:
    """Room for that many tasks and lanes."""
    return Scratch(
        np.empty(tasks, np.int64),
        np.empty(tasks),
        np.empty((lanes, tasks)),
        np.empty((lanes, tasks)),
        np.empty(lanes, np.int64),
    )


@kernel(entry=False)
def complete(
    choice: int,
    stay: int,  # lane for choice STAY
    steps: int,  # tasks to plan; of the others the least path counts
    size: int,
    lanes: int,
    by_rank: Ints,  # (N,) tasks by falling upward rank
    duration: Floats,  # (N, P)
    slowness: Floats,  # (P, P)
    pred_ptr: Ints,
    pred: Ints,
    volume: Floats,
    path: Floats,  # (N,)
    rest: Floats,  # (N, P)
    ticks: bool,
    lane: Ints,
    end: Floats,
    begin: Floats,
    finish: Floats,
    count: Ints,
) -> float:
    """Plan the remaining tasks in the scratch arrays; returns the makespan, or an estimate of it."""
    latest = 0.0
    left = steps
    ready = np.empty(lanes)
    for at in range(size):
        i = by_rank[at]
        if lane[i] >= 0:
            latest = max(latest, end[i])
            continue
        if left == 0:  # the paths that lead on from what is planned
            for e in range(pred_ptr[i], pred_ptr[i + 1]):
                if lane[pred[e]] >= 0:
                    latest = max(latest, end[pred[e]] + path[i])
            continue
        left -= 1
        only = choice == STAY and duration[i, stay] < np.inf
        ready[:lanes] = 0.0
        for e in range(pred_ptr[i], pred_ptr[i + 1]):
            finished, apart = end[pred[e]], slowness[lane[pred[e]]]
            for p in range(lanes):
                ready[p] = max(ready[p], finished + transfer(volume[e], apart[p], ticks))
        best, starts, where, spot = np.inf, 0.0, -1, 0
        for p in range(lanes):
            length = duration[i, p]
            extra = length + rest[i, p] if choice == STRAIGHT else length
            if ready[p] + extra >= best or (only and p != stay) or length == np.inf:
                continue
            start, place = find_gap(begin[p], finish[p], count[p], ready[p], length)
            if start + extra < best:
                best, starts, where, spot = start + extra, start, p, place
        lane[i] = where
        end[i] = starts + duration[i, where]
        insert(begin[where], finish[where], count[where], spot, starts, end[i])
        count[where] += 1
        latest = max(latest, end[i])
    return latest
