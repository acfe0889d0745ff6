"""What a policy sees: names, widths and units, and graphs of replicas and requests.

Columns of other kinds of decision are 0. Requests are seen as rows of the decision at hand. The
static graph holds what is known from the start: the replicas, and the cluster that they form. Where
the option `graph_window` says so, the graph is made anew at each decision, with requests in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from graphsched.envs.batching.hardware.iteration_time import (
    coefficients,
    linear_table,
    usual_decode_s,
    usual_prefill_s,
)
from graphsched.envs.batching.options import KINDS
from graphsched.envs.core.graph import (
    EdgeType,
    GraphSchema,
    NodeType,
    StaticGraph,
    columns,
    features,
)

if TYPE_CHECKING:
    from graphsched.envs.batching.instance import BatchingInstance, Replica
    from graphsched.envs.batching.view.window import Window

CANDIDATE = features(
    # route: a replica for the arrival at hand; expectations are those of `forecast.expect`
    "ttft",  # time to first token / target, capped at 4
    "ttft_over_best",  # minus the least of all candidates / target, capped at 4
    "ttft_late",  # 1 if it exceeds the target
    "tpot",  # time per token / target, capped at 4
    "tpot_over_best",
    "tpot_late",
    "end",  # time to the end / time to the deadline, capped at 4
    "end_over_best",  # minus the least / time that the request takes alone, capped at 4
    "end_late",
    "late",  # 1 if any target would be missed
    "wait",  # time in the queue / target of the first token, capped at 4
    "alone",  # time of the prompt alone / target of the first token, capped at 4
    "hit",  # share of the prompt found in the cache
    "headroom",  # KV blocks left / all, negative where they are short
    "free",  # KV blocks free / all
    "outstanding_over_least",  # log(1 + requests), minus the least
    "prefill_over_least",  # pending prompts' time minus the least / target, capped at 4
    "slowness",  # mean speed of all replicas / this one's, minus 1
    "hexgen",  # score of HexGen's rule with alpha 1/2, minus the best
    "freeness",  # Llumnix' freeness, log scale, minus the best
    "disturbs",  # running decodes x the prompt's time / (10 s), capped at 4
    # admit: a queued request; `hit` as above, `flow` and `stake` below
    "work",  # predicted time of the request / 10 s, capped at 4
    "work_over_least",  # minus the least of all candidates / 10 s, capped at 4
    "prompt_time",  # of its prompt / target of the first token, capped at 4
    "age",  # waiting time / target of the first token, capped at 4
    "slack",  # time to its first target minus its prompt / target, within -4..4
    "missed",  # 1 if its first token is late already
    "misses",  # 1 if it is not, but would be if it did not go now
    "starving",  # waiting time / starvation time, capped at 2
    "need",  # KV blocks of the prompt and the predicted output / all
    "output",  # log(1 + predicted output)
    "priority",  # minus the greatest of all candidates
    "weight",  # in the cost / mean of all candidates
    "place",  # log(1 + older requests in the queue)
    "value",  # weight of a request that can still be in time / its work, relative to the best
    "oldest",  # 1 for the first in the queue
    "resumed",  # 1 if it has run before
    "hold",  # 1 for admitting nothing until something changes
    # budget: tokens an iteration
    "budget",  # log2 / 10
    "pace",  # time of a full iteration / tightest TPOT target of the decodes, capped at 4
    "pace_late",  # 1 if it exceeds the target
    "drain",  # time to compute all pending prompts / 10 s, capped at 4
    "largest",  # 1 for the largest budget that keeps the pace
    # of any kind
    "rule",  # 1 for what the rules named in the options would do
    # route: the arrival's turn in a queue, and what comes of those behind it
    "turn",  # time to first token in the queue's own order / target, capped at 4
    "turn_over_best",  # minus the least of all candidates / target, capped at 4
    "turn_late",  # 1 if it exceeds the target
    "makes_late",  # stake of queued requests that its prompt would make late, capped at 4
    "brings_near",  # stake of those that would have less than a quarter of their target left
    # route: the end / time left for it; admit: time left beside its service / 10 s; within -4..4
    "flow",  # of what is left for it before the stages that need it
    "flow_late",  # 1 if that isn't enough
    # admit: what a request stands for
    "stake",  # weight of it and of the stages that need it / mean of all candidates
    "timely",  # 1 if it is one of those that can all be in time (Moore and Hodgson's rule)
    "timely_loss",  # stake of those that is lost if it goes first, within -4..4
    # preempt: a running request that may make room for a queued one; `hold` for nobody does
    "spare",  # its slack / 10 s, within -4..4
    "spare_over",  # minus that of the one that wants room / 10 s, within -4..4
    "frees",  # blocks of its own / those that are short, capped at 4
    "enough",  # 1 if that is all of them
    "again",  # time to move it out, or to compute it again, s, capped at 4
    "progress",  # tokens that are out / predicted output, capped at 4
    "displaced",  # times that it has made room before, capped at 4
)
RESOURCE = features(
    "pending",  # log(1 + prompt tokens to compute)
    "queued",  # log(1 + requests)
    "running",  # log(1 + requests)
    "free",  # KV blocks free or evictable / all
    "residual",  # time to the end of the iteration, s
    "slowness",  # mean speed / its own, minus 1
    "pace",  # time of an iteration of its decodes / 0.1 s, capped at 4
    "budget",  # log2 / 10
)
CONTEXT = features(
    "candidates",  # log
    "replicas",  # log / 4
    # the arrival, or the one that wants room
    "prompt",  # log(1 + tokens) / 10
    "output",  # log(1 + predicted tokens) / 10
    "has_deadline",  # 1 if it has, or a stage that needs it
    "has_first",  # 1 if it has a target for its first token
    "slack",  # of the one that wants room / its first target, within -4..4
    "short",  # blocks that it lacks / all
    "stages",  # of its workflow after it, capped at 4
    "stake",  # weight of it and of those, capped at 4
    "grouped",  # 1 if it shares a prefix
    "queued",  # log(1 + requests) at the replica in question
    "running",  # log(1 + requests) at the replica in question
    "free",  # KV blocks free at the replica in question / all
    "load",  # log(1 + requests in the system by replica)
    "late",  # points lost so far by settled request / 100
)
REPLICA = features(
    "prefill",  # log of the time of a usual prompt / 50 ms
    "decode",  # log of the time of a usual batch of decodes / 20 ms
    "memory",  # log10(KV blocks) / 4
    "slowness",  # mean speed of all replicas / this one's, minus 1
)
CLUSTER = features(
    "replicas",  # log
    "unlikeness",  # standard deviation of the times of a usual prompt / their mean
)
REQUEST = features(  # one that is routed, queued or running
    "prompt",  # log(1 + tokens) / 10
    "output",  # log(1 + predicted tokens) / 10
    "progress",  # tokens that are out / predicted output, capped at 4
    "slack",  # on its replica, or where it has most, / 10 s, within -4..4
    "age",  # time since it could first be routed / target of the first token, capped at 4
    "stake",  # weight of it and of the stages that need it / mean of the requests, capped at 4
    "blocks",  # KV blocks of its own and of its prefix that it relies on / all of its replica
    "queued",  # 1 if it waits for its replica, with nothing in the host's memory
    "running",  # 1 if it runs
    "swapped",  # 1 if it waits for its replica, and its blocks are in the host's memory
    "subject",  # 1 if it is the one that is routed, or that room is made for
)
STAGE = features(  # a request that can't be routed before others are served
    "prompt",  # log(1 + tokens) / 10
    "output",  # log(1 + predicted tokens) / 10
    "stake",  # weight of it and of the stages that need it / mean of the requests, capped at 4
    "left",  # stages of its workflow after it, capped at 4
)
PREFIX = features(  # a segment that requests end in
    "cached",  # log(1 + tokens of its path) / 10, at the replica that has most
    "spread",  # share of replicas that have blocks of the segment itself
    "requests",  # log(1 + requests of the graph that end in it)
)
TENANT = features(
    "requests",  # log(1 + requests of the graph)
    "share",  # what it is entitled to / mean of the tenants in the graph, capped at 4
    "served",  # log(1 + tokens served, over its share) / 10, which order `vtc` counts
)
CAND, RES, CTX = columns(CANDIDATE), columns(RESOURCE), columns(CONTEXT)
NODE, WHOLE = columns(REPLICA), columns(CLUSTER)
REQ, STG, PRE, TEN = columns(REQUEST), columns(STAGE), columns(PREFIX), columns(TENANT)
SCHEMA = GraphSchema(
    nodes=(
        NodeType("replica", REPLICA),
        NodeType("cluster", CLUSTER),
        NodeType("request", REQUEST),
        NodeType("stage", STAGE),
        NodeType("prefix", PREFIX),
        NodeType("tenant", TENANT),
    ),
    edges=(
        EdgeType("part_of", "replica", "cluster"),
        EdgeType("has", "cluster", "replica"),
        EdgeType("runs_on", "request", "replica"),
        EdgeType("runs", "replica", "request"),
        EdgeType("waits_for", "request", "replica"),
        EdgeType("keeps_waiting", "replica", "request"),
        EdgeType("shares_prefix", "request", "prefix"),
        EdgeType("shared_by", "prefix", "request"),
        EdgeType("precedes", "request", "stage"),
        EdgeType("follows", "stage", "request"),
        EdgeType("stage_precedes", "stage", "stage"),
        EdgeType("stage_follows", "stage", "stage"),
        EdgeType("belongs_to", "request", "tenant"),
        EdgeType("sent", "tenant", "request"),
    ),
    candidate=CANDIDATE,
    candidate_nodes=("replica", "request"),
    resource=RESOURCE,
    resource_node="replica",
    candidate_resources=("replica",),
    context=CONTEXT,
    kinds=KINDS,
)


def _times(replica: Replica) -> tuple[float, float]:
    """What a usual prompt takes, and a token of a usual batch of decodes, s."""
    table = linear_table(replica.gpu, replica.model, replica.tp, float(replica.imbalance))
    loads = coefficients(replica.gpu, replica.model, replica.tp)
    return usual_prefill_s(table, loads), usual_decode_s(table, loads)


def static_graph(instance: BatchingInstance) -> StaticGraph:
    """The replicas, and the cluster that all of them belong to; there are no requests."""
    prefill, decode = np.array([_times(replica) for replica in instance.replicas]).T
    memory = np.array([replica.kv_blocks for replica in instance.replicas], np.float64)
    size = len(instance.replicas)
    replicas, cluster = np.empty((size, len(REPLICA))), np.empty((1, len(CLUSTER)))
    replicas[:, NODE.prefill] = np.log(prefill / 0.05)
    replicas[:, NODE.decode] = np.log(decode / 0.02)
    replicas[:, NODE.memory] = np.log10(memory) / 4.0
    replicas[:, NODE.slowness] = prefill * np.mean(1.0 / prefill) - 1.0
    cluster[0, WHOLE.replicas] = np.log(size)
    cluster[0, WHOLE.unlikeness] = np.std(prefill) / np.mean(prefill)
    everyone = np.arange(size)
    one = np.zeros_like(everyone)
    nodes = {n.name: np.zeros((0, len(n.features)), np.float32) for n in SCHEMA.nodes}
    nodes |= {"replica": replicas.astype(np.float32), "cluster": cluster.astype(np.float32)}
    edges = {edge.name: np.zeros((2, 0), np.int64) for edge in SCHEMA.edges}
    edges |= {"part_of": np.stack([everyone, one]), "has": np.stack([one, everyone])}
    return StaticGraph(nodes, edges)


def with_window(graph: StaticGraph, window: Window) -> StaticGraph:
    """The graph with these requests in place of those that it has."""
    nodes = {
        **{name: graph.nodes[name] for name in ("replica", "cluster")},
        "request": window.requests,
        "stage": window.stages,
        "prefix": window.prefixes,
        "tenant": window.tenants,
    }
    edges = {
        **{name: graph.edges[name] for name in ("part_of", "has")},
        "runs_on": window.runs_on,
        "runs": window.runs_on[::-1],
        "waits_for": window.waits_for,
        "keeps_waiting": window.waits_for[::-1],
        "shares_prefix": window.shares_prefix,
        "shared_by": window.shares_prefix[::-1],
        "precedes": window.precedes,
        "follows": window.precedes[::-1],
        "stage_precedes": window.stage_precedes,
        "stage_follows": window.stage_precedes[::-1],
        "belongs_to": window.belongs_to,
        "sent": window.belongs_to[::-1],
    }
    return StaticGraph(nodes, edges)


def most_in_window(instance: BatchingInstance, size: int) -> tuple[int, int]:
    """Nodes and edges that requests bring into a graph at most; size: of the window."""
    requests = instance.requests
    if not (size := min(size, len(requests))):
        return 0, 0
    stages, edges = len(np.unique(instance.precedes[1])), instance.precedes.shape[1]
    grouped = requests.group[requests.group >= 0]
    prefixes = min(size, len(np.unique(grouped)))
    tenants = min(size, len(np.unique(requests.tenant)))
    links = 2 * size + min(size, len(grouped)) + edges  # a request has one replica and one tenant
    return size + stages + prefixes + tenants, 2 * links
