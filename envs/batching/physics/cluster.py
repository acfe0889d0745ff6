"""The view of one slot that kernels work on: a cluster of replicas, and the requests it serves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from graphsched.envs.core.kernels.jit import kernel

if TYPE_CHECKING:
    from graphsched.envs.batching.physics.state import State
    from graphsched.envs.core.arrays import Floats, Ints, Records


class Cluster(NamedTuple):
    """A slot of `State`, whose letters and meanings it shares; what is written here stands there."""

    slot: Records  # (1,) of `SLOT`; numba returns no tuple that holds a record itself
    req: Records  # (N,) of `REQUEST`
    rep: Records  # (R,) of `REPLICA`
    agent: Ints  # (4,)
    root: Ints  # (N,)
    line: Ints  # (N,)
    succ_ptr: Ints  # (N + 1,)
    succ: Ints  # (E,)
    table: Floats  # (R, TABLE)
    loads: Floats  # (R, LOADS)
    queue: Ints  # (R, N)
    run: Ints  # (R, N)
    outbox: Ints  # (R, N)
    parent: Ints  # (G,)
    first: Ints  # (G,)
    cached: Ints  # (R, G)
    users: Ints  # (R, G)
    newer: Ints  # (R, G + 1)
    older: Ints  # (R, G + 1)
    tally: Floats  # (R, N, 2)
    choice: Ints  # (C,)
    taken: Ints  # (D,)


@kernel(entry=False)
def todo_of(one: Any) -> int:
    """Tokens of a request to compute before the next one comes out."""
    return int(one.prompt + one.made - one.kv)


@kernel(entry=False)
def is_decode(one: Any) -> bool:
    """Whether all of a request but its last token is computed."""
    return bool(one.made > 0 and todo_of(one) == 1)


@kernel(entry=False)
def cluster_at(state: State, b: int) -> Cluster:
    """The view of slot b."""
    return Cluster(
        state.slot[b : b + 1],
        state.req[b],
        state.rep[b],
        state.agent[b],
        state.root[b],
        state.line[b],
        state.succ_ptr[b],
        state.succ[b],
        state.table[b],
        state.loads[b],
        state.queue[b],
        state.run[b],
        state.outbox[b],
        state.parent[b],
        state.first[b],
        state.cached[b],
        state.users[b],
        state.newer[b],
        state.older[b],
        state.tally[b],
        state.choice[b],
        state.taken[b],
    )
