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
    head_of,
    next_by_rule,
    pass_over,
)
from graphsched.envs.batching.physics.cluster import cluster_at, is_decode, todo_of
from graphsched.envs.batching.physics.decode_runs import decode_run, next_arrival
from graphsched.envs.batching.physics.forecast import service_s, urgency
from graphsched.envs.batching.physics.kv_blocks import keep_prefix, retire
from graphsched.envs.batching.physics.log import log_iteration, log_tokens
from graphsched.envs.batching.physics.moving.displace import (
    claimant,
    displace,
    displaces,
    may_leave,
    rule_victim,
)
from graphsched.envs.batching.physics.moving.links import (
    abort,
    begin_transfers,
    end_transfer,
    let_go,
)
from graphsched.envs.batching.physics.moving.migration import migrate
from graphsched.envs.batching.physics.routing import able, note_route, route_by_rule
from graphsched.envs.batching.physics.rules.tallies import tally_arrival, tally_tokens
from graphsched.envs.batching.physics.slo import FULL, slo_penalty
from graphsched.envs.batching.physics.state import (
    ADMIT,
    BUDGET,
    FUTURE,
    PREEMPT,
    QUEUED,
    REJECTED,
    ROUTE,
    SERVED,
)
from graphsched.envs.core.kernels.jit import kernel
from graphsched.envs.core.sim import DONE, WAITING

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from graphsched.envs.batching.physics.cluster import Cluster
    from graphsched.envs.batching.physics.log import Log
    from graphsched.envs.batching.physics.state import State

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

IDLE, BEGUN, ASKS = range(3)  # what came of putting an iteration together
PATIENCE = 3  # times that it is tried to put one together on an idle replica
REWARD = 0.1  # for each point of the cost


@kernel(entry=False)
def _settle(cluster: Cluster, i: int, penalty: float) -> None:
    """A request's penalty is now at least so much."""
    one = cluster.req[i]
    cluster.slot[0].loss += one.weight * (penalty - one.settled_loss)
    one.settled_loss = penalty


@kernel(entry=False)
def _penalty_so_far(cluster: Cluster, i: int) -> float:
    """Of a request whose first token is out."""
    one = cluster.req[i]
    waited = one.first_token - one.visible
    ratio = waited / one.ttft
    if one.status == SERVED:
        gaps = max(one.output - 1, 1)
        pace = (one.last_token - one.first_token) / gaps
        ratio = max(ratio, pace / one.tpot)
        ratio = max(ratio, (one.last_token - one.arrival) / one.deadline)
    return slo_penalty(ratio, waited, cluster.slot[0].starvation)


@kernel(entry=False)
def _appear(cluster: Cluster, i: int) -> None:
    """A request may be routed from now on."""
    slot = cluster.slot[0]
    cluster.req[i].visible = slot.clock
    cluster.line[slot.tail] = i
    slot.tail += 1


@kernel(entry=False)
def _reject(cluster: Cluster, i: int) -> None:
    """A request is lost, and so are those that need its output."""
    cluster.req[i].status = REJECTED
    cluster.slot[0].settled += 1
    _settle(cluster, i, FULL)
    for e in range(cluster.succ_ptr[i], cluster.succ_ptr[i + 1]):
        stage = cluster.req[cluster.succ[e]]
        if stage.status == FUTURE:
            stage.status = REJECTED
            _appear(cluster, cluster.succ[e])


@kernel(entry=False)
def _serve(cluster: Cluster, r: int, i: int, log: Log) -> None:
    """Its last token is out."""
    one = cluster.req[i]
    abort(cluster, i, log)
    keep_prefix(cluster, r, i, one.kv)
    retire(cluster, r, i)
    one.status = SERVED
    cluster.slot[0].settled += 1
    cluster.rep[r].hold = 0
    cluster.rep[r].refused_until = 0.0
    for e in range(cluster.succ_ptr[i], cluster.succ_ptr[i + 1]):
        stage = cluster.req[cluster.succ[e]]
        stage.blockers -= 1
        if stage.blockers == 0 and stage.status == FUTURE:
            _appear(cluster, cluster.succ[e])


@kernel(entry=False)
def _end_iteration(cluster: Cluster, r: int, log: Log) -> None:
    """The iteration of a replica ends: tokens come out, requests that are through leave."""
    slot, rep, run = cluster.slot[0], cluster.rep[r], cluster.run[r]
    kept = 0
    for k in range(rep.running):
        i = run[k]
        one = cluster.req[i]
        chunk = one.chunk
        run[kept] = i
        kept += 1
        if chunk == 0:
            continue
        log_tokens(log, i, r, rep.iteration, chunk)
        todo, decode = todo_of(one), is_decode(one)
        one.kv += chunk
        one.chunk = 0
        rep.pending -= min(chunk, todo - 1) if one.made > 0 else chunk
        if todo > chunk:
            continue
        one.made += 1
        tally_tokens(cluster, r, i, 1)
        one.last_token = slot.clock
        if not decode:
            keep_prefix(cluster, r, i, one.kv)
        if one.made == 1:
            one.first_token = slot.clock
            _settle(cluster, i, _penalty_so_far(cluster, i))
        if one.made == one.output:
            kept -= 1
            _serve(cluster, r, i, log)
            _settle(cluster, i, _penalty_so_far(cluster, i))
    rep.running = kept
    rep.batch = 0
    rep.busy_until = np.inf
    rep.ready = slot.clock
    rep.iteration += 1
    let_go(cluster, r, log)


@kernel(entry=False)
def _iteration_s(cluster: Cluster, r: int) -> float:
    """Time of the batch that was put together, and of its swapping."""
    rep, run = cluster.rep[r], cluster.run[r]
    tokens, decodes, kv, prompt, products = 0, 0, 0, 0, 0.0
    for k in range(rep.running):
        one = cluster.req[run[k]]
        chunk = one.chunk
        if chunk == 0:
            continue
        tokens += chunk
        if is_decode(one):
            decodes += 1
            kv += one.kv
        else:
            prompt += chunk
            products += products_of(one.kv, chunk)
    if tokens == 0:
        return 0.0
    table, loads = cluster.table[r], cluster.loads[r]
    batch = batch_s(table, loads, tokens, decodes, kv, prompt, products)
    return float(batch + rep.swap_moved * rep.swap_block)


@kernel(entry=False)
def _dynamic_budget(cluster: Cluster, r: int) -> int:
    """The largest budget whose iteration meets the tightest TPOT target of the decodes."""
    target, decodes, kv = np.inf, 0, 0
    for k in range(cluster.rep[r].running):
        one = cluster.req[cluster.run[r, k]]
        if one.made > 0:
            target = min(target, one.tpot)
            decodes += 1
            kv += one.kv
    best, table, loads = BUDGETS[0], cluster.table[r], cluster.loads[r]
    for budget in BUDGETS:
        before = decodes_before_reads_s(table, loads, budget, decodes) + kv_read_s(loads, kv)
        if with_prefill_s(before, loads, budget) <= target:
            best = budget
    return best


@kernel(entry=False)
def _offer_budgets(cluster: Cluster, r: int) -> None:
    slot = cluster.slot[0]
    for c in range(len(BUDGETS)):
        cluster.choice[c] = BUDGETS[c]
    slot.count, slot.kind, slot.replica = len(BUDGETS), BUDGET, r


@kernel(entry=False)
def _offer_admissions(cluster: Cluster, r: int, window: int) -> int:
    """Queued requests that fit: the rule's, the oldest ones, and those of least predicted service.

    None where an idle replica can't take the rule's as it is: by the rule it makes room first. None
    either while the agent holds, which doesn't keep requests from being displaced.
    """
    slot, rep = cluster.slot[0], cluster.rep[r]
    count = 0
    if rep.hold:
        return 0
    rule = head_of(cluster, r)
    if rule >= 0 and fits(cluster, r, rule):
        cluster.choice[0] = rule
        count = 1
    elif rule >= 0 and rep.running == 0:
        return 0
    for k in range(rep.queued):
        if count >= window - window // 2:
            break
        i = cluster.queue[r, k]
        if (count == 0 or i != cluster.choice[0]) and fits(cluster, r, i):
            cluster.choice[count] = i
            count += 1
    while count < window and count < rep.queued:
        best, least = -1, np.inf
        for k in range(rep.queued):
            i = cluster.queue[r, k]
            known = False
            for c in range(count):
                known |= cluster.choice[c] == i
            if not known:
                need = service_s(cluster, r, i)
                if need < least and fits(cluster, r, i):
                    best, least = i, need
        if best < 0:
            break
        cluster.choice[count] = best
        count += 1
    waits = rule < 0 or cluster.choice[0] != rule  # the rule admits nobody
    if count > 0 and rep.running > 0 and (waits or not fits(cluster, r, cluster.queue[r, 0])):
        cluster.choice[count] = -1
        count += 1
    slot.count, slot.kind, slot.replica = count, ADMIT, r
    return count


@kernel(entry=False)
def _offer_victims(cluster: Cluster, r: int, i: int, window: int) -> bool:
    """Running requests that may make room for request i, those of most slack, or none of them."""
    if not cluster.agent[PREEMPT]:
        return False
    slot, run, count = cluster.slot[0], cluster.run[r], 0
    last, place = np.inf, 0  # of the one before; those of equal slack from the last that came in
    while count < window:
        best, most = -1, -np.inf
        for k in range(cluster.rep[r].running):
            slack = urgency(cluster, r, run[k])
            after = slack < last or (slack == last and k < place)
            if after and slack >= most and may_leave(cluster, r, k):
                best, most = k, slack
        if best < 0:
            break
        cluster.choice[count] = run[best]
        count, last, place = count + 1, most, best
    cluster.choice[count] = -1
    slot.count, slot.kind, slot.replica, slot.subject = count + 1, PREEMPT, r, i
    return count > 0


@kernel(entry=False)
def _admit_queued(cluster: Cluster, r: int, window: int, log: Log) -> bool:
    """Queued requests join while there is room; returns whether the agent has to choose."""
    while admits(cluster, r):
        count = _offer_admissions(cluster, r, window) if cluster.agent[ADMIT] else 0
        if count > 1:
            return True
        if count == 1:
            i = cluster.choice[0]
            pass_over(cluster, r, i)
        else:
            i = next_by_rule(cluster, r)
        if i < 0 and displaces(cluster):
            i = claimant(cluster, r)
            if i >= 0 and _offer_victims(cluster, r, i, window):
                return True
            if i >= 0 and not displace(cluster, r, rule_victim(cluster, r, i), i, log):
                continue
        if i < 0:
            break
        admit(cluster, r, i, log)
    return False


@kernel(entry=False)
def _begin_iteration(
    cluster: Cluster, r: int, window: int, every: int, roots: int, log: Log
) -> int:
    """Put an iteration together, or go on with it after a decision."""
    rep = cluster.rep[r]
    if not rep.planning:
        since = rep.iteration - rep.last_budget
        if cluster.agent[BUDGET] and rep.pending > 0 and since >= every:
            rep.last_budget = rep.iteration
            _offer_budgets(cluster, r)
            return ASKS
        if not cluster.agent[BUDGET] and cluster.slot[0].fixed_budget == 0:
            rep.budget = _dynamic_budget(cluster, r)
        rep.begun = decode_run(cluster, r, roots, log)
        lost = begin_plan(cluster, r, log)
        if lost >= 0:
            _reject(cluster, lost)
    if _admit_queued(cluster, r, window, log):
        return ASKS
    lost = end_plan(cluster, r, log)
    if lost >= 0:
        _reject(cluster, lost)
    rep.planning = 0
    time = _iteration_s(cluster, r)
    if time == 0.0:
        return IDLE
    rep.busy_until = rep.begun + time
    rep.batch = 1
    log_iteration(log, r, rep.begun, rep.busy_until, rep.swap_moved, rep.swap_calls)
    rep.swap_moved = rep.swap_calls = 0
    return BEGUN


@kernel(entry=False)
def _dispatch(cluster: Cluster, i: int, r: int) -> None:
    """A request goes to a replica, or is rejected where r is -1."""
    cluster.slot[0].head += 1
    cluster.slot[0].turn += 1
    if r < 0:
        _reject(cluster, i)
        return
    one, rep = cluster.req[i], cluster.rep[r]
    one.status, one.home, one.routed = QUEUED, r, r
    rep.pending += one.prompt
    rep.hold = 0
    rep.refused_until = 0.0
    note_route(cluster, r, i)
    tally_arrival(cluster, r, i)
    enqueue(cluster, r, i)


@kernel(entry=False)
def _route(cluster: Cluster) -> bool:
    """Route what waits; returns whether the agent has to."""
    slot = cluster.slot[0]
    while slot.head < slot.tail:
        i = cluster.line[slot.head]
        if cluster.req[i].status == REJECTED:  # what it needed is lost
            slot.head += 1
            _reject(cluster, i)
            continue
        first = slot.offer_first != 0 and slot.decisions == 0
        count = 0
        if cluster.agent[ROUTE] or first:
            for r in range(slot.replicas):
                if able(cluster, r, i):
                    cluster.choice[count] = r
                    count += 1
        if first and count == 0:
            cluster.choice[0] = -1
            count = 1
        if count > 1 and not cluster.agent[ROUTE]:
            cluster.choice[0] = route_by_rule(cluster, i)
            count = 1
        if count > 1 or first:
            slot.count, slot.kind, slot.subject = count, ROUTE, i
            return True
        _dispatch(cluster, i, cluster.choice[0] if count == 1 else route_by_rule(cluster, i))
    return False


@kernel(entry=False)
def _arrivals(cluster: Cluster, roots: int) -> None:
    slot = cluster.slot[0]
    while next_arrival(cluster, roots) <= slot.clock:
        slot.next_root += 1
        _appear(cluster, cluster.root[slot.next_root - 1])


@kernel(entry=False)
def _next_event(cluster: Cluster, roots: int) -> float:
    out = next_arrival(cluster, roots)
    for r in range(cluster.slot[0].replicas):
        rep = cluster.rep[r]
        if rep.batch:
            out = min(out, rep.busy_until)
        out = min(out, rep.sent_at)
    return float(out)


@kernel(entry=False)
def _wake(cluster: Cluster, log: Log) -> None:
    """Nothing goes on, but planning may have given up what others wait for: they may try again."""
    slot = cluster.slot[0]
    for r in range(slot.replicas):
        slot.clock = max(slot.clock, cluster.rep[r].ready)
    begin_transfers(cluster, log)


@kernel(entry=False)
def _end_all(cluster: Cluster, log: Log) -> None:
    """Iterations and transfers that end now; now and then a request begins to move."""
    slot, looks = cluster.slot[0], False
    for r in range(slot.replicas):
        rep = cluster.rep[r]
        if rep.batch and rep.busy_until <= slot.clock:
            _end_iteration(cluster, r, log)
            looks |= slot.migrates > 0 and rep.iteration % slot.migrate_every == 0
    if slot.pools == 0:
        return
    for r in range(slot.replicas):
        if cluster.rep[r].sent_at <= slot.clock:
            end_transfer(cluster, r, log)
    if looks:
        migrate(cluster, log)
    begin_transfers(cluster, log)  # before iterations are planned, which may begin later


@kernel(entry=False)
def _begin_idle(cluster: Cluster, roots: int, window: int, every: int, log: Log) -> bool:
    """Idle replicas begin; returns whether the agent is asked."""
    for r in range(cluster.slot[0].replicas):
        rep, tries = cluster.rep[r], 0
        while not rep.batch and rep.queued + rep.running > 0:
            came = _begin_iteration(cluster, r, window, every, roots, log)
            if came == ASKS:
                return True
            tries += 1
            if rep.bound + rep.incoming > 0 and tries == PATIENCE:
                break  # what moves holds the memory, or a place
    return False


@kernel(entry=False)
def _advance(cluster: Cluster, window: int, every: int, log: Log) -> None:
    """Run on until the agent has to decide or all requests are settled."""
    slot = cluster.slot[0]
    roots = slot.requests
    while roots > 0 and cluster.root[roots - 1] < 0:
        roots -= 1
    woken = False
    while True:
        _arrivals(cluster, roots)
        if _route(cluster) or _begin_idle(cluster, roots, window, every, log):
            slot.status = WAITING
            return
        if slot.head < slot.tail:
            continue  # something was lost while iterations were put together
        at = _next_event(cluster, roots)
        if at == np.inf and slot.pools > 0 and not woken:
            woken = True
            _wake(cluster, log)
            continue
        if at == np.inf:
            slot.status = DONE
            return
        slot.clock, woken = at, False
        _end_all(cluster, log)


@kernel(entry=False)
def _make_room(cluster: Cluster, r: int, victim: int, log: Log) -> None:
    """A running request leaves, or nobody; who it makes room for joins if there is enough of it."""
    i = cluster.slot[0].subject
    if displace(cluster, r, victim, i, log) and admits(cluster, r):
        admit(cluster, r, i, log)


@kernel(entry=False)
def _act(cluster: Cluster, c: int, log: Log) -> None:
    slot = cluster.slot[0]
    chosen, r = cluster.choice[c], slot.replica
    if slot.kind == ROUTE:
        _dispatch(cluster, slot.subject, chosen)
    elif slot.kind == BUDGET:
        cluster.rep[r].budget = chosen
    elif slot.kind == PREEMPT:
        _make_room(cluster, r, chosen, log)
    elif chosen >= 0:
        pass_over(cluster, r, chosen)
        admit(cluster, r, chosen, log)
    else:
        cluster.rep[r].hold = 1
    cluster.taken[slot.decisions] = c
    slot.decisions += 1


@kernel
def begin(state: State, slots: Ints, window: int, every: int, log: Log) -> None:
    """First decisions of freshly loaded slots."""
    for k in range(len(slots)):
        _advance(cluster_at(state, slots[k]), window, every, log)


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
        cluster = cluster_at(state, slots[k])
        slot = cluster.slot[0]
        clock = slot.clock
        _act(cluster, actions[k], log)
        _advance(cluster, window, every, log)
        worth = -REWARD * slot.loss / slot.total_weight
        rewards[k] = worth - slot.paid
        slot.paid = worth
        dones[k] = slot.status == DONE
        elapsed[k] = slot.clock - clock


@kernel
def replay(state: State, actions: Ints, window: int, every: int, log: Log) -> None:
    """Play the only slot again by its actions (D,), all in one go."""
    cluster = cluster_at(state, 0)
    _advance(cluster, window, every, log)
    for k in range(len(actions)):
        _act(cluster, actions[k], log)
        _advance(cluster, window, every, log)
