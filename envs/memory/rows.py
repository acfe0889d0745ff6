"""Filling observations: a row for each candidate and the context of each slot."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from graphsched.envs.core.jit import kernel
from graphsched.envs.memory.arena import LATENCY, Arena, gain
from graphsched.envs.memory.features import CANDIDATE
from graphsched.envs.memory.pilot import Scratch, pilot
from graphsched.envs.memory.placing import COPIED, HELD, SAVED, SERVED
from graphsched.envs.memory.state import COPY, NUM_LISTS, SLOW, STAY, State, arena_at, problem_at

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from graphsched.envs.memory.problem import Problem

    Ints = NDArray[np.int64]
    Rows = NDArray[np.float32]

(
    HEADS,
    SAVING,
    SAVING_REL,
    DENSITY,
    PER_BYTE,
    PER_ROOT,
    KEPT,
    SHARE,
    HOLDS,
    MOVES,
    SIZE,
    LENGTH,
    PEAK,
    MEAN,
    ROOM,
    MARGIN,
    MARGIN_REL,
    PROFIT,
    ACCESSES,
    LIVE_IN,
    LIVE_OUT,
    PILOT_REL,
    PILOT,
    STAYS,
    COPIES,
    SLOWS,
    BACK,
    FURTHER,
    NEXT,
    PRICE,
) = range(NUM_LISTS, len(CANDIDATE))


@kernel(entry=False)
def _storage_row(s: State, b: int, p: Problem, a: Arena, g: int, row: Rows) -> None:
    """What both kinds of decision say of a storage."""
    first, end = p.access_ptr[g], p.access_ptr[g + 1]
    size, capacity = len(p.compute), max(p.capacity, 1)
    low, high = p.access_time[first], p.access_time[end - 1]
    peak, total = 0, 0.0
    for t in range(low, high + 1):
        peak = max(peak, a.load[t])
        total += a.load[t]
    row[SIZE] = min(p.size[g] / capacity, 4.0)
    row[LENGTH] = (high + 1 - low) / size
    row[PEAK] = peak / capacity
    row[MEAN] = total / (high + 1 - low) / capacity
    row[ROOM] = max(capacity - peak - p.size[g], 0) / capacity
    row[PROFIT] = s.profit_share[b, g]
    row[ACCESSES] = np.log(end - first)
    row[LIVE_IN], row[LIVE_OUT] = p.live_in[g], p.live_out[g]


@kernel(entry=False)
def _place_rows(s: State, b: int, p: Problem, a: Arena, rows: Rows) -> None:
    """Candidates of the priority form."""
    size, capacity = len(p.compute), max(p.capacity, 1)
    top = np.zeros(4)
    margin_top = -np.inf
    for c in range(len(rows)):
        g, out = s.candidate[b, c], s.outcome[b, c]
        row = rows[c]
        _storage_row(s, b, p, a, g, row)
        heads = 0
        for k in range(NUM_LISTS):
            if s.heads[b, k] < s.worth[b] and s.lists[b, k, s.heads[b, k]] == g:
                row[k] = 1.0
                heads += 1
        saved, width = out[SAVED], float(p.size[g])
        first, end = p.access_ptr[g], p.access_ptr[g + 1]
        low, high = p.access_time[first], p.access_time[end - 1]
        mean_price = (s.price_sum[b, high + 1] - s.price_sum[b, low]) / (high + 1 - low)
        row[HEADS] = heads / NUM_LISTS
        row[SAVING] = np.log1p(1000 * saved / max(s.first_latency[b], 1e-300))
        row[SAVING_REL], row[DENSITY] = saved, saved / max(out[HELD], 1e-300)
        row[PER_BYTE], row[PER_ROOT] = saved / width, saved / np.sqrt(width)
        row[KEPT] = min(saved / max(s.benefit[b, g], 1e-300), 2.0)
        row[SHARE] = out[SERVED] / (end - first)
        row[HOLDS] = out[HELD] / (float(capacity) * size)
        row[MOVES] = out[COPIED] / width / 2
        row[MARGIN] = max(1 - out[HELD] * mean_price / max(saved, 1e-300), -3.0)
        margin_top = max(margin_top, row[MARGIN])
        for k in range(4):
            top[k] = max(top[k], row[SAVING_REL + k])
    for c in range(len(rows)):
        for k in range(4):
            rows[c, SAVING_REL + k] /= max(top[k], 1e-300)
        rows[c, MARGIN_REL] = rows[c, MARGIN] - margin_top


@kernel(entry=False)
def _pilot_rows(s: State, b: int, p: Problem, a: Arena, scratch: Scratch, rows: Rows) -> None:
    """How the priority form goes on from each candidate."""
    now, best = a.real[LATENCY], np.inf
    for c in range(len(rows)):
        after = pilot(s, b, p, a, s.candidate[b, c], scratch)
        scratch.latency[c] = after
        best = min(best, after)
    scale = max(s.first_latency[b], 1e-300)
    for c in range(len(rows)):
        rows[c, PILOT_REL] = min(1000 * (scratch.latency[c] - best) / scale, 20.0)
        rows[c, PILOT] = (now - scratch.latency[c]) / scale


@kernel(entry=False)
def _serve_rows(s: State, b: int, p: Problem, a: Arena, rows: Rows) -> None:
    """Candidates of the step-wise game: the choices for one access."""
    u = p.program_order[s.cursor[b]]
    g, t, size = p.access_storage[u], p.access_time[u], len(p.compute)
    saved, end = gain(p, a, u), p.access_ptr[g + 1]
    later = p.access_time[u + 1] if u + 1 < end else size
    price = p.size[g] * (s.price_sum[b, later] - s.price_sum[b, t])
    for c in range(len(rows)):
        choice, row = s.candidate[b, c], rows[c]
        _storage_row(s, b, p, a, g, row)
        row[STAYS], row[COPIES], row[SLOWS] = choice == STAY, choice == COPY, choice == SLOW
        row[FURTHER] = (end - 1 - u) / 8
        row[NEXT] = (later - t) / size
        row[PRICE] = min(price / max(saved, 1e-300), 3.0)
        row[MARGIN] = s.margin[b, g]
        if choice == SLOW:
            row[BACK] = s.stale[b, g]
            continue
        row[SAVING] = np.log1p(1000 * saved / max(s.first_latency[b], 1e-300))
        row[SAVING_REL] = 1.0
        row[KEPT] = min(saved / max(s.benefit[b, g], 1e-300), 2.0)
        row[MOVES] = choice == COPY


@kernel
def fill_rows(
    s: State,
    slots: Ints,  # (N,)
    stepwise: bool,
    pilot_decisions: int,
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
            candidate_node[low:high, 0] = row_start + p.access_storage[u]
            candidate_node[low:high, 1] = row_start + len(p.size) + p.access_time[u]
        else:
            _place_rows(s, b, p, a, rows)
            if s.decisions[b] < pilot_decisions:
                _pilot_rows(s, b, p, a, scratch, rows)
            for c in range(low, high):
                g = s.candidate[b, c - low]
                candidate_node[c, 0] = row_start + g
                at = p.access_time[p.access_ptr[g]]
                candidate_node[c, 1] = row_start + len(p.size) + at
        done = s.cursor[b] / max(len(p.access_time), 1)
        if not stepwise:
            done = s.num_placed[b] / max(s.worth[b], 1)
        scale, capacity = max(s.first_latency[b], 1e-300), float(max(p.capacity, 1))
        context[i, 0] = done
        context[i, 1] = 1 - s.real[b, LATENCY] / scale
        context[i, 2] = 1 - s.least_latency[b] / scale
        context[i, 3] = np.mean(a.load[: len(p.compute)]) / capacity
        context[i, 4] = np.log(high - low)
        context[i, 5] = np.log(len(p.size)) / 8
        context[i, 6] = s.pressure[b]
