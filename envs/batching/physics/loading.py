"""Instances and rules into the simulator's arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from graphsched.envs.batching.hardware.iteration_time import (
    USUAL_TOKENS,
    coefficients,
    linear_table,
    swap_block_s,
    usual_prefill_s,
)
from graphsched.envs.batching.options import BATCHINGS, BUDGETS, ORDERS, ROUTERS
from graphsched.envs.batching.physics.state import ADMIT, BUDGET, ROUTE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from graphsched.envs.batching.instance import BatchingInstance
    from graphsched.envs.batching.options import BatchingOptions
    from graphsched.envs.batching.physics.state import State

NEVER = -(10**9)
_SAME = ("prompt", "output", "predicted", "group", "shared", "extends", "priority", "weight")
_TIMES = {"arrival": "arrival_s", "ttft": "ttft_s", "tpot": "tpot_s", "deadline": "deadline_s"}


def needed_sizes(
    instances: Sequence[BatchingInstance], options: BatchingOptions
) -> Mapping[str, int]:
    """Room that instances need in the arrays."""
    replicas = max(len(i.replicas) for i in instances)
    return {
        "N": max(len(i.requests) for i in instances) + 1,
        "R": replicas,
        "G": max(1, *(i.requests.num_groups for i in instances)),
        "E": max(1, *(i.precedes.shape[1] for i in instances)),
        "C": max(replicas, options.window + 1, len(BUDGETS)),
    }


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
        "groups": requests.num_groups,
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
        "load_window": options.load_window_s,
        "caching": options.prefix_cache,
    }.items():
        row[name] = value
    state.rep[slot]["last_budget"] = NEVER
    state.rep[slot]["busy_until"] = np.inf
    state.rep[slot]["budget"] = options.budget or USUAL_TOKENS
    state.req[slot]["home"] = state.root[slot] = -1
    for kind, word in ((ROUTE, "route"), (ADMIT, "admit"), (BUDGET, "budget")):
        state.agent[slot, kind] = word in words
    for name in _SAME:
        state.req[name][slot, :size] = getattr(requests, name)
    for name, source in _TIMES.items():
        state.req[name][slot, :size] = getattr(requests, source)
    _load_stages(state, slot, instance)
    _load_peers(state, slot, instance, options)
    _load_replicas(state, slot, instance, options)


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


def _load_replicas(
    state: State, slot: int, instance: BatchingInstance, options: BatchingOptions
) -> None:
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
