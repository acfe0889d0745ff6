"""What a policy sees of a program: names, widths and units, and the static graph.

One schema serves both kinds of decision; columns that do not apply are 0. Shares of time are of the
latency with everything in slow memory, unless said otherwise.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from graphsched.envs.core.graph import EdgeType, GraphSchema, NodeType, StaticGraph, features
from graphsched.envs.memory.guide import LISTS, guide_of
from graphsched.envs.memory.orders import lifetimes
from graphsched.envs.memory.problem import problem_of

if TYPE_CHECKING:
    from graphsched.envs.memory.instance import MemoryInstance

CANDIDATE = features(
    *(f"heads_{name.replace('-', '_')}" for name in LISTS),  # 1 if it is the next one there
    "heads",  # share of the orders that it heads
    "saved",  # log(1 + 1000 * time saved by it now)
    "saved_over_best",  # / the greatest of all candidates
    "density_over_best",  # time saved / byte-time held, likewise
    "saved_per_byte_over_best",
    "saved_per_root_byte_over_best",
    "kept",  # time saved / what it would have saved alone at first
    "served",  # share of its accesses
    "held",  # byte-time held / (capacity * instructions)
    "copied",  # bytes copied / its size / 2
    "size",  # / capacity
    "length",  # instructions from first to last access / all
    "peak",  # greatest load in that time / capacity
    "load",  # mean load in that time / capacity
    "room_after",  # (capacity - peak - size) / capacity, 0 if negative
    "margin",  # 1 - price of what it holds / time saved, at least -3
    "margin_over_best",  # minus the greatest of all candidates
    "profit_share",  # profit at these prices / saving in its best stay
    "accesses",  # log
    "live_in",
    "live_out",
    "pilot_over_best",  # latency after the pilot minus the least of all candidates, thousandths
    "pilot",  # latency saved by candidate and pilot, share
    "stay",  # step: 1 if it stays or is produced in fast memory
    "copy",  # step: 1 if it is copied in
    "slow",  # step: 1 if it is served from slow memory
    "writes_back",  # step: 1 if that makes a write-back necessary
    "further",  # step: accesses to come / 8
    "next",  # step: instructions to the next access / all; 1 if there is none
    "price_until_next",  # step: price of holding it to the next access / what that saves, at most 3
)
CONTEXT = features(
    "progress",  # share of the decisions
    "saved",  # share of the latency saved so far
    "possible",  # share that could be saved if fast memory had no end
    "load",  # mean load / capacity
    "candidates",  # log
    "storages",  # log / 8
    "pressure",  # log of all storages worth placing / capacity
)
SCHEMA = GraphSchema(
    nodes=(
        NodeType(
            "storage",
            features(
                "size",
                "length",
                "first",
                "accesses",
                "benefit",
                "margin",
                "profit_share",
                "live_in",
                "live_out",
            ),
        ),
        NodeType("instruction", features("duration", "bound", "price", "copies", "pressure", "at")),
    ),
    edges=(
        EdgeType("used_by", "storage", "instruction", features("share", "writes")),
        EdgeType("uses", "instruction", "storage", features("share", "writes")),
        EdgeType("before", "instruction", "instruction"),
        EdgeType("after", "instruction", "instruction"),
    ),
    candidate=CANDIDATE,
    candidate_nodes=("storage", "instruction"),
    context=CONTEXT,
    kinds=("place", "serve"),
)


@lru_cache(maxsize=4096)
def static_graph(instance: MemoryInstance) -> StaticGraph:
    """A program as a graph of storages and instructions."""
    p, guide = problem_of(instance), guide_of(instance)
    size, capacity = len(p.compute), max(p.capacity, 1)
    slow = np.maximum(p.compute, p.slow_all * p.slow_us)
    total = max(float(slow.sum()), 1e-300)
    first, last = lifetimes(p)
    live = np.zeros(size + 1)
    np.add.at(live, first, p.size)
    np.add.at(live, last + 1, -p.size)
    price = guide.price_sum[1:] - guide.price_sum[:-1]
    mean = total / size
    storage_rows = [
        np.log1p(np.minimum(p.size / capacity, 1e6)),
        (last - first + 1) / size,
        first / size,
        np.log1p(np.diff(p.access_ptr)),
        np.log1p(1000 * guide.benefit / total),
        guide.margin,
        guide.profit_share,
        p.live_in,
        p.live_out,
    ]
    instruction_rows = [
        np.log1p(slow / mean),
        p.compute / np.maximum(slow, 1e-300),
        np.log1p(price * capacity / mean),
        np.log1p(p.cap / capacity),
        np.log1p(np.maximum(np.cumsum(live)[:-1], 0) / capacity),
        np.arange(size) / size,
    ]
    touched = p.access_bytes / np.maximum(p.slow_all[p.access_time], 1e-300)
    edge = np.stack([touched, p.access_writes], axis=1).astype(np.float32)
    pairs = np.stack([p.access_storage, p.access_time])
    chain = np.stack([np.arange(size - 1), np.arange(1, size)])
    return StaticGraph(
        nodes={
            "storage": np.stack(storage_rows, axis=1).astype(np.float32),
            "instruction": np.stack(instruction_rows, axis=1).astype(np.float32),
        },
        edges={
            "used_by": pairs,
            "uses": pairs[::-1].copy(),
            "before": chain,
            "after": chain[::-1].copy(),
        },
        edge_features={"used_by": edge, "uses": edge},
    )
