"""Links between replicas: the blocks of one request after the other go from a replica's outbox.

Blocks at the other end are reserved when a transfer begins. A request that was handed over after its
prompt waits in the outbox, and all behind it, until some replica has room.
"""

# mypy: disable-error-code="no-any-return"
# (fields of records have no type)

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from graphsched.envs.batching.hardware.catalogue import BLOCK
from graphsched.envs.batching.physics.kv_blocks import (
    blocks_for,
    keep_prefix,
    make_room,
    pin,
    retire,
)
from graphsched.envs.batching.physics.log import log_entry, log_leave, log_transfer
from graphsched.envs.batching.physics.state import DECODE, LINK, MOVING, PREFILL, RUNNING
from graphsched.envs.batching.solution import ABORTED, ARRIVED, COPIED, OVER_LINK
from graphsched.envs.core.kernels.jit import kernel

if TYPE_CHECKING:
    from graphsched.envs.batching.physics.cluster import Cluster
    from graphsched.envs.batching.physics.log import Log

ROUNDS = 3  # of copying while the request decodes, at most
LAST_BLOCKS = 16  # so few are left to copy that the request stops


@kernel(entry=False)
def takes_over(cluster: Cluster, source: int, r: int) -> bool:
    """Whether a replica can go on with what another one has begun, room apart."""
    rep, other = cluster.rep[r], cluster.rep[source]
    return r != source and rep.role != PREFILL and rep.model == other.model


@kernel(entry=False)
def _has_room(cluster: Cluster, r: int, blocks: int) -> bool:
    rep = cluster.rep[r]
    inside = rep.running + rep.incoming
    spare = rep.watermark if inside > 0 else 0
    return inside < cluster.slot[0].max_seqs and blocks + spare <= rep.free + rep.evictable


@kernel(entry=False)
def _least_loaded(cluster: Cluster, source: int, blocks: int) -> int:
    """The replica with the fewest requests that has room to go on with one, or -1."""
    best, least = -1, 2**40
    for r in range(cluster.slot[0].replicas):
        rep = cluster.rep[r]
        load = rep.running + rep.queued + rep.incoming
        if load < least and takes_over(cluster, source, r) and _has_room(cluster, r, blocks):
            best, least = r, load
    return best


@kernel(entry=False)
def heads_for(cluster: Cluster, i: int, target: int) -> None:
    """A request has a replica that it moves to."""
    cluster.req[i].target = target
    cluster.rep[target].incoming += 1


@kernel(entry=False)
def reserve(cluster: Cluster, i: int, blocks: int) -> bool:
    """Blocks for a request where it moves to, if there is room."""
    one = cluster.req[i]
    rep = cluster.rep[one.target]
    if not make_room(cluster, one.target, blocks):
        return False
    if one.reserved == 0:
        rep.bound += 1
    rep.free -= blocks
    one.reserved += blocks
    return True


@kernel(entry=False)
def send(cluster: Cluster, r: int, i: int) -> None:
    """Into the outbox."""
    cluster.outbox[r, cluster.rep[r].outgoing] = i
    cluster.rep[r].outgoing += 1


@kernel(entry=False)
def _unsend(cluster: Cluster, r: int, i: int) -> int:
    """Out of the outbox; returns its place there, -1 if it is not in it."""
    rep, at = cluster.rep[r], 0
    while at < rep.outgoing and cluster.outbox[r, at] != i:
        at += 1
    if at == rep.outgoing:
        return -1
    rep.outgoing -= 1
    for k in range(at, rep.outgoing):
        cluster.outbox[r, k] = cluster.outbox[r, k + 1]
    return at


@kernel(entry=False)
def abort(cluster: Cluster, i: int, log: Log) -> None:
    """A request that runs does not move after all."""
    one = cluster.req[i]
    if one.target < 0:
        return
    r, target = one.home, cluster.rep[one.target]
    source = cluster.rep[r]
    if _unsend(cluster, r, i) == 0 and source.sent_at < np.inf:
        times = (source.send_begun, cluster.slot[0].clock)
        log_transfer(log, i, r, one.target, source.sending, ABORTED, times)
        source.sent_at = np.inf
    if one.reserved > 0:
        target.bound -= 1
    target.free += one.reserved
    target.incoming -= 1
    target.hold = 0
    source.stopping -= one.stopping
    one.reserved = one.copied = one.rounds = one.stopping = 0
    one.target = -1


@kernel(entry=False)
def abort_incoming(cluster: Cluster, r: int, log: Log) -> bool:
    """Memory is short: one that still decodes elsewhere stays there; whether there was any."""
    if cluster.rep[r].incoming == 0:
        return False
    for o in range(cluster.slot[0].replicas):
        for k in range(cluster.rep[o].running):
            i = cluster.run[o, k]
            if cluster.req[i].target == r:
                abort(cluster, i, log)
                return True
    return False


@kernel(entry=False)
def _stop(cluster: Cluster, r: int, i: int, log: Log) -> None:
    """A request out of the batch, whose blocks stay until they are sent."""
    one, rep = cluster.req[i], cluster.rep[r]
    rep.stopping -= one.stopping
    one.status, one.stopping, one.rounds = MOVING, 0, 0
    rep.bound += 1
    log_leave(log, i, r, rep.iteration, LINK, 0)
    send(cluster, r, i)


@kernel(entry=False)
def let_go(cluster: Cluster, r: int, log: Log) -> None:
    """Between iterations: those that are to move on stop, if there is room for all that is left."""
    rep, run = cluster.rep[r], cluster.run[r]
    if rep.role != PREFILL and rep.stopping == 0:
        return
    kept = 0
    for k in range(rep.running):
        i = run[k]
        one = cluster.req[i]
        goes = rep.role == PREFILL and one.made > 0
        if one.stopping > 0:
            goes = reserve(cluster, i, blocks_for(one.kv) - one.copied)
            if not goes:
                abort(cluster, i, log)
        if goes:
            _stop(cluster, r, i, log)
        else:
            run[kept] = i
            kept += 1
    rep.running = kept


@kernel(entry=False)
def _begin_transfer(cluster: Cluster, r: int, log: Log) -> bool:
    """The first of an outbox, if there is room for it; whether the outbox has changed."""
    rep, i = cluster.rep[r], cluster.outbox[r, 0]
    one = cluster.req[i]
    blocks = blocks_for(one.kv) - one.copied
    if one.status == MOVING and one.target < 0:
        target = _least_loaded(cluster, r, blocks)
        if target < 0:
            return False
        heads_for(cluster, i, target)
        reserve(cluster, i, blocks)
    elif one.status == RUNNING:
        blocks = one.kv // BLOCK - one.copied
        if not reserve(cluster, i, blocks):
            abort(cluster, i, log)
            return True
    rep.sending, rep.send_begun = blocks, cluster.slot[0].clock
    rep.sent_at = rep.send_begun + (cluster.slot[0].latency + blocks * rep.send_block)
    return False


@kernel(entry=False)
def begin_transfers(cluster: Cluster, log: Log) -> None:
    """On all links that are idle."""
    for r in range(cluster.slot[0].replicas):
        rep = cluster.rep[r]
        while rep.outgoing > 0 and rep.sent_at == np.inf and _begin_transfer(cluster, r, log):
            pass


@kernel(entry=False)
def _arrive(cluster: Cluster, r: int, i: int, log: Log) -> None:
    """All blocks of a request are there: it goes on in the next iteration."""
    one, source = cluster.req[i], cluster.rep[r]
    target = cluster.rep[one.target]
    keep_prefix(cluster, r, i, one.kv)
    retire(cluster, r, i)
    source.bound -= 1
    source.hold = target.hold = 0
    target.bound -= one.reserved > 0
    target.incoming -= 1
    one.home, one.own = one.target, one.reserved
    one.status, one.target = RUNNING, -1
    one.reserved = one.copied = one.kept = 0
    one.entered, one.left = target.iteration + target.batch, -1
    if target.role == DECODE:
        one.leaf = -1  # nothing is shared where no prompts come
    pin(cluster, one.home, i)
    cluster.run[one.home, target.running] = i
    target.running += 1
    log_entry(log, i, one.home, target.iteration + target.batch, one.kv, OVER_LINK, 0)


@kernel(entry=False)
def end_transfer(cluster: Cluster, r: int, log: Log) -> None:
    """What was sent is there; a request that decodes meanwhile is copied once more, or stops."""
    rep, i = cluster.rep[r], cluster.outbox[r, 0]
    one = cluster.req[i]
    _unsend(cluster, r, i)
    moves = one.status == MOVING
    times = (rep.send_begun, rep.sent_at)
    log_transfer(log, i, r, one.target, rep.sending, ARRIVED if moves else COPIED, times)
    rep.sent_at = np.inf
    if moves:
        _arrive(cluster, r, i, log)
        return
    one.copied += rep.sending
    copy_on(cluster, r, i)
    if not rep.batch:
        let_go(cluster, r, log)


@kernel(entry=False)
def copy_on(cluster: Cluster, r: int, i: int) -> None:
    """Another round while the request decodes, or it stops when the iteration ends."""
    one = cluster.req[i]
    left = blocks_for(one.kv) - one.copied
    if left <= LAST_BLOCKS or one.rounds == ROUNDS:
        one.stopping = 1
        cluster.rep[r].stopping += 1
    else:
        one.rounds += 1
        send(cluster, r, i)
