"""Fixed-size observations: what is in them, and that a plain algorithm trains on them."""

from __future__ import annotations

import warnings
from typing import Any

import gymnasium
import numpy as np
import pytest

from graphsched.envs.core.errors import InputError
from graphsched.envs.core.gym.env import GraphSchedEnv
from graphsched.envs.core.padded import PaddedGraph, PaddedSizes, measure_sizes
from tests.toy_domain import DOMAIN as CREW

REFERENCES = {
    "edge_link": "node",
    "candidate_node": "node",
    "candidate_resource": "resource",
    "resource_node": "node",
}


@pytest.mark.parametrize("domain", ["jobshop", CREW])
def test_holds_what_the_graph_observation_holds(domain: Any) -> None:
    """Masks mark as many rows as there are; the rest is padding."""
    env = PaddedGraph(GraphSchedEnv(domain, size="4x2"))
    plain = GraphSchedEnv(domain, size="4x2")
    (obs, _), (expected, _) = env.reset(seed=3), plain.reset(seed=3)
    done = False
    while not done:
        graph = expected.pop("graph")
        parts = {
            **expected,
            "node": graph.nodes,
            "edge": graph.edges,
            "edge_link": graph.edge_links,
        }
        assert obs in env.observation_space
        assert {key for key in obs if not key.endswith("_mask")} == parts.keys()
        for key, part in parts.items():
            rows = obs[key][: len(part)] if key not in ("kind", "context") else obs[key]
            assert np.array_equal(rows, part), key
            if key in ("node", "edge", "candidate", "resource"):
                assert obs[f"{key}_mask"].sum() == len(part)
                assert not obs[key][len(part) :].any()
            elif key in REFERENCES:
                assert (obs[key][len(part) :] == -1).all()
        assert np.array_equal(env.action_masks(), obs["candidate_mask"] == 1)
        action = env.action_space.sample()
        obs, _, done, _, info = env.step(action)
        expected, *_ = plain.step(action)
        assert np.array_equal(info["action_mask"], obs["candidate_mask"])
    assert not env.action_masks().any()


@pytest.mark.parametrize("domain", ["jobshop", CREW])
def test_passes_stable_baselines_check(domain: Any) -> None:
    """Its only remark is that tables are neither pictures nor vectors."""
    checker = pytest.importorskip("stable_baselines3.common.env_checker")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", message=".*unconventional shape.*")
        checker.check_env(PaddedGraph(GraphSchedEnv(domain, size="3x2")))


def test_plain_maskable_ppo_trains_on_it() -> None:
    """Random masks, several episodes, finite losses, and a policy that plays on."""
    sb3_contrib = pytest.importorskip("sb3_contrib")
    env = PaddedGraph(gymnasium.make("graphsched:JobShop-v0", size="3x3"))
    model = sb3_contrib.MaskablePPO(
        "MultiInputPolicy", env, n_steps=64, batch_size=32, n_epochs=1, seed=0, device="cpu"
    )
    model.learn(256)
    assert len(model.ep_info_buffer) > 10
    obs, _ = env.reset(seed=0)
    done = False
    while not done:
        action, _ = model.predict(obs, action_masks=env.action_masks(), deterministic=True)
        obs, _, done, _, info = env.step(action)
    assert info["cost"] > 0


def test_measures_exact_sizes_where_nothing_varies() -> None:
    """Half as much again where something does; the environment's own stream is untouched."""
    env = GraphSchedEnv("jobshop", generator="toy")
    env.reset(seed=0)
    before = env.np_random.bit_generator.state
    sizes = measure_sizes(env)
    assert env.np_random.bit_generator.state == before
    assert (sizes.nodes, sizes.edges) == (9 + 3 + 3, 6 * 2 + 9 * 4)
    assert sizes.candidates >= 3


OTHER_FIELDS = (
    pytest.param(f, marks=pytest.mark.compiled) for f in ("edges", "candidates", "resources")
)


@pytest.mark.parametrize("field", ["nodes", *OTHER_FIELDS])
def test_names_the_size_that_is_too_small(field: str) -> None:
    """Nothing is cut off silently."""
    enough = {"nodes": 99, "edges": 99, "candidates": 99, "resources": 99}
    env = PaddedGraph(GraphSchedEnv("jobshop", generator="toy"), PaddedSizes(**enough | {field: 1}))
    with pytest.raises(InputError, match=f"sizes.{field}: 1 is too small for"):
        env.reset(seed=0)


def test_leaves_out_parts_of_size_zero() -> None:
    """A policy that looks at candidates only needs no graph."""
    env = PaddedGraph(GraphSchedEnv(CREW, generator="toy"), PaddedSizes(0, 0, 20, 0))
    obs, _ = env.reset(seed=0)
    assert obs.keys() == {
        "kind",
        "context",
        "candidate",
        "candidate_mask",
    }
    assert obs in env.observation_space


def test_refuses_other_environments_and_no_room() -> None:
    """Only a `GraphSchedEnv` has what is padded."""
    with pytest.raises(InputError, match="expected a GraphSchedEnv, found CartPoleEnv"):
        PaddedGraph(gymnasium.make("CartPole-v1"))
    with pytest.raises(InputError, match=r"sizes\.candidates"):
        PaddedGraph(GraphSchedEnv(CREW), PaddedSizes(9, 9, 0, 9))
