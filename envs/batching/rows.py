"""Dynamic rows of waiting slots; columns as in `features`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from graphsched.envs.batching.codes import ADMIT, BUDGETS, ROUTE
from graphsched.envs.batching.memory import blocks_for
from graphsched.envs.batching.outlook import (
    ALONE,
    DECODES,
    END,
    HEADROOM,
    HIT,
    KV,
    PACE,
    RESIDUAL,
    TPOT,
    TTFT,
    WAIT,
    WIDTH,
    expect,
    linear,
    look,
    service_s,
)
from graphsched.envs.batching.routing import freeness, outstanding
from graphsched.envs.core.jit import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from graphsched.envs.batching.state import State

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

CAP = 4.0
TEN_S = 10.0
NO_TARGET, USUAL_PACE = 1e9, 0.1
HOLD = 37


@kernel(entry=False)
def _first_target(state: State, b: int, i: int) -> float:
    """Scale of a request's times to its first token, s; of its deadline where it has no target."""
    req = state.req[b, i]
    return float(req.ttft if req.ttft < NO_TARGET else min(0.25 * req.deadline, TEN_S))


@kernel(entry=False)
def _pace_target(state: State, b: int, i: int) -> float:
    """Scale of a request's times per token, s."""
    return float(state.req[b, i].tpot if state.req[b, i].tpot < NO_TARGET else USUAL_PACE)


@kernel(entry=False)
def _least(rows: Floats, column: int) -> float:
    return float(rows[:, column].min())


@kernel(entry=False)
def _route_row(state: State, b: int, r: int, mean_speed: float, load: Floats, row: Floats) -> None:
    """A replica for the arrival; columns that are compared later hold raw values."""
    i = state.slot[b].subject
    req, rep = state.req[b, i], state.rep[b, r]
    out = np.empty(WIDTH)
    look(state, b, r, load)
    expect(state, b, r, i, load, out)
    left = max(req.arrival + req.deadline - state.slot[b].clock, 1e-3)
    first, pace = _first_target(state, b, i), _pace_target(state, b, i)
    row[0] = min(out[TTFT] / first, CAP)
    row[1] = out[TTFT]
    row[2] = out[TTFT] > req.ttft
    row[3] = min(out[TPOT] / pace, CAP)
    row[4] = out[TPOT]
    row[5] = out[TPOT] > req.tpot
    row[6] = min(out[END] / left, CAP)
    row[7] = out[END]
    row[8] = out[END] > left
    row[9] = max(max(row[2], row[5]), row[8])
    row[10] = min(out[WAIT] / first, CAP)
    row[11] = min(out[ALONE] / first, CAP)
    row[12] = out[HIT] / req.prompt
    row[13] = max(out[HEADROOM], -CAP)
    row[14] = (rep.free + rep.evictable) / rep.blocks
    row[15] = np.log1p(outstanding(state, b, r))
    row[16] = rep.pending / rep.speed
    row[17] = mean_speed / rep.speed - 1.0
    row[18] = out[WAIT]
    room = freeness(state, b, r)
    row[19] = np.log1p(room) if room > 0 else -np.log1p(-room)
    row[20] = min(load[DECODES] * out[ALONE] / TEN_S, CAP)


@kernel(entry=False)
def _compare_routes(state: State, b: int, rows: Floats) -> None:
    i = state.slot[b].subject
    first, pace = _first_target(state, b, i), _pace_target(state, b, i)
    service = rows[:, 7] - rows[:, 18]
    base, mean = service.mean(), max(rows[:, 18].mean(), 1e-3)
    rows[:, 18] = 0.5 * np.minimum(base / service, CAP) - 0.5 * np.minimum(
        rows[:, 18] / mean, 2 * CAP
    )
    quick = max(service.min(), 1e-3)
    for column, unit in ((1, first), (4, pace), (7, quick), (15, 1.0), (16, first)):
        least = _least(rows, column)
        for c in range(len(rows)):
            rows[c, column] = min((rows[c, column] - least) / unit, CAP)
    for column in (18, 19):
        rows[:, column] -= rows[:, column].max()


@kernel(entry=False)
def _admit_row(state: State, b: int, r: int, i: int, row: Floats) -> None:
    """A queued request, or none of them."""
    if i < 0:
        row[HOLD] = 1.0
        return
    req, rep = state.req[b, i], state.rep[b, r]
    first = _first_target(state, b, i)
    waited = state.slot[b].clock - req.visible
    work = service_s(state, b, r, i)
    prompt = (req.prompt + req.made - req.kv) / rep.speed
    k = 0
    while state.queue[b, r, k] != i:
        k += 1
    row[21] = min(work / TEN_S, CAP)
    row[22] = work
    row[23] = min(prompt / first, CAP)
    row[24] = min(waited / first, CAP)
    slack = (first - waited - prompt) / first
    row[25] = min(max(slack, -CAP), CAP) if req.made == 0 else 0.0
    late = req.made == 0 and slack < 0.0
    row[26] = late
    row[27] = req.made == 0 and not late and slack * first < 0.5 * work
    row[28] = min(waited / state.slot[b].starvation, 2.0)
    row[29] = blocks_for(req.prompt + max(req.predicted, req.made)) / rep.blocks
    row[30] = np.log1p(req.predicted)
    row[31] = req.priority
    row[32] = req.weight
    row[33] = np.log1p(k)
    row[34] = 0.0 if late else req.weight / max(work, 1e-3)
    row[35] = k == 0
    row[36] = req.made > 0


@kernel(entry=False)
def _compare_admissions(rows: Floats) -> None:
    real = len(rows)
    if rows[real - 1, HOLD] > 0.0:
        real -= 1
    least, mean = _least(rows[:real], 22), max(rows[:real, 32].mean(), 1e-9)
    rows[:real, 31] -= rows[:real, 31].max()
    best = max(rows[:real, 34].max(), 1e-9)
    for c in range(real):
        rows[c, 22] = min((rows[c, 22] - least) / TEN_S, CAP)
        rows[c, 31] = max(rows[c, 31], -CAP)
        rows[c, 32] /= mean
        rows[c, 34] /= best


@kernel(entry=False)
def _budget_rows(state: State, b: int, r: int, load: Floats, rows: Floats) -> None:
    look(state, b, r, load)
    target = np.inf
    for k in range(state.rep[b, r].running):
        i = state.run[b, r, k]
        if state.req[b, i].made > 0:
            target = min(target, state.req[b, i].tpot)
    loads = state.loads[b, r]
    reading = loads[0] + loads[1] * load[DECODES] + loads[2] * load[KV]
    largest = 0
    for c in range(len(rows)):
        budget = BUDGETS[c]
        pace = linear(state, b, r, budget) + reading + loads[3] + loads[4] * budget
        fresh = max(budget - load[DECODES], 16.0)
        rows[c, 38] = np.log2(budget) / 10.0
        rows[c, 39] = min(pace / target, CAP)
        rows[c, 40] = pace > target
        rows[c, 41] = min(state.rep[b, r].pending / fresh * pace / TEN_S, CAP)
        if pace <= target:
            largest = c
    rows[largest, 42] = 1.0


@kernel(entry=False)
def _fill_context(state: State, b: int, context: Floats) -> None:
    slot = state.slot[b]
    kind, r = slot.kind, slot.replica
    inside = slot.tail - slot.settled
    context[:] = 0.0
    context[0] = np.log(slot.count)
    context[1] = np.log(slot.replicas) / 4.0
    if kind == ROUTE:
        req = state.req[b, slot.subject]
        context[2] = np.log1p(req.prompt) / 10.0
        context[3] = np.log1p(req.predicted) / 10.0
        context[4] = req.deadline < 1e9
        context[5] = req.group >= 0
    else:
        context[6] = np.log1p(state.rep[b, r].queued)
        context[7] = np.log1p(state.rep[b, r].running)
        context[8] = state.rep[b, r].free / state.rep[b, r].blocks
    context[9] = np.log1p(max(inside, 0) / slot.replicas)
    context[10] = slot.loss / slot.total_weight / 100.0


@kernel(entry=False)
def _fill_replica(
    state: State, b: int, r: int, mean_speed: float, load: Floats, row: Floats
) -> None:
    rep = state.rep[b, r]
    look(state, b, r, load)
    row[0] = np.log1p(rep.pending)
    row[1] = np.log1p(rep.queued)
    row[2] = np.log1p(rep.running)
    row[3] = (rep.free + rep.evictable) / rep.blocks
    row[4] = load[RESIDUAL]
    row[5] = mean_speed / rep.speed - 1.0
    row[6] = min(load[PACE] / 0.1, CAP)
    row[7] = np.log2(max(rep.budget, 1)) / 10.0


@kernel
def fill_rows(
    state: State,
    slots: Ints,  # (N,)
    first_row: Ints,  # (N,) node-table row of each slot's graph
    candidate_ptr: Ints,  # (N + 1,)
    resource_ptr: Ints,  # (N + 1,)
    context: NDArray[np.float32],  # out
    candidate: NDArray[np.float32],  # out
    candidate_node: Ints,  # (C, 1) out
    candidate_resource: Ints,  # (C, 1) out
    resource: NDArray[np.float32],  # out
    resource_node: Ints,  # (R,) out
) -> None:
    """Rows of all waiting slots."""
    load, wide_context = np.zeros(WIDTH), np.zeros(context.shape[1])
    wide_replica = np.zeros(resource.shape[1])
    for k in range(len(slots)):
        b = slots[k]
        count, kind = state.slot[b].count, state.slot[b].kind
        replicas = state.slot[b].replicas
        mean_speed = 0.0
        for r in range(replicas):
            mean_speed += state.rep[b, r].speed / replicas
        _fill_context(state, b, wide_context)
        for f in range(context.shape[1]):
            context[k, f] = wide_context[f]
        for r in range(replicas):
            _fill_replica(state, b, r, mean_speed, load, wide_replica)
            for f in range(resource.shape[1]):
                resource[resource_ptr[k] + r, f] = wide_replica[f]
            resource_node[resource_ptr[k] + r] = first_row[k] + r
        rows = np.zeros((count, candidate.shape[1]))
        for c in range(count):
            where = state.choice[b, c] if kind == ROUTE else state.slot[b].replica
            if kind == ROUTE and where >= 0:
                _route_row(state, b, where, mean_speed, load, rows[c])
            elif kind == ADMIT:
                _admit_row(state, b, where, state.choice[b, c], rows[c])
            if where >= 0:
                candidate_node[candidate_ptr[k] + c, 0] = first_row[k] + where
                candidate_resource[candidate_ptr[k] + c, 0] = where
        if kind == ROUTE and state.choice[b, 0] >= 0:
            _compare_routes(state, b, rows)
        elif kind == ADMIT:
            _compare_admissions(rows)
        elif kind != ROUTE:
            _budget_rows(state, b, state.slot[b].replica, load, rows)
        for c in range(count):
            for f in range(candidate.shape[1]):
                candidate[candidate_ptr[k] + c, f] = rows[c, f]
