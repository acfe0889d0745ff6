"""Dynamic rows of waiting slots; columns as in `features`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from graphsched.envs.batching.features import CTX, RES
from graphsched.envs.batching.physics.admission import short_of
from graphsched.envs.batching.physics.cluster import cluster_at
from graphsched.envs.batching.physics.forecast import PACE, RESIDUAL, WIDTH, look, urgency
from graphsched.envs.batching.physics.state import ADMIT, PREEMPT, ROUTE
from graphsched.envs.batching.view.admissions import admit_rows
from graphsched.envs.batching.view.budgets import budget_rows
from graphsched.envs.batching.view.routes import route_rows
from graphsched.envs.batching.view.scales import CAP, NO_TARGET, first_target
from graphsched.envs.batching.view.victims import victim_rows
from graphsched.envs.batching.view.window import place_of
from graphsched.envs.core.kernels.jit import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from graphsched.envs.batching.physics.cluster import Cluster
    from graphsched.envs.batching.physics.state import State

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]


@kernel(entry=False)
def _fill_context(cluster: Cluster, context: Floats) -> None:
    slot = cluster.slot[0]
    kind, r = slot.kind, slot.replica
    inside = slot.tail - slot.settled
    context[:] = 0.0
    context[CTX.candidates] = np.log(slot.count)
    context[CTX.replicas] = np.log(slot.replicas) / 4.0
    if kind in (ROUTE, PREEMPT):
        one = cluster.req[slot.subject]
        context[CTX.prompt] = np.log1p(one.prompt) / 10.0
        context[CTX.output] = np.log1p(one.predicted) / 10.0
        context[CTX.has_deadline] = one.latest < NO_TARGET
        context[CTX.grouped] = one.group >= 0
        context[CTX.has_first] = one.ttft < NO_TARGET
        context[CTX.stages] = min(one.stages, CAP)
        context[CTX.stake] = min(one.stake, CAP)
    if kind == PREEMPT:
        slack = urgency(cluster, r, slot.subject) / first_target(cluster, slot.subject)
        context[CTX.slack] = min(max(slack, -CAP), CAP)
        context[CTX.short] = short_of(cluster, r, slot.subject) / cluster.rep[r].blocks
    if kind != ROUTE:
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
        route_rows(cluster, mean_speed, load, rows)
    elif slot.kind == ADMIT:
        admit_rows(cluster, slot.replica, load, rows)
    elif slot.kind == PREEMPT:
        victim_rows(cluster, slot.replica, rows)
    else:
        budget_rows(cluster, slot.replica, load, rows)


@kernel
def fill_rows(
    state: State,
    slots: Ints,  # (N,)
    window: int,  # requests in a graph at most
    first_row: Ints,  # (N,) node-table row of each slot's graph
    candidate_ptr: Ints,  # (N + 1,)
    resource_ptr: Ints,  # (N + 1,)
    context: NDArray[np.float32],  # out
    candidate: NDArray[np.float32],  # out
    candidate_node: Ints,  # (C, 2) out
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
            place = place_of(cluster, c, window)
            if place >= 0:  # after the replicas and their cluster
                candidate_node[row, 1] = first_row[k] + slot.replicas + 1 + place
