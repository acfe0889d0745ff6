"""The single environment: Gymnasium's rules, strict actions, instances, pictures."""

from __future__ import annotations

import warnings
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.error import ResetNeeded
from gymnasium.utils.env_checker import check_env

import graphsched
from graphsched.envs.core.errors import InputError
from graphsched.envs.core.gym.env import GraphSchedEnv
from graphsched.envs.core.registry import get_domain
from tests.toy_domain import DOMAIN as CREW


def play(env: GraphSchedEnv, seed: int) -> tuple[list[int], float, float, float]:
    """Candidates at each step, sum of rewards, elapsed time and cost of a random episode."""
    env.action_space.seed(seed)
    obs, info = env.reset(seed=seed)
    counts, total, time, done = [], 0.0, 0.0, False
    while not done:
        assert obs in env.observation_space
        counts.append(len(obs["candidate"]))
        assert info["action_mask"].sum() == counts[-1] == env.action_masks().sum()
        obs, reward, done, truncated, info = env.step(env.action_space.sample())
        assert not truncated
        total, time = total + reward, time + info["elapsed"]
    assert obs in env.observation_space
    assert not env.action_masks().any()
    return counts, total, time, info["cost"]


@pytest.mark.parametrize("domain", ["jobshop", CREW])
@pytest.mark.parametrize("generator", ["toy", "random"])
def test_passes_gymnasiums_check_without_a_warning(domain: Any, generator: str) -> None:
    """Only the remark that an environment made by hand has no spec is allowed."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", message=".*environment not having a spec.*")
        for _ in range(5):  # starts at random
            check_env(GraphSchedEnv(domain, generator=generator, render_mode="ansi"))


def test_made_by_gymnasium_it_passes_with_all_render_modes() -> None:
    """`gymnasium.make` with arguments; the check makes it anew in each render mode."""
    env = gymnasium.make("graphsched:JobShop-v0", instance="ft06", options={"delay_window": 1.0})
    assert isinstance(env.unwrapped, GraphSchedEnv)
    assert env.unwrapped.sim_options.delay_window == 1.0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(env.unwrapped)
    assert graphsched.__version__


def test_episode_ends_with_the_solution_and_its_cost() -> None:
    """What the environment reports is what the domain's checker derives."""
    env = GraphSchedEnv(CREW, size="6x3")
    counts, total, time, cost = play(env, seed=5)
    assert min(counts) >= 2
    instance: Any = env.instance
    solution: Any = env.solution()
    assert not CREW.check(instance, solution)
    assert CREW.cost(instance, solution) == cost
    assert total == pytest.approx(-cost / CREW.lower_bound(instance))
    assert time == max(run.end for run in solution.runs)


def test_equal_seeds_give_equal_episodes() -> None:
    """The seed decides instance and world."""
    env = GraphSchedEnv(CREW)
    assert play(env, 1) == play(env, 1)
    assert play(env, 1) != play(env, 2)


def test_graph_grows_with_arriving_jobs() -> None:
    """Nodes seen later that were not there at first, and references that follow them."""
    env = GraphSchedEnv(CREW, instance="q06")
    obs, _ = env.reset(seed=0)
    sizes, done = [], False
    while not done:
        graph = obs["graph"]
        sizes.append(len(graph.nodes))
        nodes = obs["candidate_node"]
        pairs = nodes[nodes[:, 0] >= 0]
        assert (graph.nodes[pairs[:, 0], 0] == 1).all(), "column 0 marks tasks"
        assert (graph.nodes[pairs[:, 1], 1] == 1).all(), "column 1 marks workers"
        obs, _, done, _, _ = env.step(env.action_space.sample())
    assert len(set(sizes)) > 1


@pytest.mark.parametrize("action", [-1, 1000, 10**12, 0.5, None, [0, 1], "0"])
def test_refuses_what_is_not_on_offer_and_changes_nothing(action: Any) -> None:
    """Afterwards the episode goes on as if nothing had happened."""
    env, undisturbed = (GraphSchedEnv(CREW, generator="toy") for _ in range(2))
    env.reset(seed=0)
    undisturbed.reset(seed=0)
    with pytest.raises(InputError, match="expected the index of one of"):
        env.step(action)
    found, expected = env.step(1), undisturbed.step(1)
    assert np.array_equal(found[0]["candidate"], expected[0]["candidate"])
    assert found[1] == expected[1]


def test_index_of_any_integer_type_is_an_action() -> None:
    """Agents give back what their arrays hold."""
    for action in (0, np.int32(0), np.array(0), np.array([0])):
        env = GraphSchedEnv(CREW, generator="toy")
        env.reset(seed=0)
        env.step(action)


def test_needs_a_reset_before_and_after_an_episode() -> None:
    """Gymnasium's own error says so."""
    env = GraphSchedEnv(CREW, generator="lonely")
    with pytest.raises(ResetNeeded):
        env.step(0)
    with pytest.raises(ResetNeeded):
        env.render()
    env.reset(seed=0)
    assert env.step(0)[2]
    with pytest.raises(ResetNeeded):
        env.step(0)


def test_samples_only_what_is_on_offer() -> None:
    """And everything that is; after seeding the first sample is valid whatever comes next."""
    env = GraphSchedEnv(CREW, instance="q04")
    obs, _ = env.reset(seed=0)
    drawn = {int(env.action_space.sample()) for _ in range(200)}
    assert drawn == set(range(len(obs["candidate"])))
    env.action_space.seed(3)
    assert env.action_space.sample() == 0
    assert env.action_space.sample(np.eye(1, 1024, 7, dtype=np.int8)[0]) == 7


def test_instance_for_one_episode() -> None:
    """By object or specification; the next episode is random again."""
    env = GraphSchedEnv("jobshop", size="3x3")
    env.reset(seed=0, options={"instance": "ft06"})
    assert env.instance.name == "ft06"
    env.reset()
    assert env.instance.name == "uniform-3x3"
    ft06 = get_domain("jobshop").library.load("ft06")
    env.reset(options={"instance": ft06})
    assert env.instance is ft06


def test_draws_among_the_instances_of_a_specification() -> None:
    """Each episode plays one of them."""
    env = GraphSchedEnv(CREW, instance="q02-q04")
    assert {env.reset(seed=s)[1] and env.instance.name for s in range(30)} == {"q02", "q03", "q04"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"domain": "jobshap"}, "jobshap"),
        ({"generator": "nope"}, "generator: expected one of lonely, random, toy, found 'nope'"),
        ({"options": {"nope": 1}}, r"options: unknown \['nope'\]"),
        ({"options": 3}, "options: expected CrewOptions"),
        ({"render_mode": "human"}, "render_mode: expected one of"),
        ({"instance": "q0x"}, "did you mean"),
    ],
)
def test_names_the_argument_at_fault(arguments: dict[str, Any], message: str) -> None:
    """Bad arguments are refused at construction."""
    with pytest.raises(InputError, match=message):
        GraphSchedEnv(**{"domain": CREW, **arguments})


def test_names_the_reset_option_at_fault() -> None:
    """Unknown reset options are refused."""
    with pytest.raises(InputError, match=r"unknown \['instances'\]"):
        GraphSchedEnv(CREW).reset(options={"instances": 1})


def test_more_candidates_than_the_action_space_has_is_an_error() -> None:
    """It names the argument to raise."""
    with pytest.raises(InputError, match="max_candidates: 2 is too small, 3 are on offer"):
        GraphSchedEnv("jobshop", generator="toy", max_candidates=2, instance="la01").reset(seed=0)


@pytest.mark.parametrize("domain", ["jobshop", CREW])
def test_renders_at_every_stage_without_disturbing_the_episode(domain: Any) -> None:
    """A picture and a text from the first decision to the end."""
    env = GraphSchedEnv(domain, generator="toy", render_mode="rgb_array")
    text = GraphSchedEnv(domain, generator="toy", render_mode="ansi")
    plain = GraphSchedEnv(domain, generator="toy")
    for each in (env, text, plain):
        each.reset(seed=0)
    done = False
    while not done:
        assert "decision" in text.render()
        assert env.render().dtype == np.uint8
        results = [
            each.step(1) if each.action_masks()[1] else each.step(0) for each in (env, text, plain)
        ]
        assert results[0][1] == results[1][1] == results[2][1]
        done = results[0][2]
    assert "complete after" in text.render()
    assert env.render().shape[2] == 3


def test_without_a_render_mode_it_only_warns() -> None:
    """As Gymnasium's own environments do."""
    env = GraphSchedEnv(CREW)
    env.reset(seed=0)
    with pytest.warns(UserWarning, match="render_mode"):
        assert env.render() is None
