"""Filling observations: a row for each candidate and the context of each slot."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from graphsched.envs.core.kernels.jit import kernel
from graphsched.envs.memory.features import CAND, CTX, FIRST_MOVE, HEADS, SCHEMA
from graphsched.envs.memory.physics.arena import LATENCY, Arena, gain
from graphsched.envs.memory.physics.placing import COPIED, HELD, SAVED, SERVED
from graphsched.envs.memory.physics.state import (
    COPY,
    NUM_LISTS,
    SLOW,
    STAY,
    State,
    arena_at,
    problem_at,
)
from graphsched.envs.memory.view.pilot import Scratch, pilot

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from graphsched.envs.memory.physics.program import Problem

    Ints = NDArray[np.int64]
    Rows = NDArray[np.float32]

STORAGE, INSTRUCTION = range(len(SCHEMA.candidate_nodes))  # columns of candidate_node
OVER_BEST = (  # columns that are shares of the greatest of all candidates
    CAND.saved_over_best,
    CAND.density_over_best,
    CAND.saved_per_byte_over_best,
    CAND.saved_per_root_byte_over_best,
)


@kernel(entry=False, allocates=False)
def _storage_row(s: State, b: int, p: Problem, a: Arena, g: int, row: Rows) -> None:
    """What both kinds of decision say of a storage."""
    first, end = p.access_ptr[g], p.access_ptr[g + 1]
    size, capacity = len(p.compute), max(p.capacity, 1)
    low, high = p.access_time[first], p.access_time[end - 1]
    peak, total = 0, 0
    for load in a.load[low : high + 1]:  # a sum of whole numbers, so that it can be vectorised
        peak = max(peak, load)
        total += load
    row[CAND.size] = min(p.size[g] / capacity, 4.0)
    row[CAND.length] = (high + 1 - low) / size
    row[CAND.peak] = peak / capacity
    row[CAND.load] = total / (high + 1 - low) / capacity
    row[CAND.room_after] = max(capacity - peak - p.size[g], 0) / capacity
    row[CAND.profit_share] = s.profit_share[b, g]
    row[CAND.accesses] = np.log(end - first)
    row[CAND.live_in], row[CAND.live_out] = p.live_in[g], p.live_out[g]


@kernel(entry=False, allocates=False)
def _place_rows(s: State, b: int, p: Problem, a: Arena, rows: Rows) -> None:
    """Candidates of the priority form."""
    size, capacity = len(p.compute), max(p.capacity, 1)
    margin_top = -np.inf
    for c in range(len(rows)):
        g, row = s.candidate[b, c], rows[c]
        out = s.known.outcome[b, g]
        _storage_row(s, b, p, a, g, row)
        heads = 0
        for k in range(NUM_LISTS):
            if s.heads[b, k] < s.worth[b] and s.lists[b, k, s.heads[b, k]] == g:
                row[HEADS[k]] = 1.0
                heads += 1
        saved, width = out[SAVED], float(p.size[g])
        first, end = p.access_ptr[g], p.access_ptr[g + 1]
        low, high = p.access_time[first], p.access_time[end - 1]
        mean_price = (s.price_sum[b, high + 1] - s.price_sum[b, low]) / (high + 1 - low)
        row[CAND.heads] = heads / NUM_LISTS
        row[CAND.saved] = np.log1p(1000 * saved / max(s.first_latency[b], 1e-300))
        row[CAND.saved_over_best] = saved
        row[CAND.density_over_best] = saved / max(out[HELD], 1e-300)
        row[CAND.saved_per_byte_over_best] = saved / width
        row[CAND.saved_per_root_byte_over_best] = saved / np.sqrt(width)
        row[CAND.kept] = min(saved / max(s.benefit[b, g], 1e-300), 2.0)
        row[CAND.served] = out[SERVED] / (end - first)
        row[CAND.held] = out[HELD] / (float(capacity) * size)
        row[CAND.copied] = out[COPIED] / width / 2
        row[CAND.margin] = max(1 - out[HELD] * mean_price / max(saved, 1e-300), -3.0)
        margin_top = max(margin_top, row[CAND.margin])
    for c in range(len(rows)):
        rows[c, CAND.margin_over_best] = rows[c, CAND.margin] - margin_top
    for column in OVER_BEST:
        top = 0.0
        for c in range(len(rows)):
            top = max(top, rows[c, column])
        for c in range(len(rows)):
            rows[c, column] /= max(top, 1e-300)


@kernel(entry=False, allocates=False)
def _pilot_rows(s: State, b: int, p: Problem, a: Arena, scratch: Scratch, rows: Rows) -> None:
    """How the priority form goes on from each candidate."""
    now, best = a.real[LATENCY], np.inf
    for c in range(len(rows)):
        after = pilot(s, b, p, a, s.candidate[b, c], scratch)
        scratch.latency[c] = after
        best = min(best, after)
    scale = max(s.first_latency[b], 1e-300)
    for c in range(len(rows)):
        rows[c, CAND.pilot_over_best] = min(1000 * (scratch.latency[c] - best) / scale, 20.0)
        rows[c, CAND.pilot] = (now - scratch.latency[c]) / scale


@kernel(entry=False, allocates=False)
def _access_row(s: State, b: int, p: Problem, a: Arena, u: int, saved: float, row: Rows) -> None:
    """What all choices for an access have in common; saved: by serving it fast, us."""
    g, t, size = p.access_storage[u], p.access_time[u], len(p.compute)
    end = p.access_ptr[g + 1]
    later = p.access_time[u + 1] if u + 1 < end else size
    price = p.size[g] * (s.price_sum[b, later] - s.price_sum[b, t])
    _storage_row(s, b, p, a, g, row)
    row[CAND.further] = (end - 1 - u) / 8
    row[CAND.next] = (later - t) / size
    row[CAND.price_until_next] = min(price / max(saved, 1e-300), 3.0)
    row[CAND.margin] = s.margin[b, g]


@kernel(entry=False, allocates=False)
def _serve_rows(s: State, b: int, p: Problem, a: Arena, rows: Rows) -> None:
    """Candidates of the step-wise game: the choices for one access."""
    u = p.program_order[s.cursor[b]]
    g, saved = p.access_storage[u], gain(p, a, u)
    _access_row(s, b, p, a, u, saved, rows[0])
    for c in range(1, len(rows)):
        for k in range(FIRST_MOVE):
            rows[c, k] = rows[0, k]
    for c in range(len(rows)):
        choice, row = s.candidate[b, c], rows[c]
        row[CAND.stay], row[CAND.copy] = choice == STAY, choice == COPY
        row[CAND.slow] = choice == SLOW
        if choice == SLOW:
            row[CAND.writes_back] = s.stale[b, g]
            continue
        row[CAND.saved] = np.log1p(1000 * saved / max(s.first_latency[b], 1e-300))
        row[CAND.saved_over_best] = 1.0
        row[CAND.kept] = min(saved / max(s.benefit[b, g], 1e-300), 2.0)
        row[CAND.copied] = choice == COPY


@kernel(entry=False, allocates=False)
def fill_context(s: State, b: int, p: Problem, a: Arena, done: float, context: Rows) -> None:
    """The situation of a slot that is done by a share, (D,)."""
    scale, capacity = max(s.first_latency[b], 1e-300), float(max(p.capacity, 1))
    context[CTX.progress] = done
    context[CTX.saved] = 1 - s.real[b, LATENCY] / scale
    context[CTX.possible] = 1 - s.least_latency[b] / scale
    total = 0
    for load in a.load[: len(p.compute)]:
        total += load
    context[CTX.load] = total / len(p.compute) / capacity
    context[CTX.candidates] = np.log(s.num_candidates[b])
    context[CTX.storages] = np.log(len(p.size)) / 8
    context[CTX.pressure] = s.pressure[b]


@kernel(entry=False, allocates=False)
def _has_pilots(s: State, b: int, decisions: int, placements: int) -> bool:
    """Whether pilots look ahead in the pending decision; each places what any list holds."""
    each = NUM_LISTS * max(s.worth[b], 1)
    return bool(s.decisions[b] < min(decisions, placements // each))


@kernel(allocates=False)
def fill_rows(
    s: State,
    slots: Ints,  # (N,)
    stepwise: bool,
    pilot_decisions: int,  # and placements: see `MemoryOptions`
    pilot_placements: int,
    scratch: Scratch,
    first_row: Ints,  # (B,) node-table row of each slot's graph
    candidate_ptr: Ints,  # (N + 1,)
    context: Rows,
    candidate: Rows,
    candidate_node: Ints,
) -> None:
    """Fill the zeroed arrays of an observation."""
    for i in range(len(slots)):
        b = slots[i]
        p, a = problem_at(s, b), arena_at(s, b)
        low, high = candidate_ptr[i], candidate_ptr[i + 1]
        rows = candidate[low:high]
        row_start = first_row[b]
        if stepwise:
            _serve_rows(s, b, p, a, rows)
            u = p.program_order[s.cursor[b]]
            candidate_node[low:high, STORAGE] = row_start + p.access_storage[u]
            candidate_node[low:high, INSTRUCTION] = row_start + len(p.size) + p.access_time[u]
        else:
            _place_rows(s, b, p, a, rows)
            if _has_pilots(s, b, pilot_decisions, pilot_placements):
                _pilot_rows(s, b, p, a, scratch, rows)
            for c in range(low, high):
                g = s.candidate[b, c - low]
                candidate_node[c, STORAGE] = row_start + g
                at = p.access_time[p.access_ptr[g]]
                candidate_node[c, INSTRUCTION] = row_start + len(p.size) + at
        done = s.cursor[b] / max(len(p.access_time), 1)
        if not stepwise:
            done = s.num_placed[b] / max(s.worth[b], 1)
        fill_context(s, b, p, a, done, context[i])
