"""Paged KV memory: blocks of requests, and prefixes that are kept for those who share them."""

# mypy: disable-error-code="no-any-return"
# (fields of records have no type)

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from graphsched.envs.batching.hardware.catalogue import BLOCK
from graphsched.envs.batching.physics.state import QUEUED, SWAPPED
from graphsched.envs.core.kernels.jit import kernel

if TYPE_CHECKING:
    from graphsched.envs.batching.physics.cluster import Cluster


@kernel(entry=False)
def blocks_for(tokens: int) -> int:
    """Blocks that hold that many tokens."""
    return (tokens + BLOCK - 1) // BLOCK


@kernel(entry=False)
def shares(cluster: Cluster, i: int) -> bool:
    """Whether a request takes part in prefix sharing."""
    return cluster.slot[0].caching != 0 and cluster.req[i].group >= 0


@kernel(entry=False)
def pin(cluster: Cluster, r: int, g: int) -> None:
    """A request relies on a group's prefix."""
    if cluster.users[r, g] == 0:
        cluster.rep[r].evictable -= cluster.cached[r, g]
    cluster.users[r, g] += 1
    cluster.used_at[r, g] = cluster.slot[0].clock


@kernel(entry=False)
def _unpin(cluster: Cluster, r: int, g: int) -> None:
    cluster.users[r, g] -= 1
    cluster.used_at[r, g] = cluster.slot[0].clock
    if cluster.users[r, g] == 0:
        cluster.rep[r].evictable += cluster.cached[r, g]


@kernel(entry=False)
def make_room(cluster: Cluster, r: int, need: int) -> bool:
    """Evict tails of prefixes that nobody uses, least recently used first."""
    rep, cached, used_at = cluster.rep[r], cluster.cached[r], cluster.used_at[r]
    if rep.free + rep.evictable < need:
        return False
    while rep.free < need:
        best, oldest = -1, np.inf
        for g in range(cluster.slot[0].groups):
            unused = cached[g] > 0 and cluster.users[r, g] == 0
            if unused and used_at[g] < oldest:
                best, oldest = g, used_at[g]
        take = min(cached[best], need - rep.free)
        cached[best] -= take
        rep.evictable -= take
        rep.free += take
    return True


@kernel(entry=False)
def _relied_on(cluster: Cluster, r: int, g: int) -> int:
    """Blocks of a group's prefix that some request of the replica holds."""
    rep, out = cluster.rep[r], 0
    for k in range(rep.running):
        one = cluster.req[cluster.run[r, k]]
        if one.group == g:
            out = max(out, one.held)
    for k in range(rep.queued):
        one = cluster.req[cluster.queue[r, k]]
        if one.group == g:
            out = max(out, one.held)
    return out


@kernel(entry=False)
def trim(cluster: Cluster, r: int, i: int, need: int) -> None:
    """Evict the tail of the prefix of a running request's own group, where nobody holds it.

    A prefix in use is not `evictable`, though a request may use only its first blocks.
    """
    rep = cluster.rep[r]
    short = need - rep.free - rep.evictable
    if short <= 0 or not shares(cluster, i):
        return
    g = cluster.req[i].group
    gone = min(cluster.cached[r, g] - _relied_on(cluster, r, g), short)
    cluster.cached[r, g] -= gone
    rep.free += gone


@kernel(entry=False)
def found_blocks(cluster: Cluster, r: int, i: int) -> int:
    """Blocks of a request's prefix that a replica holds; one token is always computed."""
    one = cluster.req[i]
    if not shares(cluster, i) or one.status == SWAPPED:
        return 0
    most = (one.prompt + one.made - 1) // BLOCK
    held = cluster.cached[r, one.group]
    return min(min(held, one.shared // BLOCK), most)


@kernel(entry=False)
def available(cluster: Cluster, r: int, i: int) -> int:
    """Blocks that could be free for a request, what it finds in the cache being kept."""
    rep = cluster.rep[r]
    out = rep.free + rep.evictable
    if shares(cluster, i) and cluster.users[r, cluster.req[i].group] == 0:
        out -= found_blocks(cluster, r, i)
    return out


@kernel(entry=False)
def take(cluster: Cluster, r: int, i: int, need: int) -> None:
    """Blocks for a request that fits; the tail of its own group's prefix goes last."""
    one, rep = cluster.req[i], cluster.rep[r]
    short = need - rep.free - rep.evictable
    if short > 0:
        cluster.cached[r, one.group] -= short
        rep.free += short
    make_room(cluster, r, need)
    rep.free -= need
    one.own = need


@kernel(entry=False)
def keep_prefix(cluster: Cluster, r: int, i: int, tokens: int) -> None:
    """Blocks of a request's first tokens that lengthen its group's prefix go to the cache."""
    if not shares(cluster, i):
        return
    one = cluster.req[i]
    g = one.group
    moved = min(one.extends, tokens) // BLOCK - cluster.cached[r, g]
    if moved > 0:
        cluster.cached[r, g] += moved
        one.own -= moved
        one.held += moved


@kernel(entry=False)
def release(cluster: Cluster, r: int, i: int) -> None:
    """A request gives back its blocks."""
    one = cluster.req[i]
    if shares(cluster, i):
        _unpin(cluster, r, one.group)
    cluster.rep[r].free += one.own
    one.own = one.held = 0


@kernel(entry=False)
def forget(cluster: Cluster, r: int, i: int) -> None:
    """A request will be computed again from its first token."""
    one = cluster.req[i]
    cluster.rep[r].pending += one.kv
    one.kv = 0
    one.status = QUEUED
