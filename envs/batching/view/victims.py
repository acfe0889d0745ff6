"""Rows of running requests that may make room for a queued one; columns as in `features`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from graphsched.envs.batching.features import CAND
from graphsched.envs.batching.physics.admission import short_of
from graphsched.envs.batching.physics.forecast import service_s, urgency
from graphsched.envs.batching.physics.moving.displace import rule_victim
from graphsched.envs.batching.view.scales import CAP, TEN_S
from graphsched.envs.core.kernels.jit import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from graphsched.envs.batching.physics.cluster import Cluster

    Floats = NDArray[np.float64]


@kernel(entry=False)
def victim_rows(cluster: Cluster, r: int, rows: Floats) -> None:
    """All running requests on offer, and none of them, which is the last row, (count, columns)."""
    slot = cluster.slot[0]
    rule = rule_victim(cluster, r, slot.subject)
    slack = urgency(cluster, r, slot.subject)
    short = short_of(cluster, r, slot.subject)
    stake = 1e-9
    for c in range(slot.count - 1):
        stake += cluster.req[cluster.choice[c]].stake / (slot.count - 1)
    for c in range(slot.count):
        i = cluster.choice[c]
        rows[c, CAND.rule] = i == rule
        if i < 0:
            rows[c, CAND.hold] = 1.0
        else:
            _victim_row(cluster, r, i, slack, short, rows[c])
            rows[c, CAND.stake] = cluster.req[i].stake / stake


@kernel(entry=False)
def _victim_row(cluster: Cluster, r: int, i: int, slack: float, short: int, row: Floats) -> None:
    """What a request has to spare, what it would free and what that would cost."""
    slot, one, rep = cluster.slot[0], cluster.req[i], cluster.rep[r]
    own = urgency(cluster, r, i)
    again = one.own * rep.swap_block if slot.swaps else one.kv / rep.speed
    row[CAND.work] = min(service_s(cluster, r, i) / TEN_S, CAP)
    row[CAND.output] = np.log1p(one.predicted)
    row[CAND.need] = one.own / rep.blocks
    row[CAND.priority] = max(one.priority - cluster.req[slot.subject].priority, -CAP)
    row[CAND.spare] = min(max(own / TEN_S, -CAP), CAP)
    row[CAND.spare_over] = min(max((own - slack) / TEN_S, -CAP), CAP)
    row[CAND.frees] = min(one.own / max(short, 1), CAP)
    row[CAND.enough] = one.own >= short
    row[CAND.again] = min(again, CAP)
    row[CAND.progress] = min(one.made / one.predicted, CAP)
    row[CAND.displaced] = min(one.preempted, CAP)
