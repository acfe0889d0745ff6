"""The event loop: arrivals are routed, replicas run iterations; it stops at the agent's decisions.

At a moment, iterations end, requests arrive, they are routed one by one, then idle replicas begin.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from graphsched.envs.batching.hardware.iteration_time import (
    batch_s,
    decodes_before_reads_s,
    kv_read_s,
    products_of,
    with_prefill_s,
)
from graphsched.envs.batching.options import BUDGETS
from graphsched.envs.batching.physics.admission import (
    admit,
    admits,
    begin_plan,
    end_plan,
    enqueue,
    fits,
    next_by_rule,
)
from graphsched.envs.batching.physics.codes import (
    ADMIT,
    BUDGET,
    FUTURE,
    OVER,
    QUEUED,
    REJECTED,
    ROUTE,
    SERVED,
    WAITS,
)
from graphsched.envs.batching.physics.decode_runs import coast
from graphsched.envs.batching.physics.forecast import service_s
from graphsched.envs.batching.physics.kv_blocks import keep_prefix, release
from graphsched.envs.batching.physics.log import log_iteration, log_tokens
from graphsched.envs.batching.physics.loss import FULL, points
from graphsched.envs.batching.physics.routing import able, route_by_rule
from graphsched.envs.core.kernels.jit import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from graphsched.envs.batching.physics.log import Log
    from graphsched.envs.batching.physics.state import State

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

IDLE, BEGUN, ASKS = range(3)  # what came of putting an iteration together
REWARD = 0.1  # for each point of the cost


@kernel(entry=False)
def _settle(state: State, b: int, i: int, loss: float) -> None:
    """A request's loss is now at least so much."""
    state.slot[b].loss += state.req[b, i].weight * (loss - state.req[b, i].settled_loss)
    state.req[b, i].settled_loss = loss


@kernel(entry=False)
def _loss_so_far(state: State, b: int, i: int) -> float:
    """Of a request whose first token is out."""
    waited = state.req[b, i].first_token - state.req[b, i].visible
    ratio = waited / state.req[b, i].ttft
    if state.req[b, i].status == SERVED:
        gaps = max(state.req[b, i].output - 1, 1)
        pace = (state.req[b, i].last_token - state.req[b, i].first_token) / gaps
        ratio = max(ratio, pace / state.req[b, i].tpot)
        ratio = max(
            ratio, (state.req[b, i].last_token - state.req[b, i].arrival) / state.req[b, i].deadline
        )
    return points(ratio, waited, state.slot[b].starvation)


@kernel(entry=False)
def _appear(state: State, b: int, i: int) -> None:
    """A request may be routed from now on."""
    state.req[b, i].visible = state.slot[b].clock
    state.line[b, state.slot[b].tail] = i
    state.slot[b].tail += 1


@kernel(entry=False)
def _reject(state: State, b: int, i: int) -> None:
    """A request is lost, and so are those that need its output."""
    state.req[b, i].status = REJECTED
    state.slot[b].settled += 1
    _settle(state, b, i, FULL)
    for e in range(state.succ_ptr[b, i], state.succ_ptr[b, i + 1]):
        j = state.succ[b, e]
        if state.req[b, j].status == FUTURE:
            state.req[b, j].status = REJECTED
            _appear(state, b, j)


@kernel(entry=False)
def _serve(state: State, b: int, r: int, i: int) -> None:
    """Its last token is out."""
    keep_prefix(state, b, r, i, state.req[b, i].kv)
    release(state, b, r, i)
    state.req[b, i].status = SERVED
    state.slot[b].settled += 1
    state.rep[b, r].hold = 0
    for e in range(state.succ_ptr[b, i], state.succ_ptr[b, i + 1]):
        j = state.succ[b, e]
        state.req[b, j].blockers -= 1
        if state.req[b, j].blockers == 0 and state.req[b, j].status == FUTURE:
            _appear(state, b, j)


@kernel(entry=False)
def _apply(state: State, b: int, r: int, log: Log) -> None:
    """The iteration of a replica ends: tokens come out, requests that are through leave."""
    req, rep, run = state.req[b], state.rep[b, r], state.run[b, r]
    kept = 0
    for k in range(rep.running):
        i = run[k]
        one = req[i]
        chunk = one.chunk
        run[kept] = i
        kept += 1
        if chunk == 0:
            continue
        log_tokens(log, i, r, rep.iteration, chunk)
        todo = one.prompt + one.made - one.kv
        decode = one.made > 0 and todo == 1
        one.kv += chunk
        one.chunk = 0
        rep.pending -= min(chunk, todo - 1) if one.made > 0 else chunk
        if todo > chunk:
            continue
        one.made += 1
        one.last_token = state.slot[b].clock
        if not decode:
            keep_prefix(state, b, r, i, one.kv)
        if one.made == 1:
            one.first_token = state.slot[b].clock
            _settle(state, b, i, _loss_so_far(state, b, i))
        if one.made == one.output:
            kept -= 1
            _serve(state, b, r, i)
            _settle(state, b, i, _loss_so_far(state, b, i))
    rep.running = kept
    rep.batch = 0
    rep.busy_until = np.inf
    rep.ready = state.slot[b].clock
    rep.iteration += 1


@kernel(entry=False)
def _iteration_s(state: State, b: int, r: int) -> float:
    """Time of the batch that was put together, and of its swapping."""
    req, rep, run = state.req[b], state.rep[b, r], state.run[b, r]
    tokens, decodes, kv, prompt, products = 0, 0, 0, 0, 0.0
    for k in range(rep.running):
        one = req[run[k]]
        chunk = one.chunk
        if chunk == 0:
            continue
        tokens += chunk
        if one.made > 0 and one.prompt + one.made - one.kv == 1:
            decodes += 1
            kv += one.kv
        else:
            prompt += chunk
            products += products_of(one.kv, chunk)
    if tokens == 0:
        return 0.0
    table, loads = state.table[b, r], state.loads[b, r]
    batch = batch_s(table, loads, tokens, decodes, kv, prompt, products)
    return float(batch + rep.swap_moved * rep.swap_block)


@kernel(entry=False)
def _dynamic_budget(state: State, b: int, r: int) -> int:
    """The largest budget whose iteration meets the tightest TPOT target of the decodes."""
    target, decodes, kv = np.inf, 0, 0
    for k in range(state.rep[b, r].running):
        i = state.run[b, r, k]
        if state.req[b, i].made > 0:
            target = min(target, state.req[b, i].tpot)
            decodes += 1
            kv += state.req[b, i].kv
    best, table, loads = BUDGETS[0], state.table[b, r], state.loads[b, r]
    for budget in BUDGETS:
        before = decodes_before_reads_s(table, loads, budget, decodes) + kv_read_s(loads, kv)
        if with_prefill_s(before, loads, budget) <= target:
            best = budget
    return best


@kernel(entry=False)
def _offer_budgets(state: State, b: int, r: int) -> None:
    for c in range(len(BUDGETS)):
        state.choice[b, c] = BUDGETS[c]
    state.slot[b].count, state.slot[b].kind, state.slot[b].replica = len(BUDGETS), BUDGET, r


@kernel(entry=False)
def _offer_admissions(state: State, b: int, r: int, window: int) -> int:
    """Queued requests that fit: the oldest ones, and those of least predicted service."""
    count = 0
    for k in range(state.rep[b, r].queued):
        if count >= window - window // 2:
            break
        i = state.queue[b, r, k]
        if fits(state, b, r, i):
            state.choice[b, count] = i
            count += 1
    while count < window and count < state.rep[b, r].queued:
        best, least = -1, np.inf
        for k in range(state.rep[b, r].queued):
            i = state.queue[b, r, k]
            known = False
            for c in range(count):
                known |= state.choice[b, c] == i
            if not known:
                need = service_s(state, b, r, i)
                if need < least and fits(state, b, r, i):
                    best, least = i, need
        if best < 0:
            break
        state.choice[b, count] = best
        count += 1
    if count > 0 and state.rep[b, r].running > 0 and not fits(state, b, r, state.queue[b, r, 0]):
        state.choice[b, count] = -1
        count += 1
    state.slot[b].count, state.slot[b].kind, state.slot[b].replica = count, ADMIT, r
    return count


@kernel(entry=False)
def _assemble(state: State, b: int, r: int, window: int, every: int, until: float, log: Log) -> int:
    """Put an iteration together, or go on with it after a decision."""
    if not state.rep[b, r].planning:
        since = state.rep[b, r].iteration - state.rep[b, r].last_budget
        if state.agent[b, BUDGET] and state.rep[b, r].pending > 0 and since >= every:
            state.rep[b, r].last_budget = state.rep[b, r].iteration
            _offer_budgets(state, b, r)
            return ASKS
        if not state.agent[b, BUDGET] and state.slot[b].fixed_budget == 0:
            state.rep[b, r].budget = _dynamic_budget(state, b, r)
        state.rep[b, r].begun = coast(state, b, r, until, log)
        lost = begin_plan(state, b, r, log)
        if lost >= 0:
            _reject(state, b, lost)
    while admits(state, b, r):
        i = -1
        if state.agent[b, ADMIT]:
            count = _offer_admissions(state, b, r, window)
            if count > 1:
                return ASKS
            if count == 1:
                i = state.choice[b, 0]
        if i < 0:
            i = next_by_rule(state, b, r)
        if i < 0:
            break
        admit(state, b, r, i, log)
    lost = end_plan(state, b, r, log)
    if lost >= 0:
        _reject(state, b, lost)
    state.rep[b, r].planning = 0
    time = _iteration_s(state, b, r)
    if time == 0.0:
        return IDLE
    state.rep[b, r].busy_until = state.rep[b, r].begun + time
    state.rep[b, r].batch = 1
    moved, calls = state.rep[b, r].swap_moved, state.rep[b, r].swap_calls
    log_iteration(log, r, state.rep[b, r].begun, state.rep[b, r].busy_until, moved, calls)
    state.rep[b, r].swap_moved = state.rep[b, r].swap_calls = 0
    return BEGUN


@kernel(entry=False)
def _dispatch(state: State, b: int, i: int, r: int) -> None:
    """A request goes to a replica, or is rejected where r is -1."""
    state.slot[b].head += 1
    if r < 0:
        _reject(state, b, i)
        return
    state.req[b, i].status, state.req[b, i].home = QUEUED, r
    state.rep[b, r].pending += state.req[b, i].prompt
    state.rep[b, r].hold = 0
    enqueue(state, b, r, i)


@kernel(entry=False)
def _route(state: State, b: int) -> bool:
    """Route what waits; returns whether the agent has to."""
    while state.slot[b].head < state.slot[b].tail:
        i = state.line[b, state.slot[b].head]
        if state.req[b, i].status == REJECTED:  # what it needed is lost
            state.slot[b].head += 1
            _reject(state, b, i)
            continue
        first = state.slot[b].offer_first != 0 and state.slot[b].decisions == 0
        count = 0
        if state.agent[b, ROUTE] or first:
            for r in range(state.slot[b].replicas):
                if able(state, b, r, i):
                    state.choice[b, count] = r
                    count += 1
        if first and count == 0:
            state.choice[b, 0] = -1
            count = 1
        if count > 1 and not state.agent[b, ROUTE]:
            state.choice[b, 0] = route_by_rule(state, b, i)
            count = 1
        if count > 1 or first:
            state.slot[b].count, state.slot[b].kind, state.slot[b].subject = count, ROUTE, i
            return True
        _dispatch(state, b, i, state.choice[b, 0] if count == 1 else route_by_rule(state, b, i))
    return False


@kernel(entry=False)
def _arrivals(state: State, b: int, roots: int) -> None:
    while state.slot[b].next_root < roots:
        i = state.root[b, state.slot[b].next_root]
        if state.req[b, i].arrival > state.slot[b].clock:
            return
        state.slot[b].next_root += 1
        _appear(state, b, i)


@kernel(entry=False)
def _next_event(state: State, b: int, roots: int) -> float:
    out = np.inf
    if state.slot[b].next_root < roots:
        out = state.req[b, state.root[b, state.slot[b].next_root]].arrival
    for r in range(state.slot[b].replicas):
        if state.rep[b, r].batch:
            out = min(out, state.rep[b, r].busy_until)
    return float(out)


@kernel(entry=False)
def _undisturbed(state: State, b: int, r: int, roots: int) -> float:
    """Up to when nothing outside a replica concerns it."""
    slot = state.slot[b]
    out = np.inf
    if slot.next_root < roots:
        out = state.req[b, state.root[b, slot.next_root]].arrival
    if state.succ_ptr[b, slot.requests] > 0:  # stages may follow from other replicas
        for other in range(slot.replicas):
            rep = state.rep[b, other]
            if other != r and rep.batch:
                out = min(out, rep.busy_until)
            elif other != r and rep.queued + rep.running > 0:
                out = slot.clock
    return float(out)


@kernel(entry=False)
def _begin_idle(state: State, b: int, roots: int, window: int, every: int, log: Log) -> bool:
    """Idle replicas begin; returns whether the agent is asked."""
    for r in range(state.slot[b].replicas):
        rep = state.rep[b, r]
        while not rep.batch and rep.queued + rep.running > 0:
            until = _undisturbed(state, b, r, roots)
            came = _assemble(state, b, r, window, every, until, log)
            if came == ASKS:
                return True
    return False


@kernel(entry=False)
def _advance(state: State, b: int, window: int, every: int, log: Log) -> None:
    """Run on until the agent has to decide or all requests are settled."""
    roots = state.slot[b].requests
    while roots > 0 and state.root[b, roots - 1] < 0:
        roots -= 1
    while True:
        _arrivals(state, b, roots)
        if _route(state, b):
            state.slot[b].phase = WAITS
            return
        if _begin_idle(state, b, roots, window, every, log):
            state.slot[b].phase = WAITS
            return
        if state.slot[b].head < state.slot[b].tail:
            continue  # something was lost while iterations were put together
        at = _next_event(state, b, roots)
        if at == np.inf:
            state.slot[b].phase = OVER
            return
        state.slot[b].clock = at
        for r in range(state.slot[b].replicas):
            if state.rep[b, r].batch and state.rep[b, r].busy_until <= at:
                _apply(state, b, r, log)


@kernel(entry=False)
def _act(state: State, b: int, c: int, log: Log) -> None:
    chosen, r = state.choice[b, c], state.slot[b].replica
    if state.slot[b].kind == ROUTE:
        _dispatch(state, b, state.slot[b].subject, chosen)
    elif state.slot[b].kind == BUDGET:
        state.rep[b, r].budget = chosen
    elif chosen >= 0:
        admit(state, b, r, chosen, log)
    else:
        state.rep[b, r].hold = 1
    state.taken[b, state.slot[b].decisions] = c
    state.slot[b].decisions += 1


@kernel
def begin(state: State, slots: Ints, window: int, every: int, log: Log) -> None:
    """First decisions of freshly loaded slots."""
    for k in range(len(slots)):
        _advance(state, slots[k], window, every, log)


@kernel
def step(
    state: State,
    slots: Ints,  # (N,) waiting
    actions: Ints,  # (N,) in range
    window: int,
    every: int,
    log: Log,
    rewards: Floats,  # (N,) out
    dones: NDArray[np.bool_],  # (N,) out
    elapsed: Floats,  # (N,) out
) -> None:
    """Act in all slots."""
    for k in range(len(slots)):
        b = slots[k]
        clock = state.slot[b].clock
        _act(state, b, actions[k], log)
        _advance(state, b, window, every, log)
        worth = -REWARD * state.slot[b].loss / state.slot[b].total_weight
        rewards[k] = worth - state.slot[b].paid
        state.slot[b].paid = worth
        dones[k] = state.slot[b].phase == OVER
        elapsed[k] = state.slot[b].clock - clock


@kernel
def replay(state: State, actions: Ints, window: int, every: int, log: Log) -> None:
    """Play the only slot again by its actions (D,), all in one go."""
    _advance(state, 0, window, every, log)
    for k in range(len(actions)):
        _act(state, 0, actions[k], log)
        _advance(state, 0, window, every, log)
