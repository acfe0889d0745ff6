"""Simulator state: tables of records; kernels and rules read them, only kernels write them.

Records rather than an array for each field: a kernel that is handed a hundred arrays spends its time
on counting references to them.
"""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple

import numpy as np

from graphsched.envs.batching.hardware.iteration_time import LOADS, TABLE
from graphsched.envs.core.arrays import Floats, Ints, Records

SPARE = 20  # requests that there is room for beside those of an instance: what may come instead
FUTURE, QUEUED, RUNNING, SWAPPED, SERVED, REJECTED, MOVING = range(7)  # a request
ROUTE, ADMIT, BUDGET, PREEMPT = range(4)  # a decision
RECOMPUTE, SWAP, FAIL, LINK = range(4)  # why a request left the GPU
BOTH, PREFILL, DECODE = range(3)  # roles of replicas

# fmt: off
_SLOT = (
    "status",  # IDLE, WAITING or DONE
    "requests", "replicas",  # how many there are
    "max_tokens",  # what Orca reserves
    "settled",  # requests served or rejected
    "decisions", "offer_first",
    "graphed",  # decisions before the one that its graph is of, -1 for none, see `graph_window`
    "next_root",  # requests of no predecessor that have arrived
    "head", "tail",  # of the line of requests that wait for a replica
    "turn",  # of the round-robin router
    "batching", "fixed_budget", "max_seqs", "swaps", "order", "passes", "router", "caching",  # rules
    "doomed",  # whether what comes too late goes last
    "kind",  # of the pending decision,
    "replica",  # whose admission, budget or pre-emption it is,
    "subject",  # the request that is routed, or that room is made for,
    "count",  # and the number of choices
    "pools",  # whether requests may move between replicas
    "migrates", "migrate_every",  # rules of migration
)
_SLOT_FLOATS = (
    "clock", "starvation", "total_weight",
    "loss",  # weighted, settled so far
    "paid",  # rewards so far
    "aging", "alpha", "load_window", "displace", "claim",  # rules
    "migrate_below", "migrate_margin",  # of migration
    "latency",  # of a transfer, s
)
_REQUEST = (
    "prompt", "output", "predicted", "group", "shared", "extends", "tenant", "priority",
    "blockers",  # predecessors that are not served
    "status",
    "routed",  # replica that it went to first
    "home",  # replica that it is at
    "kv",  # tokens computed or found in the cache
    "made",  # tokens sent to the user
    "chunk",  # tokens in this iteration
    "leaf",  # segment of the tree of prefixes that its tokens are kept in; -1 for none
    "own",  # blocks of its own
    "held",  # blocks of its path that it relies on
    "kept",  # tokens of its own that went to the cache when it was preempted
    "away",  # blocks in the host's memory
    "preempted",  # times
    "entered", "left",  # iteration of its replica that admitted it last, or did without it
    "passed",  # times that a later request was admitted before it
    "target",  # replica that it moves to, -1 for none
    "rounds",  # of copying to there while it decodes, from 1; 0 once it has stopped
    "copied",  # blocks that are there
    "reserved",  # blocks for it there
    "stopping",  # whether it leaves the batch when the iteration ends
    "stages",  # of its workflow that follow one after the other when it is served
    "peers",  # number of its tenant (vtc) or prefix group (batchllm); -1 for none
    "leader",  # first request of its prefix group, -1 for none
    "seat",  # of a leader: 1 + the replica that the first of its group went to
)
_REQUEST_FLOATS = (
    "arrival", "weight", "ttft", "tpot", "deadline",
    "visible",  # when it could first be routed
    "first_token", "last_token",
    "settled_loss",
    "latest",  # when it has to be served for no deadline to be missed, its own or of a later stage
    "stake",  # weight of it and of the heaviest line of stages that need it
    "share",  # of its tenant
    "work",  # time that it takes its replica, as expected on arrival (router e2)
)
_REPLICA = (
    "blocks", "free", "evictable",
    "watermark",
    "batch",  # whether an iteration runs
    "planning",  # whether one is being put together
    "budget",  # tokens of an iteration
    "left",  # tokens that this one has room for
    "last_budget",  # iteration at which the budget was last decided
    "hold",  # whether admission is held until something changes
    "stuck",  # whether nothing more is admitted in this iteration
    "iteration", "queued", "running",
    "swapped",  # queued requests whose blocks are in the host's memory
    "returns",  # whether they alone may be admitted to the iteration that is being put together
    "role", "model",  # numbers
    "reach",  # blocks that a request's prompt may take if it comes here
    "outgoing",  # requests in its outbox
    "sending",  # blocks of the transfer at its head
    "incoming",  # requests on their way to it, or about to be
    "bound",  # requests that hold blocks of it but don't run: on their way from it or to it
    "stopping",  # running requests that leave when the iteration ends
    "pending",  # tokens to compute before the next ones come out, but for decodes' own
    "swap_moved", "swap_calls",  # blocks and copies of this iteration
    "last_peers",  # 1 + the peers of the request admitted last
)
_REPLICA_FLOATS = (
    "swap_block",  # s
    "busy_until",  # inf while idle
    "ready",  # when its last iteration ended
    "begun",
    "speed",  # prompt tokens a second in a usual batch
    "refused_until",  # nobody is asked before to make room for others
    "shortest",  # no iteration takes less
    "send_block",  # s
    "send_begun", "sent_at",  # of the transfer at the head of its outbox; inf while the link is idle
)
# fmt: on


def _record(whole: tuple[str, ...], real: tuple[str, ...]) -> np.dtype[Any]:
    return np.dtype([(n, np.int64) for n in whole] + [(n, np.float64) for n in real])


SLOT = _record(_SLOT, _SLOT_FLOATS)
REQUEST = _record(_REQUEST, _REQUEST_FLOATS)
REPLICA = _record(_REPLICA, _REPLICA_FLOATS)


class State(NamedTuple):
    """B slots, N requests, R replicas, G segments of prefixes, E edges, C candidates, D decisions.

    Times in seconds, memory in KV blocks, lengths in tokens.
    """

    slot: Annotated[Records, SLOT, "B"]
    req: Annotated[Records, REQUEST, "B", "N"]
    rep: Annotated[Records, REPLICA, "B", "R"]
    agent: Annotated[Ints, "B", 4]  # whether each kind of decision is the agent's
    root: Annotated[Ints, "B", "N"]  # requests of no predecessor, by arrival; -1 beyond
    line: Annotated[Ints, "B", "N"]  # requests that wait for a replica, or did, in a row
    succ_ptr: Annotated[Ints, "B", "N+1"]
    succ: Annotated[Ints, "B", "E"]
    table: Annotated[Floats, "B", "R", TABLE]
    loads: Annotated[Floats, "B", "R", LOADS]
    queue: Annotated[Ints, "B", "R", "N"]  # queued requests by the time they became visible
    run: Annotated[Ints, "B", "R", "N"]  # running requests by admission
    outbox: Annotated[Ints, "B", "R", "N"]  # requests whose blocks go over its link, in order
    parent: Annotated[Ints, "B", "G"]  # segment that each branches off, -1 for none
    first: Annotated[Ints, "B", "G"]  # blocks of the path before it
    cached: Annotated[Ints, "B", "R", "G"]  # blocks of each segment
    users: Annotated[Ints, "B", "R", "G"]  # requests that rely on it, or on what branches off it
    # Segments that nobody relies on in a ring, from the one that was used longest ago; segment g
    # has place g + 1, its ends meet at place 0. What branches off comes before what it branches off.
    newer: Annotated[Ints, "B", "R", "G+1"]
    older: Annotated[Ints, "B", "R", "G+1"]
    tally: Annotated[Floats, "B", "R", "N", 2]  # of tenants or prefix groups, see `rules.tallies`
    choice: Annotated[Ints, "B", "C"]  # replica, request or budget on offer; -1: none
    taken: Annotated[Ints, "B", "D"]  # all actions so far
