"""Iterations of decodes alone, while nothing happens: many of them at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from graphsched.envs.batching.hardware.iteration_time import decodes_before_reads_s, kv_read_s
from graphsched.envs.batching.options import REQUEST_LEVEL, SARATHI, VLLM_V1
from graphsched.envs.batching.physics.admission import fits, head_of
from graphsched.envs.batching.physics.cluster import is_decode
from graphsched.envs.batching.physics.kv_blocks import blocks_for, make_room
from graphsched.envs.batching.physics.log import log_decodes, log_iteration
from graphsched.envs.batching.physics.moving.displace import PATIENCE_S, claimant, displaces
from graphsched.envs.batching.physics.rules.orders import order_changes
from graphsched.envs.batching.physics.rules.tallies import tally_tokens
from graphsched.envs.batching.physics.state import ADMIT, BUDGET
from graphsched.envs.core.kernels.jit import kernel

if TYPE_CHECKING:
    from graphsched.envs.batching.physics.cluster import Cluster
    from graphsched.envs.batching.physics.log import Log

MANY = 2**40


@kernel(entry=False)
def _may_admit(cluster: Cluster, r: int) -> bool:
    """Whether a queued request could join while only decodes go on.

    By orders that don't change by then it could only be the first; by others any that fits.
    """
    rep, slot = cluster.rep[r], cluster.slot[0]
    full = rep.running + rep.incoming >= slot.max_seqs or slot.batching == REQUEST_LEVEL
    if rep.queued == 0 or full:
        return False
    if displaces(cluster) and claimant(cluster, r) >= 0:
        return True
    if rep.hold:
        return False
    if not cluster.agent[ADMIT] and not order_changes(cluster):
        head = head_of(cluster, r)
        return head >= 0 and fits(cluster, r, head)
    found = False
    for k in range(rep.queued):
        found |= fits(cluster, r, cluster.queue[r, k])
    return found


@kernel(entry=False)
def _until_one_ends(cluster: Cluster, r: int) -> int:
    """Iterations in which all running requests decode and none of them ends."""
    rep, rule = cluster.rep[r], cluster.slot[0].batching
    chunked = rule in (SARATHI, VLLM_V1)
    decided = cluster.agent[BUDGET] != 0 and rep.pending > 0
    out = MANY
    if rep.running == 0 or rep.swap_calls > 0 or decided or (chunked and rep.running > rep.budget):
        out = 0
    if cluster.slot[0].migrates > 0:
        every = cluster.slot[0].migrate_every
        out = min(out, every - 1 - rep.iteration % every)
    for k in range(rep.running):
        one = cluster.req[cluster.run[r, k]]
        if out <= 0 or not is_decode(one):
            return 0
        out = min(out, one.output - one.made - 1)
    return out


@kernel(entry=False)
def _length(cluster: Cluster, r: int) -> int:
    """Iterations of a decode run: nobody ends, joins or has to be preempted for KV blocks."""
    rep = cluster.rep[r]
    out = _until_one_ends(cluster, r)
    if out > 0 and _may_admit(cluster, r):
        return 0
    while out > 0:
        need = 0
        for k in range(rep.running):
            one = cluster.req[cluster.run[r, k]]
            need += max(blocks_for(one.kv + out) - one.held - one.own, 0)
        if need <= rep.free + rep.evictable:
            break
        out //= 2
    return out


@kernel(entry=False)
def next_arrival(cluster: Cluster, roots: int) -> float:
    """When a request of no predecessor comes next; inf if all have."""
    k = cluster.slot[0].next_root
    return float(cluster.req[cluster.root[k]].arrival if k < roots else np.inf)


@kernel(entry=False)
def _undisturbed(cluster: Cluster, r: int, roots: int) -> float:
    """Up to when nothing outside a replica concerns it: arrivals, and stages that others bring about.

    A request takes an iteration for each token that is left of it, at least.
    """
    slot, out = cluster.slot[0], next_arrival(cluster, roots)
    if slot.pools > 0:
        out = min(out, _next_move(cluster, r))
    if cluster.succ_ptr[slot.requests] == 0:
        return out
    for o in range(slot.replicas):
        rep = cluster.rep[o]
        if o == r:
            continue
        begin = rep.busy_until - rep.shortest if rep.batch else max(rep.ready, slot.clock)
        for k in range(rep.running):
            out = min(out, begin + _stage_s(cluster, o, cluster.run[o, k]))
        for k in range(rep.queued):
            out = min(out, begin + _stage_s(cluster, o, cluster.queue[o, k]))
    return out


@kernel(entry=False)
def _next_move(cluster: Cluster, r: int) -> float:
    """When a transfer ends at the earliest, or another replica's iteration, which may begin one."""
    slot, out = cluster.slot[0], np.inf
    for o in range(slot.replicas):
        rep = cluster.rep[o]
        out = min(out, rep.sent_at)
        if o == r:
            continue
        if rep.batch:
            out = min(out, rep.busy_until)
        elif rep.queued + rep.running > 0:
            out = min(out, max(rep.ready, slot.clock) + rep.shortest)
    return float(out)


@kernel(entry=False)
def _stage_s(cluster: Cluster, r: int, i: int) -> float:
    """Time in which a request could be through at the earliest; inf if no stage needs it."""
    if cluster.succ_ptr[i + 1] == cluster.succ_ptr[i]:
        return np.inf
    one = cluster.req[i]
    return float((one.output - one.made) * cluster.rep[r].shortest)


@kernel(entry=False)
def decode_run(cluster: Cluster, r: int, roots: int, log: Log) -> float:
    """Iterations of decodes alone until something else happens; returns when the next one begins."""
    rep, run = cluster.rep[r], cluster.run[r]
    at = max(rep.ready, cluster.slot[0].clock)
    length = _length(cluster, r)
    if length == 0:
        return float(at)
    until = _undisturbed(cluster, r, roots)
    if rep.queued > 0 and displaces(cluster):
        until = min(until, at + PATIENCE_S)  # by then somebody may be out of slack
    kv, loads = 0, cluster.loads[r]
    for k in range(rep.running):
        kv += cluster.req[run[k]].kv
    fixed = decodes_before_reads_s(cluster.table[r], loads, rep.running, rep.running)
    done = 0
    while done < length:
        end = at + fixed + kv_read_s(loads, kv + done * rep.running)
        if end > until:
            break
        log_iteration(log, r, at, end, 0, 0)
        at = end
        done += 1
    for k in range(rep.running):
        one = cluster.req[run[k]]
        log_decodes(log, run[k], r, rep.iteration, done)
        need = blocks_for(one.kv + done) - one.held - one.own
        if need > 0:
            make_room(cluster, r, need)
            one.own += need
            rep.free -= need
        one.kv += done
        one.made += done
        tally_tokens(cluster, r, run[k], done)
        if done > 0:
            one.last_token = at
    rep.iteration += done
    rep.ready = at
    return float(at)
