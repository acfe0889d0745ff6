"""Gymnasium spaces of a schema, and observations in them from packed ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from gymnasium import spaces

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from graphsched.envs.core.graph import GraphSchema, GraphStore, PackedObs, StaticGraph

LARGEST = float(np.finfo(np.float32).max)  # features are finite
Observation = dict[str, Any]


def _rows(width: int) -> spaces.Box:
    return spaces.Box(-LARGEST, LARGEST, (width,), np.float32)


def _references(width: int) -> spaces.Box:
    return spaces.Box(-1, 2**31 - 1, (width,), np.int64)


def node_width(schema: GraphSchema) -> int:
    """Columns of a node row: one per node type, then the features of each type side by side."""
    return len(schema.nodes) + sum(len(node.features) for node in schema.nodes)


def edge_width(schema: GraphSchema) -> int:
    """Columns of an edge row: one per edge type, then the features of each type side by side."""
    return len(schema.edges) + sum(len(edge.features) for edge in schema.edges)


def observation_space(schema: GraphSchema) -> spaces.Dict:
    """The space of `observation`; parts of which the schema has none are left out."""
    edges = _rows(edge_width(schema)) if schema.edges else None
    parts: dict[str, spaces.Space[Any]] = {
        "graph": spaces.Graph(_rows(node_width(schema)), edges),
        "kind": spaces.Discrete(len(schema.kinds)),
        "candidate": spaces.Sequence(_rows(len(schema.candidate)), stack=True),
    }
    if schema.context:
        parts["context"] = _rows(len(schema.context))
    if schema.candidate_nodes:
        width = len(schema.candidate_nodes)
        parts["candidate_node"] = spaces.Sequence(_references(width), stack=True)
    if schema.resource:
        parts["resource"] = spaces.Sequence(_rows(len(schema.resource)), stack=True)
    if schema.resource_node:
        parts["resource_node"] = spaces.Sequence(_references(1), stack=True)
    if schema.candidate_resources:
        width = len(schema.candidate_resources)
        parts["candidate_resource"] = spaces.Sequence(_references(width), stack=True)
    return spaces.Dict(parts)


def _typed(tables: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """One table of all rows: a column per type that marks it, then each type's own columns."""
    out = np.zeros(
        (sum(map(len, tables)), len(tables) + sum(t.shape[1] for t in tables)), np.float32
    )
    row, column = 0, len(tables)
    for i, table in enumerate(tables):
        rows = slice(row, row + len(table))
        out[rows, i] = 1.0
        out[rows, column : column + table.shape[1]] = table
        row, column = rows.stop, column + table.shape[1]
    return out


def graph_rows(
    schema: GraphSchema, graph: StaticGraph
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int64]]:
    """Rows of one static graph: nodes, edges and links.

    Returns:
        (nodes, `node_width`), (edges, `edge_width`) and (edges, 2): source and target node. Nodes
        and edges lie type by type in the schema's order.
    """
    counts = [len(graph.nodes[node.name]) for node in schema.nodes]
    starts = np.cumsum([0, *counts])[:-1]
    first = {node.name: int(start) for node, start in zip(schema.nodes, starts, strict=True)}
    links = [np.zeros((0, 2), np.int64)]
    features = []
    for edge in schema.edges:
        offsets = np.array([first[edge.source], first[edge.target]])
        pairs = graph.edges[edge.name].T + offsets
        links.append(pairs)
        features.append(graph.edge_features.get(edge.name, np.zeros((len(pairs), 0), np.float32)))
    nodes = _typed([graph.nodes[node.name] for node in schema.nodes])
    return nodes, _typed(features), np.concatenate(links)


def _localise(
    rows: NDArray[np.int64], store: GraphStore, graphs: Sequence[int]
) -> NDArray[np.int64]:
    """Rows of the store's node table as places among the nodes of these graphs, in their order."""
    out = np.full(rows.shape, -1, np.int64)
    offset = 0
    for graph in graphs:
        start, size = store.row_start(graph), store.graph(graph).num_nodes
        inside = (rows >= start) & (rows < start + size)
        out[inside] = rows[inside] - start + offset
        offset += size
    return out


def observation(schema: GraphSchema, store: GraphStore, obs: PackedObs, block: int) -> Observation:
    """One block of a packed observation as a member of `observation_space`; arrays are fresh.

    References to nodes count the nodes of all the block's graphs, graph by graph.
    """
    first, last = obs["candidate_ptr"][block : block + 2]
    first_resource, last_resource = obs["resource_ptr"][block : block + 2]
    graphs = obs["graph"][obs["graph_ptr"][block] : obs["graph_ptr"][block + 1]].tolist()
    parts = {
        "kind": np.int64(obs["kind"][block]),
        "context": obs["context"][block].copy(),
        "candidate": obs["candidate"][first:last].copy(),
        "candidate_node": _localise(obs["candidate_node"][first:last], store, graphs),
        "candidate_resource": obs["candidate_resource"][first:last].copy(),
        "resource": obs["resource"][first_resource:last_resource].copy(),
        "resource_node": _localise(
            obs["resource_node"][first_resource:last_resource, None], store, graphs
        ),
    }
    graph = _joined(schema, [store.graph(graph) for graph in graphs])
    return {"graph": graph, **_present(schema, parts)}


def empty_observation(schema: GraphSchema) -> Observation:
    """What is left to see when an episode is over: nothing."""
    parts = {
        "kind": np.int64(0),
        "context": np.zeros(len(schema.context), np.float32),
        "candidate": np.zeros((0, len(schema.candidate)), np.float32),
        "candidate_node": np.zeros((0, len(schema.candidate_nodes)), np.int64),
        "candidate_resource": np.zeros((0, len(schema.candidate_resources)), np.int64),
        "resource": np.zeros((0, len(schema.resource)), np.float32),
        "resource_node": np.zeros((0, 1), np.int64),
    }
    return {"graph": _joined(schema, []), **_present(schema, parts)}


def _present(schema: GraphSchema, parts: Observation) -> Observation:
    present = {
        "context": schema.context,
        "candidate_node": schema.candidate_nodes,
        "candidate_resource": schema.candidate_resources,
        "resource": schema.resource,
        "resource_node": schema.resource_node,
    }
    return {key: part for key, part in parts.items() if present.get(key, True)}


def _joined(schema: GraphSchema, graphs: Sequence[StaticGraph]) -> spaces.GraphInstance:
    tables = [graph_rows(schema, graph) for graph in graphs]
    starts = np.cumsum([0, *(len(nodes) for nodes, _, _ in tables)])
    nodes = [np.zeros((0, node_width(schema)), np.float32), *(table[0] for table in tables)]
    if not schema.edges:
        return spaces.GraphInstance(np.concatenate(nodes), None, None)
    edges = [np.zeros((0, edge_width(schema)), np.float32), *(table[1] for table in tables)]
    links = [table[2] + start for table, start in zip(tables, starts, strict=False)]
    return spaces.GraphInstance(
        np.concatenate(nodes),
        np.concatenate(edges),
        np.concatenate([np.zeros((0, 2), np.int64), *links]),
    )


class CandidateIndex(spaces.Discrete):
    """Index of a candidate: ``Discrete(max_candidates)`` that samples from those on offer.

    Membership knows only the limit; the environment refuses an index that is not on offer. A
    sample drawn after seeding or between episodes is 0, which is valid whatever comes next.
    """

    on_offer = 1  # what `sample` draws from; kept up to date by the environment

    def seed(self, seed: int | None = None) -> Any:
        """Seed the sampling; see the class."""
        if seed is not None:  # None: the first use of an unseeded space
            self.on_offer = 1
        return super().seed(seed)

    def sample(self, mask: Any = None, probability: Any = None) -> Any:
        """One of the candidates on offer, or what `mask` or `probability` says."""
        if mask is None and probability is None:
            return np.int64(self.np_random.integers(max(self.on_offer, 1)))
        return super().sample(mask, probability)


class CandidateIndices(spaces.MultiDiscrete):
    """A `CandidateIndex` for each environment of a vector, which samples in the same way."""

    def __init__(self, max_candidates: int, num_envs: int) -> None:
        """Args: max_candidates: limit of every index. num_envs: number of indices."""
        super().__init__(np.full(num_envs, max_candidates, np.int64))
        self.on_offer = np.ones(num_envs, np.int64)

    def seed(self, seed: int | None = None) -> Any:
        """Seed the sampling; see `CandidateIndex`."""
        if seed is not None:
            self.on_offer = np.ones(len(self.nvec), np.int64)
        return super().seed(seed)

    def sample(self, mask: Any = None, probability: Any = None) -> Any:
        """A candidate of each environment, or what `mask` or `probability` says."""
        if mask is None and probability is None:
            return self.np_random.integers(np.maximum(self.on_offer, 1))
        return super().sample(mask, probability)
