"""Random graphs and observations of a schema: what export traces with and tests draw from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from graphsched.agents.networks.packing import with_graph_rows
from graphsched.envs.core.graph import GraphStore, PackedObs, StaticGraph

if TYPE_CHECKING:
    from graphsched.agents.networks.packing import NetworkObs
    from graphsched.envs.core.graph import GraphSchema


def random_graph(schema: GraphSchema, rng: np.random.Generator, largest: int = 6) -> StaticGraph:
    """A graph with 1 to ``largest`` nodes of each type and up to twice as many edges."""
    nodes = {
        n.name: rng.normal(size=(rng.integers(1, largest + 1), len(n.features))).astype(np.float32)
        for n in schema.nodes
    }
    edges, edge_features = {}, {}
    for edge in schema.edges:
        count = int(rng.integers(0, 2 * largest + 1))
        ends = [rng.integers(0, len(nodes[end]), count) for end in (edge.source, edge.target)]
        edges[edge.name] = np.stack(ends).astype(np.int64)
        if edge.features:
            rows = rng.normal(size=(count, len(edge.features)))
            edge_features[edge.name] = rows.astype(np.float32)
    return StaticGraph(nodes, edges, edge_features)


def random_store(schema: GraphSchema, rng: np.random.Generator, graphs: int = 3) -> GraphStore:
    """A store of random graphs."""
    store = GraphStore()
    for _ in range(graphs):
        store.add(random_graph(schema, rng))
    return store


def random_observation(
    schema: GraphSchema,
    store: GraphStore,
    rng: np.random.Generator,
    blocks: int = 4,
    most: int = 5,
) -> NetworkObs:
    """Blocks of 1 to ``most`` candidates, 0 to ``most`` resources and 1 to 3 live graphs.

    One reference in five is missing (-1); resource references are missing where there is nothing
    to refer to.
    """
    candidates = _pointers(rng.integers(1, most + 1, blocks))
    resources = _pointers(rng.integers(0, most + 1, blocks))
    graphs = _pointers(rng.integers(1, 4, blocks))
    height, width = int(candidates[-1]), int(resources[-1])
    room = np.repeat(np.diff(resources), np.diff(candidates))
    roles = rng.random((height, len(schema.candidate_resources)))
    obs = PackedObs(
        slot=np.arange(blocks),
        kind=rng.integers(0, len(schema.kinds), blocks),
        context=_normal(rng, blocks, len(schema.context)),
        candidate_ptr=candidates,
        candidate=_normal(rng, height, len(schema.candidate)),
        candidate_node=_references(rng, (height, len(schema.candidate_nodes)), store.num_rows),
        candidate_resource=np.floor(roles * 1.25 * (room[:, None] + 1)).astype(np.int64),
        resource_ptr=resources,
        resource=_normal(rng, width, len(schema.resource)),
        resource_node=_references(rng, (width,), store.num_rows),
        graph_ptr=graphs,
        graph=rng.choice(store.ids(), int(graphs[-1])).astype(np.int64),
    )
    places = obs["candidate_resource"]
    places[places >= room[:, None]] = -1
    return with_graph_rows(obs, store)


def _pointers(lengths: np.ndarray) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)


def _normal(rng: np.random.Generator, rows: int, width: int) -> np.ndarray:
    return rng.normal(size=(rows, width)).astype(np.float32)


def _references(rng: np.random.Generator, shape: tuple[int, ...], height: int) -> np.ndarray:
    known = rng.random(shape) < 0.8
    return np.where(known, rng.integers(0, height, shape), -1)
