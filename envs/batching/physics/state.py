"""Simulator state: tables of records; kernels and rules read them, only kernels write them.

Records rather than an array for each field: a kernel that is handed a hundred arrays spends its time
on counting references to them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numba import config

from graphsched.envs.batching.hardware.iteration_time import LOADS, TABLE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Records = NDArray[Any]


class State(NamedTuple):
    """B slots, N requests, R replicas, G prefix groups, E edges, C candidates, D decisions.

    Times in seconds, memory in KV blocks, lengths in tokens.
    """

    slot: Records  # (B,) of `SLOT`
    req: Records  # (B, N) of `REQUEST`
    rep: Records  # (B, R) of `REPLICA`
    agent: Ints  # (B, 3) whether each kind of decision is the agent's
    root: Ints  # (B, N) requests of no predecessor, by arrival; -1 beyond
    line: Ints  # (B, N) requests that wait for a replica, or did, in a row
    succ_ptr: Ints  # (B, N + 1)
    succ: Ints  # (B, E)
    table: Floats  # (B, R, TABLE)
    loads: Floats  # (B, R, LOADS)
    queue: Ints  # (B, R, N) queued requests by the time they became visible
    run: Ints  # (B, R, N) running requests by admission
    cached: Ints  # (B, R, G) blocks of each prefix
    users: Ints  # (B, R, G) requests that rely on it
    used_at: Floats  # (B, R, G)
    choice: Ints  # (B, C) replica, request or budget on offer; -1: none
    taken: Ints  # (B, D) all actions so far


# fmt: off
_SLOT = (
    "phase",  # IDLE, WAITS or OVER
    "requests", "replicas", "groups",  # how many there are
    "max_tokens",  # what Orca reserves
    "settled",  # requests served or rejected
    "decisions", "offer_first",
    "next_root",  # requests of no predecessor that have arrived
    "head", "tail",  # of the line of requests that wait for a replica
    "turn",  # of the round-robin router
    "batching", "fixed_budget", "max_seqs", "swaps", "order", "passes", "router", "caching",  # rules
    "kind",  # of the pending decision,
    "replica",  # whose admission or budget it is,
    "subject",  # the request that is routed,
    "count",  # and the number of choices
)
_SLOT_FLOATS = (
    "clock", "starvation", "total_weight",
    "loss",  # weighted, settled so far
    "paid",  # rewards so far
    "aging", "alpha",  # rules
)
_REQUEST = (
    "prompt", "output", "predicted", "group", "shared", "extends", "priority",
    "blockers",  # predecessors that are not served
    "status",
    "home",  # replica
    "kv",  # tokens computed or found in the cache
    "made",  # tokens sent to the user
    "chunk",  # tokens in this iteration
    "own",  # blocks of its own
    "held",  # blocks of its group's prefix that it relies on
    "preempted",  # times
    "passed",  # times that a later request was admitted before it
)
_REQUEST_FLOATS = (
    "arrival", "weight", "ttft", "tpot", "deadline",
    "visible",  # when it could first be routed
    "first_token", "last_token",
    "settled_loss",
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
    "pending",  # tokens to compute before the next ones come out, but for decodes' own
    "swap_moved", "swap_calls",  # blocks and copies of this iteration
)
_REPLICA_FLOATS = (
    "swap_block",  # s
    "busy_until",  # inf while idle
    "ready",  # when its last iteration ended
    "begun",
    "speed",  # prompt tokens a second in a usual batch
)
# fmt: on


def _record(whole: tuple[str, ...], real: tuple[str, ...]) -> np.dtype[Any]:
    return np.dtype([(n, np.int64) for n in whole] + [(n, np.float64) for n in real])


SLOT = _record(_SLOT, _SLOT_FLOATS)
REQUEST = _record(_REQUEST, _REQUEST_FLOATS)
REPLICA = _record(_REPLICA, _REPLICA_FLOATS)


def _viewed(array: NDArray[Any], dtype: np.dtype[Any]) -> Records:
    """Records whose fields are attributes, also where kernels run interpreted."""
    out = array.view(dtype)
    interpreted = config.DISABLE_JIT  # type: ignore[attr-defined]  # set at numba's import
    return out.view(np.recarray) if interpreted else out


def _records(shape: int | tuple[int, ...], dtype: np.dtype[Any]) -> Records:
    return _viewed(np.zeros(shape, dtype), dtype)


RECORDS = {"slot": SLOT, "req": REQUEST, "rep": REPLICA}


def plain_arrays(state: State) -> dict[str, NDArray[Any]]:
    """Copies of all arrays, records as the int64 that their bits are: files know no records."""
    return {
        name: array.copy().view(np.int64) if name in RECORDS else array.copy()
        for name, array in state._asdict().items()
    }


def state_of(arrays: Mapping[str, NDArray[Any]]) -> State:
    """Inverse of `plain_arrays`."""
    return State(
        **{
            name: _viewed(array.copy(), RECORDS[name]) if name in RECORDS else array.copy()
            for name, array in arrays.items()
        }
    )


def empty_state(sizes: Mapping[str, int]) -> State:
    """Arrays of zeros; sizes: of B, N, R, G, E, C and D."""
    s = sizes
    b, n, r = s["B"], s["N"], s["R"]
    whole, real = np.int64, np.float64
    return State(
        slot=_records(b, SLOT),
        req=_records((b, n), REQUEST),
        rep=_records((b, r), REPLICA),
        agent=np.zeros((b, 3), whole),
        root=np.zeros((b, n), whole),
        line=np.zeros((b, n), whole),
        succ_ptr=np.zeros((b, n + 1), whole),
        succ=np.zeros((b, s["E"]), whole),
        table=np.zeros((b, r, TABLE), real),
        loads=np.zeros((b, r, LOADS), real),
        queue=np.zeros((b, r, n), whole),
        run=np.zeros((b, r, n), whole),
        cached=np.zeros((b, r, s["G"]), whole),
        users=np.zeros((b, r, s["G"]), whole),
        used_at=np.zeros((b, r, s["G"]), real),
        choice=np.zeros((b, s["C"]), whole),
        taken=np.zeros((b, s["D"]), whole),
    )


def grow_state(state: State, need: Mapping[str, int]) -> State:
    """The same state with room for at least the sizes needed."""
    slots, replicas, groups = state.cached.shape
    have = {
        "B": slots,
        "N": state.req.shape[1],
        "R": replicas,
        "G": groups,
        "E": state.succ.shape[1],
        "C": state.choice.shape[1],
        "D": state.taken.shape[1],
    }
    want = {k: max(v, need.get(k, 0)) for k, v in have.items()}
    if want == have:
        return state
    out = empty_state(want)
    for old, new in zip(state, out, strict=True):
        new[tuple(slice(0, n) for n in old.shape)] = old
    return out
