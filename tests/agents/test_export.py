"""The exported networks give torch's numbers at sizes other than the traced ones."""

import numpy as np
import onnxruntime
import pytest
import torch

from graphsched.agents.decoder import Decoder, decoder_inputs
from graphsched.agents.encoder import GraphEncoder, collate
from graphsched.agents.export import decoder_onnx, encoder_onnx
from graphsched.agents.packing import collate_arrays, encoder_inputs
from graphsched.agents.samples import random_graph, random_observation, random_store
from graphsched.envs.core.graph import (
    EdgeType,
    GraphSchema,
    GraphStore,
    NodeType,
    StaticGraph,
    features,
)

FULL = GraphSchema(
    nodes=(NodeType("task", features("work", "size")), NodeType("pe", features("speed"))),
    edges=(
        EdgeType("feeds", "task", "task", features("bytes")),
        EdgeType("runs_on", "task", "pe"),
        EdgeType("hosts", "pe", "task"),
    ),
    candidate=features("cost", "delay"),
    candidate_nodes=("task", "pe"),
    resource=features("load"),
    resource_node="pe",
    candidate_resources=("pe", "memory"),
    context=features("progress"),
    kinds=("route", "budget"),
)
BARE = GraphSchema(
    nodes=(NodeType("task", features("work")),),
    edges=(EdgeType("feeds", "task", "task"),),
    candidate=features("cost"),
    candidate_nodes=("task",),
)
SCHEMAS = {"full": FULL, "bare": BARE}
WIDTH = 8


def randomise(network: torch.nn.Module) -> None:
    torch.manual_seed(0)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.4)


def session(model: bytes) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])


@pytest.fixture(scope="module", params=sorted(SCHEMAS))
def schema(request: pytest.FixtureRequest) -> GraphSchema:
    return SCHEMAS[request.param]


@pytest.fixture(scope="module")
def encoder(schema: GraphSchema) -> tuple[GraphEncoder, onnxruntime.InferenceSession]:
    network = GraphEncoder(schema, WIDTH, layers=2)
    randomise(network)
    return network, session(encoder_onnx(network))


@pytest.fixture(scope="module")
def decoder(schema: GraphSchema) -> tuple[Decoder, onnxruntime.InferenceSession]:
    network = Decoder(schema, WIDTH, WIDTH)
    randomise(network)
    return network, session(decoder_onnx(network))


@pytest.mark.parametrize("largest", [1, 2, 40])
def test_encoder(
    schema: GraphSchema,
    encoder: tuple[GraphEncoder, onnxruntime.InferenceSession],
    largest: int,
) -> None:
    network, runtime = encoder
    rng = np.random.default_rng(largest)
    graph = random_graph(schema, rng, largest)
    if largest == 2:
        graph = StaticGraph(graph.nodes, {})  # no edge at all
    store = GraphStore()
    store.add(graph)
    arrays = collate_arrays(schema, [graph])
    (got,) = runtime.run(None, encoder_inputs(schema, arrays))
    with torch.no_grad():
        expected = network(collate(schema, store, store.ids())).numpy()
    np.testing.assert_allclose(got[arrays.rows], expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("blocks", "most"), [(1, 1), (1, 4), (3, 9), (50, 3)])
def test_decoder(
    schema: GraphSchema,
    decoder: tuple[Decoder, onnxruntime.InferenceSession],
    blocks: int,
    most: int,
) -> None:
    network, runtime = decoder
    rng = np.random.default_rng(blocks)
    store = random_store(schema, rng, graphs=2)
    table = rng.normal(size=(store.num_rows, WIDTH)).astype(np.float32)
    obs = random_observation(schema, store, rng, blocks, most)
    inputs = {name: obs[name] for name in decoder_inputs(schema)}  # type: ignore[literal-required]
    logits, values = runtime.run(None, {**inputs, "table": table})
    with torch.no_grad():
        tensors = {name: torch.from_numpy(array) for name, array in inputs.items()}
        expected_logits, expected_values = network(tensors, torch.from_numpy(table))
    np.testing.assert_allclose(logits, expected_logits.numpy(), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(values, expected_values.numpy(), rtol=1e-5, atol=1e-5)
    assert np.abs(logits).max() > 0.1


def test_files_are_small() -> None:
    encoder, decoder = GraphEncoder(FULL, 32, 3), Decoder(FULL, 32, 32)
    assert len(encoder_onnx(encoder)) + len(decoder_onnx(decoder)) < 2_000_000
