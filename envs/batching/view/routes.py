"""Rows of replicas that an arrival may go to; columns as in `features`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from graphsched.envs.batching.features import CAND
from graphsched.envs.batching.physics.forecast import (
    ALONE,
    DECODES,
    END,
    HEADROOM,
    HIT,
    MEMORY,
    RESIDUAL,
    TPOT,
    TTFT,
    WAIT,
    WIDTH,
    expect,
    look,
)
from graphsched.envs.batching.physics.routing import freeness, outstanding, route_by_rule
from graphsched.envs.batching.physics.rules.orders import order_key
from graphsched.envs.batching.view.queue import backlog_s, line_up
from graphsched.envs.batching.view.scales import CAP, TEN_S, first_target, least, pace_target
from graphsched.envs.core.kernels.jit import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from graphsched.envs.batching.physics.cluster import Cluster

    Floats = NDArray[np.float64]

NEAR = 0.25  # share of its target that one who is brought near it has left at most


@kernel(entry=False)
def route_rows(cluster: Cluster, mean_speed: float, load: Floats, rows: Floats) -> None:
    """All replicas on offer, (count, columns)."""
    slot = cluster.slot[0]
    for c in range(slot.count):
        _route_row(cluster, cluster.choice[c], mean_speed, load, rows[c])
    _compare_routes(cluster, rows)
    rule = route_by_rule(cluster, slot.subject)
    for c in range(slot.count):
        rows[c, CAND.rule] = cluster.choice[c] == rule


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
    first, pace = first_target(cluster, i), pace_target(cluster, i)
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
    _turn(cluster, r, load, out, row)
    turn = row[CAND.turn_over_best]
    end = turn + out[TPOT] * (one.predicted - 1)
    flow = max(one.latest - slot.clock, 1e-3)
    row[CAND.turn] = min(turn / first, CAP)
    row[CAND.turn_late] = turn > one.ttft
    row[CAND.flow] = min(end / flow, CAP)
    row[CAND.flow_late] = end > flow


@kernel(entry=False)
def _turn(cluster: Cluster, r: int, load: Floats, out: Floats, row: Floats) -> None:
    """When it is the arrival's turn in the queue's own order, and what comes of those behind it."""
    i = cluster.slot[0].subject
    line, key = line_up(cluster, r, load, False), order_key(cluster, r, i)
    before = load[RESIDUAL] + backlog_s(cluster, r, load)
    at, late, near = before, 0.0, 0.0
    for k in range(len(line.who)):
        at += line.prompt[k]
        if line.key[k] <= key:
            before = at
            continue
        slack = line.due[k] - at
        if slack >= 0.0:
            margin = out[ALONE] + NEAR * first_target(cluster, line.who[k])
            late += line.stake[k] * (slack < out[ALONE])
            near += line.stake[k] * (out[ALONE] <= slack < margin)
    row[CAND.turn_over_best] = max(before, out[MEMORY]) + out[ALONE]
    row[CAND.makes_late], row[CAND.brings_near] = min(late, CAP), min(near, CAP)


@kernel(entry=False)
def _compare_routes(cluster: Cluster, rows: Floats) -> None:
    i = cluster.slot[0].subject
    first, pace = first_target(cluster, i), pace_target(cluster, i)
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
        (CAND.turn_over_best, first),
    ):
        best = least(rows, column)
        for c in range(len(rows)):
            rows[c, column] = min((rows[c, column] - best) / unit, CAP)
    for column in (CAND.hexgen, CAND.freeness):
        rows[:, column] -= rows[:, column].max()
