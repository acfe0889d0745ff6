"""The decoder keeps blocks apart, and ragged operations agree with their definitions."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from graphsched.agents.networks import ragged
from graphsched.agents.networks.decoder import Decoder
from graphsched.agents.networks.packing import NetworkObs, decoder_inputs
from graphsched.agents.networks.samples import random_observation, random_store
from graphsched.envs.core.graph import GraphSchema, NodeType, features

FULL = GraphSchema(
    nodes=(NodeType("task", features("work")), NodeType("pe", features("speed"))),
    edges=(),
    candidate=features("cost", "delay", "rank"),
    candidate_nodes=("task", "pe"),
    resource=features("load", "ready"),
    resource_node="pe",
    candidate_resources=("pe", "memory"),
    context=features("progress"),
    kinds=("route", "budget"),
)
BARE = GraphSchema(
    nodes=(NodeType("task", features("work")),),
    edges=(),
    candidate=features("cost"),
    candidate_nodes=(),
)
SCHEMAS = {"full": FULL, "bare": BARE}


def randomised(schema: GraphSchema, scale: float = 0.5) -> Decoder:
    """Large weights: a near-uniform policy would hide errors."""
    torch.manual_seed(0)
    decoder = Decoder(schema, embedding_width=6, width=8).double()
    for parameter in decoder.parameters():
        torch.nn.init.normal_(parameter, std=scale)
    return decoder


def tensors(schema: GraphSchema, obs: NetworkObs) -> dict[str, torch.Tensor]:
    names = decoder_inputs(schema)
    arrays = {name: torch.from_numpy(obs[name]) for name in names}  # type: ignore[literal-required]
    return {n: a.double() if a.is_floating_point() else a for n, a in arrays.items()}


@pytest.fixture
def drawn() -> tuple[dict[str, torch.Tensor], torch.Tensor]:
    rng = np.random.default_rng(0)
    store = random_store(FULL, rng)
    obs = random_observation(FULL, store, rng, blocks=5)
    return tensors(FULL, obs), torch.from_numpy(rng.normal(size=(store.num_rows, 6)))


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_new_policy_is_nearly_uniform(name: str) -> None:
    schema = SCHEMAS[name]
    torch.manual_seed(1)
    rng = np.random.default_rng(1)
    store = random_store(schema, rng)
    obs = random_observation(schema, store, rng, blocks=20)
    obs_tensors = {
        k: v.float() if v.is_floating_point() else v for k, v in tensors(schema, obs).items()
    }
    logits, _ = Decoder(schema, 6, 8)(obs_tensors, torch.randn(store.num_rows, 6))
    assert logits.abs().max() < 0.2


def test_blocks_do_not_see_each_other(drawn: tuple[dict[str, torch.Tensor], torch.Tensor]) -> None:
    obs, table = drawn
    decoder = randomised(FULL)
    logits, values = decoder(obs, table)
    first, last = int(obs["candidate_ptr"][2]), int(obs["candidate_ptr"][3])
    obs["candidate"][first:last] += 1.0
    moved, moved_values = decoder(obs, table)
    inside = torch.zeros(len(logits), dtype=torch.bool)
    inside[first:last] = True
    torch.testing.assert_close(moved[~inside], logits[~inside])
    assert (moved[inside] - logits[inside]).abs().min() > 1e-6
    assert ((moved_values - values).abs() > 1e-9).tolist() == [False, False, True, False, False]


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_permuting_candidates_permutes_logits(seed: int) -> None:
    rng = np.random.default_rng(seed)
    store = random_store(FULL, rng)
    obs = tensors(FULL, random_observation(FULL, store, rng))
    table = torch.from_numpy(rng.normal(size=(store.num_rows, 6)))
    ptr = obs["candidate_ptr"].numpy()
    order = np.concatenate([a + rng.permutation(b - a) for a, b in pairwise(ptr)])
    shuffled = {**obs}
    for name in ("candidate", "candidate_node", "candidate_resource"):
        shuffled[name] = obs[name][order]
    decoder = randomised(FULL)
    logits, values = decoder(obs, table)
    moved, moved_values = decoder(shuffled, table)
    torch.testing.assert_close(moved, logits[order])
    torch.testing.assert_close(moved_values, values)


@pytest.mark.parametrize("name", ["candidate_node", "candidate_resource", "resource_node", "kind"])
def test_every_reference_matters(
    name: str, drawn: tuple[dict[str, torch.Tensor], torch.Tensor]
) -> None:
    obs, table = drawn
    decoder = randomised(FULL)
    before, _ = decoder(obs, table)
    if name == "kind":
        changed = 1 - obs[name]
    else:
        assert (obs[name] >= 0).any()
        changed = torch.full_like(obs[name], -1)
    after, _ = decoder({**obs, name: changed}, table)
    assert (after - before).abs().max() > 1e-3


def test_graph_embedding_is_the_mean_over_live_graphs(
    drawn: tuple[dict[str, torch.Tensor], torch.Tensor],
) -> None:
    from graphsched.agents.networks.decoder import mean_embedding

    obs, table = drawn
    got = mean_embedding(obs, table)
    for i, (first, last) in enumerate(pairwise(obs["graph_ptr"])):
        spans = zip(obs["graph_start"][first:last], obs["graph_size"][first:last], strict=True)
        means = torch.stack([table[s : s + n].mean(0) for s, n in spans])
        torch.testing.assert_close(got[i], means.mean(0))


def test_every_parameter_gets_a_gradient(
    drawn: tuple[dict[str, torch.Tensor], torch.Tensor],
) -> None:
    obs, table = drawn
    decoder = randomised(FULL)
    logits, values = decoder(obs, table)
    (logits.pow(2).sum() + values.pow(2).sum()).backward()
    silent = [n for n, p in decoder.named_parameters() if p.grad is None or not p.grad.any()]
    assert silent == []


LENGTHS = st.lists(st.integers(1, 6), min_size=1, max_size=8)


@settings(max_examples=40, deadline=None)
@given(lengths=LENGTHS, seed=st.integers(0, 2**32 - 1))
def test_ragged_operations_match_one_block_at_a_time(lengths: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    ptr = torch.tensor(np.concatenate([[0], np.cumsum(lengths)]))
    logits = torch.from_numpy(rng.integers(-3, 4, int(ptr[-1])).astype(np.float64))
    uniforms = torch.from_numpy(rng.random(len(lengths)))
    block = ragged.block_index(ptr, len(logits))
    log_probs = ragged.log_softmax(logits, block, len(lengths))
    entropies = ragged.entropy(log_probs, block, len(lengths))
    best = ragged.argmax(logits, ptr, block)
    drawn = ragged.sample(log_probs, ptr, block, uniforms)
    for i in range(len(lengths)):
        rows = slice(int(ptr[i]), int(ptr[i + 1]))
        expected = torch.distributions.Categorical(logits=logits[rows])
        torch.testing.assert_close(log_probs[rows], expected.logits)
        torch.testing.assert_close(entropies[i], expected.entropy())
        assert best[i] == int(np.argmax(logits[rows].numpy()))
        inverse = np.searchsorted(np.cumsum(expected.probs.numpy()), uniforms[i].item(), "right")
        assert drawn[i] == min(inverse, lengths[i] - 1)


def test_block_index_skips_empty_blocks() -> None:
    ptr = torch.tensor([0, 0, 2, 2, 3, 3])
    assert ragged.block_index(ptr, 3).tolist() == [1, 1, 3]
