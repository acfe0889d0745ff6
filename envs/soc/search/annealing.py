"""Annealing of a plan, in pieces of so many moves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from graphsched.envs.core.kernels.jit import kernel
from graphsched.envs.soc.search.moves import (
    Habits,
    Places,
    critical_task,
    draw,
    grow_block,
    send,
)
from graphsched.envs.soc.search.state import State, copy_state, makespan

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from graphsched.envs.soc.physics.tasks import Tasks

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]


@kernel(entry=False)
def _send_block(
    tasks: Tasks,
    s: State,
    spare: State,
    i: int,
    cost: float,
    heat: float,
    habits: Habits,
    places: Places,
    random: Ints,
) -> int:
    """Send a block around task i to another PE, or leave all as it was (Metropolis)."""
    pe = tasks.lane_pe[int(draw(random) * len(tasks.lane_pe))]
    if (
        pe == tasks.lane_pe[s.lane[i]]
        or tasks.duration[i, np.argmax(tasks.lane_pe == pe)] == np.inf
    ):
        return 0
    copy_state(s, spare)
    most = 2 + int(draw(random) * min(habits.most, len(s.order)))
    count = grow_block(tasks, s, i, most, spare.later, random)
    valued = 0
    for k in range(count):
        j = spare.later[k]
        if tasks.duration[j, np.argmax(tasks.lane_pe == pe)] < np.inf:
            valued += send(tasks, s, j, pe, 1e-12, habits.lean, places, random)
    rise = makespan(s) - cost
    if rise > 0 and draw(random) >= np.exp(-rise / heat):
        copy_state(spare, s)
    return valued


@kernel
def anneal(
    tasks: Tasks,
    s: State,
    spare: State,
    best: State,
    places: Places,
    costs: Floats,
    moves: int,
    hot: float,
    cold: float,
    habits: Habits,
    random: Ints,
) -> int:
    """A piece of annealing; returns how many placements were valued.

    Args:
        tasks: the job.
        s: the plan, changed.
        spare: scratch.
        best: overwritten by what is better than it.
        places: scratch.
        costs: (1,) makespan of ``best``.
        moves: of the piece.
        hot: temperature at its beginning, units of time.
        cold: at its end.
        habits: of the moves.
        random: (1,) stream of numbers.
    """
    size, valued = len(s.order), 0
    cost = makespan(s)
    for move in range(moves):
        heat = hot + (cold - hot) * move / moves
        i = int(draw(random) * size)
        if draw(random) < habits.critical:
            i = critical_task(s, cost, random)
        if draw(random) < habits.block:
            valued += _send_block(tasks, s, spare, i, cost, heat, habits, places, random)
        else:
            valued += send(tasks, s, i, -1, heat, habits.lean, places, random)
        cost = makespan(s)
        if cost < costs[0]:
            costs[0] = cost
            copy_state(s, best)
    return valued
