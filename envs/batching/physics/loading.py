"""Instances and rules into the simulator's arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from graphsched.envs.batching.hardware.catalogue import BLOCK
from graphsched.envs.batching.hardware.iteration_time import (
    USUAL_TOKENS,
    coefficients,
    kv_block_bytes,
    linear_table,
    swap_block_s,
    usual_prefill_s,
)
from graphsched.envs.batching.instance import ROLES
from graphsched.envs.batching.options import BATCHINGS, BUDGETS, KINDS, ORDERS, ROUTERS
from graphsched.envs.batching.physics.cluster import cluster_at
from graphsched.envs.batching.physics.forecast import service_s
from graphsched.envs.batching.physics.state import SPARE
from graphsched.envs.core.kernels.jit import kernel

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from graphsched.envs.batching.instance import BatchingInstance, Prefixes, Replica
    from graphsched.envs.batching.options import BatchingOptions
    from graphsched.envs.batching.physics.state import State
    from graphsched.envs.core.arrays import Ints

NEVER = -(10**9)
ROUNDING = 1e-9  # sums of times may be off by less
_SAME = (
    *("prompt", "output", "predicted", "group", "shared", "extends"),
    *("tenant", "priority", "weight"),
)
_TIMES = {"arrival": "arrival_s", "ttft": "ttft_s", "tpot": "tpot_s", "deadline": "deadline_s"}


def needed_sizes(
    instances: Sequence[BatchingInstance], options: BatchingOptions
) -> Mapping[str, int]:
    """Room that instances need in the arrays."""
    replicas = max(len(i.replicas) for i in instances)
    return {
        "N": max(len(i.requests) for i in instances) + 1 + SPARE,
        "R": replicas,
        "G": max(1, *(_segments(i, options) for i in instances)),
        "E": max(i.precedes.shape[1] for i in instances) + 4 * SPARE,
        "C": max(replicas, options.window + 1, len(BUDGETS)),
    }


def _keeps_victims(options: BatchingOptions) -> bool:
    """Whether a preempted request's blocks stay in the cache, in a segment of its own."""
    return options.prefix_cache and options.batching == "vllm-v1"


def _segments(instance: BatchingInstance, options: BatchingOptions) -> int:
    own = len(instance.requests) if _keeps_victims(options) else 0
    return len(instance.prefixes) + own


def load_slot(
    state: State, slot: int, instance: BatchingInstance, options: BatchingOptions
) -> None:
    """Start an episode in a slot; the kernels have to advance it to its first decision."""
    for array in state:
        array[slot] = 0
    requests = instance.requests
    size = len(requests)
    words = options.agent.split("+")
    row = state.slot[slot]
    for name, value in {
        "requests": size,
        "replicas": len(instance.replicas),
        "graphed": -1,
        "starvation": instance.starvation_s,
        "max_tokens": instance.max_tokens,
        "total_weight": float(requests.weight.sum()),
        "batching": BATCHINGS.index(options.batching),
        "fixed_budget": options.budget,
        "max_seqs": options.max_seqs,
        "swaps": options.preemption == "swap",
        "order": ORDERS.index(options.order),
        "aging": options.aging,
        "passes": options.passes,
        "doomed": options.doomed,
        "router": ROUTERS.index(options.router),
        "alpha": options.alpha,
        "displace": options.displace,
        "claim": options.claim,
        "load_window": options.load_window_s,
        "caching": options.prefix_cache,
        "pools": options.migration or any(one.role != "both" for one in instance.replicas),
        "migrates": options.migration,
        "migrate_every": options.migrate_every,
        "migrate_below": options.migrate_below,
        "migrate_margin": options.migrate_margin,
        "latency": instance.link_latency_s,
    }.items():
        row[name] = value
    state.rep[slot]["last_budget"] = NEVER
    state.rep[slot]["busy_until"] = state.rep[slot]["sent_at"] = np.inf
    state.req[slot]["target"] = state.req[slot]["routed"] = -1
    state.rep[slot]["budget"] = options.budget or USUAL_TOKENS
    state.req[slot]["home"] = state.root[slot] = -1
    state.req[slot]["entered"] = state.req[slot]["left"] = -1
    for kind, word in enumerate(KINDS):
        state.agent[slot, kind] = word in words
    for name in _SAME:
        state.req[name][slot, :size] = getattr(requests, name)
    for name, source in _TIMES.items():
        state.req[name][slot, :size] = getattr(requests, source)
    _load_prefixes(state, slot, instance, options)
    _load_peers(state, slot, instance, options)
    _load_replicas(state, slot, instance, options)
    _load_stages(state, slot, instance)


def _load_peers(
    state: State, slot: int, instance: BatchingInstance, options: BatchingOptions
) -> None:
    """Who belongs together: by tenants or prefix groups, as the order asks, and for routers."""
    requests = instance.requests
    size, row = len(requests), state.req[slot]
    row["peers"] = row["leader"] = -1
    row["share"][:size] = instance.shares[requests.tenant] if len(instance.shares) else 1.0
    grouped = np.flatnonzero(requests.group >= 0)
    _, first, group = np.unique(requests.group[grouped], return_index=True, return_inverse=True)
    row["leader"][grouped] = grouped[first][group]
    if options.order == "vtc":
        row["peers"][:size] = np.unique(requests.tenant, return_inverse=True)[1]
    elif options.order == "batchllm":
        row["peers"][grouped] = group


def _load_stages(state: State, slot: int, instance: BatchingInstance) -> None:
    size, edge = len(instance.requests), instance.precedes
    order = np.argsort(edge[0], kind="stable")
    state.succ[slot, : edge.shape[1]] = edge[1][order]
    counts = np.bincount(edge[0], minlength=size)
    state.succ_ptr[slot, 1 : size + 1] = np.cumsum(counts)
    state.req["blockers"][slot, :size] = np.bincount(edge[1], minlength=size)
    roots = np.flatnonzero(state.req["blockers"][slot, :size] == 0)
    state.root[slot, : len(roots)] = roots
    look_behind(state, slot)


@kernel
def look_behind(state: State, b: int) -> None:
    """What follows a stage: how many, what they weigh, and when it has to be through for them.

    Later stages are taken to last as long as on the mean of all replicas, unhindered; they have
    higher numbers than those before them.
    """
    cluster = cluster_at(state, b)
    slot, mean = cluster.slot[0], 1.0 / cluster.slot[0].replicas
    for i in range(slot.requests - 1, -1, -1):
        one = cluster.req[i]
        one.stages, one.stake, one.latest = 0, 0.0, one.arrival + one.deadline
        for e in range(cluster.succ_ptr[i], cluster.succ_ptr[i + 1]):
            z = cluster.succ[e]
            stage = cluster.req[z]
            need = 0.0
            for r in range(slot.replicas):
                need += mean * service_s(cluster, r, z)
            one.stages = max(one.stages, stage.stages + 1)
            one.stake = max(one.stake, stage.stake)
            one.latest = min(one.latest, stage.latest - need)
        one.stake += one.weight


def _load_prefixes(
    state: State, slot: int, instance: BatchingInstance, options: BatchingOptions
) -> None:
    """The tree of prefixes; below it, where victims' blocks are kept, a segment for each request."""
    tree, requests = instance.prefixes, instance.requests
    size = len(requests)
    state.parent[slot] = state.req["leaf"][slot] = -1
    state.parent[slot, : len(tree)] = tree.parent
    state.first[slot, : len(tree)] = tree.start // BLOCK
    if _keeps_victims(options):
        own = slice(len(tree), len(tree) + size)
        state.req["leaf"][slot, :size] = np.arange(len(tree), len(tree) + size)
        common = np.where(requests.group >= 0, requests.extends // BLOCK, 0)
        state.first[slot, own] = common
        state.parent[slot, own] = _branching(tree, requests.group, common)
    elif options.prefix_cache:
        state.req["leaf"][slot, :size] = requests.group


def _branching(tree: Prefixes, group: Ints, blocks: Ints) -> Ints:
    """(N,) the segment of each request's path that holds its first ``blocks`` (N,), -1 for none."""
    out, far = group.copy(), np.flatnonzero(group >= 0)
    while len(far := far[tree.start[out[far]] > BLOCK * blocks[far]]):
        out[far] = tree.parent[out[far]]
    return out


def _reach(instance: BatchingInstance, replica: Replica) -> int:
    """Blocks that a request's prompt may take if it comes to a replica, and where it goes on."""
    if replica.role != "prefill":
        return replica.kv_blocks if replica.role == "both" else 0
    others = (o for o in instance.replicas if o.model == replica.model and o.role != "prefill")
    return min(replica.kv_blocks, max(other.kv_blocks for other in others))


def _load_replicas(
    state: State, slot: int, instance: BatchingInstance, options: BatchingOptions
) -> None:
    models = [replica.model for replica in instance.replicas]
    for r, replica in enumerate(instance.replicas):
        table = linear_table(replica.gpu, replica.model, replica.tp, float(replica.imbalance))
        loads = coefficients(replica.gpu, replica.model, replica.tp)
        state.table[slot, r] = table
        state.loads[slot, r] = loads
        row = state.rep[slot, r]
        row["swap_block"] = swap_block_s(replica.gpu, replica.model, replica.tp)
        row["blocks"] = row["free"] = replica.kv_blocks
        row["watermark"] = int(options.watermark * replica.kv_blocks)
        row["speed"] = USUAL_TOKENS / usual_prefill_s(table, loads)
        row["role"], row["model"] = ROLES.index(replica.role), models.index(replica.model)
        row["reach"] = _reach(instance, replica)
        row["send_block"] = kv_block_bytes(replica.model) / instance.link_bandwidth
        row["shortest"] = (1 - ROUNDING) * max(float(table[1:].min()), 0.0)
