"""BatchVecEnv keeps Stable-Baselines3's vectorised API over a batched simulator."""

from __future__ import annotations

import pickle
from typing import cast

import numpy as np
import pytest
from stable_baselines3.common.monitor import Monitor

from graphsched.agents.learning.space import GraphObs, GraphSpace
from graphsched.agents.learning.vec_env import BatchVecEnv
from graphsched.envs.core.errors import InputError
from tests.agents.bandit import DOMAIN, SCHEMA, draw_arms


def make(slots: int = 6, rollouts: int = 1, seed: int = 0) -> BatchVecEnv:
    """Environment of the bandit."""
    return BatchVecEnv(DOMAIN, slots, draw_arms, seed, rollouts)


def test_slots_restart_at_once_and_report_their_episodes() -> None:
    """Every slot waits in every step; return and length of episodes add up."""
    env = make()
    obs = env.reset()
    totals, lengths = np.zeros(6), np.zeros(6, int)
    finished = 0
    for _ in range(40):
        assert obs["slot"].tolist() == list(range(6))
        stepped, rewards, dones, infos = env.step(np.zeros(6, np.int64))
        obs = cast("GraphObs", stepped)  # Stable-Baselines3 declares any observation
        totals += rewards
        lengths += 1
        for i in np.flatnonzero(dones):
            episode = infos[i]["episode"]
            assert episode["r"] == pytest.approx(totals[i], abs=1e-5)
            assert episode["l"] == lengths[i]
            assert infos[i]["cost"] == pytest.approx(-totals[i], abs=1e-5)
            assert len(infos[i]["terminal_observation"]["slot"]) == 0
            totals[i] = lengths[i] = 0
            finished += 1
        assert all("episode" not in infos[i] for i in np.flatnonzero(~dones))
    assert finished > 12
    assert len(env.store) <= 12  # graphs of ended episodes are released


def test_rollouts_of_a_group_share_instance_and_world() -> None:
    """K consecutive slots see the same offers, other slots others."""
    env = make(rollouts=3)
    obs = env.reset()
    widths = np.diff(obs["candidate_ptr"])
    rows = np.split(obs["candidate_node"].ravel(), obs["candidate_ptr"][1:-1])
    for group in (0, 3):
        assert all(np.array_equal(rows[group], rows[group + k]) for k in (1, 2))
    assert not np.array_equal(rows[0], rows[3])
    assert len(np.unique(obs["graph"])) == 2
    assert widths.min() >= 2


def test_group_size_must_divide_the_slots() -> None:
    """A bad group size is bad input."""
    with pytest.raises(InputError, match="divisor of 6"):
        make(rollouts=4)


def test_same_seed_same_observations() -> None:
    """The stream of instances is a function of the seed."""
    first, second, other = make(seed=3).reset(), make(seed=3).reset(), make(seed=4).reset()
    assert np.array_equal(first["candidate"], second["candidate"])
    assert not np.array_equal(first["candidate"], other["candidate"])


def test_api_of_stable_baselines() -> None:
    """Attributes, methods, wrapping and spaces answer as its callers expect."""
    env = make()
    obs = env.reset()
    assert env.env_is_wrapped(Monitor) == [True] * 6
    assert env.env_is_wrapped(object, indices=0) == [False]  # type: ignore[arg-type]
    assert env.get_attr("render_mode") == [None] * 6
    assert env.get_attr("num_envs", indices=[0, 2]) == [6, 6]
    env.set_attr("label", "x")
    assert env.get_attr("label", 1) == ["x"]
    assert env.env_method("get_attr", "num_envs", indices=0) == [[6] * 6]
    assert env.observation_space.contains(obs)
    assert not env.observation_space.contains({**obs, "context": obs["context"][:, :0]})
    assert pickle.loads(pickle.dumps(env.observation_space)) == GraphSpace(SCHEMA)
    env.close()
