"""A policy that imitates comes to decide as its teacher, on plain columns as on standardised ones."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from graphsched.agents.learning.policy import GraphPolicy, without_nodes
from graphsched.agents.learning.repack import select
from graphsched.agents.learning.space import GraphSpace, action_space
from graphsched.envs.core.errors import InputError
from graphsched.envs.core.registry import get_domain
from graphsched.training.settings.config import TeacherConfig
from graphsched.training.teaching.clone import Lessons, clone
from graphsched.training.teaching.members import clone_members, merge
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
    obs, targets, _ = Lessons(examples, policy.embeddings).batch(np.arange(len(examples)), policy)
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


def test_the_linear_part_alone_can_imitate() -> None:
    """Logits are then a weighted sum of the candidates' plain columns."""
    _, examples = taught("mwkr")
    torch.manual_seed(0)
    space = GraphSpace(JOBSHOP.schema)
    kinds: dict[str, Any] = {"width": 8, "layers": 0, "decoder_width": 8, "embeddings": False}
    policy = GraphPolicy(space, action_space(), lambda _: 0.0, linear_only=True, **kinds)
    clone(policy, examples, QUICK, 0)
    assert not policy.decoder.score_out.weight.any()
    assert agreement(policy, examples) > 0.85
    obs, _, _ = Lessons(examples, embeddings=False).batch(np.arange(5), policy)
    with torch.no_grad():
        plain = obs["candidate"] @ policy.decoder.linear_out.weight[0]
        found = policy.decode(obs)[0]
    a, b = examples.obs["candidate_ptr"][:2]
    assert torch.allclose(found[a:b] - found[a], plain[a:b] - plain[a], atol=1e-4)


@pytest.mark.parametrize("clip", [0.0, 1.0])
def test_standardised_columns_and_folded_weights_say_the_same(clip: float) -> None:
    """Unfolded weights on standardised columns equal plain ones on plain columns, both ways."""
    _, examples = taught("spt")
    policy = fresh(embeddings=False, seed=3)
    for weight in policy.decoder.parameters():
        torch.nn.init.normal_(weight, std=0.3)
    for weight in policy.decoder.references():
        torch.nn.init.zeros_(weight)
    scaling = Scaling(examples.obs, clip)
    index = np.arange(40)
    rows = int(examples.obs["candidate_ptr"][len(index)])
    small = replace(
        examples,
        obs=select(examples.obs, index),
        targets=examples.targets[:rows],
        costs=examples.costs[:rows],
        tried=examples.tried[: len(index)],
    )
    standard = replace(small, obs=scaling.standardised(small.obs))

    def log_probs(what: Examples) -> torch.Tensor:
        obs, _, _ = Lessons(what, embeddings=False).batch(index, policy)
        with torch.no_grad():
            return policy.decode(obs)[0]

    scaling.unfold(policy.decoder)  # constant columns have no weights from here on
    expected = log_probs(standard)
    scaling.fold(policy.decoder)
    assert torch.allclose(log_probs(small), expected, atol=1e-4)
    assert not torch.allclose(log_probs(standard), expected, atol=1e-2)
    scaling.unfold(policy.decoder)
    assert torch.allclose(log_probs(standard), expected, atol=1e-4)


def test_columns_that_a_policy_is_blind_to_change_nothing() -> None:
    """Neither what it imitates nor what it decides depends on them."""
    _, examples = taught("mwkr")
    names = [feature.name for feature in JOBSHOP.schema.candidate]
    torch.manual_seed(0)
    kinds: dict[str, Any] = {"width": 8, "layers": 0, "decoder_width": 8, "embeddings": False}
    space, blind = GraphSpace(JOBSHOP.schema), names[::2]
    policy = GraphPolicy(space, action_space(), lambda _: 0.0, blind=blind, **kinds)
    clone(policy, examples, replace(QUICK, epochs=3), 0)
    for weight in (policy.decoder.candidate_in.weight, policy.decoder.linear_out.weight):
        assert not weight[:, ::2].any()
        assert weight[:, 1::2].any()
    seeing = GraphPolicy(space, action_space(), lambda _: 0.0, **kinds)
    policy.decoder.linear_out.weight.data.fill_(1.0)
    policy.cover()
    assert policy.decoder.linear_out.weight[0].tolist() == [k % 2 for k in range(len(names))]
    seeing.cover()
    assert seeing.decoder.candidate_in.weight[:, ::2].any()


def test_hidden_layers_see_nothing_beyond_the_examples() -> None:
    """The linear part extrapolates, the rest of the decoder stays as at the end of what was seen."""
    _, examples = taught("spt")
    policy = fresh(embeddings=False, seed=4)
    clone(policy, examples, replace(QUICK, clip=1e3), 0)  # what was seen is narrower than that
    obs, _, _ = Lessons(examples, embeddings=False).batch(np.arange(1), policy)
    decoder, column = policy.decoder, int(policy.decoder.candidate_in.weight.norm(dim=0).argmax())
    least, most = decoder.get_buffer("candidate_limits")[:, column]
    seen = examples.obs["candidate"][:, column]
    assert least.item() == pytest.approx(seen.min(), abs=1e-5)
    assert most.item() == pytest.approx(seen.max(), abs=1e-5)
    logits = []
    for value in (most.item(), most.item() + 100.0):
        changed = obs["candidate"].clone()
        changed[:, column] = value
        with torch.no_grad():
            plain = changed @ decoder.linear_out.weight[0]
            table = torch.zeros(1, policy.width)
            given = without_nodes({**obs, "candidate": changed}, policy.width)[0]
            logits.append(decoder(given, table)[0] - plain)
    assert torch.allclose(logits[0], logits[1], atol=1e-3)


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


def test_members_are_averaged_by_one_decoder() -> None:
    """Logits and values of the merged network are the means of those of its members."""
    _, examples = taught("mwkr", 6)
    torch.manual_seed(0)
    sizes: dict[str, Any] = {"width": 4, "layers": 0, "embeddings": False}

    def make(width: int) -> GraphPolicy:
        space = GraphSpace(JOBSHOP.schema)
        return GraphPolicy(space, action_space(), lambda _: 0.0, decoder_width=width, **sizes)

    members = [make(6) for _ in range(3)]
    for member in members:
        for weight in member.decoder.parameters():
            if weight.requires_grad:
                torch.nn.init.normal_(weight, std=0.3)
        member.decoder.context_in.weight.data[:, -4:] = 0.0
    whole = make(18)
    merge([member.decoder for member in members], whole.decoder)
    obs, _, _ = Lessons(examples, embeddings=False).batch(np.arange(len(examples)), whole)
    table = torch.zeros(1, 4)
    with torch.no_grad():
        seen, table = without_nodes(obs, 4)
        parts = [member.decoder(seen, table) for member in members]
        found = whole.decoder(seen, table)
    for kind in (0, 1):
        mean = torch.stack([part[kind] for part in parts]).mean(0)
        assert torch.allclose(found[kind], mean, atol=1e-5)


def test_members_are_fitted_from_different_starts() -> None:
    _, examples = taught("mwkr")
    torch.manual_seed(0)
    space = GraphSpace(JOBSHOP.schema)
    sizes: dict[str, Any] = {"width": 4, "layers": 0, "embeddings": False, "decoder_width": 12}
    policy = GraphPolicy(space, action_space(), lambda _: 0.0, **sizes)
    epochs: list[int] = []
    losses = clone_members(
        policy, examples, replace(QUICK, members=2), 0, lambda epoch, _: epochs.append(epoch)
    )
    assert epochs == list(range(2 * QUICK.epochs)) == list(range(len(losses)))
    assert agreement(policy, examples) > 0.9
    assert not torch.equal(
        policy.decoder.candidate_in.weight[:6], policy.decoder.candidate_in.weight[6:]
    )
    assert not policy.decoder.score_context.weight[:6, 6:].any()


def test_members_are_blind_to_what_their_policy_is_blind_to() -> None:
    """They once saw all columns, and brought them into the decoder that they became."""
    _, examples = taught("mwkr")
    names = [feature.name for feature in JOBSHOP.schema.candidate]
    kinds: dict[str, Any] = {"width": 8, "layers": 0, "decoder_width": 8, "embeddings": False}
    space = GraphSpace(JOBSHOP.schema)
    policy = GraphPolicy(space, action_space(), lambda _: 0.0, blind=names[::2], **kinds)
    clone_members(policy, examples, replace(QUICK, epochs=2, members=2), 0)
    for weight in (policy.decoder.candidate_in.weight, policy.decoder.linear_out.weight):
        assert not weight[:, ::2].any()
        assert weight[:, 1::2].any()


def test_scaling_follows_its_weights_to_another_device() -> None:
    """Arrays without contents refuse to be mixed with others, as a GPU's do."""
    examples = taught("spt", number=2)[1]
    decoder = fresh(embeddings=False).decoder.to("meta")
    scaling = Scaling(examples.obs)
    scaling.unfold(decoder)
    scaling.fold(decoder)
    assert decoder.linear_out.weight.device.type == "meta"
