"""Paged KV memory: blocks of requests, and prefixes that are kept for those who share them.

Prefixes form a tree of segments. A request pins the path to its own segment; blocks of segments that
nobody pins are evicted, the tail of the one used longest ago first, which is always one that nothing
cached branches off.
"""

# mypy: disable-error-code="no-any-return"
# (fields of records have no type)

from __future__ import annotations

from typing import TYPE_CHECKING

from graphsched.envs.batching.hardware.catalogue import BLOCK
from graphsched.envs.batching.physics.state import QUEUED, SWAPPED
from graphsched.envs.core.kernels.jit import kernel

if TYPE_CHECKING:
    from graphsched.envs.batching.physics.cluster import Cluster

WHOLE = 2**40  # more blocks than any path has


@kernel(entry=False)
def blocks_for(tokens: int) -> int:
    """Blocks that hold that many tokens."""
    return (tokens + BLOCK - 1) // BLOCK


@kernel(entry=False)
def shares(cluster: Cluster, i: int) -> bool:
    """Whether a request takes part in prefix sharing."""
    return cluster.req[i].leaf >= 0


@kernel(entry=False)
def _unlink(cluster: Cluster, r: int, g: int) -> None:
    """Out of the ring of what may be evicted."""
    older, newer = cluster.older[r], cluster.newer[r]
    before, after = older[g + 1], newer[g + 1]
    newer[before], older[after] = after, before


@kernel(entry=False)
def _link(cluster: Cluster, r: int, g: int) -> None:
    """Into the ring, as the one used last."""
    older, newer = cluster.older[r], cluster.newer[r]
    last = older[0]
    newer[last], older[0] = g + 1, g + 1
    older[g + 1], newer[g + 1] = last, 0


@kernel(entry=False)
def pin(cluster: Cluster, r: int, i: int) -> None:
    """A request relies on its path."""
    g = cluster.req[i].leaf
    while g >= 0:
        if cluster.users[r, g] == 0 and cluster.cached[r, g] > 0:
            cluster.rep[r].evictable -= cluster.cached[r, g]
            _unlink(cluster, r, g)
        cluster.users[r, g] += 1
        g = cluster.parent[g]


@kernel(entry=False)
def _unpin(cluster: Cluster, r: int, i: int) -> None:
    g = cluster.req[i].leaf
    while g >= 0:
        cluster.users[r, g] -= 1
        if cluster.users[r, g] == 0 and cluster.cached[r, g] > 0:
            cluster.rep[r].evictable += cluster.cached[r, g]
            _link(cluster, r, g)
        g = cluster.parent[g]


@kernel(entry=False)
def make_room(cluster: Cluster, r: int, need: int) -> bool:
    """Evict tails of segments that nobody uses, least recently used first."""
    rep, cached = cluster.rep[r], cluster.cached[r]
    if rep.free + rep.evictable < need:
        return False
    while rep.free < need:
        g = cluster.newer[r, 0] - 1
        gone = min(cached[g], need - rep.free)
        cached[g] -= gone
        rep.evictable -= gone
        rep.free += gone
        if cached[g] == 0:
            _unlink(cluster, r, g)
    return True


@kernel(entry=False)
def _stands_on(cluster: Cluster, r: int, g: int, i: int) -> int:
    """Blocks of segment g that request i relies on, or what is cached of its path beyond g."""
    one = cluster.req[i]
    s, level = one.leaf, one.held
    while s > g:  # parents have lower numbers
        start = cluster.first[s]
        level = start if cluster.cached[r, s] > 0 else min(level, start)
        s = cluster.parent[s]
    return max(level - cluster.first[g], 0) if s == g else 0


@kernel(entry=False)
def _relied_on(cluster: Cluster, r: int, g: int, i: int) -> int:
    """Blocks of a pinned segment that request i or others of the replica rely on."""
    rep = cluster.rep[r]
    out = _stands_on(cluster, r, g, i)
    for k in range(rep.running):
        out = max(out, _stands_on(cluster, r, g, cluster.run[r, k]))
    for k in range(rep.outgoing):
        out = max(out, _stands_on(cluster, r, g, cluster.outbox[r, k]))
    if rep.swapped > 0:
        for k in range(rep.queued):
            if cluster.req[cluster.queue[r, k]].status == SWAPPED:
                out = max(out, _stands_on(cluster, r, g, cluster.queue[r, k]))
    return out


@kernel(entry=False)
def trim(cluster: Cluster, r: int, i: int, need: int) -> None:
    """Where evicting is not enough: evict the tails of a request's own path that nobody holds.

    A path in use is not `evictable`, though a request may use only its first blocks.
    """
    rep = cluster.rep[r]
    if need <= rep.free + rep.evictable or not shares(cluster, i):
        return
    make_room(cluster, r, rep.free + rep.evictable)
    g = cluster.req[i].leaf
    while g >= 0 and rep.free < need:
        spare = cluster.cached[r, g] - _relied_on(cluster, r, g, i)
        gone = min(max(spare, 0), need - rep.free)
        cluster.cached[r, g] -= gone
        rep.free += gone
        g = cluster.parent[g]


@kernel(entry=False)
def path_blocks(cluster: Cluster, r: int, g: int) -> int:
    """Blocks of the path to a segment, and of the segment, that a replica holds."""
    bound = WHOLE
    while g >= 0:
        held = cluster.cached[r, g]
        if held > 0:
            return min(cluster.first[g] + held, bound)
        bound = cluster.first[g]
        g = cluster.parent[g]
    return 0


@kernel(entry=False)
def found_blocks(cluster: Cluster, r: int, i: int) -> int:
    """Blocks of a request's path that a replica holds; one token is always computed."""
    one = cluster.req[i]
    if not shares(cluster, i) or one.status == SWAPPED:
        return 0
    most = min(max(one.shared, one.kept), one.prompt + one.made - 1) // BLOCK
    return min(path_blocks(cluster, r, one.leaf), most)


@kernel(entry=False)
def kept_alone(cluster: Cluster, r: int, i: int) -> int:
    """Blocks of its path that a running request relies on and nobody else does."""
    out, g, top = 0, cluster.req[i].leaf, cluster.req[i].held
    while g >= 0 and cluster.users[r, g] == 1:
        start = cluster.first[g]
        out += max(top - start, 0)
        top = min(top, start)
        g = cluster.parent[g]
    return out


@kernel(entry=False)
def available(cluster: Cluster, r: int, i: int) -> int:
    """Blocks that could be free for a request, what it finds in the cache being kept."""
    rep, found = cluster.rep[r], found_blocks(cluster, r, i)
    out = rep.free + rep.evictable
    g, top = cluster.req[i].leaf, found
    while g >= 0 and top > 0 and cluster.users[r, g] == 0:
        start = cluster.first[g]
        out -= max(top - start, 0)
        top = min(top, start)
        g = cluster.parent[g]
    return out


@kernel(entry=False)
def take(cluster: Cluster, r: int, i: int, need: int) -> None:
    """Blocks for a request that fits; the tail of its own path goes last."""
    trim(cluster, r, i, need)
    make_room(cluster, r, need)
    cluster.rep[r].free -= need
    cluster.req[i].own = need


@kernel(entry=False)
def _keep(cluster: Cluster, r: int, i: int, blocks: int) -> None:
    """A request's first blocks go to the cache as far as its path lacks them."""
    one, moved = cluster.req[i], 0
    g, top = one.leaf, blocks
    while g >= 0:
        start = cluster.first[g]
        more = top - start - cluster.cached[r, g]
        if more > 0:
            cluster.cached[r, g] += more
            moved += more
        top = min(top, start)
        g = cluster.parent[g]
    one.own -= moved
    one.held += moved


@kernel(entry=False)
def keep_prefix(cluster: Cluster, r: int, i: int, tokens: int) -> None:
    """Blocks of a request's first tokens that are its group's go to the cache."""
    one = cluster.req[i]
    if shares(cluster, i) and one.group >= 0:
        _keep(cluster, r, i, min(one.extends, tokens) // BLOCK)


@kernel(entry=False)
def keep_victim(cluster: Cluster, r: int, i: int) -> None:
    """Where requests have segments of their own: all that one has computed goes to the cache."""
    one = cluster.req[i]
    if shares(cluster, i) and one.leaf != one.group:
        _keep(cluster, r, i, one.kv // BLOCK)
        one.kept = max(one.kept, one.kv)


@kernel(entry=False)
def release(cluster: Cluster, r: int, i: int) -> None:
    """A request gives back its blocks."""
    one = cluster.req[i]
    if shares(cluster, i):
        _unpin(cluster, r, i)
    cluster.rep[r].free += one.own
    one.own = one.held = 0


@kernel(entry=False)
def retire(cluster: Cluster, r: int, i: int) -> None:
    """A request won't come back: nor are the blocks kept that only it could use."""
    release(cluster, r, i)
    one, rep = cluster.req[i], cluster.rep[r]
    g = one.leaf
    if shares(cluster, i) and g != one.group and cluster.cached[r, g] > 0:
        rep.evictable -= cluster.cached[r, g]
        rep.free += cluster.cached[r, g]
        cluster.cached[r, g] = 0
        _unlink(cluster, r, g)


@kernel(entry=False)
def forget(cluster: Cluster, r: int, i: int) -> None:
    """A request will be computed again, as far as it does not find its tokens."""
    one = cluster.req[i]
    cluster.rep[r].pending += one.kv
    one.kv = 0
    one.status = QUEUED
