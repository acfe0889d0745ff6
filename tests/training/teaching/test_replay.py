"""Episodes played again give the decisions that were taken, on graphs that are told apart."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphsched.agents.learning.repack import rebase, select
from graphsched.envs.core.errors import InputError
from graphsched.envs.core.parts.options import seen_only
from graphsched.envs.core.registry import get_domain
from graphsched.training.teaching.dataset import Episode
from graphsched.training.teaching.replay import replay
from tests.toy_domain import DOMAIN as CREW

DOMAINS = {name: get_domain(name) for name in ("jobshop", "soc", "memory")} | {"crew": CREW}
SIZES = {"jobshop": "4x3", "soc": "8x3@1", "memory": "2@8", "crew": "4x2"}


def random_episodes(name, number, seed=0, soft=False):
    """Played at random; soft: with random probabilities as targets."""
    domain, rng = DOMAINS[name], np.random.default_rng(seed)
    out = []
    for k in range(number):
        instance = domain.generators["random"](rng, SIZES[name])
        sim = domain.simulator(1, domain.options())
        sim.reset([0], [instance], [k])
        actions, targets = [], []
        while len((obs := sim.observe())["slot"]):
            count = int(obs["candidate_ptr"][1])
            actions.append(int(rng.integers(count)))
            targets.append(rng.dirichlet(np.ones(count)))
            sim.step(np.array(actions[-1:]))
        flat = np.concatenate([np.zeros(0), *targets]).astype(np.float32) if soft else None
        out.append(Episode(instance, k, np.array(actions, np.int64), flat, float(sim.costs()[0])))
    return out


@pytest.mark.parametrize("name", DOMAINS)
@settings(max_examples=5)
@given(seed=st.integers(0, 2**32 - 1), soft=st.booleans())
def test_decisions_come_back(name, seed, soft):
    """Candidates and targets of each, episode after episode, and nothing without a choice."""
    domain, episodes = DOMAINS[name], random_episodes(name, 3, seed, soft)
    examples = replay(domain, domain.options(), episodes)
    counts = np.diff(examples.obs["candidate_ptr"])
    assert (counts > 1).all()
    assert examples.targets.dtype == np.float32
    assert len(examples.targets) == counts.sum()
    assert (np.diff(examples.obs["slot"]) >= 0).all()
    at = 0
    for number, episode in enumerate(episodes):
        sim = domain.simulator(1, domain.options())
        sim.reset([0], [episode.instance], [episode.seed])
        flat = 0
        for action in episode.actions.tolist():
            obs = sim.observe()
            count = int(obs["candidate_ptr"][1])
            if count > 1:
                mine = select(examples.obs, np.array([at]))
                first = examples.obs["candidate_ptr"][at]
                targets = examples.targets[first : first + count]
                expected = np.eye(count)[action]
                if soft:
                    expected = episode.targets[flat : flat + count]
                assert np.array_equal(targets, expected)
                assert mine["slot"][0] == number
                for key in ("candidate", "context", "resource", "kind"):
                    assert np.array_equal(mine[key], obs[key])
                _assert_same_nodes(domain, mine, examples.store, obs, sim.store)
                at += 1
            flat += count
            sim.step(np.array([action]))
    assert at == len(examples)


def _assert_same_nodes(domain, mine, store, theirs, their_store):
    """Graphs and references lead to the same, wherever stores keep them."""
    (ours, ids), (original, their_ids) = rebase(mine, store), rebase(theirs, their_store)
    graphs = [[s.graph(i) for i in k.tolist()] for s, k in ((store, ids), (their_store, their_ids))]
    for left, right in zip(*graphs, strict=True):
        for node in domain.schema.nodes:
            assert np.array_equal(left.nodes[node.name], right.nodes[node.name])
    for key in ("candidate_node", "resource_node"):
        assert np.array_equal(ours[key], original[key])


@pytest.mark.parametrize("name", DOMAINS)
def test_slots_make_no_difference(name):
    episodes = random_episodes(name, 5)
    domain = DOMAINS[name]
    whole, split = (replay(domain, domain.options(), episodes, slots) for slots in (64, 2))
    assert np.array_equal(whole.targets, split.targets)
    for key in ("slot", "candidate", "candidate_ptr", "context", "graph_ptr"):
        assert np.array_equal(whole.obs[key], split.obs[key])


def test_an_instance_in_several_episodes():
    """Shares a graph where it is the same object, and doesn't have to."""
    episodes = random_episodes("jobshop", 1) * 3
    examples = replay(DOMAINS["jobshop"], DOMAINS["jobshop"].options(), episodes, slots=2)
    assert len(examples.store) == 2
    obs, ids = rebase(examples.obs, examples.store)
    assert len(ids) == 2
    assert obs["candidate_node"].min() >= 0


def test_no_episodes_are_no_examples():
    domain = DOMAINS["jobshop"]
    examples = replay(domain, domain.options(), [])
    assert len(examples) == len(examples.targets) == 0


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda e: {"actions": e.actions[:-1]}, r"actions: .*expected more than \d+"),
        (lambda e: {"actions": np.append(e.actions, 0)}, r"actions: .*expected \d+, found \d+"),
        (lambda e: {"actions": e.actions + 90}, r"actions\[0\]: .*expected below \d+ candidates"),
        (lambda e: {"actions": e.actions - 90}, r"actions\[0\]: .*expected below"),
        (lambda e: {"targets": e.targets[:-1]}, r"targets: .*expected at least \d+"),
        (lambda e: {"targets": np.append(e.targets, 0)}, r"targets: .*expected \d+, found \d+"),
        (lambda e: {"targets": e.targets / 2}, r"targets\[0:\d+\]: .*sum to 1, found 0.5"),
        (lambda e: {"cost": e.cost + 1}, r"cost: .*the actions lead to"),
    ],
)
def test_what_does_not_fit_is_named(change, told):
    """By the place that it was read from, or by its number."""
    domain, episodes = DOMAINS["jobshop"], random_episodes("jobshop", 3, soft=True)
    for where, place in (("f.gz: episodes[2]", r"f\.gz: episodes\[2\]"), ("", "episode 2")):
        wrong = replace(episodes[2], where=where, **change(episodes[2]))
        with pytest.raises(InputError, match=rf"^{place}\.{told}"):
            replay(domain, domain.options(), [*episodes[:2], wrong], slots=2)


OTHERWISE = {
    "pilot_steps": 1,
    "look_ahead": "rules",
    "rules": 2,
    "pilot_decisions": 8,
    "pilot_placements": 10_000,
}


@pytest.mark.parametrize("name", ["jobshop", "soc", "memory"])
def test_options_that_only_change_what_is_seen_do_only_that(name):
    """The same actions are the same episode under any of them."""
    domain, episodes = DOMAINS[name], random_episodes(name, 4)
    seen = seen_only(domain.options)
    assert seen
    assert seen <= OTHERWISE.keys()
    before = replay(domain, domain.options(), episodes)
    options = replace(domain.options(), **{key: OTHERWISE[key] for key in seen})
    after = replay(domain, options, episodes)  # refuses actions, targets and costs that don't fit
    assert (before.obs["candidate_ptr"] == after.obs["candidate_ptr"]).all()
    assert not np.array_equal(before.obs["candidate"], after.obs["candidate"])
