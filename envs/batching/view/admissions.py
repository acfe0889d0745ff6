"""Rows of queued requests that may be admitted; columns as in `features`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from graphsched.envs.batching.features import CAND
from graphsched.envs.batching.hardware.catalogue import BLOCK
from graphsched.envs.batching.physics.admission import fits, head_of
from graphsched.envs.batching.physics.cluster import todo_of
from graphsched.envs.batching.physics.forecast import look, service_s
from graphsched.envs.batching.physics.kv_blocks import blocks_for, found_blocks
from graphsched.envs.batching.view.queue import backlog_s, keep_timely, line_up
from graphsched.envs.batching.view.scales import CAP, TEN_S, first_target, least
from graphsched.envs.core.kernels.jit import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from graphsched.envs.batching.physics.cluster import Cluster

    Floats = NDArray[np.float64]


@kernel(entry=False)
def admit_rows(cluster: Cluster, r: int, load: Floats, rows: Floats) -> None:
    """All requests on offer, and none of them if that is, (count, columns)."""
    slot = cluster.slot[0]
    look(cluster, r, load)
    rule = head_of(cluster, r)
    if rule >= 0 and not fits(cluster, r, rule):
        rule = -1
    for c in range(slot.count):
        _admit_row(cluster, r, cluster.choice[c], rows[c])
        rows[c, CAND.rule] = cluster.choice[c] == rule
    _timely(cluster, r, load, rows)
    _compare_admissions(rows)


@kernel(entry=False)
def _admit_row(cluster: Cluster, r: int, i: int, row: Floats) -> None:
    """A queued request, or none of them."""
    slot = cluster.slot[0]
    if i < 0:
        row[CAND.hold] = 1.0
        return
    one, rep = cluster.req[i], cluster.rep[r]
    first = first_target(cluster, i)
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
    row[CAND.hit] = BLOCK * found_blocks(cluster, r, i) / one.prompt
    flow = (one.latest - slot.clock - work) / TEN_S
    row[CAND.flow] = min(max(flow, -CAP), CAP)
    row[CAND.flow_late] = flow < 0.0
    row[CAND.stake] = one.stake


@kernel(entry=False)
def _timely(cluster: Cluster, r: int, load: Floats, rows: Floats) -> None:
    """Who is among those that can be in time, and what stake of them is lost if it goes first."""
    line, start = line_up(cluster, r, load, True), backlog_s(cluster, r, load)
    base = keep_timely(line, start, -1)
    for c in range(len(rows)):
        for k in range(len(line.who)):
            if line.who[k] == cluster.choice[c]:
                rows[c, CAND.timely] = line.kept[k]
    for c in range(len(rows)):
        for k in range(len(line.who)):
            if line.who[k] == cluster.choice[c]:
                after = start + line.prompt[k]
                own = line.stake[k] if after <= line.due[k] else 0.0
                rest = keep_timely(line, after, line.who[k])
                rows[c, CAND.timely_loss] = min(max(base - rest - own, -CAP), CAP)


@kernel(entry=False)
def _compare_admissions(rows: Floats) -> None:
    real = len(rows)
    if rows[real - 1, CAND.hold] > 0.0:
        real -= 1
    shortest = least(rows[:real], CAND.work_over_least)
    weight = max(rows[:real, CAND.weight].mean(), 1e-9)
    stake = max(rows[:real, CAND.stake].mean(), 1e-9)
    rows[:real, CAND.priority] -= rows[:real, CAND.priority].max()
    best = max(rows[:real, CAND.value].max(), 1e-9)
    for c in range(real):
        rows[c, CAND.work_over_least] = min((rows[c, CAND.work_over_least] - shortest) / TEN_S, CAP)
        rows[c, CAND.priority] = max(rows[c, CAND.priority], -CAP)
        rows[c, CAND.weight] /= weight
        rows[c, CAND.stake] /= stake
        rows[c, CAND.value] /= best
