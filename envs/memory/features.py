"""What a policy sees of a program: names, widths and units, and the static graph.

One schema serves all kinds of decision; columns that do not apply are 0. Shares of time are of the
latency with everything in slow memory, unless said otherwise.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from graphsched.envs.core.graph import (
    EdgeType,
    GraphSchema,
    NodeType,
    StaticGraph,
    columns,
    features,
)
from graphsched.envs.memory.improving.ejections import EJECTION
from graphsched.envs.memory.improving.orders import ORDER_MOVE
from graphsched.envs.memory.physics.orders import LISTS, lifetimes
from graphsched.envs.memory.physics.program import problem_of
from graphsched.envs.memory.pricing.guide import guide_of

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
    "next",  # step: instructions to the next access, or to the end, / all
    "price_until_next",  # step: price of holding it to the next access / what that saves, at most 3
    *(f"move_{feature.name}" for feature in ORDER_MOVE),  # improve: of a move in the order
    *(f"run_{feature.name}" for feature in EJECTION),  # improve: of a run that comes in
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
STORAGE = features(
    "size",  # / capacity, log(1 + x)
    "length",  # instructions from first to last access / all
    "first",  # instruction / all
    "accesses",  # log(1 + x)
    "benefit",  # log(1 + 1000 * time saved by it alone)
    "margin",  # 1 - price of its whole lifetime / that
    "profit_share",  # profit at these prices / saving in its best stay
    "live_in",
    "live_out",
)
INSTRUCTION = features(
    "duration",  # with everything in slow memory / mean, log(1 + x)
    "bound",  # time of its arithmetic / that
    "price",  # of all fast memory during it / mean duration, log(1 + x)
    "copies",  # bytes that copies can move during it / capacity, log(1 + x)
    "pressure",  # bytes of the storages between first and last access / capacity, log(1 + x)
    "at",  # its number / all
)
ACCESS = features(
    "share",  # bytes / all that the instruction touches
    "writes",
)
CAND, CTX = columns(CANDIDATE), columns(CONTEXT)
STO, INS, ACC = columns(STORAGE), columns(INSTRUCTION), columns(ACCESS)
HEADS = CAND[: len(LISTS)]  # by list: whether a candidate is the next one there
FIRST_RUN = len(CANDIDATE) - len(EJECTION)  # column from which on there are those of a run
FIRST_MOVE = FIRST_RUN - len(ORDER_MOVE)  # and those of a move in the order
SCHEMA = GraphSchema(
    nodes=(NodeType("storage", STORAGE), NodeType("instruction", INSTRUCTION)),
    edges=(
        EdgeType("used_by", "storage", "instruction", ACCESS),
        EdgeType("uses", "instruction", "storage", ACCESS),
        EdgeType("before", "instruction", "instruction"),
        EdgeType("after", "instruction", "instruction"),
    ),
    candidate=CANDIDATE,
    candidate_nodes=("storage", "instruction"),
    context=CONTEXT,
    kinds=("place", "serve", "move", "run"),
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
    storages = np.empty((len(p.size), len(STORAGE)), np.float32)
    storages[:, STO.size] = np.log1p(np.minimum(p.size / capacity, 1e6))
    storages[:, STO.length] = (last - first + 1) / size
    storages[:, STO.first] = first / size
    storages[:, STO.accesses] = np.log1p(np.diff(p.access_ptr))
    storages[:, STO.benefit] = np.log1p(1000 * guide.benefit / total)
    storages[:, STO.margin] = guide.margin
    storages[:, STO.profit_share] = guide.profit_share
    storages[:, STO.live_in] = p.live_in
    storages[:, STO.live_out] = p.live_out
    instructions = np.empty((size, len(INSTRUCTION)), np.float32)
    instructions[:, INS.duration] = np.log1p(slow / mean)
    instructions[:, INS.bound] = p.compute / np.maximum(slow, 1e-300)
    instructions[:, INS.price] = np.log1p(price * capacity / mean)
    instructions[:, INS.copies] = np.log1p(p.cap / capacity)
    held = np.maximum(np.cumsum(live)[:-1], 0)
    instructions[:, INS.pressure] = np.log1p(held / capacity)
    instructions[:, INS.at] = np.arange(size) / size
    edge = np.empty((len(p.access_time), len(ACCESS)), np.float32)
    edge[:, ACC.share] = p.access_bytes / np.maximum(p.slow_all[p.access_time], 1e-300)
    edge[:, ACC.writes] = p.access_writes
    pairs = np.stack([p.access_storage, p.access_time])
    chain = np.stack([np.arange(size - 1), np.arange(1, size)])
    return StaticGraph(
        nodes={"storage": storages, "instruction": instructions},
        edges={
            "used_by": pairs,
            "uses": pairs[::-1].copy(),
            "before": chain,
            "after": chain[::-1].copy(),
        },
        edge_features={"used_by": edge, "uses": edge},
    )
