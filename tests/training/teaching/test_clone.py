"""A policy that imitates comes to decide as its teacher, on plain columns as on standardised ones."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from graphsched.agents.learning.policy import GraphPolicy
from graphsched.agents.learning.repack import select
from graphsched.agents.learning.space import GraphSpace, action_space
from graphsched.envs.core.errors import InputError
from graphsched.envs.core.registry import get_domain
from graphsched.training.settings.config import TeacherConfig
from graphsched.training.teaching.clone import Lessons, clone
from graphsched.training.teaching.replay import Examples, replay
from graphsched.training.teaching.scaling import Scaling
from graphsched.training.teaching.teach import follow
from graphsched.training.validation import play

JOBSHOP = get_domain("jobshop")
OPTIONS = JOBSHOP.options(delay_window=0.0, pilot_steps=0)
QUICK = TeacherConfig(data=("here",), epochs=25, batch_size=32, learning_rate=1e-2)


def taught(rule: str, number: int = 24, size: str = "5x4") -> tuple[list[Any], Examples]:
    """Instances and a rule's decisions on them."""
    rng = np.random.default_rng(0)
    instances = [JOBSHOP.generators["uniform"](rng, size) for _ in range(number)]
    solutions = [JOBSHOP.baseline(rule)(instance) for instance in instances]
    episodes = follow(JOBSHOP, OPTIONS, instances, solutions, range(number)).episodes
    return instances, replay(JOBSHOP, OPTIONS, episodes)


def fresh(embeddings: bool, seed: int = 0) -> GraphPolicy:
    """A small policy."""
    torch.manual_seed(seed)
    sizes: dict[str, Any] = {"width": 8, "layers": 1, "decoder_width": 16}
    space = GraphSpace(JOBSHOP.schema)
    return GraphPolicy(space, action_space(), lambda _: 0.0, embeddings=embeddings, **sizes)


def agreement(policy: GraphPolicy, examples: Examples) -> float:
    """Share of decisions in which policy and teacher agree."""
    obs, targets = Lessons(examples, policy.embeddings).batch(np.arange(len(examples)), policy)
    with torch.no_grad():
        log_probs = policy.decode(obs)[0].numpy()
    first = examples.obs["candidate_ptr"]
    same = [
        log_probs[a:b].argmax() == targets.numpy()[a:b].argmax()
        for a, b in itertools.pairwise(first)
    ]
    return float(np.mean(same))


@pytest.mark.parametrize("embeddings", [False, True])
def test_a_rule_is_learned_and_followed_in_the_simulator(embeddings: bool) -> None:
    instances, examples = taught("mwkr")
    policy = fresh(embeddings)
    before = agreement(policy, examples)
    losses = clone(policy, examples, QUICK, seed=0)
    assert losses[-1] < 0.6 * losses[0]
    assert agreement(policy, examples) > max(0.9, before + 0.2)
    costs = play(policy, JOBSHOP, OPTIONS, instances)
    rule = np.array([JOBSHOP.baseline("mwkr")(instance).makespan for instance in instances])
    assert abs(costs / rule - 1.0).mean() < 0.03


@pytest.mark.parametrize("embeddings", [False, True])
def test_the_same_seed_gives_the_same_weights(embeddings: bool) -> None:
    _, examples = taught("mwkr")
    made = []
    for seed in (1, 1, 2):
        policy = fresh(embeddings)
        clone(policy, examples, replace(QUICK, epochs=2), seed)
        made.append(torch.cat([w.flatten() for w in policy.parameters()]))
    assert torch.equal(made[0], made[1])
    assert not torch.equal(made[0], made[2])


def test_without_embeddings_nothing_of_the_graph_is_learned() -> None:
    _, examples = taught("mwkr", 6)
    policy = fresh(embeddings=False)
    before = {k: v.clone() for k, v in policy.encoder.state_dict().items()}
    clone(policy, examples, QUICK, 0)
    assert all(torch.equal(before[k], v) for k, v in policy.encoder.state_dict().items())
    assert not any(w.any() for w in policy.decoder.references())
    width = policy.decoder.embedding_width
    assert not policy.decoder.context_in.weight[:, -width:].any()


def test_standardised_columns_and_folded_weights_say_the_same() -> None:
    """Unfolded weights on standardised columns equal plain ones on plain columns, both ways."""
    _, examples = taught("spt")
    policy = fresh(embeddings=False, seed=3)
    for weight in policy.decoder.parameters():
        torch.nn.init.normal_(weight, std=0.3)
    for weight in policy.decoder.references():
        torch.nn.init.zeros_(weight)
    scaling = Scaling(examples.obs)
    index = np.arange(40)
    small = replace(examples, obs=select(examples.obs, index), targets=examples.targets)
    standard = replace(small, obs=scaling.standardised(small.obs))

    def log_probs(what: Examples) -> torch.Tensor:
        obs, _ = Lessons(what, embeddings=False).batch(index, policy)
        with torch.no_grad():
            return policy.decode(obs)[0]

    scaling.unfold(policy.decoder)  # constant columns have no weights from here on
    expected = log_probs(standard)
    scaling.fold(policy.decoder)
    assert torch.allclose(log_probs(small), expected, atol=1e-4)
    assert not torch.allclose(log_probs(standard), expected, atol=1e-2)
    scaling.unfold(policy.decoder)
    assert torch.allclose(log_probs(standard), expected, atol=1e-4)


def test_soft_targets_are_matched() -> None:
    """Where a teacher is of two minds, so is the policy in the end."""
    _, examples = taught("mwkr", 12)
    counts = np.diff(examples.obs["candidate_ptr"])
    even = np.repeat(1.0 / counts, counts).astype(np.float32)
    policy = fresh(embeddings=False)
    losses = clone(policy, replace(examples, targets=even), QUICK, 0)
    assert losses[-1] == pytest.approx(float(np.log(counts).mean()), rel=0.02)


def test_nothing_to_learn_from_is_said() -> None:
    _, examples = taught("mwkr", 2)
    none = np.zeros(0, np.int64)
    empty = replace(examples, obs=select(examples.obs, none), targets=examples.targets[:0])
    with pytest.raises(InputError, match="teacher: expected decisions"):
        clone(fresh(embeddings=False), empty, QUICK, 0)


def test_divergence_is_said_in_one_line() -> None:
    _, examples = taught("mwkr", 4)
    with pytest.raises(InputError, match="diverged"):
        clone(fresh(embeddings=False), examples, replace(QUICK, learning_rate=1e30), 0)
