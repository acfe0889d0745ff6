"""The rollout buffer keeps ragged decisions, their advantages and their graphs."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from stable_baselines3.common.buffers import RolloutBuffer

from graphsched.agents.learning.advantage import (
    aligned_advantages,
    best_of_groups,
    generalized_advantages,
    group_advantages,
)
from graphsched.agents.learning.buffer import GraphRolloutBuffer
from graphsched.agents.learning.repack import join, rebase, select
from graphsched.agents.learning.space import GraphSpace, action_space
from graphsched.envs.core.sim import StepResult
from tests.agents.bandit import SCHEMA, BanditSim, draw_arms


def recorded(
    slots: int = 5, steps: int = 4, **options: Any
) -> tuple[BanditSim, GraphRolloutBuffer]:
    """A buffer with random decisions of several steps."""
    rng = np.random.default_rng(0)
    sim = BanditSim(slots)
    sim.reset(range(slots), [draw_arms(rng) for _ in range(slots)], range(slots))
    buffer = GraphRolloutBuffer(
        0, GraphSpace(SCHEMA), action_space(), "cpu", 0.9, 0.97, slots, rng, **options
    )
    seen: set[int] = set()
    for _ in range(steps):
        obs = sim.observe()
        buffer.retain(sim.store, sorted(set(obs["graph"].tolist()) - seen))
        seen |= set(obs["graph"].tolist())
        count = len(obs["slot"])
        actions = rng.integers(np.diff(obs["candidate_ptr"]))
        noise = rng.normal(size=(2, count)).astype(np.float32)
        buffer.add(obs, actions, sim.step(actions), noise[0], noise[1])
    buffer.finish()
    buffer.compute_returns_and_advantage(np.zeros(slots, np.float32))
    return sim, buffer


@pytest.mark.parametrize("seed", range(3))
def test_advantages_equal_those_of_stable_baselines(seed: int) -> None:
    """On a rectangular rollout the ragged kernel is the parent's formula."""
    rng = np.random.default_rng(seed)
    steps, envs = 17, 4
    dones = rng.random((steps, envs)) < 0.2
    space = gymnasium.spaces.Discrete(2)
    theirs = RolloutBuffer(steps, space, space, "cpu", gae_lambda=0.93, gamma=0.97, n_envs=envs)
    ours = GraphRolloutBuffer(steps, GraphSpace(SCHEMA), action_space(), "cpu", 0.93, 0.97, envs)
    sim = BanditSim(envs)
    sim.reset(range(envs), [draw_arms(rng) for _ in range(envs)], range(envs))
    obs, start = sim.observe(), np.ones(envs)
    for step in range(steps):
        rewards, values = rng.normal(size=(2, envs)).astype(np.float32)
        zeros = np.zeros(envs, np.int64)
        theirs.add(zeros, zeros, rewards, start, torch.tensor(values), torch.zeros(envs))
        result = StepResult(np.arange(envs), rewards, dones[step], np.ones(envs))
        ours.add(obs, zeros, result, values, values)
        start = dones[step].astype(np.float32)
    last = rng.normal(size=envs).astype(np.float32)
    theirs.compute_returns_and_advantage(torch.tensor(last), dones[-1])
    ours.finish()
    ours.compute_returns_and_advantage(last)
    np.testing.assert_allclose(ours.advantages, theirs.advantages.ravel(), atol=1e-5)
    np.testing.assert_allclose(ours.returns, theirs.returns.ravel(), atol=1e-5)


def test_advantages_of_interleaved_slots_of_unequal_length() -> None:
    """Each slot's recursion ignores the others: compared with one slot at a time."""
    rng = np.random.default_rng(1)
    slot = np.array([0, 1, 2, 0, 2, 0, 0], np.int64)
    reward, value = rng.normal(size=(2, 7)).astype(np.float32)
    discount, bootstrap = rng.random(7), rng.normal(size=3).astype(np.float32)
    done = np.array([0, 1, 0, 0, 1, 0, 0], bool)
    whole = generalized_advantages(slot, reward, done, value, discount, bootstrap, 0.9)
    for s in range(3):
        own = slot == s
        alone = generalized_advantages(
            slot[own], reward[own], done[own], value[own], discount[own], bootstrap, 0.9
        )
        np.testing.assert_allclose(whole[own], alone, rtol=1e-6)
    assert whole[1] == pytest.approx(reward[1] - value[1])


def test_discount_follows_simulated_time() -> None:
    """With a time unit, gamma applies per unit of elapsed time."""
    _, buffer = recorded(time_unit=2.0)
    np.testing.assert_allclose(buffer.discounts(), 0.97**0.5)
    buffer.elapsed[0] = 6.0
    assert buffer.discounts()[0] == pytest.approx(0.97**3)


def test_group_advantages() -> None:
    """Leave-one-out and standardised forms, and the best of each group."""
    returns = np.array([1.0, 3.0, 8.0, 2.0, 2.0, 2.0])
    np.testing.assert_allclose(group_advantages(returns, 3, False)[:3], [-4.5, -1.5, 6.0])
    scaled = group_advantages(returns, 3, True)
    assert scaled[:3].std() == pytest.approx(1.0)
    assert not scaled[3:].any()
    assert best_of_groups(returns, 3).tolist() == [False, False, True, False, False, False]


def test_aligned_advantages() -> None:
    """Decisions are compared with those of the same number, where there are others."""
    slots = np.array([0, 1, 2, 3, 0, 1, 2, 0])
    returns = np.array([3.0, 1.0, 5.0, 5.0, 2.0, 4.0, 7.0, 9.0], np.float32)
    found = aligned_advantages(slots, returns, 2, False)
    np.testing.assert_allclose(found, [2.0, -2.0, 0.0, 0.0, -2.0, 2.0, 0.0, 0.0])
    scaled = aligned_advantages(slots, returns, 2, True)
    np.testing.assert_allclose(scaled, found / np.sqrt(16 / 5), rtol=1e-6)
    assert not scaled[[2, 3, 6]].any()


def test_discounted_returns_go_back_from_the_end() -> None:
    """Values have no part in them."""
    _, buffer = recorded()
    mine = buffer.slots == buffer.slots[0]
    expected, later = [], 0.0
    for reward, done in zip(buffer.rewards[mine][::-1], buffer.dones[mine][::-1], strict=True):
        later = reward + (0.0 if done else 0.97 * later)
        expected.append(later)
    np.testing.assert_allclose(buffer.discounted()[mine], expected[::-1], rtol=1e-5)


def test_selected_blocks_hold_what_their_originals_held() -> None:
    """Joining and selecting keeps every block's rows."""
    sim = BanditSim(4)
    rng = np.random.default_rng(0)
    sim.reset(range(4), [draw_arms(rng) for _ in range(4)], range(4))
    first = sim.observe()
    sim.step(np.zeros(4, np.int64))
    second = sim.observe()
    picked = select(join([first, second]), np.array([6, 1, 1]))
    for i, (obs, block) in enumerate([(second, 2), (first, 1), (first, 1)]):
        for ptr, key in (("candidate_ptr", "candidate_node"), ("resource_ptr", "resource")):
            mine = picked[key][picked[ptr][i] : picked[ptr][i + 1]]  # type: ignore[literal-required]
            theirs = obs[key][obs[ptr][block] : obs[ptr][block + 1]]  # type: ignore[literal-required]
            np.testing.assert_array_equal(mine, theirs)
    assert picked["slot"].tolist() == [2, 1, 1]


def test_rebased_references_mean_the_same_nodes() -> None:
    """Features looked up through the compact table equal those looked up in the store."""
    sim, buffer = recorded()
    chosen = select(buffer.observations, np.array([3, 9, 17]))
    moved, ids = rebase(chosen, sim.store)
    compact = np.concatenate([sim.store.graph(i).nodes["arm"][:, 0] for i in ids for _ in [0]])
    starts = {row: i for i in ids for row in [sim.store.row_start(i)]}
    worths = {
        start + k: worth
        for start, i in starts.items()
        for k, worth in enumerate(sim.store.graph(i).nodes["arm"][:, 0])
    }
    table: dict[int, float] = {}
    place = 0
    for i in ids:
        arms = sim.store.graph(i).nodes["arm"]
        table |= {place + k: arms[k, 0] for k in range(len(arms))}
        place += sim.store.graph(i).num_nodes
    assert len(compact) == len(table)
    before = [worths[n] for n in chosen["candidate_node"].ravel().tolist()]
    after = [table[n] for n in moved["candidate_node"].ravel().tolist()]
    assert before == after


@pytest.mark.parametrize("row", [-2, 10_000])
def test_references_out_of_the_table_are_rejected(row: int) -> None:
    """A corrupted reference raises rather than reads another row."""
    sim, buffer = recorded()
    buffer.observations["candidate_node"][0, 0] = row
    with pytest.raises(IndexError, match="outside the node table"):
        rebase(buffer.observations, sim.store)


def test_references_to_unnamed_graphs_are_rejected() -> None:
    """A reference into a graph that the block doesn't name raises."""
    sim, buffer = recorded()
    one = select(buffer.observations, np.array([0]))
    other = max(sim.store.ids(), key=sim.store.row_start)
    one["candidate_node"][0, 0] = sim.store.row_start(other)
    with pytest.raises(IndexError, match="does not name"):
        rebase(one, sim.store)


def test_minibatches_cover_every_decision_once() -> None:
    """Nearly equal parts of about the size asked for; a fixed number overrides it."""
    _, buffer = recorded()
    sizes = []
    seen = []
    for batch in buffer.get(6):
        sizes.append(len(batch.actions))
        seen += batch.old_log_prob.tolist()
        assert batch.observations["candidate_ptr"][-1] == len(batch.observations["candidate"])
    assert sorted(seen) == pytest.approx(sorted(buffer.log_probs.tolist()))
    assert max(sizes) - min(sizes) <= 1
    assert len(sizes) == round(buffer.size() / 6)
    buffer.num_minibatches = 2
    assert len(list(buffer.get(6))) == 2


def test_minibatches_by_instance_share_no_graph() -> None:
    """With a group size, slots of a group stay together and every decision comes once."""
    _, buffer = recorded(slots=6, group_size=2)
    groups, count = [], 0
    for batch in buffer.get(8):
        groups += sorted(set((batch.observations["slot"] // 2).tolist()))
        count += len(batch.actions)
    assert sorted(groups) == [0, 1, 2]
    assert count == buffer.size()


def test_what_ragged_rollouts_have_not_says_what_to_call() -> None:
    """The parent would index rows by steps, of which a rollout has others than decisions."""
    _, buffer = recorded()
    with pytest.raises(NotImplementedError, match="call add"):
        buffer.extend([1], [2])
    with pytest.raises(NotImplementedError, match="call get"):
        buffer.sample(2)


def test_graphs_live_as_long_as_the_rollout() -> None:
    """Graphs of ended episodes stay until the reset, and no longer."""
    sim, buffer = recorded(steps=12)
    assert len(sim.observe()["slot"]) == 0
    assert len(sim.store) >= 10
    buffer.reset()
    assert len(sim.store) == 0
    with pytest.raises(RuntimeError, match="not finished"):
        next(buffer.get(4))
