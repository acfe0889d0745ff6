"""Arrays that networks take, built from graphs and observations; numpy only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from graphsched.envs.core.graph import PackedObs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from graphsched.envs.core.graph import GraphSchema, GraphStore, StaticGraph


UNLIMITED = float(np.finfo(np.float32).max)  # a limit of columns that are not limited


class GraphArrays(NamedTuple):
    """Several static graphs as one, type by type in the schema's order.

    Attributes:
        nodes: per node type, (n_t, features) float32; graph after graph.
        edges: per edge type, (2, e_r) int64, indices into the rows of its source and target type.
        edge_features: per edge type, (e_r, features) float32.
        rows: (num_nodes,) int64; ``concatenate(nodes)[rows]`` is laid out graph by graph, each
            graph type by type, as in a `GraphStore`'s node table.
    """

    nodes: tuple[NDArray[np.float32], ...]
    edges: tuple[NDArray[np.int64], ...]
    edge_features: tuple[NDArray[np.float32], ...]
    rows: NDArray[np.int64]


class NetworkObs(PackedObs):
    """A `PackedObs` and where each live graph's embeddings lie in the node table."""

    graph_start: NDArray[np.int64]  # (G,) first row of each entry of `graph`
    graph_size: NDArray[np.int64]  # (G,) number of rows, >= 1


def with_graph_rows(obs: PackedObs, store: GraphStore) -> NetworkObs:
    """The observation with ``graph_start`` and ``graph_size``; every graph must be alive."""
    ids, inverse = np.unique(obs["graph"], return_inverse=True)
    starts = np.array([store.row_start(int(i)) for i in ids], np.int64)
    sizes = np.array([store.graph(int(i)).num_nodes for i in ids], np.int64)
    return NetworkObs(**obs, graph_start=starts[inverse], graph_size=sizes[inverse])


def collate_arrays(schema: GraphSchema, graphs: Sequence[StaticGraph]) -> GraphArrays:
    """Concatenate graphs; edge types that a graph does not mention are empty in it."""
    names = [node.name for node in schema.nodes]
    counts = np.array([[len(g.nodes[n]) for n in names] for g in graphs], np.int64)
    firsts = np.cumsum(counts, axis=0) - counts  # (graphs, types) row within the type
    place = {name: t for t, name in enumerate(names)}
    edges, edge_features = [], []
    for edge in schema.edges:
        ends = [firsts[:, place[edge.source]], firsts[:, place[edge.target]]]
        offsets = np.stack(ends, axis=1)[:, :, None]
        width = len(edge.features)
        held = [i for i, g in enumerate(graphs) if edge.name in g.edges]
        parts = [graphs[i].edges[edge.name] + offsets[i] for i in held]
        edges.append(np.concatenate([np.empty((2, 0), np.int64), *parts], axis=1))
        rows = [graphs[i].edge_features[edge.name] for i in held] if width else []
        empty = np.empty((0 if width else edges[-1].shape[1], width), np.float32)
        edge_features.append(np.concatenate([empty, *rows]).astype(np.float32, copy=False))
    nodes = tuple(
        np.concatenate([g.nodes[n] for g in graphs]).astype(np.float32, copy=False) for n in names
    )
    return GraphArrays(nodes, tuple(edges), tuple(edge_features), _row_order(counts, firsts))


def _row_order(counts: NDArray[np.int64], firsts: NDArray[np.int64]) -> NDArray[np.int64]:
    """(num_nodes,) place in the type-by-type order of each row of the graph-by-graph order."""
    totals = counts.sum(axis=0)
    starts = (firsts + np.cumsum(totals) - totals).ravel()  # of each (graph, type) run
    lengths = counts.ravel()
    before = np.cumsum(lengths) - lengths
    rows: NDArray[np.int64] = np.arange(lengths.sum()) + np.repeat(starts - before, lengths)
    return rows


def encoder_inputs(schema: GraphSchema, arrays: GraphArrays) -> dict[str, NDArray[Any]]:
    """Inputs of the exported encoder: nodes, edges and, where there are any, edge features."""
    named: dict[str, NDArray[Any]] = {}
    for node, rows in zip(schema.nodes, arrays.nodes, strict=True):
        named[f"node_{node.name}"] = rows
    for edge, index in zip(schema.edges, arrays.edges, strict=True):
        named[f"edge_{edge.name}"] = index
    for edge, rows in zip(schema.edges, arrays.edge_features, strict=True):
        if edge.features:
            named[f"edge_features_{edge.name}"] = rows
    return named


def decoder_inputs(schema: GraphSchema) -> tuple[str, ...]:
    """Names of the observation's arrays that a decoder of this schema reads."""
    names = ["kind", "context", "candidate_ptr", "candidate"]
    names += ["candidate_node"] if schema.candidate_nodes else []
    if has_resources(schema):
        names += ["resource_ptr", "resource"]
        names += ["candidate_resource"] if schema.candidate_resources else []
        names += ["resource_node"] if schema.resource_node else []
    return (*names, "graph_ptr", "graph_start", "graph_size")


def has_resources(schema: GraphSchema) -> bool:
    """Whether blocks of this schema have resource rows."""
    return bool(schema.resource) or schema.resource_node is not None


def unlimited(columns: int) -> NDArray[np.float32]:
    """(2, columns) least and most of columns that are not limited."""
    return np.repeat(np.array([[-UNLIMITED], [UNLIMITED]], np.float32), columns, axis=1)


def limited_parts(schema: GraphSchema) -> dict[str, int]:
    """Part of an observation whose columns a decoder clips -> how many these are."""
    parts = {"candidate": len(schema.candidate), "context": len(schema.context)}
    return parts | ({"resource": len(schema.resource)} if has_resources(schema) else {})
