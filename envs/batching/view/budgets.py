"""Rows of token budgets on offer; columns as in `features`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from graphsched.envs.batching.features import CAND
from graphsched.envs.batching.hardware.iteration_time import (
    decode_attention_s,
    linear_s,
    with_prefill_s,
)
from graphsched.envs.batching.options import BUDGETS
from graphsched.envs.batching.physics.forecast import DECODES, KV, look
from graphsched.envs.batching.view.scales import CAP, TEN_S
from graphsched.envs.core.kernels.jit import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from graphsched.envs.batching.physics.cluster import Cluster

    Floats = NDArray[np.float64]


@kernel(entry=False)
def budget_rows(cluster: Cluster, r: int, load: Floats, rows: Floats) -> None:
    """All token budgets on offer, (count, columns)."""
    rep, fixed = cluster.rep[r], cluster.slot[0].fixed_budget
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
    for c in range(len(rows)):
        rows[c, CAND.rule] = BUDGETS[c] == fixed if fixed > 0 else c == largest
