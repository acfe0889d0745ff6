"""Annealing from one or more plans, as long as the time lasts."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from graphsched.envs.core.clock import cpu_s
from graphsched.envs.soc.search.annealing import anneal
from graphsched.envs.soc.search.moves import empty_places
from graphsched.envs.soc.search.state import build, empty_state

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from graphsched.envs.soc.plan import Tasks

    Ints = NDArray[np.int64]

LOOK_S = 0.002  # between looks at the clock
FIRST = 8  # moves before the first look
HOT, COLD = 0.5, 0.02  # temperatures, in mean durations


class Found(NamedTuple):
    """What a search met. N tasks."""

    lane: Ints  # (N,)
    order: Ints  # (N,) topological, gives every lane's sequence
    cost: float  # makespan
    moves: int  # made
    valued: int  # placements


def search(
    tasks: Tasks,
    starts: Sequence[tuple[Ints, Ints]],
    seconds: float = np.inf,
    moves: int = 2**62,
    seed: int = 0,
) -> Found:
    """The best plan met by annealing from each start for its share of time or moves.

    Args:
        tasks: the job.
        starts: lanes and topological orders, (N,) each; the better ones first.
        seconds: of processor time.
        moves: at most.
        seed: of the moves.
    """
    size, lanes = tasks.duration.shape
    s, spare, best = (empty_state(size, lanes) for _ in range(3))
    places, costs, best_cost = empty_places(size, lanes), np.full(1, np.inf), np.inf
    random = np.random.SeedSequence(seed).generate_state(1).astype(np.int64) | 1
    unit = float(tasks.mean.mean())
    began = cpu_s()
    made = valued = 0
    for k, (lane, order) in enumerate(starts):
        cost = build(tasks, s, lane, order)
        if cost < costs[0]:
            costs[0] = cost
            build(tasks, best, lane, order)
    for k, (lane, order) in enumerate(starts):
        first = build(tasks, s, lane, order)
        span_s = (seconds - (cpu_s() - began)) / (len(starts) - k)
        span = (moves - made) // (len(starts) - k)
        since, done, speed = cpu_s(), 0, 0.0
        while True:
            spent = cpu_s() - since
            share = max(spent / span_s if span_s > 0 else 1.0, done / max(span, 1))
            if share >= 1 or size == 0:
                break
            if done == 0:
                piece = FIRST
            else:
                piece = max(1, int(done / max(spent, 1e-6) * min(LOOK_S, span_s - spent)))
            piece = min(piece, span - done, 100000)
            until = min(1.0, share + (share * piece / done if done else 0.0))
            hot, cold = (unit * HOT * (COLD / HOT) ** x + 1e-12 for x in (share, until))
            valued += anneal(tasks, s, spare, best, places, costs, piece, hot, cold, random)
            done += piece
        made += done
    return Found(best.lane.copy(), best.order.copy(), float(costs[0]), made, valued)
