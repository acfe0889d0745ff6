"""Another future of an episode, that fits what is known of it.

How long outputs will be is drawn from what is predicted of them, until it is longer than what is out
already. Which requests come next is drawn from those that came last, with the gaps between those; a
workflow comes with all of its stages, which are known once its first one is there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np

from graphsched.envs.batching.options import VLLM_V1
from graphsched.envs.batching.physics.cluster import cluster_at
from graphsched.envs.batching.physics.loading import look_behind
from graphsched.envs.batching.physics.state import FUTURE, REJECTED, SERVED, SPARE
from graphsched.envs.core.kernels.jit import kernel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.random import Generator

    from graphsched.envs.batching.physics.cluster import Cluster
    from graphsched.envs.batching.physics.state import State
    from graphsched.envs.core.sim import BatchSim

DOUBT = 0.3  # standard deviation of the log of an output over what is predicted of it
TRIES = 20
LAST = 64  # arrivals that the next ones are drawn from
LEAST = 8  # of them; after fewer nothing is known of what will come


def redraw(sim: BatchSim[Any, Any], slots: Sequence[int], seeds: Sequence[int]) -> bool:
    """Draw anew what decisions can't know yet; see `Domain.redraw`."""
    state: State = cast("Any", sim).state  # also of one that something is wrapped around
    for slot, seed in zip(slots, seeds, strict=True):
        redraw_slot(state, slot, np.random.default_rng(seed))
    return True


@kernel
def redraw_slot(state: State, b: int, rng: Generator) -> None:
    """Outputs of what is there, and the next arrivals."""
    cluster = cluster_at(state, b)
    seen = cluster.slot[0].next_root
    known = _come(cluster, seen)
    for i in range(known):
        _redraw_output(cluster, i, rng)
    _forget_arrivals(cluster, seen, known)
    _draw_arrivals(cluster, seen, known, rng)
    look_behind(state, b)


@kernel(entry=False)
def _come(cluster: Cluster, seen: int) -> int:
    """Requests that have come, and all stages of theirs, are numbered below this."""
    known = cluster.slot[0].requests
    if seen < known and cluster.root[seen] >= 0:
        known = cluster.root[seen]
    i = 0
    while i < known:
        for e in range(cluster.succ_ptr[i], cluster.succ_ptr[i + 1]):
            known = max(known, cluster.succ[e] + 1)
        i += 1
    return int(known)


@kernel(entry=False)
def _redraw_output(cluster: Cluster, i: int, rng: Generator) -> None:
    one = cluster.req[i]
    if one.status in (SERVED, REJECTED):
        return
    drawn = 0
    for _ in range(TRIES):
        drawn = max(round(one.predicted * np.exp(DOUBT * rng.standard_normal())), 1)
        if drawn > one.made:
            break
    one.output = drawn if drawn > one.made else one.made + 1 + one.made // 4
    one.extends = min(one.extends, one.prompt + one.output)


@kernel(entry=False)
def _forget_arrivals(cluster: Cluster, seen: int, known: int) -> None:
    """All requests that have not come are gone."""
    slot = cluster.slot[0]
    for k in range(seen, len(cluster.root)):
        cluster.root[k] = -1
    slot.requests = known


@kernel(entry=False)
def _draw_arrivals(cluster: Cluster, seen: int, known: int, rng: Generator) -> None:
    """As many requests as there is room for come after the gaps between earlier ones."""
    first = max(seen - LAST, 0)
    if seen - first < LEAST:
        return
    slot = cluster.slot[0]
    begun, until = cluster.req[cluster.root[first]].arrival, slot.clock
    if until <= begun:
        return  # all came at once
    pace = (until - begun) / (cluster.req[cluster.root[seen - 1]].arrival - begun + 1e-12)
    at, place, edges = until, seen, cluster.succ_ptr[known]
    while True:
        k = first + 1 + rng.integers(0, seen - first - 1)
        gap = cluster.req[cluster.root[k]].arrival - cluster.req[cluster.root[k - 1]].arrival
        at += gap * pace
        model = cluster.root[first + rng.integers(0, seen - first)]
        size, lines = _flow(cluster, model)
        room = slot.requests + size <= min(known + SPARE, len(cluster.req) - 1)
        if not room or edges + lines > len(cluster.succ):
            return
        _copy_flow(cluster, model, size, at, rng)
        edges += lines
        for i in range(slot.requests - size, slot.requests):
            if cluster.req[i].blockers == 0:
                cluster.root[place] = i
                place += 1


@kernel(entry=False)
def _flow(cluster: Cluster, root: int) -> tuple[int, int]:
    """Requests of a workflow, which are numbered in a row from its first one, and edges."""
    last, i, lines = root, root, 0
    while i <= last:
        for e in range(cluster.succ_ptr[i], cluster.succ_ptr[i + 1]):
            last = max(last, cluster.succ[e])
            lines += 1
        i += 1
    return last - root + 1, lines


@kernel(entry=False)
def _copy_flow(cluster: Cluster, model: int, size: int, at: float, rng: Generator) -> None:
    """A workflow like one that came before, its outputs as predicted of the earlier one's."""
    slot = cluster.slot[0]
    shift = slot.requests - model
    for j in range(model, model + size):
        cluster.req[j + shift] = cluster.req[j]
        new = cluster.req[j + shift]
        new.arrival, new.status, new.home = at, FUTURE, -1
        new.entered = new.left = -1
        new.leaf = -1 if slot.batching == VLLM_V1 else new.leaf  # there it is a request's own
        new.blockers = new.kv = new.made = new.chunk = new.own = new.held = new.kept = new.away = 0
        new.preempted = new.passed = new.seat = 0
        new.settled_loss = 0.0
        _redraw_output(cluster, j + shift, rng)
        begin = cluster.succ_ptr[j]
        count = cluster.succ_ptr[j + 1] - begin
        there = cluster.succ_ptr[j + shift]
        for e in range(count):
            cluster.succ[there + e] = cluster.succ[begin + e] + shift
        cluster.succ_ptr[j + shift + 1] = there + count
    for j in range(model, model + size):
        for e in range(cluster.succ_ptr[j], cluster.succ_ptr[j + 1]):
            cluster.req[cluster.succ[e] + shift].blockers += 1
    slot.requests += size
