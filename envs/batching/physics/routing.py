"""Which replica an arrival goes to, by rule."""

# mypy: disable-error-code="no-any-return"
# (fields of records have no type)

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from graphsched.envs.batching.hardware.catalogue import BLOCK
from graphsched.envs.batching.hardware.iteration_time import usual_decode_s
from graphsched.envs.batching.physics.forecast import END, TTFT, WAIT, WIDTH, expect, look
from graphsched.envs.batching.physics.kv_blocks import blocks_for, found_blocks
from graphsched.envs.core.kernels.jit import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from graphsched.envs.batching.physics.cluster import Cluster

ROUND_ROBIN, RANDOM, OUTSTANDING, PREFILL, SPEED, TWO, AFFINITY = range(7)
HEXGEN, LLUMNIX, FIRST, E2, STICKY = range(7, 12)
_ODD, _FIRST_MIX, _SECOND_MIX = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
AFFINE, SLACK = 0.25, 4  # of prefix affinity: least share found, and requests of imbalance borne


@kernel(entry=False)
def _draw(i: int, n: int, among: int) -> int:
    """Draw n of request i, below ``among``: SplitMix64's finaliser of both numbers."""
    x = np.uint64(2 * i + n + 1) * np.uint64(_ODD)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(_FIRST_MIX)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(_SECOND_MIX)
    x = x ^ (x >> np.uint64(31))
    draw: int = np.int64((x >> np.uint64(11)) % np.uint64(among))  # type: ignore[assignment]
    return draw


@kernel(entry=False)
def able(cluster: Cluster, r: int, i: int) -> bool:
    """Whether a replica that computes prompts could ever hold a request's, and its first token."""
    return blocks_for(cluster.req[i].prompt + 1) <= cluster.rep[r].reach


@kernel(entry=False)
def outstanding(cluster: Cluster, r: int) -> int:
    """Requests at a replica."""
    rep = cluster.rep[r]
    return rep.queued + rep.running


@kernel(entry=False)
def freeness(cluster: Cluster, r: int) -> float:
    """Llumnix' virtual usage: blocks left when the queue has its own, by running request."""
    rep = cluster.rep[r]
    room = rep.free + rep.evictable
    for k in range(rep.queued):
        room -= blocks_for(cluster.req[cluster.queue[r, k]].prompt)
    return float(room / max(rep.running, 1))


@kernel(entry=False)
def _hexgen(cluster: Cluster, i: int) -> int:
    """The argmax of alpha t_base / t - (1 - alpha) W / W_base over replicas."""
    slot = cluster.slot[0]
    load, out = np.empty(WIDTH), np.empty(WIDTH)
    n = slot.replicas
    service, waits = np.empty(n), np.empty(n)
    for r in range(n):
        look(cluster, r, load)
        expect(cluster, r, i, load, out)
        service[r], waits[r] = out[END] - out[WAIT], out[WAIT]
    base, mean = service.mean(), max(waits.mean(), 1e-9)
    best, most = -1, -np.inf
    for r in range(n):
        score = slot.alpha * base / service[r] - (1.0 - slot.alpha) * waits[r] / mean
        if score > most and able(cluster, r, i):
            best, most = r, score
    return best


@kernel(entry=False)
def _score(cluster: Cluster, r: int, i: int, rule: int) -> float:
    """Least is best."""
    rep, score = cluster.rep[r], 0.0
    if rule == OUTSTANDING:
        score = float(outstanding(cluster, r))
    elif rule == PREFILL:
        score = rep.pending / rep.speed
    elif rule == SPEED:
        score = (outstanding(cluster, r) + 1) / rep.speed
    elif rule == LLUMNIX:
        score = -freeness(cluster, r)
    else:  # FIRST: least expected time to first token
        load, out = np.empty(WIDTH), np.empty(WIDTH)
        look(cluster, r, load)
        expect(cluster, r, i, load, out)
        score = out[TTFT]
    return float(score)


@kernel(entry=False)
def _least(cluster: Cluster, i: int, rule: int) -> int:
    best, least = -1, np.inf
    for r in range(cluster.slot[0].replicas):
        if able(cluster, r, i):
            score = _score(cluster, r, i, rule)
            if score < least:
                best, least = r, score
    return best


@kernel(entry=False)
def _affine(cluster: Cluster, i: int) -> int:
    """The replica that holds most of the prefix, unless it is far busier than the least busy."""
    best, most, least = -1, AFFINE * cluster.req[i].prompt, 2**40
    for r in range(cluster.slot[0].replicas):
        least = min(least, outstanding(cluster, r))
        hit = BLOCK * found_blocks(cluster, r, i)
        if able(cluster, r, i) and hit > most:
            best, most = r, hit
    if best >= 0 and outstanding(cluster, best) <= 2 * least + SLACK:
        return best
    return _least(cluster, i, PREFILL)


@kernel(entry=False)
def _stick(cluster: Cluster, i: int) -> int:
    """Where the first of its prefix group went, unless that is far busier than the least busy."""
    leader, least = cluster.req[i].leader, 2**40
    r = cluster.req[leader].seat - 1 if leader >= 0 else -1
    for other in range(cluster.slot[0].replicas):
        least = min(least, outstanding(cluster, other))
    if r >= 0 and able(cluster, r, i) and outstanding(cluster, r) <= 2 * least + SLACK:
        return r
    return _least(cluster, i, PREFILL)


@kernel(entry=False)
def _recent(cluster: Cluster, load: NDArray[np.float64], reused: NDArray[np.float64]) -> None:
    """Of each replica: time that the window's requests take it, and the share that have a prefix."""
    slot = cluster.slot[0]
    count = np.zeros(slot.replicas)
    k = slot.head - 1
    while k >= 0 and cluster.req[cluster.line[k]].visible >= slot.clock - slot.load_window:
        one = cluster.req[cluster.line[k]]
        if one.home >= 0:
            load[one.home] += one.work
            count[one.home] += 1
            reused[one.home] += one.leader >= 0
        k -= 1
    for r in range(slot.replicas):
        reused[r] /= max(count[r], 1.0)


@kernel(entry=False)
def _e2(cluster: Cluster, i: int) -> int:
    """Preble's E2 (Srivatsa et al. 2024): exploit the longest prefix, or explore by cost.

    A prefix that saves more than it leaves to compute decides, the less busy replica among equals.
    Otherwise the cost of a replica is its load in the window, what it evicts for the request, as far
    as that is used again, and the prompt, s.
    """
    one, n = cluster.req[i], cluster.slot[0].replicas
    load, reused = np.zeros(n), np.zeros(n)
    _recent(cluster, load, reused)
    longest, fits = one.prompt // 2, -1
    best, least = -1, np.inf
    for r in range(n):
        if not able(cluster, r, i):
            continue
        rep, found = cluster.rep[r], found_blocks(cluster, r, i)
        hit = BLOCK * found
        if hit > longest or (fits >= 0 and hit == longest and load[r] < load[fits]):
            longest, fits = hit, r
        evicted = min(max(blocks_for(one.prompt) - found - rep.free, 0), rep.evictable)
        prompt = one.prompt - hit + reused[r] * BLOCK * evicted
        cost = load[r] + prompt / rep.speed
        if cost < least:
            best, least = r, cost
    return fits if fits >= 0 else best


@kernel(entry=False)
def note_route(cluster: Cluster, r: int, i: int) -> None:
    """What routers remember of a request that goes to a replica."""
    one, rep = cluster.req[i], cluster.rep[r]
    if one.leader >= 0 and cluster.req[one.leader].seat == 0:
        cluster.req[one.leader].seat = r + 1
    if cluster.slot[0].router == E2:
        prompt = one.prompt - BLOCK * found_blocks(cluster, r, i)
        pace = usual_decode_s(cluster.table[r], cluster.loads[r])
        one.work = prompt / rep.speed + one.predicted * pace


@kernel(entry=False)
def route_by_rule(cluster: Cluster, i: int) -> int:
    """A replica that can hold request i, or -1 if none can."""
    slot = cluster.slot[0]
    rule, n = slot.router, slot.replicas
    if rule == AFFINITY:
        return _affine(cluster, i)
    if rule == STICKY:
        return _stick(cluster, i)
    if rule == E2:
        return _e2(cluster, i)
    if rule == HEXGEN:
        return _hexgen(cluster, i)
    if rule in (FIRST, OUTSTANDING, PREFILL, SPEED, LLUMNIX):
        return _least(cluster, i, rule)
    first = _draw(i, 0, n)
    if rule == ROUND_ROBIN:
        first = slot.turn % n
    elif rule == TWO and n > 1:
        second = (first + 1 + _draw(i, 1, n - 1)) % n
        if outstanding(cluster, second) < outstanding(cluster, first):
            first = second
    for k in range(n):
        r = (first + k) % n
        if able(cluster, r, i):
            return r
    return -1
