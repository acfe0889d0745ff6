"""What a replica keeps of each tenant or prefix group, for the orders that need it.

``vtc`` is the virtual token counter of Sheng et al. (2024): what a tenant was served, an output token
counting as two input tokens, over its share. ``batchllm`` (Zheng et al. 2024) weighs a group's output
against its prompts. Both are a replica's own, as each runs a scheduler of its own.
"""

# mypy: disable-error-code="no-any-return"
# (fields of records have no type)

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from graphsched.envs.batching.hardware.catalogue import BLOCK
from graphsched.envs.batching.options import BATCHLLM, VTC
from graphsched.envs.batching.physics.kv_blocks import found_blocks, shares
from graphsched.envs.core.kernels.jit import kernel

if TYPE_CHECKING:
    from graphsched.envs.batching.physics.cluster import Cluster

INPUT, OUTPUT = 1.0, 2.0  # what a token counts
SERVED, PROMPTS = 0, 1  # of a tenant: its counter; of a group: tokens to make, and of prompts


@kernel(entry=False)
def _lift(cluster: Cluster, r: int, p: int) -> None:
    """A tenant that had nothing queued comes back: it has no credit for the time it was away."""
    rep, tally = cluster.rep[r], cluster.tally[r]
    least = np.inf
    for k in range(rep.queued):
        q = cluster.req[cluster.queue[r, k]].peers
        if q == p:
            return
        least = min(least, tally[q, SERVED])
    if rep.queued == 0 and rep.last_peers > 0:
        least = tally[rep.last_peers - 1, SERVED]
    if least < np.inf:
        tally[p, SERVED] = max(tally[p, SERVED], least)


@kernel(entry=False)
def tally_arrival(cluster: Cluster, r: int, i: int) -> None:
    """A request comes to a replica, and isn't in its queue yet."""
    one, tally = cluster.req[i], cluster.tally[r]
    p, order = one.peers, cluster.slot[0].order
    if order == VTC:
        _lift(cluster, r, p)
    elif order == BATCHLLM and p >= 0:
        known = tally[p, PROMPTS] > 0.0  # the prefix is computed once
        tally[p, SERVED] += one.predicted
        tally[p, PROMPTS] += one.prompt - one.shared if known else one.prompt


@kernel(entry=False)
def tally_admission(cluster: Cluster, r: int, i: int) -> None:
    """A request joins the batch; its prompt counts once, however often it is computed."""
    one = cluster.req[i]
    cluster.rep[r].last_peers = one.peers + 1
    if cluster.slot[0].order == VTC and one.preempted == 0:
        cluster.tally[r, one.peers, SERVED] += INPUT * one.prompt / one.share


@kernel(entry=False)
def tally_tokens(cluster: Cluster, r: int, i: int, tokens: int) -> None:
    """So many tokens of a request came out."""
    one = cluster.req[i]
    if cluster.slot[0].order == VTC:
        cluster.tally[r, one.peers, SERVED] += OUTPUT * tokens / one.share


@kernel(entry=False)
def group_key(cluster: Cluster, r: int, i: int) -> float:
    """BatchLLM's: who was preempted, the rest of the group that is under way, then by ratio.

    Groups of much output for their prompts go first, so that their decodes fill the batches in which
    the prompts of the others are computed.
    """
    one = cluster.req[i]
    p = one.peers
    if one.preempted > 0:
        return -1.0
    if p >= 0 and p + 1 == cluster.rep[r].last_peers:
        return 0.0
    made, prompts = float(one.predicted), float(one.prompt)
    if p >= 0:
        made, prompts = cluster.tally[r, p, SERVED], cluster.tally[r, p, PROMPTS]
    return prompts / (prompts + made)


@kernel(entry=False)
def awaits_prefix(cluster: Cluster, r: int, i: int) -> bool:
    """By BatchLLM a prefix is computed once: whether one of the group is still at it."""
    if cluster.slot[0].order != BATCHLLM or not shares(cluster, i):
        return False
    one, rep = cluster.req[i], cluster.rep[r]
    if found_blocks(cluster, r, i) >= one.shared // BLOCK:
        return False
    for k in range(rep.running):
        other = cluster.req[cluster.run[r, k]]
        if other.peers == one.peers and other.made == 0:
            return True
    return False
