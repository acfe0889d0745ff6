"""ONNX of the two networks, for every size of graph and observation."""

from __future__ import annotations

import logging
import tempfile
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import torch
from torch import Tensor, nn
from torch.export import Dim

from graphsched.agents.bundles.bundle import Networks
from graphsched.agents.networks.packing import collate_arrays, decoder_inputs, encoder_inputs
from graphsched.agents.networks.samples import random_observation, random_store

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from graphsched.agents.networks.decoder import Decoder
    from graphsched.agents.networks.encoder import GraphEncoder

OPSET = 20
BLOCK_DIMS = ("kind", "context")
POINTERS = ("candidate_ptr", "resource_ptr", "graph_ptr")
_ROWS = {"candidate": "candidates", "resource": "resources", "graph": "graphs"}


class _FlatEncoder(nn.Module):
    """The encoder with one tensor an argument, output type by type."""

    def __init__(self, encoder: GraphEncoder) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, *arrays: Tensor) -> Tensor:
        schema = self.encoder.schema
        nodes, edges = len(schema.nodes), len(schema.edges)
        given = iter(arrays[nodes + edges :])
        index = arrays[nodes : nodes + edges]
        rows = [
            next(given) if edge.features else arrays[0].new_empty(ends.shape[1], 0)
            for edge, ends in zip(schema.edges, index, strict=True)
        ]
        return self.encoder.embed(arrays[:nodes], index, rows)


class _FlatDecoder(nn.Module):
    """The decoder with one tensor an argument: its observation's arrays, then the table."""

    def __init__(self, decoder: Decoder) -> None:
        super().__init__()
        self.decoder = decoder
        self._names = decoder_inputs(decoder.schema)

    def forward(self, *arrays: Tensor) -> tuple[Tensor, Tensor]:
        obs = dict(zip(self._names, arrays[:-1], strict=True))
        logits, values = self.decoder(obs, arrays[-1])
        return logits, values


def encoder_onnx(encoder: GraphEncoder) -> bytes:
    """ONNX model of the encoder: `packing.encoder_inputs` in, ``embeddings`` type by type out."""
    schema = encoder.schema
    store = random_store(schema, np.random.default_rng(0), graphs=4)
    arrays = collate_arrays(schema, [store.graph(i) for i in store.ids()])
    inputs = encoder_inputs(schema, arrays)
    nodes = {n.name: Dim(f"nodes_{i}") for i, n in enumerate(schema.nodes)}
    edges = {e.name: Dim(f"edges_{i}") for i, e in enumerate(schema.edges)}
    shapes: list[dict[int, Any]] = [{0: nodes[n.name]} for n in schema.nodes]
    shapes += [{1: edges[e.name]} for e in schema.edges]
    shapes += [{0: edges[e.name]} for e in schema.edges if e.features]
    return _export(_FlatEncoder(encoder), inputs, shapes, ["embeddings"])


def decoder_onnx(decoder: Decoder) -> bytes:
    """ONNX model of the decoder: `decoder_inputs` and ``table`` in, ``logits``, ``values`` out."""
    schema = decoder.schema
    rng = np.random.default_rng(0)
    store = random_store(schema, rng, graphs=4)
    obs = random_observation(schema, store, rng, blocks=7)
    embedding = decoder.context_in.in_features - len(schema.context)
    embedding -= (4 if decoder.resource_in is not None else 2) * decoder.width
    table = rng.normal(size=(store.num_rows, embedding)).astype(np.float32)
    names = decoder_inputs(schema)
    inputs = {name: obs[name] for name in names} | {"table": table}  # type: ignore[literal-required]
    blocks = Dim("blocks")
    rows = {prefix: Dim(name) for prefix, name in _ROWS.items()}

    def length(name: str) -> Any:
        if name in BLOCK_DIMS:
            return blocks
        return blocks + 1 if name in POINTERS else rows[name.split("_")[0]]

    shapes = [{0: length(name)} for name in names] + [{0: Dim("table_rows")}]
    return _export(_FlatDecoder(decoder), inputs, shapes, ["logits", "values"])


def networks(encoder: GraphEncoder, decoder: Decoder) -> Networks:
    """Both networks in all forms that a bundle carries."""
    params = {
        f"{part}.{name}": tensor.detach().cpu().numpy().copy()
        for part, network in (("encoder", encoder), ("decoder", decoder))
        for name, tensor in network.state_dict().items()
    }
    return Networks(
        params,
        encoder_onnx(encoder),
        decoder_onnx(decoder),
        encoder.width,
        len(encoder.layers),
        decoder.width,
    )


def _export(
    network: nn.Module,
    inputs: Mapping[str, np.ndarray],
    shapes: Sequence[Mapping[int, Any]],
    outputs: Sequence[str],
) -> bytes:
    tensors = tuple(torch.from_numpy(array) for array in inputs.values())
    with torch.no_grad(), _quiet(), tempfile.TemporaryDirectory() as folder:
        traced = torch.export.export(network.eval(), tensors, dynamic_shapes=(tuple(shapes),))
        program = torch.onnx.export(
            traced,
            (),
            input_names=list(inputs),
            output_names=list(outputs),
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
        assert program is not None
        path = Path(folder) / "model.onnx"
        program.save(str(path), external_data=False)
        return _without_traces(path.read_bytes())


def _without_traces(network: bytes) -> bytes:
    """The network without what the exporter notes on each node, such as paths of source files."""
    model = onnx.load_model_from_string(network)
    graph = model.graph
    for item in (*graph.node, *graph.value_info, *graph.input, *graph.output, *graph.initializer):
        item.ClearField("metadata_props")
        item.ClearField("doc_string")
    stripped: bytes = model.SerializeToString()
    return stripped


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence the exporter's progress notes; its errors still raise."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnx_ir", "onnxscript")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
