"""Dynamic rows of waiting slots; columns as in `features`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from graphsched.envs.batching.features import CAND, CTX, RES
from graphsched.envs.batching.hardware.iteration_time import (
    decode_attention_s,
    linear_s,
    with_prefill_s,
)
from graphsched.envs.batching.options import BUDGETS
from graphsched.envs.batching.physics.cluster import cluster_at, todo_of
from graphsched.envs.batching.physics.forecast import (
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
    look,
    service_s,
)
from graphsched.envs.batching.physics.kv_blocks import blocks_for
from graphsched.envs.batching.physics.routing import freeness, outstanding
from graphsched.envs.batching.physics.state import ADMIT, ROUTE
from graphsched.envs.core.kernels.jit import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from graphsched.envs.batching.physics.cluster import Cluster
    from graphsched.envs.batching.physics.state import State

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

CAP = 4.0
TEN_S = 10.0
NO_TARGET, USUAL_PACE = 1e9, 0.1


@kernel(entry=False)
def _first_target(cluster: Cluster, i: int) -> float:
    """Scale of a request's times to its first token, s; of its deadline where it has no target."""
    one = cluster.req[i]
    return float(one.ttft if one.ttft < NO_TARGET else min(0.25 * one.deadline, TEN_S))


@kernel(entry=False)
def _pace_target(cluster: Cluster, i: int) -> float:
    """Scale of a request's times per token, s."""
    one = cluster.req[i]
    return float(one.tpot if one.tpot < NO_TARGET else USUAL_PACE)


@kernel(entry=False)
def _least(rows: Floats, column: int) -> float:
    return float(rows[:, column].min())


@kernel(entry=False)
def _route_row(cluster: Cluster, r: int, mean_speed: float, load: Floats, row: Floats) -> None:
    """A replica for the arrival; columns that are compared later hold raw values."""
    slot = cluster.slot[0]
    i = slot.subject
    one, rep = cluster.req[i], cluster.rep[r]
    out = np.empty(WIDTH)
    look(cluster, r, load)
    expect(cluster, r, i, load, out)
    left = max(one.arrival + one.deadline - slot.clock, 1e-3)
    first, pace = _first_target(cluster, i), _pace_target(cluster, i)
    row[CAND.ttft] = min(out[TTFT] / first, CAP)
    row[CAND.ttft_over_best] = out[TTFT]
    row[CAND.ttft_late] = out[TTFT] > one.ttft
    row[CAND.tpot] = min(out[TPOT] / pace, CAP)
    row[CAND.tpot_over_best] = out[TPOT]
    row[CAND.tpot_late] = out[TPOT] > one.tpot
    row[CAND.end] = min(out[END] / left, CAP)
    row[CAND.end_over_best] = out[END]
    row[CAND.end_late] = out[END] > left
    row[CAND.late] = max(max(row[CAND.ttft_late], row[CAND.tpot_late]), row[CAND.end_late])
    row[CAND.wait] = min(out[WAIT] / first, CAP)
    row[CAND.alone] = min(out[ALONE] / first, CAP)
    row[CAND.hit] = out[HIT] / one.prompt
    row[CAND.headroom] = max(out[HEADROOM], -CAP)
    row[CAND.free] = (rep.free + rep.evictable) / rep.blocks
    row[CAND.outstanding_over_least] = np.log1p(outstanding(cluster, r))
    row[CAND.prefill_over_least] = rep.pending / rep.speed
    row[CAND.slowness] = mean_speed / rep.speed - 1.0
    row[CAND.hexgen] = out[WAIT]
    room = freeness(cluster, r)
    row[CAND.freeness] = np.log1p(room) if room > 0 else -np.log1p(-room)
    row[CAND.disturbs] = min(load[DECODES] * out[ALONE] / TEN_S, CAP)


@kernel(entry=False)
def _compare_routes(cluster: Cluster, rows: Floats) -> None:
    i = cluster.slot[0].subject
    first, pace = _first_target(cluster, i), _pace_target(cluster, i)
    service = rows[:, CAND.end_over_best] - rows[:, CAND.hexgen]
    base, mean = service.mean(), max(rows[:, CAND.hexgen].mean(), 1e-3)
    rows[:, CAND.hexgen] = 0.5 * np.minimum(base / service, CAP) - 0.5 * np.minimum(
        rows[:, CAND.hexgen] / mean, 2 * CAP
    )
    quick = max(service.min(), 1e-3)
    for column, unit in (
        (CAND.ttft_over_best, first),
        (CAND.tpot_over_best, pace),
        (CAND.end_over_best, quick),
        (CAND.outstanding_over_least, 1.0),
        (CAND.prefill_over_least, first),
    ):
        least = _least(rows, column)
        for c in range(len(rows)):
            rows[c, column] = min((rows[c, column] - least) / unit, CAP)
    for column in (CAND.hexgen, CAND.freeness):
        rows[:, column] -= rows[:, column].max()


@kernel(entry=False)
def _admit_row(cluster: Cluster, r: int, i: int, row: Floats) -> None:
    """A queued request, or none of them."""
    slot = cluster.slot[0]
    if i < 0:
        row[CAND.hold] = 1.0
        return
    one, rep = cluster.req[i], cluster.rep[r]
    first = _first_target(cluster, i)
    waited = slot.clock - one.visible
    work = service_s(cluster, r, i)
    prompt = todo_of(one) / rep.speed
    k = 0
    while cluster.queue[r, k] != i:
        k += 1
    row[CAND.work] = min(work / TEN_S, CAP)
    row[CAND.work_over_least] = work
    row[CAND.prompt_time] = min(prompt / first, CAP)
    row[CAND.age] = min(waited / first, CAP)
    slack = (first - waited - prompt) / first
    row[CAND.slack] = min(max(slack, -CAP), CAP) if one.made == 0 else 0.0
    late = one.made == 0 and slack < 0.0
    row[CAND.missed] = late
    row[CAND.misses] = one.made == 0 and not late and slack * first < 0.5 * work
    row[CAND.starving] = min(waited / slot.starvation, 2.0)
    row[CAND.need] = blocks_for(one.prompt + max(one.predicted, one.made)) / rep.blocks
    row[CAND.output] = np.log1p(one.predicted)
    row[CAND.priority] = one.priority
    row[CAND.weight] = one.weight
    row[CAND.place] = np.log1p(k)
    row[CAND.value] = 0.0 if late else one.weight / max(work, 1e-3)
    row[CAND.oldest] = k == 0
    row[CAND.resumed] = one.made > 0


@kernel(entry=False)
def _compare_admissions(rows: Floats) -> None:
    real = len(rows)
    if rows[real - 1, CAND.hold] > 0.0:
        real -= 1
    least, mean = (
        _least(rows[:real], CAND.work_over_least),
        max(rows[:real, CAND.weight].mean(), 1e-9),
    )
    rows[:real, CAND.priority] -= rows[:real, CAND.priority].max()
    best = max(rows[:real, CAND.value].max(), 1e-9)
    for c in range(real):
        rows[c, CAND.work_over_least] = min((rows[c, CAND.work_over_least] - least) / TEN_S, CAP)
        rows[c, CAND.priority] = max(rows[c, CAND.priority], -CAP)
        rows[c, CAND.weight] /= mean
        rows[c, CAND.value] /= best


@kernel(entry=False)
def _budget_rows(cluster: Cluster, r: int, load: Floats, rows: Floats) -> None:
    rep = cluster.rep[r]
    look(cluster, r, load)
    target = np.inf
    for k in range(rep.running):
        one = cluster.req[cluster.run[r, k]]
        if one.made > 0:
            target = min(target, one.tpot)
    table, loads = cluster.table[r], cluster.loads[r]
    attention = decode_attention_s(loads, load[DECODES], load[KV])
    largest = 0
    for c in range(len(rows)):
        budget = BUDGETS[c]
        pace = with_prefill_s(linear_s(table, budget) + attention, loads, budget)
        fresh = max(budget - load[DECODES], 16.0)
        rows[c, CAND.budget] = np.log2(budget) / 10.0
        rows[c, CAND.pace] = min(pace / target, CAP)
        rows[c, CAND.pace_late] = pace > target
        rows[c, CAND.drain] = min(rep.pending / fresh * pace / TEN_S, CAP)
        if pace <= target:
            largest = c
    rows[largest, CAND.largest] = 1.0


@kernel(entry=False)
def _fill_context(cluster: Cluster, context: Floats) -> None:
    slot = cluster.slot[0]
    kind, r = slot.kind, slot.replica
    inside = slot.tail - slot.settled
    context[:] = 0.0
    context[CTX.candidates] = np.log(slot.count)
    context[CTX.replicas] = np.log(slot.replicas) / 4.0
    if kind == ROUTE:
        one = cluster.req[slot.subject]
        context[CTX.prompt] = np.log1p(one.prompt) / 10.0
        context[CTX.output] = np.log1p(one.predicted) / 10.0
        context[CTX.has_deadline] = one.deadline < 1e9
        context[CTX.grouped] = one.group >= 0
    else:
        rep = cluster.rep[r]
        context[CTX.queued] = np.log1p(rep.queued)
        context[CTX.running] = np.log1p(rep.running)
        context[CTX.free] = rep.free / rep.blocks
    context[CTX.load] = np.log1p(max(inside, 0) / slot.replicas)
    context[CTX.late] = slot.loss / slot.total_weight / 100.0


@kernel(entry=False)
def _fill_replica(cluster: Cluster, r: int, mean_speed: float, load: Floats, row: Floats) -> None:
    rep = cluster.rep[r]
    look(cluster, r, load)
    row[RES.pending] = np.log1p(rep.pending)
    row[RES.queued] = np.log1p(rep.queued)
    row[RES.running] = np.log1p(rep.running)
    row[RES.free] = (rep.free + rep.evictable) / rep.blocks
    row[RES.residual] = load[RESIDUAL]
    row[RES.slowness] = mean_speed / rep.speed - 1.0
    row[RES.pace] = min(load[PACE] / 0.1, CAP)
    row[RES.budget] = np.log2(max(rep.budget, 1)) / 10.0


@kernel(entry=False)
def _fill_candidates(cluster: Cluster, mean_speed: float, load: Floats, rows: Floats) -> None:
    """What is on offer, (count, columns); the only move that is none has a row of zeros."""
    slot, choice = cluster.slot[0], cluster.choice
    if slot.kind == ROUTE:
        if choice[0] < 0:
            return
        for c in range(slot.count):
            _route_row(cluster, choice[c], mean_speed, load, rows[c])
        _compare_routes(cluster, rows)
    elif slot.kind == ADMIT:
        for c in range(slot.count):
            _admit_row(cluster, slot.replica, choice[c], rows[c])
        _compare_admissions(rows)
    else:
        _budget_rows(cluster, slot.replica, load, rows)


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
        cluster = cluster_at(state, slots[k])
        slot = cluster.slot[0]
        mean_speed = 0.0
        for r in range(slot.replicas):
            mean_speed += cluster.rep[r].speed / slot.replicas
        _fill_context(cluster, wide_context)
        for f in range(context.shape[1]):
            context[k, f] = wide_context[f]
        for r in range(slot.replicas):
            _fill_replica(cluster, r, mean_speed, load, wide_replica)
            for f in range(resource.shape[1]):
                resource[resource_ptr[k] + r, f] = wide_replica[f]
            resource_node[resource_ptr[k] + r] = first_row[k] + r
        rows = np.zeros((slot.count, candidate.shape[1]))
        _fill_candidates(cluster, mean_speed, load, rows)
        for c in range(slot.count):
            row = candidate_ptr[k] + c
            for f in range(candidate.shape[1]):
                candidate[row, f] = rows[c, f]
            where = cluster.choice[c] if slot.kind == ROUTE else slot.replica
            if where >= 0:
                candidate_node[row, 0] = first_row[k] + where
                candidate_resource[row, 0] = where
