"""What queues and workflows stand to lose: columns that look past the request at hand, by hand.

Replicas are those of `conftest.Cards`; on the slow one, idle, a prompt's token takes
(10 + 0.05 x 512 + 2.8 + 0.05 x 512) / 512 = 0.125 ms, and products 0.00001 ms each.
"""

from __future__ import annotations

from math import inf
from typing import Any

import numpy as np
import pytest

from graphsched.envs.batching.features import CANDIDATE, CONTEXT
from graphsched.envs.batching.generators import GENERATORS
from graphsched.envs.batching.instance import BatchingInstance, Replica, make_requests
from graphsched.envs.batching.options import BatchingOptions, Scheduler
from graphsched.envs.batching.physics.loading import load_slot
from graphsched.envs.batching.physics.replay import serve
from graphsched.envs.batching.physics.state import ADMIT, ROUTE
from graphsched.envs.batching.simulator import BatchingSim
from graphsched.envs.core.sim import WAITING

CAND = [feature.name for feature in CANDIDATE]
CTX = [feature.name for feature in CONTEXT]


def waiting(cards, requests, queue, edges=(), **options):
    """One slow replica whose queue holds some requests; a second one, where routes have a choice."""
    fleet = (Replica(cards.slow, kv_blocks=1000), Replica(cards.slow, kv_blocks=1000))
    edge = np.array(edges, np.int64).reshape(-1, 2).T
    instance = BatchingInstance("stakes", requests, fleet, edge, starvation_s=10.0)
    sim = BatchingSim(1, BatchingOptions(agent="route+admit", **options))
    sim.reset([0], [instance], [0])
    load_slot(sim.state, 0, instance, sim.options)
    sim.state.queue[0, 0, : len(queue)] = queue
    sim.state.rep[0, 0]["queued"] = len(queue)
    sim.state.slot["status"][0] = WAITING
    return sim


def ask(sim, kind, choices, **slot):
    sim.state.choice[0, : len(choices)] = choices
    for name, value in {"kind": kind, "count": len(choices), **slot}.items():
        sim.state.slot[name][0] = value
    obs = sim.observe()
    return [dict(zip(CAND, row, strict=True)) for row in obs["candidate"].tolist()], dict(
        zip(CTX, obs["context"][0].tolist(), strict=True)
    )


def test_an_arrival_that_goes_first_makes_those_behind_it_late(cards):
    # Prompts of 800 tokens: 100 + 3.2 = 103.2 ms each. Request 2 is shorter and goes before both
    # by shortest first: its 400 tokens take 50 + 0.8 = 50.8. Request 0 would be through after 103.2,
    # due at 150: late by it. Request 1 would be through after 206.4, due at 300: 42.8 are left to
    # it afterwards, less than a quarter of 300.
    requests = make_requests(
        [0.0, 0.0, 0.0],
        [800, 800, 400],
        [9, 9, 9],
        ttft_s=np.array([0.150, 0.300, 0.5]),
        weight=np.array([2.0, 3.0, 1.0]),
    )
    sim = waiting(cards, requests, [0, 1], order="sjf")
    (here, there), _ = ask(sim, ROUTE, [0, 1], subject=2)
    assert (here["makes_late"], here["brings_near"]) == (2.0, 3.0)
    assert here["turn"] == pytest.approx(0.0508 / 0.5)
    assert (there["makes_late"], there["brings_near"]) == (0.0, 0.0)


def test_an_arrival_that_goes_last_waits_for_its_turn(cards):
    requests = make_requests(
        [0.0, 0.0, 0.0], [800, 800, 400], [9, 9, 9], ttft_s=np.array([0.15, 0.3, 0.25])
    )
    sim = waiting(cards, requests, [0, 1])
    (here, there), _ = ask(sim, ROUTE, [0, 1], subject=2)
    assert here["turn"] == pytest.approx((0.2064 + 0.0508) / 0.25)
    assert here["turn_late"] == 1.0
    assert here["turn_over_best"] == pytest.approx(0.2064 / 0.25)
    assert (there["turn"], there["turn_late"]) == (pytest.approx(0.0508 / 0.25), 0.0)
    assert (here["makes_late"], here["brings_near"]) == (0.0, 0.0)


def test_who_can_be_in_time_is_moore_and_hodgsons_set(cards):
    # Due at 120, 200, 260: prompts of 103.2, 50.8 and 154 = 1200 x 0.125 + 7.2 = 157.2. After 103.2
    # and 154.0 the third would end at 311.2: the longest for its stake is given up, the third
    # itself at 157.2 / 1, as 103.2 / 1 and 50.8 / 1 are less.
    requests = make_requests(
        [0.0] * 3, [800, 400, 1200], [9, 9, 9], ttft_s=np.array([0.120, 0.200, 0.260])
    )
    sim = waiting(cards, requests, [0, 1, 2])
    rows, _ = ask(sim, ADMIT, [0, 1, 2], replica=0)
    assert [row["timely"] for row in rows] == [1, 1, 0]
    # First 0: nothing is lost. First 1: 0 would end at 154, but then there is time for 2, until 208.
    # First 2: it is in time itself, at 157.2, but 0 isn't, nor is 1, at 208.
    assert [row["timely_loss"] for row in rows] == [0, 0, 1]


def test_the_heavier_one_is_kept(cards):
    requests = make_requests(
        [0.0] * 2,
        [800, 400],
        [9, 9],
        ttft_s=np.array([0.130, 0.140]),
        weight=np.array([4.0, 1.0]),
    )
    rows, _ = ask(waiting(cards, requests, [0, 1]), ADMIT, [0, 1], replica=0)
    assert [row["timely"] for row in rows] == [1, 0]
    assert [row["timely_loss"] for row in rows] == [0, 3]


def test_a_stage_has_to_leave_time_for_those_that_need_it(cards):
    # A usual prompt's token takes 0.125 ms and a further output's 12.6: the last stage takes
    # 800 x 0.125 + 10 x 12.6 = 226, so that the first has to be through by 1000 - 226 = 774.
    requests = make_requests(
        [0.0, 0.0],
        [400, 800],
        [20, 10],
        ttft_s=np.full(2, inf),
        tpot_s=np.full(2, inf),
        deadline_s=np.array([inf, 1.0]),
        weight=np.array([0.0, 3.0]),
    )
    sim = waiting(cards, requests, [0], [(0, 1)])
    first, last = sim.state.req[0, 0], sim.state.req[0, 1]
    assert first["latest"] == pytest.approx(0.774)
    assert (first["stages"], first["stake"], last["latest"], last["stages"]) == (1, 3.0, 1.0, 0)
    # its own service: 400 x 0.125 + 20 x 12.6 = 302, at 0.5 s it is too late
    rows, _ = ask(sim, ADMIT, [0], replica=0, clock=0.5)
    assert rows[0]["flow"] == pytest.approx(-0.0028)
    assert (rows[0]["flow_late"], rows[0]["stake"]) == (1.0, 1.0)
    _, context = ask(sim, ROUTE, [0, 1], subject=0)
    found = {name: context[name] for name in ("has_deadline", "has_first", "stages", "stake")}
    assert found == {"has_deadline": 1.0, "has_first": 0.0, "stages": 1.0, "stake": 3.0}


@pytest.mark.parametrize("router", ["prefix-affinity", "round-robin", "least-ttft"])
def test_asking_what_the_rule_would_do_changes_nothing(router):
    instance = GENERATORS["hetero"](np.random.default_rng(4), "24@24")
    rules = {"router": router, "order": "urgency", "passes": 64, "displace": 2.0}
    sim = BatchingSim(1, BatchingOptions(agent="route+admit+preempt", **rules))
    sim.reset([0], [instance], [0])
    while len((obs := sim.observe())["slot"]):
        sim.observe()
        sim.step(np.array([obs["candidate"][:, CAND.index("rule")].argmax()]))
    assert sim.solution(0).cost == pytest.approx(serve(instance, Scheduler(**rules)).cost)


@pytest.mark.compiled
@pytest.mark.parametrize("agent", ["admit", "preempt", "route+admit+preempt"])
@pytest.mark.parametrize(("generator", "size"), [("hetero", "120@24"), ("tight", "60")])
def test_an_agent_that_does_as_the_rule_is_the_rule(agent, generator, size):
    # An idle replica whose first in order didn't fit offered others where the rule made room; an
    # agent that held wasn't asked who should leave; ties of slack dropped one on offer.
    rules: dict[str, Any] = {"router": "hexgen", "alpha": 0.4, "doomed": True, "order": "edf"}
    rules |= {"budget": 0, "passes": 64, "preemption": "swap", "displace": 2.0}
    instances = [GENERATORS[generator](np.random.default_rng((778, k)), size) for k in range(6)]
    sim = BatchingSim(6, BatchingOptions(agent=agent, **rules))
    sim.reset(range(6), instances, [0] * 6)
    while len((obs := sim.observe())["slot"]):
        does = np.split(obs["candidate"][:, CAND.index("rule")], obs["candidate_ptr"][1:-1])
        sim.step(np.array([rows.argmax() for rows in does]))
    costs = [serve(instance, Scheduler(**rules)).cost for instance in instances]
    assert sim.costs() == pytest.approx(costs)
