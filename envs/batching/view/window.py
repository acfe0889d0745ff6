"""The requests that the graph of a decision holds, and what they hang together by.

Columns as in `features`. What is on offer comes first, so that a candidate's request has a place that
follows from the candidate's: see `place_of`.
"""

# mypy: disable-error-code="no-any-return"
# (fields of records have no type)

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from graphsched.envs.batching.features import PRE, REQ, STG, TEN
from graphsched.envs.batching.hardware.catalogue import BLOCK
from graphsched.envs.batching.options import VTC
from graphsched.envs.batching.physics.cluster import cluster_at
from graphsched.envs.batching.physics.forecast import urgency
from graphsched.envs.batching.physics.kv_blocks import path_blocks
from graphsched.envs.batching.physics.rules.tallies import SERVED
from graphsched.envs.batching.physics.state import (
    ADMIT,
    FUTURE,
    PREEMPT,
    QUEUED,
    ROUTE,
    RUNNING,
    SWAPPED,
)
from graphsched.envs.batching.view.scales import CAP, TEN_S, first_target
from graphsched.envs.core.kernels.jit import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from graphsched.envs.batching.physics.cluster import Cluster
    from graphsched.envs.batching.physics.state import State

    Rows = NDArray[np.float32]
    Ints = NDArray[np.int64]

NO_SUBJECT = -1


class Window(NamedTuple):
    """Q requests, S stages, P prefixes and T tenants: rows, and edges (2, E) from place to place."""

    requests: Rows  # (Q, columns of `REQUEST`)
    stages: Rows  # (S, columns of `STAGE`)
    prefixes: Rows  # (P, columns of `PREFIX`)
    tenants: Rows  # (T, columns of `TENANT`)
    runs_on: Ints  # request -> replica
    waits_for: Ints  # request -> replica
    shares_prefix: Ints  # request -> prefix
    precedes: Ints  # request -> stage
    stage_precedes: Ints  # stage -> stage
    belongs_to: Ints  # request -> tenant


@kernel(entry=False)
def place_of(cluster: Cluster, c: int, size: int) -> int:
    """Place in a window of the request that candidate c means, -1 if it means none that is there."""
    slot, place = cluster.slot[0], -1
    if slot.kind == ROUTE:
        place = 0
    elif slot.kind == ADMIT and cluster.choice[c] >= 0:
        place = c
    elif slot.kind == PREEMPT and cluster.choice[c] >= 0:
        place = 1 + c  # after the one that room is made for
    return place if place < size else -1


@kernel
def look_around(state: State, b: int, size: int) -> Window:
    """The requests that matter to slot b's decision, ``size`` at most, and all that they touch."""
    cluster = cluster_at(state, b)
    who = _members(cluster, size)
    stage, precedes, stage_precedes = _later_stages(cluster, who)
    group, tenant = np.empty_like(who), np.empty_like(who)
    stake = 0.0
    for q in range(len(who)):
        one = cluster.req[who[q]]
        group[q], tenant[q] = one.group, one.tenant
        stake += one.stake / len(who)
    segments, shares_prefix = _gathered(group)
    tenants, belongs_to = _gathered(tenant)
    return Window(
        _request_rows(cluster, who, stake),
        _stage_rows(cluster, stage, stake),
        _prefix_rows(cluster, segments, shares_prefix),
        _tenant_rows(cluster, who, len(tenants), belongs_to),
        _at_replicas(cluster, who, True),
        _at_replicas(cluster, who, False),
        shares_prefix,
        precedes,
        stage_precedes,
        belongs_to,
    )


@kernel(entry=False)
def _subject(cluster: Cluster) -> int:
    """The request that is routed or that room is made for."""
    slot = cluster.slot[0]
    return slot.subject if slot.kind in (ROUTE, PREEMPT) else NO_SUBJECT


@kernel(entry=False)
def _join(who: Ints, count: int, known: NDArray[np.bool_], i: int) -> int:
    """One more, if it is a request, new and there is room; returns how many there are."""
    if i < 0 or count == len(who) or known[i]:
        return count
    who[count], known[i] = i, True
    return count + 1


@kernel(entry=False)
def _members(cluster: Cluster, size: int) -> Ints:
    """(Q,) the subject, those on offer, then the nearest ones of each replica in turn.

    Nearest are the oldest of its queue, and of those that run the ones that came last.
    """
    slot, deepest = cluster.slot[0], 0
    who, known = np.empty(size, np.int64), np.zeros(len(cluster.req), np.bool_)
    count = _join(who, 0, known, _subject(cluster))
    if slot.kind in (ADMIT, PREEMPT):
        for c in range(slot.count):
            count = _join(who, count, known, cluster.choice[c])
    for r in range(slot.replicas):
        deepest = max(deepest, max(cluster.rep[r].queued, cluster.rep[r].running))
    for k in range(deepest):
        for r in range(slot.replicas):
            rep = cluster.rep[r]
            if k < rep.queued:
                count = _join(who, count, known, cluster.queue[r, k])
            if k < rep.running:
                count = _join(who, count, known, cluster.run[r, rep.running - 1 - k])
        if count == size:
            break
    return who[:count].copy()


@kernel(entry=False)
def _later_stages(cluster: Cluster, who: Ints) -> tuple[Ints, Ints, Ints]:
    """(S,) stages that wait for requests (Q,), if only for one after the other, and edges.

    The edges (2, E) are those from requests to stages, and those from stages to stages.
    """
    place = np.full(len(cluster.req), -1)
    stage, count = np.empty(len(cluster.req), np.int64), 0
    near = np.empty((2, len(cluster.succ)), np.int64)
    far, lines, more = np.empty_like(near), 0, 0
    for q in range(len(who)):
        count, lines = _follow(cluster, who[q], q, stage, count, place, near, lines)
    s = 0
    while s < count:
        count, more = _follow(cluster, stage[s], s, stage, count, place, far, more)
        s += 1
    return stage[:count].copy(), near[:, :lines].copy(), far[:, :more].copy()


@kernel(entry=False)
def _follow(
    cluster: Cluster,
    i: int,
    at: int,  # place of i
    stage: Ints,
    count: int,  # stages so far
    place: Ints,  # (N,) of each stage, -1 for none
    edges: Ints,
    lines: int,  # edges so far
) -> tuple[int, int]:
    """Note what needs the output of request i; returns how many stages and edges there are."""
    for e in range(cluster.succ_ptr[i], cluster.succ_ptr[i + 1]):
        z = cluster.succ[e]
        if cluster.req[z].status != FUTURE:  # lost, as another one that it needs is
            continue
        if place[z] < 0:
            stage[count], place[z] = z, count
            count += 1
        edges[0, lines], edges[1, lines] = at, place[z]
        lines += 1
    return count, lines


@kernel(entry=False)
def _gathered(keys: Ints) -> tuple[Ints, Ints]:
    """(K,) different ones of keys (Q,), and edges (2, E) to them from those that have one, >= 0."""
    found, count, lines = np.empty_like(keys), 0, 0
    edges = np.empty((2, len(keys)), np.int64)
    for q in range(len(keys)):
        if keys[q] < 0:
            continue
        at = 0
        while at < count and found[at] != keys[q]:
            at += 1
        if at == count:
            found[count] = keys[q]
            count += 1
        edges[0, lines], edges[1, lines] = q, at
        lines += 1
    return found[:count].copy(), edges[:, :lines].copy()


@kernel(entry=False)
def _at_replicas(cluster: Cluster, who: Ints, running: bool) -> Ints:
    """(2, E) edges of requests (Q,) to the replicas that they run on, or wait for."""
    edges, lines = np.empty((2, len(who)), np.int64), 0
    for q in range(len(who)):
        one = cluster.req[who[q]]
        there = one.status == RUNNING if running else one.status in (QUEUED, SWAPPED)
        if there:
            edges[0, lines], edges[1, lines] = q, one.home
            lines += 1
    return edges[:, :lines].copy()


@kernel(entry=False)
def _most_slack(cluster: Cluster, i: int) -> float:
    """On a request's replica; of one that has none where it has most, s."""
    if cluster.req[i].home >= 0:
        return urgency(cluster, cluster.req[i].home, i)
    most = -np.inf
    for r in range(cluster.slot[0].replicas):
        most = max(most, urgency(cluster, r, i))
    return most


@kernel(entry=False)
def _request_rows(cluster: Cluster, who: Ints, stake: float) -> Rows:
    """Of requests (Q,); stake: mean of theirs."""
    rows = np.zeros((len(who), len(REQ)), np.float32)
    slot, subject = cluster.slot[0], _subject(cluster)
    for q in range(len(who)):
        i, row = who[q], rows[q]
        one = cluster.req[i]
        row[REQ.prompt] = np.log1p(one.prompt) / 10.0
        row[REQ.output] = np.log1p(one.predicted) / 10.0
        row[REQ.progress] = min(one.made / one.predicted, CAP)
        row[REQ.slack] = min(max(_most_slack(cluster, i) / TEN_S, -CAP), CAP)
        row[REQ.age] = min((slot.clock - one.visible) / first_target(cluster, i), CAP)
        row[REQ.stake] = min(one.stake / max(stake, 1e-9), CAP)
        if one.home >= 0:
            row[REQ.blocks] = (one.own + one.held) / cluster.rep[one.home].blocks
        row[REQ.queued] = one.status == QUEUED
        row[REQ.running] = one.status == RUNNING
        row[REQ.swapped] = one.status == SWAPPED
        row[REQ.subject] = i == subject
    return rows


@kernel(entry=False)
def _stage_rows(cluster: Cluster, stage: Ints, stake: float) -> Rows:
    """Of stages (S,); stake: mean of the requests'."""
    rows = np.zeros((len(stage), len(STG)), np.float32)
    for s in range(len(stage)):
        one, row = cluster.req[stage[s]], rows[s]
        row[STG.prompt] = np.log1p(one.prompt) / 10.0
        row[STG.output] = np.log1p(one.predicted) / 10.0
        row[STG.stake] = min(one.stake / max(stake, 1e-9), CAP)
        row[STG.left] = min(one.stages, CAP)
    return rows


@kernel(entry=False)
def _prefix_rows(cluster: Cluster, segments: Ints, edges: Ints) -> Rows:
    """Of segments (P,); edges: (2, E) of requests to them."""
    rows, replicas = np.zeros((len(segments), len(PRE)), np.float32), cluster.slot[0].replicas
    for p in range(len(segments)):
        most, having = 0, 0
        for r in range(replicas):
            most = max(most, path_blocks(cluster, r, segments[p]))
            having += cluster.cached[r, segments[p]] > 0
        rows[p, PRE.cached] = np.log1p(BLOCK * most) / 10.0
        rows[p, PRE.spread] = having / replicas
        rows[p, PRE.requests] = np.log1p((edges[1] == p).sum())
    return rows


@kernel(entry=False)
def _tenant_rows(cluster: Cluster, who: Ints, count: int, edges: Ints) -> Rows:
    """Of so many tenants of requests (Q,); edges: (2, E) of requests to them."""
    rows = np.zeros((count, len(TEN)), np.float32)
    shares, served = np.zeros(count), np.zeros(count)
    for e in range(edges.shape[1]):
        one, t = cluster.req[who[edges[0, e]]], edges[1, e]
        shares[t], served[t] = one.share, 0.0
        if cluster.slot[0].order == VTC:
            for r in range(cluster.slot[0].replicas):
                served[t] += cluster.tally[r, one.peers, SERVED]
    for t in range(count):
        rows[t, TEN.requests] = np.log1p((edges[1] == t).sum())
        rows[t, TEN.share] = min(shares[t] / shares.mean(), CAP)
        rows[t, TEN.served] = np.log1p(served[t]) / 10.0
    return rows
