"""Costs of candidates are what trying them out says, and a policy that is fitted to them heeds them."""

from __future__ import annotations

import itertools
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pytest
import torch

from graphsched.agents.learning.policy import GraphPolicy
from graphsched.agents.learning.space import GraphSpace, action_space
from graphsched.agents.runtime import Session
from graphsched.envs.core.errors import InputError
from graphsched.envs.core.registry import get_domain
from graphsched.training.settings.config import TeacherConfig
from graphsched.training.teaching.clone import clone
from graphsched.training.teaching.dataset import read_dataset
from graphsched.training.teaching.replay import replay
from graphsched.training.teaching.teach import Lesson, open_teacher, teach
from graphsched.training.teaching.trials import COPIES, Trials, try_out
from tests.agents.untrained import UntrainedPolicy

if TYPE_CHECKING:
    from pathlib import Path

    from graphsched.training.teaching.replay import Examples

JOBSHOP, SOC = get_domain("jobshop"), get_domain("soc")
OPTIONS = {"jobshop": JOBSHOP.options(delay_window=1.0), "soc": SOC.options(defer=True)}


def untrained(domain: Any) -> Any:
    """With what a card tells of a bundle."""
    policy: Any = UntrainedPolicy(domain)
    policy.domain, policy.name = domain, "untrained"
    policy.config = {"files": {"model.safetensors": "0" * 64}}
    return policy


def instances(domain: Any, kind: str, count: int, seed: int = 0) -> list[Any]:
    """Random ones."""
    name, _, size = kind.partition(":")
    rng = np.random.default_rng(seed)
    return [domain.generators[name](rng, size) for _ in range(count)]


def played(policy: Any, episode: Any, decision: int, candidate: int) -> float:
    """Cost of an episode whose decision is another one, the policy playing on."""
    sim = JOBSHOP.simulator(1, OPTIONS["jobshop"])
    sim.reset([0], [episode.instance], [episode.seed])
    session, step = Session(policy, sim.store), 0
    while len((obs := sim.observe())["slot"]):
        action = session.act(obs, np.zeros(1), greedy=True).actions
        if step == decision:
            action = np.array([candidate])
        sim.step(action)
        step += 1
    return float(sim.costs()[0])


def test_to_the_end_costs_are_what_candidates_lead_to() -> None:
    policy = untrained(JOBSHOP)
    shops = instances(JOBSHOP, "uniform:4x3", 5)
    found = try_out(
        JOBSHOP,
        OPTIONS["jobshop"],
        Trials(policy, candidates=8, futures=1, share=0.9),
        shops,
        range(5),
    )
    examples = replay(JOBSHOP, OPTIONS["jobshop"], found.episodes)
    sizes = np.diff(examples.obs["candidate_ptr"])
    checked = at = 0
    for episode in found.episodes:
        assert episode.tried is not None
        assert episode.costs is not None
        own = played(policy, episode, -1, 0)
        assert own == episode.cost
        first = JOBSHOP.lower_bound(episode.instance)
        before = 0
        for decision in episode.tried.tolist():
            size = int(sizes[at])
            costs = episode.costs[before : before + size]
            assert costs[episode.actions[decision]] == 0.0
            led = [played(policy, episode, decision, c) - own for c in range(size)]
            scale = np.dot(costs, led) / max(np.dot(led, led), 1e-9) if any(led) else 0.0
            np.testing.assert_allclose(costs, scale * np.array(led), atol=1e-4)
            assert scale == 0.0 or scale == pytest.approx(1.0 / first, rel=0.35)
            before, at, checked = before + size, at + 1, checked + size
        assert before == len(episode.costs)
    assert checked > 20
    assert examples.tried.all()
    assert len(examples) == sum(len(e.tried) for e in found.episodes if e.tried is not None)


def test_in_streams_futures_differ_and_the_same_seeds_see_the_same() -> None:
    policy = untrained(SOC)
    worlds = instances(SOC, "ds3gym:0.5@150", 3)
    how = Trials(policy, candidates=3, futures=2, horizon=0.5, share=0.3)
    first, again = (try_out(SOC, OPTIONS["soc"], how, worlds, [1, 2, 3]) for _ in range(2))
    other = try_out(SOC, OPTIONS["soc"], how, worlds, [4, 5, 6])
    for one, two in zip(first.episodes, again.episodes, strict=True):
        np.testing.assert_array_equal(one.costs, two.costs)
    assert first.noise > 0.0
    assert first.spread > 0.0
    mine, theirs = (
        np.concatenate([e.costs for e in found.episodes if e.costs is not None])
        for found in (first, other)
    )
    assert len(mine) != len(theirs) or (mine != theirs).any()
    assert replay(SOC, OPTIONS["soc"], first.episodes).tried.all()


def test_what_was_not_tried_is_as_bad_as_the_worst() -> None:
    policy = untrained(SOC)
    how = Trials(policy, candidates=2, futures=1, horizon=0.5, share=1.0)
    found = try_out(SOC, OPTIONS["soc"], how, instances(SOC, "ds3gym:0@60", 1), [0])
    (episode,) = found.episodes
    ptr = replay(SOC, OPTIONS["soc"], found.episodes).obs["candidate_ptr"]
    assert episode.costs is not None
    wide = [episode.costs[a:b] for a, b in itertools.pairwise(ptr) if b - a > 3]
    assert wide
    for row in wide:
        assert (row == row.max()).sum() >= len(row) - 2 or row.max() == 0.0


def lesson(policy: Any, **changes: Any) -> Lesson:
    """A small one."""
    trials = Trials(policy, candidates=3, futures=1, share=0.5)
    kinds = {"uniform:4x3": 1.0}
    given = Lesson(JOBSHOP, OPTIONS["jobshop"], kinds=kinds, count=5, shard=3, trials=trials)
    return replace(given, **changes)


def test_a_dataset_of_trials_comes_back(tmp_path: Path) -> None:
    asked = lesson(untrained(JOBSHOP))
    card = teach(asked, open_teacher(asked), tmp_path)
    assert card.teacher == "rollouts"
    assert "untrained" in str(card.policy)
    assert "3 candidates x 1 futures, to the end, 50% of decisions" in str(card.policy)
    found, episodes = read_dataset(tmp_path, JOBSHOP, asked.options)
    assert found == card
    assert found.quality["spread_pct"] > 0.0
    examples = replay(JOBSHOP, asked.options, episodes)
    assert len(examples) == found.quality["decisions"]
    again = teach(asked, open_teacher(asked), tmp_path)  # it is finished
    assert again == card


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"costs": [0.0]}, "costs: doesn't fit the simulator: expected at least"),
        ({"tried": [0, 10**6]}, "tried: doesn't fit the simulator: expected 1, found 2"),
    ],
)
def test_trials_that_dont_fit_are_refused(change: dict[str, Any], problem: str) -> None:
    how = Trials(untrained(JOBSHOP), candidates=3, futures=1, share=1.0)
    shops = instances(JOBSHOP, "uniform:4x3", 1)
    (episode,) = try_out(JOBSHOP, OPTIONS["jobshop"], how, shops, [0]).episodes
    arrays: dict[str, Any] = {
        n: np.array(v, np.int64 if n == "tried" else np.float32) for n, v in change.items()
    }
    if "tried" in arrays:
        assert episode.costs is not None
        size = np.diff(replay(JOBSHOP, OPTIONS["jobshop"], [episode]).obs["candidate_ptr"])[0]
        arrays["costs"] = episode.costs[:size]
    with pytest.raises(InputError, match=problem):
        replay(JOBSHOP, OPTIONS["jobshop"], [replace(episode, **arrays)])


def test_damaged_trials_are_refused(tmp_path: Path) -> None:
    from graphsched.training.teaching.dataset import _episode

    how = Trials(untrained(JOBSHOP), candidates=3, futures=1, share=1.0)
    shops = instances(JOBSHOP, "uniform:4x3", 1)
    row = try_out(JOBSHOP, OPTIONS["jobshop"], how, shops, [0]).episodes[0].to_json()
    for change, problem in (
        ({"tried": [3, 3]}, "rising"),
        ({"tried": None}, "tried"),
        ({"costs": ["x"]}, "costs"),
        ({"costs": [1e9]}, "costs"),
    ):
        with pytest.raises(InputError, match=problem):
            _episode({**row, **change}, "episodes[0]", JOBSHOP, tmp_path)
    for name in ("tried", "costs"):
        part = {key: value for key, value in row.items() if key != name}
        with pytest.raises(InputError, match=name):
            _episode(part, "episodes[0]", JOBSHOP, tmp_path)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"candidates": 1}, "--rollouts"),
        ({"candidates": COPIES + 1}, "--rollouts"),
        ({"futures": 0}, "--futures"),
        ({"candidates": COPIES, "futures": 2}, "--futures"),
        ({"horizon": 0.0}, "--horizon"),
        ({"horizon": float("nan")}, "--horizon"),
        ({"share": 0.0}, "--share"),
        ({"share": 1.5}, "--share"),
    ],
)
def test_what_cant_be_tried_out_is_refused(change: dict[str, Any], named: str) -> None:
    with pytest.raises(InputError, match=f"{named}: expected"):
        Trials(untrained(JOBSHOP), **change)


def test_a_domain_whose_future_cant_be_drawn_is_refused() -> None:
    policy = cast("Any", SimpleNamespace(domain=replace(JOBSHOP, redraw=None)))
    with pytest.raises(InputError, match=r"no `Domain.redraw`"):
        Trials(policy)


def _decided(examples: Examples, pull: float) -> tuple[float, float]:
    """Expected cost after a fit, as a share of what the actions taken cost; share of these kept."""
    torch.manual_seed(0)
    kinds: dict[str, Any] = {"width": 8, "layers": 0, "decoder_width": 16, "embeddings": False}
    policy = GraphPolicy(GraphSpace(JOBSHOP.schema), action_space(), lambda _: 0.0, **kinds)
    how = TeacherConfig(data=("x",), epochs=60, batch_size=32, learning_rate=1e-2, pull=pull)
    clone(policy, examples, how, 0)
    obs = {k: torch.from_numpy(np.asarray(v)) for k, v in examples.obs.items()}
    with torch.no_grad():
        log_probs = policy.decode(cast("Any", obs))[0].numpy()
    ptr = examples.obs["candidate_ptr"]
    best = [a + log_probs[a:b].argmax() for a, b in itertools.pairwise(ptr)]
    return float(examples.costs[best].mean()), float(examples.targets[best].mean())


def test_a_fit_heeds_costs_and_the_pull_keeps_what_was_done() -> None:
    how = Trials(untrained(JOBSHOP), candidates=8, futures=1, share=0.5)
    shops = instances(JOBSHOP, "uniform:5x4", 12)
    found = try_out(JOBSHOP, OPTIONS["jobshop"], how, shops, range(12))
    examples = replay(JOBSHOP, OPTIONS["jobshop"], found.episodes)
    free_cost, free_kept = _decided(examples, 0.0)
    held_cost, held_kept = _decided(examples, 100.0)
    assert free_cost < 0.0  # the actions taken cost 0
    assert free_cost < held_cost - 1e-3
    assert held_kept > 0.9 > free_kept
