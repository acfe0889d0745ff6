"""Putting an iteration together: who decodes, whose prompt goes on, who is admitted."""

# mypy: disable-error-code="no-any-return"
# (fields of records have no type)

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from graphsched.envs.batching.hardware.catalogue import BLOCK
from graphsched.envs.batching.options import (
    ORCA,
    REQUEST_LEVEL,
    SARATHI,
    VLLM_V0,
    VLLM_V1,
)
from graphsched.envs.batching.physics.cluster import is_decode, todo_of
from graphsched.envs.batching.physics.kv_blocks import (
    available,
    blocks_for,
    forget,
    found_blocks,
    keep_victim,
    kept_alone,
    make_room,
    pin,
    release,
    retire,
    shares,
    take,
    trim,
)
from graphsched.envs.batching.physics.log import log_entry, log_leave
from graphsched.envs.batching.physics.moving.links import abort, abort_incoming
from graphsched.envs.batching.physics.rules.orders import in_queue_order, order_key
from graphsched.envs.batching.physics.rules.tallies import awaits_prefix, tally_admission
from graphsched.envs.batching.physics.state import (
    DECODE,
    FAIL,
    QUEUED,
    RECOMPUTE,
    REJECTED,
    RUNNING,
    SWAP,
    SWAPPED,
)
from graphsched.envs.core.kernels.jit import kernel

if TYPE_CHECKING:
    from graphsched.envs.batching.physics.cluster import Cluster
    from graphsched.envs.batching.physics.log import Log


@kernel(entry=False)
def enqueue(cluster: Cluster, r: int, i: int) -> None:
    """Into the replica's queue, by the time it could first be routed."""
    one, rep = cluster.req[i], cluster.rep[r]
    at = rep.queued
    while at > 0:
        j = cluster.queue[r, at - 1]
        came = cluster.req[j].visible
        if came < one.visible or (came == one.visible and j < i):
            break
        cluster.queue[r, at] = j
        at -= 1
    cluster.queue[r, at] = i
    rep.queued += 1


@kernel(entry=False)
def _dequeue(cluster: Cluster, r: int, i: int) -> None:
    rep = cluster.rep[r]
    at = 0
    while cluster.queue[r, at] != i:
        at += 1
    for k in range(at, rep.queued - 1):
        cluster.queue[r, k] = cluster.queue[r, k + 1]
    rep.queued -= 1


@kernel(entry=False)
def preempt(cluster: Cluster, r: int, at: int, log: Log) -> int:
    """The running request at a place leaves; returns it."""
    rep = cluster.rep[r]
    i = cluster.run[r, at]
    rep.running -= 1
    for k in range(at, rep.running):
        cluster.run[r, k] = cluster.run[r, k + 1]
    one = cluster.req[i]
    rep.left += one.chunk
    one.chunk = 0
    one.preempted += 1
    one.left = rep.iteration
    rep.hold = 0
    abort(cluster, i, log)
    why = RECOMPUTE
    if rep.running == 0 and blocks_for(one.prompt + one.made) > rep.blocks:
        why = FAIL
    elif rep.role == DECODE:  # where nobody computes prompts
        why = SWAP
    elif cluster.slot[0].swaps and kept_alone(cluster, r, i) <= one.own:
        why = SWAP  # else more of its path would stay, for it alone, than goes
    if why == SWAP:
        one.away = blocks_for(one.kv) - one.held
        rep.swap_moved += one.away
        rep.swap_calls += 1
        rep.swapped += 1
        rep.free += one.own
        one.own = 0
        one.status = SWAPPED
        enqueue(cluster, r, i)
    elif why == RECOMPUTE:
        keep_victim(cluster, r, i)
        release(cluster, r, i)
        forget(cluster, r, i)
        enqueue(cluster, r, i)
    else:
        retire(cluster, r, i)
        rep.pending -= todo_of(one) - (one.made > 0)
        one.status = REJECTED  # the caller settles it
    log_leave(log, i, r, rep.iteration, why, one.away)
    return i


@kernel(entry=False)
def _free_swapped_prefixes(cluster: Cluster, r: int) -> None:
    """No other way to go on: requests in the host's memory let go of their prefixes."""
    if cluster.rep[r].swapped == 0 or cluster.rep[r].role == DECODE:
        return
    for k in range(cluster.rep[r].queued):
        i = cluster.queue[r, k]
        if cluster.req[i].status == SWAPPED:
            release(cluster, r, i)
            forget(cluster, r, i)
            cluster.req[i].away = 0
    cluster.rep[r].swapped = 0


@kernel(entry=False)
def plan_running(cluster: Cluster, r: int, prompts: bool, decodes: bool, log: Log) -> int:
    """Tokens for running requests in order; returns a request that can't ever go on, or -1."""
    rep, run = cluster.rep[r], cluster.run[r]
    k = 0
    while k < rep.running:
        one = cluster.req[run[k]]
        wanted = decodes if is_decode(one) else prompts
        if one.chunk > 0 or not wanted:
            k += 1
            continue
        chunk = min(todo_of(one), rep.left)
        if chunk <= 0:
            return -1
        need = blocks_for(one.kv + chunk) - one.held - one.own
        if need > 0:
            lost = _find_room(cluster, r, run[k], need, log)
            if lost >= 0:
                return lost
            if rep.running <= k:
                return -1  # it had to leave itself
        one.chunk = chunk
        rep.left -= chunk
        k += 1
    return -1


@kernel(entry=False)
def _find_room(cluster: Cluster, r: int, i: int, need: int, log: Log) -> int:
    """Blocks for a running request, others leaving from the last; one that is given up, or -1."""
    rep = cluster.rep[r]
    gone = -1
    while gone != i:
        trim(cluster, r, i, need)
        alone = rep.running == 1
        if alone and rep.free + rep.evictable < need:
            _free_swapped_prefixes(
                cluster, r
            )  # else it could leave, be admitted and leave again for ever
            trim(cluster, r, i, need)
        if make_room(cluster, r, need):
            rep.free -= need
            cluster.req[i].own += need
            return -1
        if abort_incoming(cluster, r, log):
            continue
        gone = preempt(cluster, r, rep.running - 1, log)
        rep.stuck = 1
        if cluster.req[gone].status == REJECTED:
            return gone
    return -1


@kernel(entry=False)
def _first_chunk(cluster: Cluster, r: int, i: int) -> int:
    one = cluster.req[i]
    todo = todo_of(one)
    if one.status == QUEUED:
        todo -= BLOCK * found_blocks(cluster, r, i)
    return min(todo, cluster.rep[r].left)


@kernel(entry=False)
def _needs(cluster: Cluster, r: int, i: int) -> int:
    """Blocks that admission takes."""
    slot, one = cluster.slot[0], cluster.req[i]
    rule, found = slot.batching, found_blocks(cluster, r, i)
    if one.status == SWAPPED:
        kept = one.kv + _first_chunk(cluster, r, i)
        return blocks_for(kept) - one.held
    whole = one.prompt + one.made
    if rule == VLLM_V1:
        whole = BLOCK * found + _first_chunk(cluster, r, i)
    elif rule in (ORCA, REQUEST_LEVEL):
        whole = max(whole, slot.max_tokens)
    return min(blocks_for(whole), cluster.rep[r].blocks) - found


@kernel(entry=False)
def _padded_fits(cluster: Cluster, r: int, i: int) -> bool:
    """Whether a prompt may join vLLM v0's batch of prompts, all padded to the longest."""
    count, longest = 1, todo_of(cluster.req[i])
    for k in range(cluster.rep[r].running):
        chunk = cluster.req[cluster.run[r, k]].chunk
        if chunk > 0:
            count += 1
            longest = max(longest, chunk)
    return count == 1 or count * longest <= cluster.slot[0].max_tokens


@kernel(entry=False)
def barred(cluster: Cluster, r: int, i: int) -> bool:
    """Whether a queued request has to wait, whatever room there is.

    Until the next iteration if it has just left, and vLLM v0's prompts for those in the host's memory.
    """
    rep = cluster.rep[r]
    if cluster.req[i].left == rep.iteration and rep.running > 0:
        return True
    behind = rep.swapped > 0 or rep.returns > 0
    return behind and cluster.req[i].status != SWAPPED and cluster.slot[0].batching == VLLM_V0


@kernel(entry=False)
def short_of(cluster: Cluster, r: int, i: int) -> int:
    """Blocks that a queued request lacks to be admitted."""
    rep = cluster.rep[r]
    spare = rep.watermark if rep.running > 0 else 0
    return max(_needs(cluster, r, i) + spare - available(cluster, r, i), 0)


@kernel(entry=False)
def fits(cluster: Cluster, r: int, i: int) -> bool:
    """Whether a queued request can be admitted now."""
    if barred(cluster, r, i) or short_of(cluster, r, i) > 0:
        return False
    prompt = cluster.slot[0].batching == VLLM_V0 and cluster.req[i].status != SWAPPED
    return not prompt or _padded_fits(cluster, r, i)


@kernel(entry=False)
def head_of(cluster: Cluster, r: int) -> int:
    """The first queued request in order that fits or may not be passed over, or -1 if none is.

    An idle replica passes over nobody: it can make room for any request.
    """
    slot, rep = cluster.slot[0], cluster.rep[r]
    best, least = -1, np.inf
    passes = slot.passes if rep.running > 0 else 0
    for k in range(rep.queued):
        i = cluster.queue[r, k]
        if barred(cluster, r, i) or awaits_prefix(cluster, r, i):
            continue
        key = order_key(cluster, r, i)
        if key < least and (cluster.req[i].passed >= passes or fits(cluster, r, i)):
            best, least = i, key
            if in_queue_order(cluster):
                break
    return best


@kernel(entry=False)
def pass_over(cluster: Cluster, r: int, i: int) -> None:
    """Count for each request before i in the order that i is admitted before it."""
    if cluster.slot[0].passes == 0:
        return
    least, behind = order_key(cluster, r, i), False
    for k in range(cluster.rep[r].queued):
        j = cluster.queue[r, k]
        behind |= j == i
        key = order_key(cluster, r, j)
        if key < least or (key == least and not behind):
            cluster.req[j].passed += 1


@kernel(entry=False)
def admit(cluster: Cluster, r: int, i: int, log: Log) -> None:
    """A queued request that fits joins the batch."""
    one, rep = cluster.req[i], cluster.rep[r]
    need, found = _needs(cluster, r, i), found_blocks(cluster, r, i)
    swapped = one.status == SWAPPED
    chunk = _first_chunk(cluster, r, i)
    tally_admission(cluster, r, i)
    if not swapped:
        if shares(cluster, i):
            pin(cluster, r, i)
        one.kv = BLOCK * found
        one.held = found
        rep.pending -= BLOCK * found
    else:
        rep.swap_moved += one.away
        rep.swap_calls += 1
        rep.swapped -= 1
    take(cluster, r, i, need)
    one.status = RUNNING
    one.entered = rep.iteration
    one.chunk = chunk
    rep.left -= chunk
    _dequeue(cluster, r, i)
    cluster.run[r, rep.running] = i
    rep.running += 1
    log_entry(log, i, r, rep.iteration, one.kv, swapped, one.away)
    one.away = 0


@kernel(entry=False)
def admits(cluster: Cluster, r: int) -> bool:
    """Whether the iteration has room for more requests, memory apart."""
    rep = cluster.rep[r]
    closed = rep.stuck > 0 or rep.queued == 0
    return not closed and rep.left > 0 and rep.running + rep.incoming < cluster.slot[0].max_seqs


@kernel(entry=False)
def next_by_rule(cluster: Cluster, r: int) -> int:
    """The request to admit, or -1 if admission ends."""
    i = head_of(cluster, r) if cluster.rep[r].hold == 0 else -1
    if i >= 0 and fits(cluster, r, i):
        pass_over(cluster, r, i)
        return i
    if cluster.rep[r].running > 0:
        return -1
    _free_swapped_prefixes(cluster, r)
    if cluster.rep[r].bound > 0 and i >= 0 and not fits(cluster, r, i):
        return -1  # until what is on its way is gone
    return i


@kernel(entry=False)
def begin_plan(cluster: Cluster, r: int, log: Log) -> int:
    """Running requests get their tokens, where they come first; returns a hopeless one or -1."""
    rep, rule = cluster.rep[r], cluster.slot[0].batching
    rep.planning = 1
    rep.returns = rep.swapped > 0
    rep.stuck = rule == REQUEST_LEVEL and rep.running > 0
    rep.left = 2**40
    if rule in (SARATHI, VLLM_V1):
        rep.left = max(rep.budget, 1)
    if rule == VLLM_V0 and rep.swapped == 0:
        return -1  # prompts come before decodes
    if rule == SARATHI:
        lost = plan_running(cluster, r, False, True, log)
        return lost if lost >= 0 else plan_running(cluster, r, True, False, log)
    return plan_running(cluster, r, True, True, log)


@kernel(entry=False)
def end_plan(cluster: Cluster, r: int, log: Log) -> int:
    """Decodes of vLLM v0, where no prompt came in; returns a hopeless request or -1."""
    cluster.rep[r].returns = 0
    if cluster.slot[0].batching != VLLM_V0:
        return -1
    for k in range(cluster.rep[r].running):
        if cluster.req[cluster.run[r, k]].chunk > 0:
            return -1
    return plan_running(cluster, r, True, True, log)
