"""A plan that can be changed task by task, with its longest paths kept up to date.

A plan is a sequence of tasks for each lane; every task starts as early as its inputs and its lane
allow. `end` is the longest path up to a task and `rest` the longest path from it on, both with the
task itself, through inputs and lane neighbours. Of a task that is taken out both are -inf, so that
no path leads through it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from graphsched.envs.core.kernels.jit import kernel
from graphsched.envs.soc.physics.tasks import transfer

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from graphsched.envs.soc.physics.tasks import Tasks

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

STALE, AFTER, BEFORE = 1, 2, 4  # marks: path to be derived again; on a path from, to the task out


class State(NamedTuple):
    """Lanes, their sequences and the longest paths. N tasks, P lanes."""

    lane: Ints  # (N,)
    length: Floats  # (N,) duration there
    prev: Ints  # (N,) neighbours on the lane, or -1
    next: Ints  # (N,)
    first: Ints  # (P,) ends of each lane's sequence, or -1
    last: Ints  # (P,)
    order: Ints  # (N,) tasks so that all paths lead onwards
    place: Ints  # (N,) of each task in it
    end: Floats  # (N,)
    rest: Floats  # (N,)
    mark: Ints  # (N,) scratch
    later: Ints  # (N,) scratch


def empty_state(size: int, lanes: int) -> State:
    """Room for a plan."""
    ints = [np.zeros(n, np.int64) for n in (size, size, size, lanes, lanes, size, size)]
    lane, prev, next_, first, last, order, place = ints
    length, end, rest = np.zeros((3, size))
    mark, later = np.zeros((2, size), np.int64)
    return State(lane, length, prev, next_, first, last, order, place, end, rest, mark, later)


@kernel(entry=False)
def copy_state(source: State, target: State) -> None:
    """Overwrite a state with another, scratch left out."""
    target.lane[:] = source.lane
    target.length[:] = source.length
    target.prev[:] = source.prev
    target.next[:] = source.next
    target.first[:] = source.first
    target.last[:] = source.last
    target.order[:] = source.order
    target.place[:] = source.place
    target.end[:] = source.end
    target.rest[:] = source.rest


@kernel(entry=False)
def inputs_at(tasks: Tasks, s: State, i: int, p: int) -> float:
    """When the inputs of task i are on lane p."""
    ready = 0.0
    for e in range(tasks.pred_ptr[i], tasks.pred_ptr[i + 1]):
        j = tasks.pred[e]
        time = transfer(tasks.pred_volume[e], tasks.slowness[s.lane[j], p], tasks.ticks)
        ready = max(ready, s.end[j] + time)
    return ready


@kernel(entry=False)
def outputs_from(tasks: Tasks, s: State, i: int, p: int) -> float:
    """Longest path from the end of task i on lane p through its successors."""
    longest = 0.0
    for e in range(tasks.succ_ptr[i], tasks.succ_ptr[i + 1]):
        j = tasks.succ[e]
        time = transfer(tasks.succ_volume[e], tasks.slowness[p, s.lane[j]], tasks.ticks)
        longest = max(longest, s.rest[j] + time)
    return longest


@kernel(entry=False)
def _end(tasks: Tasks, s: State, i: int) -> float:
    start = inputs_at(tasks, s, i, s.lane[i])
    if s.prev[i] >= 0:
        start = max(start, s.end[s.prev[i]])
    return float(start + s.length[i])


@kernel(entry=False)
def _rest(tasks: Tasks, s: State, i: int) -> float:
    longest = outputs_from(tasks, s, i, s.lane[i])
    if s.next[i] >= 0:
        longest = max(longest, s.rest[s.next[i]])
    return float(longest + s.length[i])


@kernel(entry=False)
def makespan(s: State) -> float:
    """End of the last task, which is the last of its lane."""
    latest = 0.0
    for p in range(len(s.last)):
        if s.last[p] >= 0:
            latest = max(latest, s.end[s.last[p]])
    return latest


@kernel(entry=False)
def _mark_next(tasks: Tasks, s: State, i: int, mark: int) -> None:
    for e in range(tasks.succ_ptr[i], tasks.succ_ptr[i + 1]):
        s.mark[tasks.succ[e]] |= mark
    if s.next[i] >= 0:
        s.mark[s.next[i]] |= mark


@kernel(entry=False)
def _mark_prev(tasks: Tasks, s: State, i: int, mark: int) -> None:
    for e in range(tasks.pred_ptr[i], tasks.pred_ptr[i + 1]):
        s.mark[tasks.pred[e]] |= mark
    if s.prev[i] >= 0:
        s.mark[s.prev[i]] |= mark


@kernel(entry=False)
def _forward(tasks: Tasks, s: State, at: int) -> None:
    """Derive stale ends again, and carry `AFTER` on, from place ``at`` of the order.

    This and `_backward` are most of a search's time. Written as one loop over arrays held in
    variables: a call that isn't inlined passes two hundred words for the two structures.
    """
    pred_ptr, pred, pred_volume = tasks.pred_ptr, tasks.pred, tasks.pred_volume
    succ_ptr, succ, slowness, ticks = tasks.succ_ptr, tasks.succ, tasks.slowness, tasks.ticks
    lane, length, prev, next_, end = s.lane, s.length, s.prev, s.next, s.end
    order, mark = s.order, s.mark
    for k in range(at, len(order)):
        i = order[k]
        passed = mark[i]
        if passed == 0:
            continue
        onwards = passed & AFTER
        if passed & STALE:
            mark[i] = passed & ~STALE
            p, u = lane[i], prev[i]
            start = end[u] if u >= 0 else 0.0
            for e in range(pred_ptr[i], pred_ptr[i + 1]):
                j = pred[e]
                time = transfer(pred_volume[e], slowness[lane[j], p], ticks)
                start = max(start, end[j] + time)
            if end[i] != start + length[i]:
                end[i] = start + length[i]
                onwards |= STALE
        if onwards:
            for e in range(succ_ptr[i], succ_ptr[i + 1]):
                mark[succ[e]] |= onwards
            if next_[i] >= 0:
                mark[next_[i]] |= onwards


@kernel(entry=False)
def _backward(tasks: Tasks, s: State, at: int) -> None:
    """Derive stale rests again, and carry `BEFORE` on, from place ``at`` of the order down."""
    pred_ptr, pred, succ_volume = tasks.pred_ptr, tasks.pred, tasks.succ_volume
    succ_ptr, succ, slowness, ticks = tasks.succ_ptr, tasks.succ, tasks.slowness, tasks.ticks
    lane, length, prev, next_, rest = s.lane, s.length, s.prev, s.next, s.rest
    order, mark = s.order, s.mark
    for k in range(at, -1, -1):
        i = order[k]
        passed = mark[i]
        if passed == 0:
            continue
        onwards = passed & BEFORE
        if passed & STALE:
            mark[i] = passed & ~STALE
            p, w = lane[i], next_[i]
            longest = rest[w] if w >= 0 else 0.0
            for e in range(succ_ptr[i], succ_ptr[i + 1]):
                j = succ[e]
                time = transfer(succ_volume[e], slowness[p, lane[j]], ticks)
                longest = max(longest, rest[j] + time)
            if rest[i] != longest + length[i]:
                rest[i] = longest + length[i]
                onwards |= STALE
        if onwards:
            for e in range(pred_ptr[i], pred_ptr[i + 1]):
                mark[pred[e]] |= onwards
            if prev[i] >= 0:
                mark[prev[i]] |= onwards


@kernel(entry=False)
def take_out(tasks: Tasks, s: State, i: int) -> None:
    """Take a task out of its lane; marks those that must run `AFTER` and `BEFORE` it."""
    p, u, w = s.lane[i], s.prev[i], s.next[i]
    s.mark[:] = 0
    if u >= 0:
        s.next[u] = w
        s.mark[u] = STALE
    else:
        s.first[p] = w
    if w >= 0:
        s.prev[w] = u
        s.mark[w] = STALE
    else:
        s.last[p] = u
    s.prev[i] = s.next[i] = -1
    s.end[i] = s.rest[i] = -np.inf
    _mark_next(tasks, s, i, STALE | AFTER)
    _mark_prev(tasks, s, i, STALE | BEFORE)
    _forward(tasks, s, s.place[i] + 1)
    _backward(tasks, s, s.place[i] - 1)


@kernel(entry=False)
def _reorder(tasks: Tasks, s: State, i: int) -> None:
    """Restore the order around a task that was put in (cf. Pearce & Kelly 2006)."""
    at = low = high = s.place[i]
    for e in range(tasks.pred_ptr[i], tasks.pred_ptr[i + 1]):
        high = max(high, s.place[tasks.pred[e]])
    for e in range(tasks.succ_ptr[i], tasks.succ_ptr[i + 1]):
        low = min(low, s.place[tasks.succ[e]])
    if s.prev[i] >= 0:
        high = max(high, s.place[s.prev[i]])
    if s.next[i] >= 0:
        low = min(low, s.place[s.next[i]])
    if low == at and high == at:
        return
    s.mark[:] = 0
    _mark_next(tasks, s, i, AFTER)
    count = 0
    to = low
    for k in range(low, high + 1):
        j = s.order[k]
        if j == i:
            continue
        if s.mark[j] & AFTER:
            _mark_next(tasks, s, j, AFTER)
            s.later[count] = j
            count += 1
        else:
            s.order[to] = j
            s.place[j] = to
            to += 1
    s.order[to] = i
    s.place[i] = to
    for k in range(count):
        to += 1
        s.order[to] = s.later[k]
        s.place[s.later[k]] = to


@kernel(entry=False)
def put_in(tasks: Tasks, s: State, i: int, p: int, u: int) -> None:
    """Put a task that is out on lane p behind task u, at the front if u is -1."""
    w = s.next[u] if u >= 0 else s.first[p]
    s.lane[i], s.length[i], s.prev[i], s.next[i] = p, tasks.duration[i, p], u, w
    if u >= 0:
        s.next[u] = i
    else:
        s.first[p] = i
    if w >= 0:
        s.prev[w] = i
    else:
        s.last[p] = i
    _reorder(tasks, s, i)
    s.end[i], s.rest[i] = _end(tasks, s, i), _rest(tasks, s, i)
    s.mark[:] = 0
    _mark_next(tasks, s, i, STALE)
    _forward(tasks, s, s.place[i] + 1)
    s.mark[:] = 0
    _mark_prev(tasks, s, i, STALE)
    _backward(tasks, s, s.place[i] - 1)


@kernel
def build(tasks: Tasks, s: State, lane: Ints, order: Ints) -> float:
    """Set up a plan; returns its makespan.

    Args:
        tasks: the job.
        s: overwritten.
        lane: (N,) of each task.
        order: (N,) a topological order of the tasks, which gives every lane's sequence.
    """
    s.first[:] = -1
    s.last[:] = -1
    s.order[:] = order
    s.lane[:] = lane
    for k in range(len(order)):
        i = order[k]
        p = lane[i]
        s.place[i] = k
        s.length[i] = tasks.duration[i, p]
        s.prev[i], s.next[i] = s.last[p], -1
        if s.last[p] >= 0:
            s.next[s.last[p]] = i
        else:
            s.first[p] = i
        s.last[p] = i
    s.mark[:] = STALE
    _forward(tasks, s, 0)
    s.mark[:] = STALE
    _backward(tasks, s, len(order) - 1)
    return makespan(s)
