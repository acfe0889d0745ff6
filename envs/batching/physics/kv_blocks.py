"""Paged KV memory: blocks of requests, and prefixes that are kept for those who share them."""

# mypy: disable-error-code="no-any-return"
# (fields of records have no type)

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from graphsched.envs.batching.hardware.catalogue import BLOCK
from graphsched.envs.batching.physics.codes import QUEUED, SWAPPED
from graphsched.envs.core.kernels.jit import kernel

if TYPE_CHECKING:
    from graphsched.envs.batching.physics.state import State


@kernel(entry=False)
def blocks_for(tokens: int) -> int:
    """Blocks that hold that many tokens."""
    return (tokens + BLOCK - 1) // BLOCK


@kernel(entry=False)
def shares(state: State, b: int, i: int) -> bool:
    """Whether a request takes part in prefix sharing."""
    return state.slot[b].caching != 0 and state.req[b, i].group >= 0


@kernel(entry=False)
def pin(state: State, b: int, r: int, g: int) -> None:
    """A request relies on a group's prefix."""
    if state.users[b, r, g] == 0:
        state.rep[b, r].evictable -= state.cached[b, r, g]
    state.users[b, r, g] += 1
    state.used_at[b, r, g] = state.slot[b].clock


@kernel(entry=False)
def _unpin(state: State, b: int, r: int, g: int) -> None:
    state.users[b, r, g] -= 1
    state.used_at[b, r, g] = state.slot[b].clock
    if state.users[b, r, g] == 0:
        state.rep[b, r].evictable += state.cached[b, r, g]


@kernel(entry=False)
def make_room(state: State, b: int, r: int, need: int) -> bool:
    """Evict tails of prefixes that nobody uses, least recently used first."""
    if state.rep[b, r].free + state.rep[b, r].evictable < need:
        return False
    while state.rep[b, r].free < need:
        best, oldest = -1, np.inf
        for g in range(state.slot[b].groups):
            unused = state.cached[b, r, g] > 0 and state.users[b, r, g] == 0
            if unused and state.used_at[b, r, g] < oldest:
                best, oldest = g, state.used_at[b, r, g]
        take = min(state.cached[b, r, best], need - state.rep[b, r].free)
        state.cached[b, r, best] -= take
        state.rep[b, r].evictable -= take
        state.rep[b, r].free += take
    return True


@kernel(entry=False)
def _relied_on(state: State, b: int, r: int, g: int) -> int:
    """Blocks of a group's prefix that some request of the replica holds."""
    out = 0
    for k in range(state.rep[b, r].running):
        if state.req[b, state.run[b, r, k]].group == g:
            out = max(out, state.req[b, state.run[b, r, k]].held)
    for k in range(state.rep[b, r].queued):
        if state.req[b, state.queue[b, r, k]].group == g:
            out = max(out, state.req[b, state.queue[b, r, k]].held)
    return out


@kernel(entry=False)
def trim(state: State, b: int, r: int, i: int, need: int) -> None:
    """Evict the tail of the prefix of a running request's own group, where nobody holds it.

    A prefix in use is not `evictable`, though a request may use only its first blocks.
    """
    short = need - state.rep[b, r].free - state.rep[b, r].evictable
    if short <= 0 or not shares(state, b, i):
        return
    g = state.req[b, i].group
    gone = min(state.cached[b, r, g] - _relied_on(state, b, r, g), short)
    state.cached[b, r, g] -= gone
    state.rep[b, r].free += gone


@kernel(entry=False)
def found_blocks(state: State, b: int, r: int, i: int) -> int:
    """Blocks of a request's prefix that a replica holds; one token is always computed."""
    if not shares(state, b, i) or state.req[b, i].status == SWAPPED:
        return 0
    most = (state.req[b, i].prompt + state.req[b, i].made - 1) // BLOCK
    held = state.cached[b, r, state.req[b, i].group]
    return min(min(held, state.req[b, i].shared // BLOCK), most)


@kernel(entry=False)
def available(state: State, b: int, r: int, i: int) -> int:
    """Blocks that could be free for a request, what it finds in the cache being kept."""
    out = state.rep[b, r].free + state.rep[b, r].evictable
    if shares(state, b, i) and state.users[b, r, state.req[b, i].group] == 0:
        out -= found_blocks(state, b, r, i)
    return out


@kernel(entry=False)
def take(state: State, b: int, r: int, i: int, need: int) -> None:
    """Blocks for a request that fits; the tail of its own group's prefix goes last."""
    short = need - state.rep[b, r].free - state.rep[b, r].evictable
    if short > 0:
        state.cached[b, r, state.req[b, i].group] -= short
        state.rep[b, r].free += short
    make_room(state, b, r, need)
    state.rep[b, r].free -= need
    state.req[b, i].own = need


@kernel(entry=False)
def keep_prefix(state: State, b: int, r: int, i: int, tokens: int) -> None:
    """Blocks of a request's first tokens that lengthen its group's prefix go to the cache."""
    if not shares(state, b, i):
        return
    g = state.req[b, i].group
    moved = min(state.req[b, i].extends, tokens) // BLOCK - state.cached[b, r, g]
    if moved > 0:
        state.cached[b, r, g] += moved
        state.req[b, i].own -= moved
        state.req[b, i].held += moved


@kernel(entry=False)
def release(state: State, b: int, r: int, i: int) -> None:
    """A request gives back its blocks."""
    if shares(state, b, i):
        _unpin(state, b, r, state.req[b, i].group)
    state.rep[b, r].free += state.req[b, i].own
    state.req[b, i].own = state.req[b, i].held = 0


@kernel(entry=False)
def forget(state: State, b: int, r: int, i: int) -> None:
    """A request will be computed again from its first token."""
    state.rep[b, r].pending += state.req[b, i].kv
    state.req[b, i].kv = 0
    state.req[b, i].status = QUEUED
