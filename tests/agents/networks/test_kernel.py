"""The numba kernel computes what the torch decoder defines, and draws by inversion."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from graphsched.agents.networks import ragged
from graphsched.agents.networks.decoder import Decoder
from graphsched.agents.networks.kernel import DecoderKernel
from graphsched.agents.networks.packing import NetworkObs, decoder_inputs
from graphsched.agents.networks.samples import random_graph, random_observation, random_store
from graphsched.envs.core.graph import GraphSchema, NodeType, features

FULL = GraphSchema(
    nodes=(NodeType("task", features("work")), NodeType("pe", features("speed"))),
    edges=(),
    candidate=features("cost", "delay", "rank", "age", "size"),
    candidate_nodes=("task", "pe"),
    resource=features("load", "ready"),
    resource_node="pe",
    candidate_resources=("pe", "memory"),
    context=features("progress"),
    kinds=("route", "budget"),
)
LOOSE = GraphSchema(
    nodes=(NodeType("task", features("work")),),
    edges=(),
    candidate=features("cost"),
    candidate_nodes=("task",),
    resource=features("load"),
)
BARE = GraphSchema(
    nodes=(NodeType("task", features("work")),),
    edges=(),
    candidate=features("cost"),
    candidate_nodes=(),
)
SCHEMAS = {"full": FULL, "loose": LOOSE, "bare": BARE}
EMBEDDING = 6


def pair(schema: GraphSchema, seed: int, width: int = 8) -> tuple[Decoder, DecoderKernel]:
    """A decoder with large random weights and its kernel."""
    torch.manual_seed(seed % 2**31)
    decoder = Decoder(schema, EMBEDDING, width)
    for parameter in decoder.parameters():
        torch.nn.init.normal_(parameter, std=0.4)
    for ends in decoder.buffers():  # narrow enough that many columns are clipped
        ends.copy_(torch.tensor([[-1.0], [1.0]]) * torch.rand(ends.shape[1]))
    return decoder, DecoderKernel(schema, {k: v.numpy() for k, v in decoder.state_dict().items()})


def torch_logits(
    decoder: Decoder, obs: NetworkObs, table: np.ndarray
) -> tuple[torch.Tensor, torch.Tensor]:
    names = decoder_inputs(decoder.schema)
    with torch.no_grad():
        tensors = {name: torch.from_numpy(obs[name]) for name in names}  # type: ignore[literal-required]
        logits, values = decoder(tensors, torch.from_numpy(table))
    return logits, values


def close(got: np.ndarray, expected: torch.Tensor) -> None:
    np.testing.assert_allclose(got, expected.numpy(), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", SCHEMAS)
@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), blocks=st.integers(1, 6), most=st.integers(1, 6))
def test_kernel_equals_decoder(name: str, seed: int, blocks: int, most: int) -> None:
    schema, rng = SCHEMAS[name], np.random.default_rng(seed)
    decoder, kernel = pair(schema, seed)
    store = random_store(schema, rng, graphs=3)
    obs = random_observation(schema, store, rng, blocks, most)
    table = rng.normal(size=(store.num_rows, EMBEDDING)).astype(np.float32)
    expected_logits, expected_values = torch_logits(decoder, obs, table)
    logits, values = kernel.logits(obs, kernel.project(table))
    close(logits, expected_logits)
    close(values, expected_values)


@pytest.mark.parametrize("field", ["candidate_node", "candidate_resource", "graph_start"])
def test_a_corrupted_index_is_seen(field: str) -> None:
    rng = np.random.default_rng(0)
    decoder, kernel = pair(FULL, 0)
    store = random_store(FULL, rng, graphs=3)
    obs = random_observation(FULL, store, rng, blocks=6)
    table = rng.normal(size=(store.num_rows, EMBEDDING)).astype(np.float32)
    expected, _ = torch_logits(decoder, obs, table)
    wrong = obs[field].copy()  # type: ignore[literal-required]
    if field == "graph_start":
        wrong[0] = store.row_start(store.ids()[int(wrong[0] == 0)])
        obs["graph_size"][0] = 1
    else:
        wrong[np.unravel_index(int(np.argmax(wrong >= 0)), wrong.shape)] = -1
    obs[field] = wrong  # type: ignore[literal-required]
    logits, _ = kernel.logits(obs, kernel.project(table))
    assert np.abs(logits - expected.numpy()).max() > 1e-4


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    greedy=st.booleans(),
    temperature=st.sampled_from([0.3, 1.0, 4.0]),
)
def test_decisions_match_the_tempered_distribution(
    seed: int, greedy: bool, temperature: float
) -> None:
    rng = np.random.default_rng(seed)
    _, kernel = pair(FULL, seed)
    store = random_store(FULL, rng)
    obs = random_observation(FULL, store, rng, blocks=6)
    tables = kernel.project(rng.normal(size=(store.num_rows, EMBEDDING)).astype(np.float32))
    uniforms = rng.random(6)
    made = kernel.act(obs, tables, uniforms, greedy, temperature)
    logits, values = kernel.logits(obs, tables)
    ptr = torch.from_numpy(obs["candidate_ptr"])
    scaled = torch.from_numpy(logits).double() / temperature
    block = ragged.block_index(ptr, len(logits))
    log_probs = ragged.log_softmax(scaled, block, 6)
    best = ragged.argmax(scaled, ptr, block)
    drawn = ragged.sample(log_probs, ptr, block, torch.from_numpy(uniforms))
    expected = best if greedy else drawn
    np.testing.assert_array_equal(made.actions, expected.numpy())
    close(made.log_probs, log_probs[ptr[:-1] + expected])
    close(made.entropies, ragged.entropy(log_probs, block, 6))
    np.testing.assert_array_equal(made.values, values)


def test_draws_follow_the_probabilities() -> None:
    rng = np.random.default_rng(1)
    _, kernel = pair(FULL, 3)
    store = random_store(FULL, rng)
    obs = random_observation(FULL, store, rng, blocks=1, most=4)
    while len(obs["candidate"]) < 3:
        obs = random_observation(FULL, store, rng, blocks=1, most=4)
    tables = kernel.project(rng.normal(size=(store.num_rows, EMBEDDING)).astype(np.float32))
    logits, _ = kernel.logits(obs, tables)
    temperature = float(np.abs(logits).max())  # soft enough that every candidate is drawn
    weights = np.exp(logits / temperature)
    draws = 4000
    actions = [
        int(kernel.act(obs, tables, np.array([(i + 0.5) / draws]), False, temperature).actions[0])
        for i in range(draws)
    ]
    share = np.bincount(actions, minlength=len(logits)) / draws
    np.testing.assert_allclose(share, weights / weights.sum(), atol=1e-3)


def test_a_decision_does_not_depend_on_its_batch() -> None:
    rng = np.random.default_rng(2)
    _, kernel = pair(FULL, 2)
    store = random_store(FULL, rng, graphs=1)
    both = random_observation(FULL, store, rng, blocks=2)
    tables = kernel.project(rng.normal(size=(store.num_rows, EMBEDDING)).astype(np.float32))
    arrays: dict[str, Any] = {**both}
    c, r, g = (int(arrays[f"{n}_ptr"][1]) for n in ("candidate", "resource", "graph"))
    alone = {name: array[1:] for name, array in arrays.items()}
    for name in ("candidate", "candidate_node", "candidate_resource"):
        alone[name] = arrays[name][c:]
    alone["resource"], alone["resource_node"] = both["resource"][r:], both["resource_node"][r:]
    for name in ("graph", "graph_start", "graph_size"):
        alone[name] = arrays[name][g:]
    for name, first in (("candidate_ptr", c), ("resource_ptr", r), ("graph_ptr", g)):
        alone[name] = alone[name] - first
    logits, values = kernel.logits(both, tables)
    single_logits, single_values = kernel.logits(alone, tables)  # type: ignore[arg-type]
    np.testing.assert_array_equal(single_logits, logits[c:])
    np.testing.assert_array_equal(single_values, values[1:])


def test_projecting_a_new_graph_in_place_equals_projecting_all() -> None:
    rng = np.random.default_rng(4)
    _, kernel = pair(FULL, 4)
    store = random_store(FULL, rng, graphs=2)
    table = rng.normal(size=(store.num_rows, EMBEDDING)).astype(np.float32)
    tables = kernel.project(table)
    added = store.add(random_graph(FULL, rng))
    fresh = rng.normal(size=(store.graph(added).num_nodes, EMBEDDING)).astype(np.float32)
    tables = kernel.project_rows(tables, fresh, store.row_start(added), store.num_rows)
    obs = random_observation(FULL, store, rng, blocks=6)
    logits, values = kernel.logits(obs, tables)
    whole = kernel.project(np.concatenate([table, fresh]))
    expected_logits, expected_values = kernel.logits(obs, whole)
    np.testing.assert_allclose(logits, expected_logits, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(values, expected_values, rtol=1e-5, atol=1e-5)


def test_update_takes_new_parameters() -> None:
    rng = np.random.default_rng(5)
    _, kernel = pair(FULL, 5)
    other, expected = pair(FULL, 6)
    store = random_store(FULL, rng)
    obs = random_observation(FULL, store, rng)
    table = rng.normal(size=(store.num_rows, EMBEDDING)).astype(np.float32)
    kernel.update({k: v.numpy() for k, v in other.state_dict().items()})
    got, _ = kernel.logits(obs, kernel.project(table))
    want, _ = expected.logits(obs, expected.project(table))
    np.testing.assert_array_equal(got, want)
