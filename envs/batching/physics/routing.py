"""Which replica an arrival goes to, by rule."""

# mypy: disable-error-code="no-any-return"
# (fields of records have no type)

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from graphsched.envs.batching.hardware.catalogue import BLOCK
from graphsched.envs.batching.physics.forecast import END, TTFT, WAIT, WIDTH, expect, look
from graphsched.envs.batching.physics.kv_blocks import blocks_for, found_blocks
from graphsched.envs.core.kernels.jit import kernel

if TYPE_CHECKING:
    from graphsched.envs.batching.physics.state import State

ROUND_ROBIN, RANDOM, OUTSTANDING, PREFILL, SPEED, TWO, AFFINITY, HEXGEN, LLUMNIX, FIRST = range(10)
_ODD, _FIRST_MIX, _SECOND_MIX = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
AFFINE, SLACK = 0.25, 4  # of prefix affinity: least share found, and requests of imbalance borne


@kernel(entry=False)
def _draw(i: int, n: int, among: int) -> int:
    """Draw n of request i, below ``among``: SplitMix64's finaliser of both numbers."""
    x = np.uint64(2 * i + n + 1) * np.uint64(_ODD)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(_FIRST_MIX)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(_SECOND_MIX)
    x = x ^ (x >> np.uint64(31))
    draw: int = np.int64((x >> np.uint64(11)) % np.uint64(among))  # type: ignore[assignment]
    return draw


@kernel(entry=False)
def able(state: State, b: int, r: int, i: int) -> bool:
    """Whether a replica's memory could ever hold a request's prompt and its first token."""
    return blocks_for(state.req[b, i].prompt + 1) <= state.rep[b, r].blocks


@kernel(entry=False)
def outstanding(state: State, b: int, r: int) -> int:
    """Requests at a replica."""
    return state.rep[b, r].queued + state.rep[b, r].running


@kernel(entry=False)
def freeness(state: State, b: int, r: int) -> float:
    """Llumnix' virtual usage: blocks left when the queue has its own, by running request."""
    room = state.rep[b, r].free + state.rep[b, r].evictable
    for k in range(state.rep[b, r].queued):
        room -= blocks_for(state.req[b, state.queue[b, r, k]].prompt)
    return float(room / max(state.rep[b, r].running, 1))


@kernel(entry=False)
def _hexgen(state: State, b: int, i: int) -> int:
    """The argmax of alpha t_base / t - (1 - alpha) W / W_base over replicas."""
    load, out = np.empty(WIDTH), np.empty(WIDTH)
    n = state.slot[b].replicas
    service, waits = np.empty(n), np.empty(n)
    for r in range(n):
        look(state, b, r, load)
        expect(state, b, r, i, load, out)
        service[r], waits[r] = out[END] - out[WAIT], out[WAIT]
    base, mean = service.mean(), max(waits.mean(), 1e-9)
    best, most = -1, -np.inf
    for r in range(n):
        score = (
            state.slot[b].alpha * base / service[r] - (1.0 - state.slot[b].alpha) * waits[r] / mean
        )
        if score > most and able(state, b, r, i):
            best, most = r, score
    return best


@kernel(entry=False)
def _score(state: State, b: int, r: int, i: int, rule: int) -> float:
    """Least is best."""
    if rule == OUTSTANDING:
        return float(outstanding(state, b, r))
    if rule == PREFILL:
        return float(state.rep[b, r].pending / state.rep[b, r].speed)
    if rule == SPEED:
        return float((outstanding(state, b, r) + 1) / state.rep[b, r].speed)
    if rule == LLUMNIX:
        return -freeness(state, b, r)
    load, out = np.empty(WIDTH), np.empty(WIDTH)
    look(state, b, r, load)
    expect(state, b, r, i, load, out)
    return float(out[TTFT])


@kernel(entry=False)
def _least(state: State, b: int, i: int, rule: int) -> int:
    best, least = -1, np.inf
    for r in range(state.slot[b].replicas):
        if able(state, b, r, i):
            score = _score(state, b, r, i, rule)
            if score < least:
                best, least = r, score
    return best


@kernel(entry=False)
def _affine(state: State, b: int, i: int) -> int:
    """The replica that holds most of the prefix, unless it is far busier than the least busy."""
    best, most, least = -1, AFFINE * state.req[b, i].prompt, 2**40
    for r in range(state.slot[b].replicas):
        least = min(least, outstanding(state, b, r))
        hit = BLOCK * found_blocks(state, b, r, i)
        if able(state, b, r, i) and hit > most:
            best, most = r, hit
    if best >= 0 and outstanding(state, b, best) <= 2 * least + SLACK:
        return best
    return _least(state, b, i, PREFILL)


@kernel(entry=False)
def route_by_rule(state: State, b: int, i: int) -> int:
    """A replica that can hold request i, or -1 if none can."""
    rule, n = state.slot[b].router, state.slot[b].replicas
    if rule == AFFINITY:
        return _affine(state, b, i)
    if rule == HEXGEN:
        return _hexgen(state, b, i)
    if rule in (FIRST, OUTSTANDING, PREFILL, SPEED, LLUMNIX):
        return _least(state, b, i, rule)
    first = _draw(i, 0, n)
    if rule == ROUND_ROBIN:
        first = state.slot[b].turn % n
        state.slot[b].turn += 1
    elif rule == TWO and n > 1:
        second = (first + 1 + _draw(i, 1, n - 1)) % n
        if outstanding(state, b, second) < outstanding(state, b, first):
            first = second
    for k in range(n):
        r = (first + k) % n
        if able(state, b, r, i):
            return r
    return -1
