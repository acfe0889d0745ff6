"""Running requests with time to spare make room for queued ones that have none.

Targets of time per token leave most outputs slack while short waits for a first token are missed: a
replica's memory is better shared in time. Pre-emption by slack or priority as in FastSwitch (Shen et
al. 2024) and Andes (Liu et al. 2024).
"""

# mypy: disable-error-code="no-any-return"
# (fields of records have no type)

from __future__ import annotations

from typing import TYPE_CHECKING

from graphsched.envs.batching.physics.admission import fits, preempt, short_of
from graphsched.envs.batching.physics.forecast import urgency
from graphsched.envs.batching.physics.kv_blocks import blocks_for
from graphsched.envs.batching.physics.state import PREEMPT
from graphsched.envs.core.kernels.jit import kernel

if TYPE_CHECKING:
    from graphsched.envs.batching.physics.cluster import Cluster
    from graphsched.envs.batching.physics.log import Log

PATIENCE_S = 0.1  # after a no, or where nobody is in need, nobody is asked for so long


@kernel(entry=False)
def displaces(cluster: Cluster) -> bool:
    """Whether requests are displaced at all, by the rule or by the agent."""
    return cluster.slot[0].displace > 0.0 or cluster.agent[PREEMPT] != 0


@kernel(entry=False)
def claimant(cluster: Cluster, r: int) -> int:
    """The queued request of least slack that can still be in time but does not fit; -1 for none.

    Only where those that may leave hold enough.
    """
    slot, rep = cluster.slot[0], cluster.rep[r]
    if rep.running == 0 or rep.queued == 0 or slot.clock < rep.refused_until:
        return -1
    ahead = rep.begun - slot.clock if rep.planning else 0.0  # the iteration begins later than now
    best, least = -1, slot.claim + ahead
    for k in range(rep.queued):
        i = cluster.queue[r, k]
        if cluster.req[i].left != rep.iteration:
            slack = urgency(cluster, r, i)
            if ahead <= slack < least:
                best, least = i, slack
    if best < 0:
        rep.refused_until = slot.clock + PATIENCE_S  # nobody is in need
    if best < 0 or fits(cluster, r, best):
        return -1
    held = 0
    for k in range(rep.running):
        if may_leave(cluster, r, k):
            held += cluster.req[cluster.run[r, k]].own
    return best if held >= short_of(cluster, r, best) else -1


@kernel(entry=False)
def may_leave(cluster: Cluster, r: int, k: int) -> bool:
    """Whether the k-th running request can be displaced: its first token is out, and it isn't new.

    One that has outgrown the replica's memory would not come back.
    """
    one, rep = cluster.req[cluster.run[r, k]], cluster.rep[r]
    comes_back = blocks_for(one.prompt + one.made) <= rep.blocks
    return comes_back and one.made > 0 and one.own > 0 and one.entered != rep.iteration


@kernel(entry=False)
def rule_victim(cluster: Cluster, r: int, i: int) -> int:
    """The running request of most slack, if by the rule it makes room for request i; -1 for none.

    Nobody leaves if those of enough slack do not hold enough.
    """
    margin = cluster.slot[0].displace
    if margin == 0.0:
        return -1
    best, most, held = -1, urgency(cluster, r, i) + margin, 0
    least = most
    for k in range(cluster.rep[r].running):
        if may_leave(cluster, r, k):
            j = cluster.run[r, k]
            slack = urgency(cluster, r, j)
            held += cluster.req[j].own if slack >= least else 0
            if slack >= most:
                best, most = j, slack
    return best if held >= short_of(cluster, r, i) else -1


@kernel(entry=False)
def displace(cluster: Cluster, r: int, j: int, i: int, log: Log) -> bool:
    """Running request j makes room for queued request i, nobody if it is -1; whether i fits now."""
    if j < 0:
        cluster.rep[r].refused_until = cluster.slot[0].clock + PATIENCE_S
        return False
    at = 0
    while cluster.run[r, at] != j:
        at += 1
    preempt(cluster, r, at, log)
    return fits(cluster, r, i)
