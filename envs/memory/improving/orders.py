"""Moves of one storage to another place in the order of placing: proposals and what tells them apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from graphsched.envs.core.graph import columns, features
from graphsched.envs.core.kernels.draws import draw
from graphsched.envs.core.kernels.jit import kernel
from graphsched.envs.memory.improving.mapping import loss
from graphsched.envs.memory.physics.arena import LATENCY, Arena, gain

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from graphsched.envs.memory.physics.program import Problem

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float64]
    Rows = NDArray[np.float32]

ORDER_MOVE = features(
    "unmet",  # of the moved storage: time that its slow accesses would save / latency, log scale
    "gained",  # time that its fast accesses save / latency, log scale
    "passed_unmet",  # the same of all that it passes
    "passed_gained",
    "passed_needy",  # share of what it passes that would gain something
    "passed_none",  # share that isn't in fast memory at all
    "passed_bytes",  # log of their bytes / its own
    "earlier",  # 1 if it moves to the front
    "distance",  # places / all
    "log_distance",
    "source",  # place / all
    "target",
    "served",  # share of its accesses that are fast
    "absent",  # 1 if none is
    "size",  # / capacity
    "lifetime",  # instructions / all
    "accesses",  # log
    "live_in",
    "live_out",
    "peak",  # of the memory in use over its lifetime / capacity
    "mean",
    "tries",  # log(1 + how often it was moved)
    "since",  # log(1 + moves since), 10 if it never was
    "unmet_earlier",  # `unmet` where it moves to the front
    "passed_unmet_later",  # `passed_unmet` where it moves to the back
)
MOVE = columns(ORDER_MOVE)
_UNMET, _GAINED, _NEEDY, _NONE, _BYTES = range(5)  # of `Notes.sums`


class Notes(NamedTuple):
    """What is known of the best order's storages; G of all, n of the order."""

    unmet: Floats  # (G,) time that the slow accesses would save, us
    gained: Floats  # (G,) time that the fast ones save, us
    served: Floats  # (G,) share of fast accesses
    peak: Floats  # (G,) of the memory in use over its lifetime / capacity
    mean: Floats  # (G,)
    sums: Floats  # (5, n + 1) sums over places before each
    tries: Ints  # (G,)
    last: Ints  # (G,) number of the move, -1 for none


def empty_notes(p: Problem, storages: int) -> Notes:
    """Nothing is known."""
    rows = [np.zeros(len(p.size)) for _ in range(5)]
    sums = np.zeros((5, storages + 1))
    return Notes(
        rows[0],
        rows[1],
        rows[2],
        rows[3],
        rows[4],
        sums,
        np.zeros(len(p.size), np.int64),
        np.full(len(p.size), -1),
    )


@kernel(entry=False, allocates=False)
def note(p: Problem, a: Arena, order: Ints, notes: Notes) -> None:
    """Look at the mapping of an order."""
    for k in range(len(order)):
        g = order[k]
        first, end = p.access_ptr[g], p.access_ptr[g + 1]
        notes.unmet[g] = notes.gained[g] = 0.0
        hits = 0
        for u in range(first, end):
            if a.hit[u]:
                notes.gained[g] += loss(p, a, u)
                hits += 1
            else:
                notes.unmet[g] += max(gain(p, a, u), 0.0)
        notes.served[g] = hits / (end - first)
        low, high = p.access_time[first], p.access_time[end - 1] + 1
        peak, total = 0, 0.0
        for t in range(low, high):
            peak = max(peak, a.load[t])
            total += a.load[t]
        notes.peak[g] = peak / p.capacity
        notes.mean[g] = total / ((high - low) * p.capacity)
        sums = notes.sums
        sums[_UNMET, k + 1] = sums[_UNMET, k] + notes.unmet[g]
        sums[_GAINED, k + 1] = sums[_GAINED, k] + notes.gained[g]
        sums[_NEEDY, k + 1] = sums[_NEEDY, k] + (notes.unmet[g] > 0.0)
        sums[_NONE, k + 1] = sums[_NONE, k] + (hits == 0)
        sums[_BYTES, k + 1] = sums[_BYTES, k] + p.size[g]


@kernel(entry=False, allocates=False)
def propose(storages: int, moves: Ints, count: int, stream: Ints) -> None:
    """Draw moves (K, 2) from one place to another; half of them to an earlier one."""
    for k in range(count):
        source = target = 0
        while source == target:
            source = draw(stream, storages)
            nearer = draw(stream, 2) == 0
            target = draw(stream, source + 1 if nearer else storages)
        moves[k, 0], moves[k, 1] = source, target


@kernel(entry=False, allocates=False)
def _share(part: float, whole: float) -> float:
    """A time against the latency, in log scale: 0 for none, 1 at a tenth of a percent."""
    return float(np.log1p(1e3 * max(part, 0.0) / whole))


@kernel(entry=False, allocates=False)
def describe(
    p: Problem, a: Arena, order: Ints, notes: Notes, source: int, target: int, now: int, row: Rows
) -> None:
    """Fill the features of a move, (F,); now: moves made so far."""
    g, n, latency = order[source], len(order), a.real[LATENCY]
    low, high = (target, source) if target < source else (source + 1, target + 1)
    sums, passed = notes.sums, high - low
    earlier = 1.0 if target < source else 0.0
    first, end = p.access_ptr[g], p.access_ptr[g + 1]
    row[MOVE.unmet] = _share(notes.unmet[g], latency)
    row[MOVE.gained] = _share(notes.gained[g], latency)
    row[MOVE.passed_unmet] = _share(sums[_UNMET, high] - sums[_UNMET, low], latency)
    row[MOVE.passed_gained] = _share(sums[_GAINED, high] - sums[_GAINED, low], latency)
    row[MOVE.passed_needy] = (sums[_NEEDY, high] - sums[_NEEDY, low]) / passed
    row[MOVE.passed_none] = (sums[_NONE, high] - sums[_NONE, low]) / passed
    row[MOVE.passed_bytes] = np.log((sums[_BYTES, high] - sums[_BYTES, low]) / p.size[g])
    row[MOVE.earlier] = earlier
    row[MOVE.distance] = passed / n
    row[MOVE.log_distance] = np.log(passed)
    row[MOVE.source], row[MOVE.target] = source / n, target / n
    row[MOVE.served] = notes.served[g]
    row[MOVE.absent] = notes.served[g] == 0.0
    row[MOVE.size] = p.size[g] / p.capacity
    row[MOVE.lifetime] = (p.access_time[end - 1] + 1 - p.access_time[first]) / len(p.compute)
    row[MOVE.accesses] = np.log(end - first)
    row[MOVE.live_in], row[MOVE.live_out] = p.live_in[g], p.live_out[g]
    row[MOVE.peak], row[MOVE.mean] = notes.peak[g], notes.mean[g]
    row[MOVE.tries] = np.log1p(notes.tries[g])
    row[MOVE.since] = np.log1p(now - notes.last[g]) if notes.last[g] >= 0 else 10.0
    row[MOVE.unmet_earlier] = row[MOVE.unmet] * earlier
    row[MOVE.passed_unmet_later] = row[MOVE.passed_unmet] * (1.0 - earlier)


@kernel(entry=False, allocates=False)
def move(order: Ints, trial: Ints, source: int, target: int) -> None:
    """Fill trial (n,) with the order after a move."""
    for k in range(len(order)):
        trial[k] = order[k]
    for k in range(source, target):
        trial[k] = order[k + 1]
    for k in range(target, source):
        trial[k + 1] = order[k]
    trial[target] = order[source]
