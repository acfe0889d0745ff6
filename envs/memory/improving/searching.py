"""The search: moves of one storage in the order of placing, ranked by a scorer."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from graphsched.envs.core.kernels.draws import begin_stream
from graphsched.envs.core.kernels.jit import kernel
from graphsched.envs.memory.improving.bank import (
    Bank,
    empty_bank,
    keep_tried,
    settle_order,
    try_order,
)
from graphsched.envs.memory.improving.ejections import (
    EJECTION,
    Ejection,
    describe_run,
    empty_ejection,
    note_open,
    propose_runs,
    try_run,
)
from graphsched.envs.memory.improving.orders import (
    ORDER_MOVE,
    Notes,
    describe,
    empty_notes,
    move,
    note,
    propose,
)
from graphsched.envs.memory.improving.scorer import Scorer, chosen
from graphsched.envs.memory.physics.arena import LATENCY, Arena, copy_mapping, empty_arena

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from graphsched.envs.memory.physics.program import Problem

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float64]

OFFERED = 16  # moves that can be ranked


class Search(NamedTuple):
    """The best mapping met, and room to try others; n storages in the order."""

    order: Ints  # (n,)
    trial: Ints  # (n,)
    best: Arena
    other: Arena
    bank: Bank
    notes: Notes
    moves: Ints  # (K, 2)
    rows: NDArray[np.float32]  # (K, F)
    report: Floats  # (4,)
    tally: Ints  # (2,) moves tried, moves that helped
    ejection: Ejection
    run_rows: NDArray[np.float32]  # (K, F)
    stream: Ints  # (1,) of random numbers


def begin_search(p: Problem, order: Ints) -> Search:
    """Set out from an order; `settle` has to follow."""
    n = len(order)
    return Search(
        order.copy(),
        order.copy(),
        empty_arena(len(p.compute), len(p.access_time)),
        empty_arena(len(p.compute), len(p.access_time)),
        empty_bank(p, n),
        empty_notes(p, n),
        np.zeros((OFFERED, 2), np.int64),
        np.zeros((OFFERED, len(ORDER_MOVE)), np.float32),
        np.zeros(4),
        np.zeros(2, np.int64),
        empty_ejection(p, OFFERED),
        np.zeros((OFFERED, len(EJECTION)), np.float32),
        np.ones(1, np.int64),
    )


@kernel
def settle(p: Problem, s: Search) -> float:
    """Place the order from the start; its latency, us."""
    cost = settle_order(p, s.bank, s.best, s.order, s.report)
    note(p, s.best, s.order, s.notes)
    return cost


@kernel(entry=False, allocates=False)
def make_move(p: Problem, s: Search, k: int) -> float:
    """Try a proposed move in the order, and keep it unless the latency rises; what it leads to, us."""
    source, target = s.moves[k, 0], s.moves[k, 1]
    g = s.order[source]
    move(s.order, s.trial, source, target)
    low, high = min(source, target), max(source, target)
    found, same = try_order(p, s.bank, s.other, s.trial, low, high, s.report)
    s.notes.tries[g] += 1
    s.notes.last[g] = s.tally[0]
    s.tally[0] += 1
    if found <= s.best.real[LATENCY]:
        s.tally[1] += found < s.best.real[LATENCY]
        for i in range(len(s.order)):
            s.order[i] = s.trial[i]
        keep_tried(p, s.bank, low, same)
        copy_mapping(p, s.other, s.best)
        note(p, s.best, s.order, s.notes)
    return found


@kernel(entry=False, allocates=False)
def make_run(p: Problem, s: Search, k: int) -> float:
    """Try a proposed run, and keep it unless the latency rises; what it leads to, us."""
    e = s.ejection
    latency = try_run(p, s.best, s.other, e, e.run[k], s.stream, s.report)
    s.tally[0] += 1
    if latency <= s.best.real[LATENCY]:
        s.tally[1] += latency < s.best.real[LATENCY]
        copy_mapping(p, s.other, s.best)
        note_open(p, s.best, e)
    return latency


@kernel
def search_orders(
    p: Problem,
    s: Search,
    scorer: Scorer,
    cost: float,
    tries: int,
    offered: int,
    seed: int,
    rows: NDArray[np.float32],  # (tries, F) out, or (0, F): features of what was tried
    saved: NDArray[np.float32],  # (tries,) out, or (0,): share of the latency that each saved
) -> float:
    """So many moves, each the best by the scorer of those on offer, kept unless the latency rises.

    Returns:
        The latency reached, us.
    """
    if seed >= 0:
        begin_stream(s.stream, seed)
    n = len(s.order)
    for i in range(tries if n > 1 else 0):
        propose(n, s.moves, offered, s.stream)
        if offered > 1 or len(rows):
            for k in range(offered):
                source, target = s.moves[k, 0], s.moves[k, 1]
                describe(p, s.best, s.order, s.notes, source, target, s.tally[0], s.rows[k])
        k = chosen(scorer, s.rows, offered, s.stream) if offered > 1 else 0
        found = make_move(p, s, k)
        if len(rows):
            rows[i], saved[i] = s.rows[k], max(1.0 - found / cost, 0.0)
        cost = min(found, cost)
    return cost


@kernel
def search_runs(
    p: Problem,
    s: Search,
    scorer: Scorer,
    cost: float,
    tries: int,
    offered: int,
    seed: int,
    rows: NDArray[np.float32],  # (tries, F) out, or (0, F): features of what was tried
    saved: NDArray[np.float32],  # (tries,) out, or (0,): share of the latency that each saved
) -> float:
    """So many runs brought in over others, each the best by the scorer of those on offer.

    Returns:
        The latency reached, us.
    """
    if seed >= 0:
        begin_stream(s.stream, seed)
    e = s.ejection
    note_open(p, s.best, e)
    for i in range(tries):
        found = propose_runs(p, s.best, e, offered, s.stream)
        if found == 0:
            continue
        if offered > 1 or len(rows):
            for k in range(found):
                describe_run(p, s.best, e, e.run[k], s.run_rows[k])
        k = chosen(scorer, s.run_rows, found, s.stream) if found > 1 else 0
        latency = make_run(p, s, k)
        if len(rows):
            rows[i], saved[i] = s.run_rows[k], max(1.0 - latency / cost, 0.0)
        cost = min(latency, cost)
    return cost
