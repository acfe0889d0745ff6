"""Putting an iteration together: who decodes, whose prompt goes on, who is admitted."""

# mypy: disable-error-code="no-any-return"
# (fields of records have no type)

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from graphsched.envs.batching.hardware.catalogue import BLOCK
from graphsched.envs.batching.hardware.iteration_time import usual_decode_s
from graphsched.envs.batching.options import (
    FCFS,
    LTR,
    ORCA,
    PRIORITY,
    REQUEST_LEVEL,
    SARATHI,
    SJF,
    SRTF,
    URGENCY,
    VLLM_V0,
    VLLM_V1,
)
from graphsched.envs.batching.physics.codes import (
    FAIL,
    QUEUED,
    RECOMPUTE,
    REJECTED,
    RUNNING,
    SWAP,
    SWAPPED,
)
from graphsched.envs.batching.physics.forecast import service_s, urgency
from graphsched.envs.batching.physics.kv_blocks import (
    available,
    blocks_for,
    forget,
    found_blocks,
    make_room,
    pin,
    release,
    shares,
    take,
    trim,
)
from graphsched.envs.batching.physics.log import log_entry, log_leave
from graphsched.envs.core.kernels.jit import kernel

if TYPE_CHECKING:
    from graphsched.envs.batching.physics.log import Log
    from graphsched.envs.batching.physics.state import State


@kernel(entry=False)
def todo_of(state: State, b: int, i: int) -> int:
    """Tokens to compute before the next one comes out."""
    return state.req[b, i].prompt + state.req[b, i].made - state.req[b, i].kv


@kernel(entry=False)
def is_decode(state: State, b: int, i: int) -> bool:
    """Whether all but its last token is computed."""
    return state.req[b, i].made > 0 and todo_of(state, b, i) == 1


@kernel(entry=False)
def enqueue(state: State, b: int, r: int, i: int) -> None:
    """Into the replica's queue, by the time it could first be routed."""
    at = state.rep[b, r].queued
    while at > 0:
        j = state.queue[b, r, at - 1]
        earlier = state.req[b, j].visible < state.req[b, i].visible
        if earlier or (state.req[b, j].visible == state.req[b, i].visible and j < i):
            break
        state.queue[b, r, at] = j
        at -= 1
    state.queue[b, r, at] = i
    state.rep[b, r].queued += 1


@kernel(entry=False)
def _dequeue(state: State, b: int, r: int, i: int) -> None:
    at = 0
    while state.queue[b, r, at] != i:
        at += 1
    for k in range(at, state.rep[b, r].queued - 1):
        state.queue[b, r, k] = state.queue[b, r, k + 1]
    state.rep[b, r].queued -= 1


@kernel(entry=False)
def _preempt(state: State, b: int, r: int, log: Log) -> int:
    """The last running request leaves; returns it."""
    state.rep[b, r].running -= 1
    i = state.run[b, r, state.rep[b, r].running]
    state.req[b, i].chunk = 0
    state.req[b, i].preempted += 1
    state.rep[b, r].hold = 0
    why = RECOMPUTE
    alone = state.rep[b, r].running == 0
    if alone and blocks_for(state.req[b, i].prompt + state.req[b, i].made) > state.rep[b, r].blocks:
        why = FAIL
    elif state.slot[b].swaps:
        why = SWAP
    log_leave(log, i, r, state.rep[b, r].iteration, why)
    if why == SWAP:
        state.rep[b, r].swap_moved += state.req[b, i].own
        state.rep[b, r].swap_calls += 1
        state.rep[b, r].free += state.req[b, i].own
        state.req[b, i].own = 0
        state.req[b, i].status = SWAPPED
        enqueue(state, b, r, i)
        return i
    release(state, b, r, i)
    if why == RECOMPUTE:
        forget(state, b, r, i)
        enqueue(state, b, r, i)
    else:
        state.rep[b, r].pending -= todo_of(state, b, i) - (state.req[b, i].made > 0)
        state.req[b, i].status = REJECTED  # the caller settles it
    return i


@kernel(entry=False)
def unstick(state: State, b: int, r: int) -> None:
    """No other way to go on: requests in the host's memory let go of their prefixes."""
    for k in range(state.rep[b, r].queued):
        i = state.queue[b, r, k]
        if state.req[b, i].status == SWAPPED:
            release(state, b, r, i)
            forget(state, b, r, i)


@kernel(entry=False)
def plan_running(state: State, b: int, r: int, prompts: bool, decodes: bool, log: Log) -> int:
    """Tokens for running requests in order; returns a request that can't ever go on, or -1."""
    req, rep, run = state.req[b], state.rep[b, r], state.run[b, r]
    k = 0
    while k < rep.running:
        one = req[run[k]]
        todo = one.prompt + one.made - one.kv
        decode = one.made > 0 and todo == 1
        if one.chunk > 0 or (decode and not decodes) or (not decode and not prompts):
            k += 1
            continue
        chunk = min(todo, rep.left)
        if chunk <= 0:
            return -1
        need = blocks_for(one.kv + chunk) - one.held - one.own
        if need > 0:
            lost = _find_room(state, b, r, run[k], need, log)
            if lost >= 0:
                return lost
            if rep.running <= k:
                return -1  # it had to leave itself
        one.chunk = chunk
        rep.left -= chunk
        k += 1
    return -1


@kernel(entry=False)
def _find_room(state: State, b: int, r: int, i: int, need: int, log: Log) -> int:
    """Blocks for a running request, others leaving from the last; one that is given up, or -1."""
    gone = -1
    while gone != i:
        trim(state, b, r, i, need)
        alone = state.rep[b, r].running == 1
        if alone and state.rep[b, r].free + state.rep[b, r].evictable < need:
            unstick(state, b, r)  # else it could leave, be admitted and leave again for ever
            trim(state, b, r, i, need)
        if make_room(state, b, r, need):
            state.rep[b, r].free -= need
            state.req[b, i].own += need
            return -1
        gone = _preempt(state, b, r, log)
        state.rep[b, r].stuck = 1
        if state.req[b, gone].status == REJECTED:
            return gone
    return -1


@kernel(entry=False)
def _key(state: State, b: int, r: int, i: int) -> float:
    """Least goes first."""
    rule, waited = state.slot[b].order, state.slot[b].clock - state.req[b, i].visible
    if rule == SJF:
        todo = state.req[b, i].prompt / state.rep[b, r].speed
        pace = usual_decode_s(state.table[b, r], state.loads[b, r])
        return float(todo + state.req[b, i].predicted * pace - state.slot[b].aging * waited)
    if rule == SRTF:
        return float(service_s(state, b, r, i) - state.slot[b].aging * waited)
    if rule == LTR:
        return float(state.req[b, i].predicted - state.slot[b].aging * waited)
    if rule == PRIORITY:
        return float(-1e6 * state.req[b, i].priority - waited)
    if rule == URGENCY:
        return float(urgency(state, b, r, i))
    return float(-waited)


@kernel(entry=False)
def _first_chunk(state: State, b: int, r: int, i: int) -> int:
    todo = todo_of(state, b, i)
    if state.req[b, i].status == QUEUED:
        todo -= BLOCK * found_blocks(state, b, r, i)
    return min(todo, state.rep[b, r].left)


@kernel(entry=False)
def _needs(state: State, b: int, r: int, i: int) -> int:
    """Blocks that admission takes."""
    rule, found = state.slot[b].batching, found_blocks(state, b, r, i)
    if state.req[b, i].status == SWAPPED:
        kept = state.req[b, i].kv + _first_chunk(state, b, r, i)
        return blocks_for(kept) - state.req[b, i].held
    whole = state.req[b, i].prompt + state.req[b, i].made
    if rule == VLLM_V1:
        whole = BLOCK * found + _first_chunk(state, b, r, i)
    elif rule in (ORCA, REQUEST_LEVEL):
        whole = max(whole, state.slot[b].max_tokens)
    return min(blocks_for(whole), state.rep[b, r].blocks) - found


@kernel(entry=False)
def fits(state: State, b: int, r: int, i: int) -> bool:
    """Whether a queued request can be admitted now."""
    spare = state.rep[b, r].watermark if state.rep[b, r].running > 0 else 0
    if _needs(state, b, r, i) + spare > available(state, b, r, i):
        return False
    if state.slot[b].batching != VLLM_V0:
        return True
    count, longest = 1, todo_of(state, b, i)  # prompts are padded to the longest
    for k in range(state.rep[b, r].running):
        j = state.run[b, r, k]
        if state.req[b, j].chunk > 0:
            count += 1
            longest = max(longest, state.req[b, j].chunk)
    return count == 1 or count * longest <= state.slot[b].max_tokens


@kernel(entry=False)
def head_of(state: State, b: int, r: int) -> int:
    """The first queued request in order that fits or may not be passed over, or -1 if none is.

    An idle replica passes over nobody: it can make room for any request.
    """
    best, least = -1, np.inf
    passes = state.slot[b].passes if state.rep[b, r].running > 0 else 0
    for k in range(state.rep[b, r].queued):
        i = state.queue[b, r, k]
        key = _key(state, b, r, i)
        if key < least and (state.req[b, i].passed >= passes or fits(state, b, r, i)):
            best, least = i, key
            if state.slot[b].order == FCFS:
                break  # the queue is in order
    return best


@kernel(entry=False)
def _pass_over(state: State, b: int, r: int, i: int) -> None:
    """Count for each request before i in the order that i is admitted before it."""
    least, behind = _key(state, b, r, i), False
    for k in range(state.rep[b, r].queued):
        j = state.queue[b, r, k]
        behind |= j == i
        key = _key(state, b, r, j)
        if key < least or (key == least and not behind):
            state.req[b, j].passed += 1


@kernel(entry=False)
def admit(state: State, b: int, r: int, i: int, log: Log) -> None:
    """A queued request that fits joins the batch."""
    need, found = _needs(state, b, r, i), found_blocks(state, b, r, i)
    swapped = state.req[b, i].status == SWAPPED
    chunk = _first_chunk(state, b, r, i)
    if not swapped:
        if shares(state, b, i):
            pin(state, b, r, state.req[b, i].group)
        state.req[b, i].kv = BLOCK * found
        state.req[b, i].held = found
        state.rep[b, r].pending -= BLOCK * found
    else:
        state.rep[b, r].swap_moved += need
        state.rep[b, r].swap_calls += 1
    take(state, b, r, i, need)
    state.req[b, i].status = RUNNING
    state.req[b, i].chunk = chunk
    state.rep[b, r].left -= chunk
    _dequeue(state, b, r, i)
    state.run[b, r, state.rep[b, r].running] = i
    state.rep[b, r].running += 1
    log_entry(log, i, r, state.rep[b, r].iteration, state.req[b, i].kv, swapped)


@kernel(entry=False)
def admits(state: State, b: int, r: int) -> bool:
    """Whether the iteration has room for more requests, memory apart."""
    if state.rep[b, r].stuck or state.rep[b, r].hold or state.rep[b, r].queued == 0:
        return False
    return state.rep[b, r].left > 0 and state.rep[b, r].running < state.slot[b].max_seqs


@kernel(entry=False)
def next_by_rule(state: State, b: int, r: int) -> int:
    """The request to admit, or -1 if admission ends."""
    i = head_of(state, b, r)
    if i >= 0 and fits(state, b, r, i):
        if state.slot[b].passes > 0:
            _pass_over(state, b, r, i)
        return i
    if state.rep[b, r].running > 0:
        return -1
    unstick(state, b, r)
    return i


@kernel(entry=False)
def begin_plan(state: State, b: int, r: int, log: Log) -> int:
    """Running requests get their tokens, where they come first; returns a hopeless one or -1."""
    rule = state.slot[b].batching
    state.rep[b, r].planning = 1
    state.rep[b, r].stuck = rule == REQUEST_LEVEL and state.rep[b, r].running > 0
    state.rep[b, r].left = 2**40
    if rule in (SARATHI, VLLM_V1):
        state.rep[b, r].left = max(state.rep[b, r].budget, 1)
    if rule == VLLM_V0:
        return -1
    if rule == SARATHI:
        lost = plan_running(state, b, r, False, True, log)
        return lost if lost >= 0 else plan_running(state, b, r, True, False, log)
    return plan_running(state, b, r, True, True, log)


@kernel(entry=False)
def end_plan(state: State, b: int, r: int, log: Log) -> int:
    """Decodes of vLLM v0, where no prompt came in; returns a hopeless request or -1."""
    if state.slot[b].batching != VLLM_V0:
        return -1
    for k in range(state.rep[b, r].running):
        if state.req[b, state.run[b, r, k]].chunk > 0:
            return -1
    return plan_running(state, b, r, True, True, log)
