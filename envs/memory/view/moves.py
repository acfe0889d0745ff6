"""Filling observations where mappings are improved: a row for each move that is proposed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphsched.envs.core.kernels.jit import kernel
from graphsched.envs.memory.features import FIRST_MOVE, FIRST_RUN
from graphsched.envs.memory.improving.ejections import describe_run
from graphsched.envs.memory.improving.episode import MOVE, Room, search_at
from graphsched.envs.memory.improving.orders import describe
from graphsched.envs.memory.physics.state import State, problem_at
from graphsched.envs.memory.view.rows import INSTRUCTION, STORAGE, fill_context

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from graphsched.envs.memory.improving.searching import Search
    from graphsched.envs.memory.physics.program import Problem

    Ints = NDArray[np.int64]
    Rows = NDArray[np.float32]


@kernel(entry=False)
def _fill_move(p: Problem, s: Search, k: int, row: Rows) -> tuple[int, int]:
    """A proposed move in the order; its storage and the access that stands for it."""
    source, target = s.moves[k, 0], s.moves[k, 1]
    describe(p, s.best, s.order, s.notes, source, target, s.tally[0], row[FIRST_MOVE:FIRST_RUN])
    g = s.order[source]
    return g, p.access_ptr[g]


@kernel(entry=False)
def _fill_run(p: Problem, s: Search, k: int, row: Rows) -> tuple[int, int]:
    """A proposed run; its storage and its first access."""
    run = s.ejection.run[k]
    describe_run(p, s.best, s.ejection, run, row[FIRST_RUN:])
    return run[0], run[1]


@kernel
def fill_moves(
    s: State,
    slots: Ints,  # (N,)
    moves: int,  # of an episode
    room: Room,
    first_row: Ints,  # (B,) node-table row of each slot's graph
    candidate_ptr: Ints,  # (N + 1,)
    context: Rows,
    candidate: Rows,
    candidate_node: Ints,
) -> None:
    """Fill the zeroed arrays of an observation."""
    for i in range(len(slots)):
        b = slots[i]
        p, search, low = problem_at(s, b), search_at(s, b, room), candidate_ptr[i]
        fill_context(s, b, p, search.best, s.search.made[b] / moves, context[i])
        candidate_node[low : candidate_ptr[i + 1], STORAGE] = first_row[b]
        candidate_node[low : candidate_ptr[i + 1], INSTRUCTION] = first_row[b] + len(p.size)
        for k in range(0 if s.search.idle[b] else s.num_candidates[b]):
            row = candidate[low + k]
            if s.search.kind[b] == MOVE:
                g, u = _fill_move(p, search, k, row)
            else:
                g, u = _fill_run(p, search, k, row)
            candidate_node[low + k, STORAGE] += g
            candidate_node[low + k, INSTRUCTION] += p.access_time[u]
