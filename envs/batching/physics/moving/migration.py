"""Live migration by rule: from the replica of least freeness to the one of most."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from graphsched.envs.batching.physics.cluster import is_decode
from graphsched.envs.batching.physics.moving.links import copy_on, heads_for, let_go, takes_over
from graphsched.envs.batching.physics.routing import freeness
from graphsched.envs.batching.physics.state import PREFILL
from graphsched.envs.core.kernels.jit import kernel

if TYPE_CHECKING:
    from graphsched.envs.batching.physics.cluster import Cluster
    from graphsched.envs.batching.physics.log import Log


@kernel(entry=False)
def _movable(cluster: Cluster, r: int) -> int:
    """The decode of least priority, and of these of the fewest tokens, or -1."""
    best, least = -1, np.inf
    for k in range(cluster.rep[r].running):
        i = cluster.run[r, k]
        one = cluster.req[i]
        if one.target >= 0:
            return -1  # one at a time
        key = 1e9 * one.priority + one.kv
        if is_decode(one) and key < least:
            best, least = i, key
    return best


@kernel(entry=False)
def migrate(cluster: Cluster, log: Log) -> None:
    """Where a replica is short of memory and another is not, a request begins to move."""
    slot = cluster.slot[0]
    source, least = -1, slot.migrate_below
    for r in range(slot.replicas):
        if cluster.rep[r].running > 0 and cluster.rep[r].role != PREFILL:
            found = freeness(cluster, r)
            if found < least:
                source, least = r, found
    if source < 0:
        return
    target, most = -1, least + slot.migrate_margin
    for r in range(slot.replicas):
        if takes_over(cluster, source, r):
            found = freeness(cluster, r)
            if found > most:
                target, most = r, found
    i = _movable(cluster, source) if target >= 0 else -1
    room = target >= 0 and cluster.rep[target].running + cluster.rep[target].incoming
    if i < 0 or room >= slot.max_seqs:
        return
    heads_for(cluster, i, target)
    copy_on(cluster, source, i)
    if not cluster.rep[source].batch:
        let_go(cluster, source, log)
