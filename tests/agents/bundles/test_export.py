"""The exported networks give torch's numbers at sizes other than the traced ones."""

import re
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from graphsched.agents.bundles.export import decoder_onnx, encoder_onnx
from graphsched.agents.networks.decoder import Decoder
from graphsched.agents.networks.encoder import GraphEncoder, collate
from graphsched.agents.networks.packing import collate_arrays, decoder_inputs, encoder_inputs
from graphsched.agents.networks.samples import random_graph, random_observation, random_store
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
WIDTH = 32


def randomise(network: torch.nn.Module) -> None:
    torch.manual_seed(0)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.2)


class Exported:
    """A network and the session of its exported model."""

    def __init__(self, network: torch.nn.Module, model: bytes) -> None:
        """Args: network: in torch. model: its ONNX."""
        self.network = network
        self.model = model
        self.session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])


@pytest.fixture(scope="module", params=sorted(SCHEMAS))
def schema(request: pytest.FixtureRequest) -> GraphSchema:
    return SCHEMAS[request.param]


@pytest.fixture(scope="module")
def encoder(schema: GraphSchema) -> Exported:
    network = GraphEncoder(schema, WIDTH, layers=2)
    randomise(network)
    return Exported(network, encoder_onnx(network))


@pytest.fixture(scope="module")
def decoder(schema: GraphSchema) -> Exported:
    network = Decoder(schema, WIDTH, WIDTH)
    randomise(network)
    return Exported(network, decoder_onnx(network))


@pytest.mark.parametrize("largest", [1, 2, 40])
def test_encoder(
    schema: GraphSchema,
    encoder: Exported,
    largest: int,
) -> None:
    rng = np.random.default_rng(largest)
    graph = random_graph(schema, rng, largest)
    if largest == 2:
        graph = StaticGraph(graph.nodes, {})  # no edge at all
    store = GraphStore()
    store.add(graph)
    arrays = collate_arrays(schema, [graph])
    (got,) = encoder.session.run(None, encoder_inputs(schema, arrays))
    with torch.no_grad():
        expected = encoder.network(collate(schema, map(store.graph, store.ids()))).numpy()
    np.testing.assert_allclose(got[arrays.rows], expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("blocks", "most"), [(1, 1), (1, 4), (3, 9), (50, 3)])
def test_decoder(
    schema: GraphSchema,
    decoder: Exported,
    blocks: int,
    most: int,
) -> None:
    rng = np.random.default_rng(blocks)
    store = random_store(schema, rng, graphs=2)
    table = rng.normal(size=(store.num_rows, WIDTH)).astype(np.float32)
    obs = random_observation(schema, store, rng, blocks, most)
    inputs = {name: obs[name] for name in decoder_inputs(schema)}  # type: ignore[literal-required]
    logits, values = decoder.session.run(None, {**inputs, "table": table})
    with torch.no_grad():
        tensors = {name: torch.from_numpy(array) for name, array in inputs.items()}
        expected_logits, expected_values = decoder.network(tensors, torch.from_numpy(table))
    np.testing.assert_allclose(logits, expected_logits.numpy(), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(values, expected_values.numpy(), rtol=1e-5, atol=1e-5)
    assert np.abs(logits).max() > 0.1


def test_files_are_small(encoder: Exported, decoder: Exported) -> None:
    assert len(encoder.model) + len(decoder.model) < 2_000_000


def test_exported_networks_hold_no_paths_of_this_machine(
    encoder: Exported, decoder: Exported
) -> None:
    """The exporter notes on every node which source line it came from."""
    for model in (encoder.model, decoder.model):
        assert b"export.py" not in model
        assert b"stack_trace" not in model


def test_shipped_bundles_hold_no_paths() -> None:
    """Neither their networks nor their configurations."""
    files = list((Path(__file__).parents[3] / "checkpoints").glob("*/*/*"))
    assert files
    for file in files:
        # A name in front: three bytes alone may be part of a weight.
        assert not re.search(rb"[\w/.-]{4}\.py", file.read_bytes()), file
        assert b'"out"' not in file.read_bytes(), file
