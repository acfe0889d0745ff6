"""Nothing is lost or served twice, whatever the load, the rules and the decisions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from graphsched.envs.batching import DOMAIN
from graphsched.envs.batching.generators import GENERATORS
from graphsched.envs.batching.instance import BatchingInstance, Prefixes, Replica, make_requests
from graphsched.envs.batching.options import (
    BATCHINGS,
    KINDS,
    ORDERS,
    PREEMPTIONS,
    ROUTERS,
    BatchingOptions,
    Scheduler,
)
from graphsched.envs.batching.physics.replay import serve
from graphsched.envs.batching.physics.state import MOVING, SERVED
from graphsched.envs.batching.simulator import BatchingSim

pytestmark = pytest.mark.compiled


FLEETS = [
    ("both",),
    ("both", "both"),
    ("prefill", "decode"),
    ("both", "decode"),
    ("prefill", "both", "decode"),
    ("both", "both", "both"),
]


@st.composite
def instances(draw):
    """Few requests on little memory, with prefixes and stages."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    n = draw(st.integers(1, 12))
    blocks = draw(st.integers(6, 40))
    prompt = rng.integers(1, 16 * blocks + 40, n)
    output = rng.integers(1, 120, n)
    group = rng.integers(-1, 6, n)
    shared = np.where(group >= 0, rng.integers(0, prompt + 1), 0)
    edges = [(a, b) for a in range(n) for b in range(a + 1, n) if rng.random() < 0.05]
    requests = make_requests(
        np.sort(rng.uniform(0, draw(st.sampled_from([0.0, 0.5, 5.0])), n)),
        prompt,
        output,
        rng.integers(1, 200, n),
        group=group,
        shared=shared,
        extends=rng.integers(shared, prompt + output + 1),
        priority=rng.integers(0, 3, n),
        ttft_s=np.full(n, 0.3),
    )
    roles = draw(st.sampled_from(FLEETS))
    cards = rng.choice(["a100", "h100"], len(roles)).tolist()
    fleet = tuple(
        Replica(card, kv_blocks=blocks + int(rng.integers(0, 9)), role=role)
        for card, role in zip(cards, roles, strict=True)
    )
    pairs = np.array(edges, np.int64).reshape(-1, 2).T
    return BatchingInstance(
        "h",
        requests,
        fleet,
        pairs,
        prefixes=_tree(rng),
        link_bandwidth=draw(st.sampled_from([25e9, 1e8, 1e7])),
        link_latency_s=draw(st.sampled_from([0.0, 1e-3, 0.1])),
    )


def _tree(rng):
    """Six segments, some of which branch off others."""
    parent, start = [-1], [0]
    for g in range(1, 6):
        parent.append(int(rng.integers(-1, g)))
        start.append(start[parent[g]] + 16 * int(rng.integers(0, 6)) if parent[g] >= 0 else 0)
    return Prefixes(np.array(parent), np.array(start))


def check_cache(state, r, blocks):
    """Blocks add up; what may be evicted stands in a ring, and on what is there."""
    home = state.req["home"][0] == r
    cached, users = state.cached[0, r], state.users[0, r]
    reserved = state.req["reserved"][0][state.req["target"][0] == r].sum()
    own = state.req["own"][0][home].sum()
    assert state.rep["free"][0, r] + own + reserved + cached.sum() == blocks
    moving = (home & (state.req["status"][0] == MOVING)).sum()
    coming = (state.req["target"][0] == r) & (state.req["reserved"][0] > 0)
    assert state.rep["bound"][0, r] == moving + coming.sum()
    assert state.rep["incoming"][0, r] == (state.req["target"][0] == r).sum()
    unused = (users == 0) & (cached > 0)
    assert state.rep["evictable"][0, r] == cached[unused].sum()
    ring, place = [], state.newer[0, r, 0]
    while place > 0:
        ring.append(place - 1)
        assert state.newer[0, r][state.older[0, r, place]] == place
        place = state.newer[0, r, place]
    assert sorted(ring) == np.flatnonzero(unused).tolist()
    first, parent = state.first[0], state.parent[0]
    for g in np.flatnonzero(cached).tolist():
        if (above := parent[g]) >= 0 and first[g] > first[above]:
            assert first[above] + cached[above] >= first[g]
            assert g not in ring or above not in ring or ring.index(g) < ring.index(above)


rules = {
    "batching": st.sampled_from(BATCHINGS),
    "budget": st.sampled_from([0, 16, 128, 512]),
    "max_seqs": st.sampled_from([1, 3, 128]),
    "preemption": st.sampled_from(PREEMPTIONS),
    "order": st.sampled_from(ORDERS),
    "aging": st.sampled_from([0.0, 1.0]),
    "passes": st.sampled_from([0, 1, 64]),
    "router": st.sampled_from(ROUTERS),
    "prefix_cache": st.booleans(),
    "displace": st.sampled_from([0.0, 0.01, 1.0]),
    "claim": st.sampled_from([0.1, 9.0]),
    "migration": st.booleans(),
    "migrate_every": st.sampled_from([1, 3, 16]),
    "migrate_below": st.sampled_from([-3.0, 2.0, 50.0]),
    "migrate_margin": st.sampled_from([0.0, 3.0]),
}
AGENTS = st.sets(st.sampled_from(KINDS)).map(lambda words: "+".join(sorted(words)) or "none")


@pytest.mark.parametrize("kind", list(GENERATORS))
def test_every_rule_s_log_of_every_generator_passes(kind):
    for size in ("40@30", "60"):
        instance = GENERATORS[kind](np.random.default_rng(1), size)
        for name, baseline in DOMAIN.baselines.items():
            if baseline.is_rule:
                assert DOMAIN.check(instance, DOMAIN.baseline(name)(instance)) == [], name


slowly = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@slowly
@given(instances(), st.builds(Scheduler, **rules))
def test_rules_keep_every_token_and_block(instance, scheduler):
    solution = serve(instance, scheduler)
    assert DOMAIN.check(instance, solution) == []
    assert DOMAIN.cost(instance, solution) == pytest.approx(solution.cost)
    assert DOMAIN.lower_bound(instance) <= solution.cost + 1e-9


@slowly
@given(
    instances(),
    st.builds(BatchingOptions, **rules, agent=AGENTS, window=st.just(3)),
    st.integers(0, 2**32),
)
def test_decisions_keep_every_token_and_block(instance, options, seed):
    """After every step the blocks of each replica add up, and so does the reward at the end."""
    rng = np.random.default_rng(seed)
    sim = BatchingSim(1, options)
    sim.reset([0], [instance], [0])
    total = 0.0
    while sim.waiting.any():
        total += float(sim.step(rng.integers(0, sim.state.slot["count"][sim.waiting])).rewards[0])
        state = sim.state
        for r in range(len(instance.replicas)):
            check_cache(state, r, instance.replicas[r].kv_blocks)
    solution = sim.solution(0)
    assert DOMAIN.check(instance, solution) == []
    assert solution.cost == pytest.approx(sim.costs()[0])
    assert total == pytest.approx(-0.1 * solution.cost)
    served = sim.state.req["status"][0] == SERVED
    assert (sim.state.req["made"][0][served] == sim.state.req["output"][0][served]).all()
    assert (sim.state.rep["pending"][0] == 0).all()
