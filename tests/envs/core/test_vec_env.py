"""The vector environment: each slot is a single environment, episodes restart by the rules."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.error import ResetNeeded
from gymnasium.vector import AutoresetMode

from graphsched.envs.core.errors import InputError
from graphsched.envs.core.gym.env import GraphSchedEnv
from graphsched.envs.core.gym.vec_env import GraphSchedVectorEnv
from tests.toy_domain import DOMAIN as CREW

STEPS = 60


def row(obs: dict[str, Any], i: int) -> dict[str, Any]:
    """Environment i's part of a batched observation."""
    return {key: value[i] for key, value in obs.items()}


def assert_equal(left: dict[str, Any], right: dict[str, Any]) -> None:
    """Observations are equal to the last bit."""
    assert left.keys() == right.keys()
    for key in left:
        parts = (
            zip(left[key], right[key], strict=True) if key == "graph" else [(left[key], right[key])]
        )
        assert all(np.array_equal(a, b) for a, b in parts), key


@pytest.mark.parametrize("domain", ["jobshop", CREW])
def test_slots_are_single_environments_under_next_step_autoreset(domain: Any) -> None:
    """Seeded with seed + i; an episode's end is followed by a step that only restarts."""
    vector = GraphSchedVectorEnv(domain, 3, size="4x2")
    singles = [GraphSchedEnv(domain, size="4x2") for _ in range(3)]
    obs, _ = vector.reset(seed=7)
    current = [env.reset(seed=7 + i)[0] for i, env in enumerate(singles)]
    over = [False] * 3
    rng = np.random.default_rng(0)
    ended = 0
    for _ in range(STEPS):
        for i in range(3):
            assert_equal(row(obs, i), current[i])
        masks = [env.action_masks() for env in singles]
        actions = np.array([rng.integers(max(mask.sum(), 1)) for mask in masks])
        obs, rewards, terminations, truncations, infos = vector.step(actions)
        assert obs in vector.observation_space
        assert not truncations.any()
        for i, env in enumerate(singles):
            if over[i]:
                current[i], info = env.reset()
                reward, over[i] = 0.0, False
            else:
                current[i], reward, over[i], _, info = env.step(actions[i])
            assert (rewards[i], terminations[i]) == (reward, over[i])
            assert infos["elapsed"][i] == info["elapsed"]
            assert np.array_equal(infos["action_mask"][i], info["action_mask"])
            if over[i]:
                assert infos["_cost"][i]
                assert infos["cost"][i] == info["cost"]
                ended += 1
    assert ended > 3


def test_same_step_autoreset_hands_over_the_last_observation() -> None:
    """The next episode's first observation comes with the reward of the last step."""
    vector = GraphSchedVectorEnv(CREW, 2, size="2x2", autoreset_mode="SameStep")
    waiting = GraphSchedVectorEnv(CREW, 2, size="2x2")
    for env in (vector, waiting):
        env.reset(seed=1)
    vector.action_space.seed(0)
    ended = 0
    for _ in range(STEPS):
        obs, _, terminations, _, infos = vector.step(vector.action_space.sample())
        assert all(len(rows) for rows in obs["candidate"])
        for i in np.flatnonzero(terminations):
            ended += 1
            assert len(infos["final_obs"][i]["candidate"]) == 0
            assert infos["final_info"]["cost"][i] > 0
            assert infos["final_info"]["_cost"][i]
            assert infos["elapsed"][i] == 0
            assert infos["action_mask"][i].any()
        assert "cost" not in infos
    assert ended > 3


def test_disabled_autoreset_waits_to_be_told() -> None:
    """Finished environments are started by a mask; until then stepping is an error."""
    vector = GraphSchedVectorEnv(CREW, 2, size="2x2", autoreset_mode=AutoresetMode.DISABLED)
    vector.reset(seed=0)
    terminations = np.zeros(2, np.bool_)
    while not terminations.any():
        _, _, terminations, _, _ = vector.step(vector.action_space.sample())
    with pytest.raises(ResetNeeded):
        vector.step(np.zeros(2, np.int64))
    obs, infos = vector.reset(options={"reset_mask": terminations})
    assert all(len(rows) for rows in obs["candidate"])
    assert np.array_equal(infos["_action_mask"], terminations)
    vector.step(vector.action_space.sample())


def test_made_by_gymnasium() -> None:
    """Over one simulator by default, or as separate environments, seeing the same."""
    arguments: dict[str, Any] = {"num_envs": 2, "size": "3x3"}
    vector = gymnasium.make_vec("graphsched:JobShop-v0", **arguments)
    separate = gymnasium.make_vec("graphsched:JobShop-v0", vectorization_mode="sync", **arguments)
    assert isinstance(vector, GraphSchedVectorEnv)
    assert vector.metadata["autoreset_mode"] == AutoresetMode.NEXT_STEP
    first, second = vector.reset(seed=3)[0], separate.reset(seed=3)[0]
    for i in range(2):
        assert_equal(row(first, i), row(second, i))
    assert vector.single_action_space == separate.single_action_space
    assert vector.action_space == separate.action_space


def test_refuses_wrong_actions_and_changes_nothing() -> None:
    """The message names the environment."""
    vector, undisturbed = (GraphSchedVectorEnv(CREW, 2, generator="toy") for _ in range(2))
    with pytest.raises(ResetNeeded):
        vector.step(np.zeros(2, np.int64))
    for env in (vector, undisturbed):
        env.reset(seed=0)
    with pytest.raises(InputError, match=r"actions\[1\]: 99: expected an index below"):
        vector.step(np.array([0, 99]))
    with pytest.raises(InputError, match="actions: expected"):
        vector.step(np.zeros(3, np.int64))
    found, expected = (env.step(np.array([0, 1])) for env in (vector, undisturbed))
    assert np.array_equal(found[1], expected[1])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"options": {"nope": 1}}, "options: unknown"),
        ({"options": {"reset_mask": np.zeros(2, np.bool_)}}, "reset_mask"),
        ({"options": {"reset_mask": [1, 0]}}, "reset_mask"),
        ({"seed": [1, 2, 3]}, "seed: expected 2 seeds, found 3"),
    ],
)
def test_names_the_reset_argument_at_fault(arguments: dict[str, Any], message: str) -> None:
    """Bad arguments of reset are refused."""
    with pytest.raises(InputError, match=message):
        GraphSchedVectorEnv(CREW, 2).reset(**arguments)


def test_same_instance_and_own_seeds() -> None:
    """One instance for all, a world for each."""
    vector = GraphSchedVectorEnv(CREW, 2)
    obs, _ = vector.reset(seed=[5, 5], options={"instance": "q03"})
    assert_equal(row(obs, 0), row(obs, 1))


@pytest.mark.parametrize("mode", ["ansi", "rgb_array"])
def test_renders_every_environment(mode: str) -> None:
    """Whatever its stage."""
    vector = GraphSchedVectorEnv(CREW, 3, size="2x2", render_mode=mode)
    vector.reset(seed=0)
    for _ in range(12):
        frames = vector.render()
        assert frames is not None
        assert len(frames) == 3
        assert all(isinstance(frame, str if mode == "ansi" else np.ndarray) for frame in frames)
        vector.step(vector.action_space.sample())
    assert GraphSchedVectorEnv(CREW, 1).render() is None
