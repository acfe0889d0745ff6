"""Orders of admission: the key of a queued request, of which the least goes first."""

# mypy: disable-error-code="no-any-return"
# (fields of records have no type)

from __future__ import annotations

from typing import TYPE_CHECKING

from graphsched.envs.batching.hardware.catalogue import BLOCK
from graphsched.envs.batching.hardware.iteration_time import usual_decode_s
from graphsched.envs.batching.options import (
    BATCHLLM,
    EDF,
    FCFS,
    LTR,
    PRIORITY,
    SJF,
    SRTF,
    URGENCY,
    VTC,
)
from graphsched.envs.batching.physics.forecast import pace_end, service_s, urgency
from graphsched.envs.batching.physics.kv_blocks import found_blocks
from graphsched.envs.batching.physics.rules.tallies import SERVED, group_key
from graphsched.envs.core.kernels.jit import kernel

if TYPE_CHECKING:
    from graphsched.envs.batching.physics.cluster import Cluster

FAR = 1e9  # s, in place of no deadline
LAST = 1e12  # added to the key of what comes too late


@kernel(entry=False)
def _due(cluster: Cluster, i: int) -> float:
    """When the next target of a request falls due: first token, then pace, and the deadline.

    A stage has to leave enough time for those that need it.
    """
    one = cluster.req[i]
    due = one.visible + one.ttft if one.made == 0 else pace_end(one)
    return min(due, one.latest, FAR)


@kernel(entry=False)
def too_late(cluster: Cluster, r: int, i: int) -> bool:
    """Whether a queued request misses a target even if it is begun now, at the usual speed."""
    one = cluster.req[i]
    if one.made > 0 and one.first_token > one.visible + one.ttft:
        return True
    found = BLOCK * found_blocks(cluster, r, i) / cluster.rep[r].speed
    return bool(urgency(cluster, r, i) + found < 0.0)


@kernel(entry=False)
def _by_order(cluster: Cluster, r: int, i: int) -> float:
    slot, one = cluster.slot[0], cluster.req[i]
    waited = slot.clock - one.visible
    aged = slot.aging * waited
    key = -waited  # FCFS
    if slot.order == SJF:
        todo = one.prompt / cluster.rep[r].speed
        key = todo + one.predicted * usual_decode_s(cluster.table[r], cluster.loads[r]) - aged
    elif slot.order == SRTF:
        key = service_s(cluster, r, i) - aged
    elif slot.order == LTR:
        key = one.predicted - aged
    elif slot.order == PRIORITY:
        key = -1e6 * one.priority - waited
    elif slot.order == URGENCY:
        key = urgency(cluster, r, i)
    elif slot.order == EDF:
        key = _due(cluster, i)
    elif slot.order == VTC:
        key = cluster.tally[r, one.peers, SERVED]
    elif slot.order == BATCHLLM:
        key = group_key(cluster, r, i)
    return float(key)


@kernel(entry=False)
def order_key(cluster: Cluster, r: int, i: int) -> float:
    """Least goes first."""
    key = _by_order(cluster, r, i)
    if cluster.slot[0].doomed and too_late(cluster, r, i):
        key += LAST
    return key


@kernel(entry=False)
def in_queue_order(cluster: Cluster) -> bool:
    """Whether the order is that of the queue."""
    slot = cluster.slot[0]
    return bool(slot.order == FCFS and slot.doomed == 0)


@kernel(entry=False)
def order_changes(cluster: Cluster) -> bool:
    """Whether the order may change though nobody comes, joins or leaves."""
    slot = cluster.slot[0]
    return bool(slot.doomed != 0 or slot.order == VTC)
