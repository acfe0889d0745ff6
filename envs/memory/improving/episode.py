"""Episodes that improve a mapping: so many decisions, each which of some proposed moves is tried.

They set out from the best of the fixed orders. The first part of the decisions are moves in the order,
the others runs of accesses that come into the mapping over others, as in `searching`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from graphsched.envs.core.kernels.draws import begin_stream
from graphsched.envs.core.kernels.jit import kernel
from graphsched.envs.core.sim import DONE, WAITING
from graphsched.envs.memory.improving.bank import CHECKPOINTS, Bank
from graphsched.envs.memory.improving.ejections import (
    FOLLOWERS,
    Ejection,
    Worths,
    note_open,
    propose_runs,
)
from graphsched.envs.memory.improving.mapping import Copies, copies_of_size
from graphsched.envs.memory.improving.orders import Notes, propose
from graphsched.envs.memory.improving.searching import Search, make_move, make_run, settle
from graphsched.envs.memory.physics.arena import LATENCY, Arena, empty_arena
from graphsched.envs.memory.physics.state import BEST_LIST, State, arena_at, problem_at

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from graphsched.envs.memory.physics.program import Problem
    from graphsched.envs.memory.physics.search_state import Mappings

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float64]

MOVE, RUN = 2, 3  # kinds of decision, places in `features.SCHEMA.kinds`
ORDER_SHARE = 0.6  # of the moves are in the order


class Plan(NamedTuple):
    """How long an episode is, and what is on offer."""

    moves: int  # all of them
    order_moves: int  # those in the order, which come first
    offered: tuple[int, int]  # moves in the order, runs


class Room(NamedTuple):
    """What a move needs while it is tried, and nothing of which is kept; one for all slots."""

    trial: Ints  # (G,)
    other: Arena
    tried: Arena  # (C, ...)
    report: Floats  # (4,)
    queue: Ints  # (R,)
    worth: Floats  # (R,)
    copies: Copies
    rows: NDArray[np.float32]  # (0, 0): features go into observations


def plan_of(moves: int, offered: int) -> Plan:
    """Of so many moves with so many on offer; half as many where runs come in, which cost more."""
    return Plan(moves, round(ORDER_SHARE * moves), (offered, max(offered // 2, 2)))


def empty_room(instructions: int, storages: int, accesses: int) -> Room:
    """Room for programs up to the given sizes."""
    queued = accesses + 1 + FOLLOWERS
    return Room(
        np.zeros(storages, np.int64),
        empty_arena(instructions, accesses),
        empty_arena(instructions, accesses, CHECKPOINTS),
        np.zeros(4),
        np.zeros(queued, np.int64),
        np.zeros(queued),
        copies_of_size(instructions, accesses),
        np.zeros((0, 0), np.float32),
    )


@kernel(entry=False, allocates=True)
def _kept_at(m: Mappings, b: int) -> Arena:
    return Arena(
        m.slow[b],
        m.fast[b],
        m.used[b],
        m.load[b],
        m.hit[b],
        m.start[b],
        m.end[b],
        m.offset[b],
        m.owner[b],
        m.whole[b],
        m.real[b],
    )


@kernel(entry=False, allocates=True)
def search_at(s: State, b: int, room: Room) -> Search:
    """The search of a slot, as views."""
    n, own = s.num_placed[b], s.search
    notes = Notes(
        own.unmet[b],
        own.gained[b],
        own.served[b],
        own.peak[b],
        own.mean[b],
        own.sums[b],
        own.tries[b],
        own.last[b],
    )
    ejection = Ejection(
        own.open[b],
        own.opened[b],
        own.run[b],
        room.queue,
        room.worth,
        own.run_tries[b],
        room.copies,
        Worths(own.run_worth[b], own.run_copies[b], own.whole_worth[b], own.load_sum[b]),
    )
    return Search(
        s.placed[b, :n],
        room.trial[:n],
        arena_at(s, b),
        room.other,
        Bank(_kept_at(own.kept, b), room.tried, own.after[b]),
        notes,
        own.moves[b],
        room.rows,
        room.report,
        own.tally[b],
        ejection,
        room.rows,
        own.stream[b],
    )


@kernel(entry=False, allocates=False)
def _offer(s: State, b: int, kind: int, count: int) -> None:
    s.search.kind[b], s.num_candidates[b] = kind, count
    s.status[b] = WAITING


@kernel(entry=False, allocates=False)
def _make(s: State, b: int, p: Problem, search: Search, kind: int, k: int) -> None:
    """A proposed move or run."""
    s.search.made[b] += 1
    before = s.real[b, LATENCY]
    if kind == MOVE:
        make_move(p, search, k)
    elif make_run(p, search, k) <= before:
        s.search.is_placed[b] = False


@kernel(entry=False, allocates=False)
def _advance(s: State, b: int, p: Problem, search: Search, plan: Plan) -> None:
    """Go on to the next decision with a choice, or to the end; what there is no choice of is made."""
    own = s.search
    while own.made[b] < plan.moves:
        in_order = own.made[b] < plan.order_moves
        if in_order and len(search.order) > 1:
            propose(len(search.order), search.moves, plan.offered[0], search.stream)
            _offer(s, b, MOVE, plan.offered[0])
            return
        if in_order:
            own.made[b] = plan.order_moves
            continue
        if own.made[b] == plan.order_moves:
            note_open(p, search.best, search.ejection)
        found = propose_runs(p, search.best, search.ejection, plan.offered[1], search.stream)
        if found > 1:
            _offer(s, b, RUN, found)
            return
        if found == 1:
            _make(s, b, p, search, RUN, 0)
        elif own.opened[b, 0] == 0:
            break  # nothing that is slow would be faster
        else:
            own.made[b] += 1
    if s.decisions[b] == 0:
        own.idle[b] = True
        _offer(s, b, RUN, 1)
    else:
        s.status[b] = DONE


@kernel
def begin_searches(s: State, slots: Ints, plan: Plan, room: Room) -> None:
    """The best of the fixed orders, up to the first choice. slots: (N,)."""
    own = s.search
    for b in slots:
        n = s.worth[b]
        s.num_placed[b] = n
        s.placed[b, :n] = s.lists[b, BEST_LIST, :n]
        size = own.after.shape[1]
        for c in range(size):
            own.after[b, c] = c * n // (size - 1)
        own.tries[b], own.run_tries[b], own.last[b] = 0, 0, -1
        own.tally[b], own.made[b], own.opened[b] = 0, 0, 0
        own.idle[b], own.is_placed[b] = False, True
        s.decisions[b] = 0
        p, search = problem_at(s, b), search_at(s, b, room)
        settle(p, search)
        _advance(s, b, p, search, plan)


@kernel
def step_searches(
    s: State,
    slots: Ints,
    actions: Ints,
    plan: Plan,
    room: Room,
    rewards: Floats,
    dones: NDArray[np.bool_],
) -> None:
    """Try what was chosen in each slot, and what there is no choice of after it. All are (N,)."""
    for i in range(len(slots)):
        b = slots[i]
        before = s.real[b, LATENCY] if s.decisions[b] else s.first_latency[b]
        s.decisions[b] += 1
        if s.search.idle[b]:
            s.status[b] = DONE
        else:
            p, search = problem_at(s, b), search_at(s, b, room)
            _make(s, b, p, search, s.search.kind[b], actions[i])
            _advance(s, b, p, search, plan)
        rewards[i] = (before - s.real[b, LATENCY]) / max(s.first_latency[b], 1e-300)
        dones[i] = s.status[b] == DONE


def redraw(sim: Any, slots: Sequence[int], seeds: Sequence[int]) -> bool:
    """What will be proposed after the pending decision is hidden; see `Domain.redraw`."""
    if sim.options.actions != "improve":
        return False
    for slot, seed in zip(slots, seeds, strict=True):
        begin_stream(sim.state.search.stream[slot], seed)
    return True
