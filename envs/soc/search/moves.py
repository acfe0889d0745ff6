"""Moves of a plan: one task to any place of any lane, or a block of tasks to another PE."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from graphsched.envs.core.kernels.jit import kernel
from graphsched.envs.soc.physics.tasks import transfer
from graphsched.envs.soc.search.state import (
    AFTER,
    BEFORE,
    State,
    makespan,
    put_in,
    take_out,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from graphsched.envs.soc.physics.tasks import Tasks

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

NEGLIGIBLE = 1e-9  # relative difference of times
FAR = 30.0  # a place so many temperatures worse than the best is never taken


class Habits(NamedTuple):
    """What moves are drawn, and how places are weighed."""

    critical: float = 0.8  # share of moves that begin with a task on a longest path
    block: float = 0.15  # share of moves that send a block
    lean: float = 0.3  # weight of the path through a task beside the makespan
    most: int = 8  # tasks of a block


class Places(NamedTuple):
    """Places for a task that is out, with what the makespan becomes. At most N + P."""

    lane: Ints
    behind: Ints  # task, or -1 for the front
    value: Floats
    chance: Floats  # cumulated weights


def empty_places(size: int, lanes: int) -> Places:
    """Room for the places of any task."""
    most = size + lanes
    lane, behind = np.zeros((2, most), np.int64)
    return Places(lane, behind, np.zeros(most), np.zeros(most))


def stream(seed: int) -> Ints:
    """(1,) the state of a stream of numbers, which `draw` moves on."""
    return np.random.SeedSequence(seed).generate_state(1).astype(np.int64) | 1


@kernel(entry=False)
def draw(random: Ints) -> float:
    """Uniform in [0, 1), by xorshift (Marsaglia 2003). random: (1,) in [1, 2^32)."""
    x = random[0]
    x ^= (x << 13) & 0xFFFFFFFF
    x ^= x >> 17
    x ^= (x << 5) & 0xFFFFFFFF
    random[0] = x
    return float(x / 4294967296.0)


@kernel(entry=False)
def value_places(tasks: Tasks, s: State, i: int, pe: int, lean: float, places: Places) -> int:
    """What the makespan becomes with task i, which is out, in every place. Returns their number.

    A lane's places lie behind the last task that must run before i and before the first that must
    run after it. The longest path through i consists of the one that ends at it and the one that
    begins at it, and neither changes when i is put in (Dell'Amico & Trubian 1993; Mastrolilli &
    Gambardella 2000).

    Args:
        tasks: the job.
        s: the plan without i.
        i: task.
        pe: only lanes of this PE, or -1.
        lean: weight of the path through i, added to the makespan: of places that leave that alike
            the one with the shortest path is the best.
        places: overwritten.
    """
    without = makespan(s)
    duration, lane_pe, slowness, ticks = tasks.duration, tasks.lane_pe, tasks.slowness, tasks.ticks
    pred_ptr, pred, pred_volume = tasks.pred_ptr, tasks.pred, tasks.pred_volume
    succ_ptr, succ, succ_volume, on = tasks.succ_ptr, tasks.succ, tasks.succ_volume, s.lane
    first, next_, end, rest, mark = s.first, s.next, s.end, s.rest, s.mark
    lane, behind, value = places.lane, places.behind, places.value
    count = 0
    for p in range(len(first)):
        length = duration[i, p]
        if length == np.inf or (pe >= 0 and lane_pe[p] != pe):
            continue
        ready = onwards = 0.0  # in place, not by calls, which would pass both structures
        for e in range(pred_ptr[i], pred_ptr[i + 1]):
            time = transfer(pred_volume[e], slowness[on[pred[e]], p], ticks)
            ready = max(ready, end[pred[e]] + time)
        for e in range(succ_ptr[i], succ_ptr[i + 1]):
            time = transfer(succ_volume[e], slowness[p, on[succ[e]]], ticks)
            onwards = max(onwards, rest[succ[e]] + time)
        u, w = -1, first[p]
        while w >= 0 and mark[w] & BEFORE:
            u, w = w, next_[w]
        while True:
            start = ready if u < 0 else max(ready, end[u])
            path = start + length + (onwards if w < 0 else max(onwards, rest[w]))
            lane[count], behind[count] = p, u
            value[count] = max(without, path) + lean * path
            count += 1
            if w < 0 or mark[w] & AFTER:
                break
            u, w = w, next_[w]
    return count


@kernel(entry=False)
def choose(places: Places, count: int, heat: float, random: Ints) -> int:
    """A place by Boltzmann's weights (heat bath)."""
    least = np.inf
    for k in range(count):
        least = min(least, places.value[k])
    total = 0.0
    for k in range(count):
        above = places.value[k] - least
        if above < FAR * heat:
            total += np.exp(-above / heat)
        elif above == 0.0:
            total += 1.0
        places.chance[k] = total
    at = draw(random) * total
    k = 0
    while k < count - 1 and places.chance[k] <= at:
        k += 1
    return k


@kernel(entry=False)
def critical_task(s: State, longest: float, random: Ints) -> int:
    """One of the tasks on a longest path, all alike."""
    least = longest * (1 - NEGLIGIBLE)
    found = 0
    for k in range(len(s.order)):
        i = s.order[k]
        if s.end[i] + s.rest[i] - s.length[i] >= least:
            s.later[found] = i
            found += 1
    return int(s.later[int(draw(random) * found)])


@kernel(entry=False)
def grow_block(tasks: Tasks, s: State, i: int, most: int, block: Ints, random: Ints) -> int:
    """Task i and others that data leads to from it, all of its PE; returns their number.

    Args:
        tasks: the job.
        s: the plan.
        i: task to begin with.
        most: size to stop at.
        block: (N,) overwritten.
        random: stream of numbers.
    """
    home = tasks.lane_pe[s.lane[i]]
    s.mark[:] = 0
    s.mark[i] = 1
    block[0] = i
    count, at = 1, 0
    while at < count and count < most:
        j = block[at]
        at += 1
        inputs = tasks.pred[tasks.pred_ptr[j] : tasks.pred_ptr[j + 1]]
        users = tasks.succ[tasks.succ_ptr[j] : tasks.succ_ptr[j + 1]]
        for neighbours in (inputs, users):
            for k in neighbours:
                if not s.mark[k] and tasks.lane_pe[s.lane[k]] == home and count < most:
                    s.mark[k] = 1
                    block[count] = k
                    count += 1
    return count


@kernel(entry=False)
def send(
    tasks: Tasks, s: State, i: int, pe: int, heat: float, lean: float, places: Places, random: Ints
) -> int:
    """Move a task to a place on a PE (any if it is -1); returns how many places were valued."""
    take_out(tasks, s, i)
    count = value_places(tasks, s, i, pe, lean, places)
    k = choose(places, count, heat, random)
    put_in(tasks, s, i, places.lane[k], places.behind[k])
    return count
