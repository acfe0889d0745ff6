"""Domains, environments and policies go to other processes: by name, and by their bundle."""

from __future__ import annotations

import copy
import dataclasses
import multiprocessing
import pickle
from typing import Any

import gymnasium
import numpy as np
import pytest

from graphsched.agents.bundles.shipped import shipped_policies
from graphsched.agents.decoding.search import policy_solver
from graphsched.agents.runtime import load_policy
from graphsched.envs.core.gym.vec_env import GraphSchedVectorEnv
from graphsched.envs.core.padded import PaddedGraph
from graphsched.envs.core.registry import domain_names, get_domain
from graphsched.envs.core.specs import parse_instance
from tests.envs.parameters import DOMAINS

NAMES = domain_names()


def again(value: Any) -> Any:
    return pickle.loads(pickle.dumps(value))


@pytest.mark.parametrize("name", NAMES)
def test_a_domain_is_pickled_by_its_name(name: str) -> None:
    domain = get_domain(name)
    assert again(domain) is domain
    assert copy.deepcopy(domain) is domain
    assert len(pickle.dumps(domain)) < 200


def test_another_domain_of_the_same_name_does_not_become_that_one() -> None:
    other = dataclasses.replace(get_domain("jobshop"), toy_optimum=0.0)
    assert copy.copy(other).toy_optimum == 0.0


@pytest.mark.parametrize("name", DOMAINS)
def test_a_pickled_environment_goes_on_alike(name: str) -> None:
    env = PaddedGraph(gymnasium.make(f"graphsched:{get_domain(name).env_id}", generator="toy"))
    env.reset(seed=3)
    other = again(env)
    for _ in range(3):
        action = int(np.flatnonzero(env.action_masks())[-1])
        one, two = env.step(action), other.step(action)
        assert one[1:3] == two[1:3]
        for key, part in one[0].items():
            np.testing.assert_array_equal(part, two[0][key])
        if one[2]:
            break
    vector = GraphSchedVectorEnv(name, num_envs=2)
    vector.reset(seed=1)
    assert again(vector).num_envs == 2


@pytest.mark.parametrize("name", [name for name in NAMES if shipped_policies(name)])
def test_a_pickled_policy_decides_alike(name: str) -> None:
    domain = get_domain(name)
    policy = load_policy(next(iter(shipped_policies(name))), domain)
    instance = domain.generators["toy"](np.random.default_rng(0), "")
    solve = policy_solver(domain, policy)
    try:
        expected = solve(instance).to_json()
    except ValueError:  # a policy of another kind of instance
        return
    assert again(solve)(instance).to_json() == expected
    assert again(policy).name == policy.name


@pytest.mark.slow
@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_other_processes_solve(start: str) -> None:
    """As joblib and the like do it."""
    domain = get_domain("jobshop")
    solve = policy_solver(domain, load_policy(domain=domain))
    instances = [parse_instance(domain, name) for name in ("ft06", "la01")]
    with multiprocessing.get_context(start).Pool(2) as pool:
        found = pool.map(solve, instances)
    costs = [domain.cost(i, s) for i, s in zip(instances, found, strict=True)]
    assert costs == [domain.cost(i, solve(i)) for i in instances]


def make_jobshop() -> Any:
    return PaddedGraph(gymnasium.make("graphsched:JobShop-v0", generator="toy"))


@pytest.mark.slow
@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_vector_environments_of_others_play(start: str) -> None:
    """Gymnasium's and Stable-Baselines3's, an environment a process."""
    vec_env = pytest.importorskip("stable_baselines3.common.vec_env")
    workers = vec_env.SubprocVecEnv([make_jobshop] * 2, start_method=start)
    try:
        assert workers.reset()["candidate"].shape[0] == 2
        workers.step(np.zeros(2, np.int64))
    finally:
        workers.close()
    envs = gymnasium.vector.AsyncVectorEnv([make_jobshop] * 2, context=start)
    try:
        obs, _ = envs.reset(seed=0)
        assert obs["candidate"].shape[0] == 2
        envs.step(np.zeros(2, np.int64))
    finally:
        envs.close()
