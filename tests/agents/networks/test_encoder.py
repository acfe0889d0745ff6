"""The encoder commutes with the order of nodes, treats graphs apart and follows the store's layout."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from graphsched.agents.networks.encoder import GraphEncoder, collate
from graphsched.agents.networks.samples import random_graph, random_store
from graphsched.envs.core.graph import (
    EdgeType,
    GraphSchema,
    NodeType,
    StaticGraph,
    features,
)

SCHEMA = GraphSchema(
    nodes=(NodeType("task", features("work", "size")), NodeType("pe", features("speed"))),
    edges=(
        EdgeType("feeds", "task", "task", features("bytes", "words")),
        EdgeType("fits", "task", "pe"),
        EdgeType("serves", "pe", "task", features("cost")),
    ),
    candidate=features("cost"),
    candidate_nodes=("task", "pe"),
)


@pytest.fixture(scope="module")
def encoder() -> GraphEncoder:
    torch.manual_seed(0)
    return GraphEncoder(SCHEMA, width=16, layers=3).double().eval()


def embed(encoder: GraphEncoder, *graphs: StaticGraph) -> np.ndarray:
    batch = collate(SCHEMA, graphs)
    double = [tuple(t.double() for t in part) for part in (batch.nodes, batch.edge_features)]
    with torch.no_grad():
        table: torch.Tensor = encoder(batch._replace(nodes=double[0], edge_features=double[1]))
    return table.numpy()


def permuted(graph: StaticGraph, orders: dict[str, np.ndarray], edge_seed: int) -> StaticGraph:
    """The graph whose node ``i`` of a type is the original's ``orders[type][i]``; edges shuffled."""
    rng = np.random.default_rng(edge_seed)
    nodes = {name: rows[orders[name]] for name, rows in graph.nodes.items()}
    edges, edge_features = {}, {}
    for edge in SCHEMA.edges:
        index = graph.edges[edge.name]
        shuffle = rng.permutation(index.shape[1])
        places = [np.argsort(orders[end]) for end in (edge.source, edge.target)]
        edges[edge.name] = np.stack([p[row] for p, row in zip(places, index, strict=True)])
        edges[edge.name] = edges[edge.name][:, shuffle]
        if edge.name in graph.edge_features:
            edge_features[edge.name] = graph.edge_features[edge.name][shuffle]
    return StaticGraph(nodes, edges, edge_features)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_permuting_nodes_permutes_embeddings(encoder: GraphEncoder, seed: int) -> None:
    rng = np.random.default_rng(seed)
    graph = random_graph(SCHEMA, rng)
    orders = {name: rng.permutation(len(rows)) for name, rows in graph.nodes.items()}
    rows = np.concatenate([orders["task"], len(orders["task"]) + orders["pe"]])
    expected = embed(encoder, graph)[rows]
    np.testing.assert_allclose(embed(encoder, permuted(graph, orders, seed)), expected, atol=1e-9)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), count=st.integers(1, 4))
def test_a_batch_embeds_each_graph_as_if_alone(
    encoder: GraphEncoder, seed: int, count: int
) -> None:
    rng = np.random.default_rng(seed)
    graphs = [random_graph(SCHEMA, rng) for _ in range(count)]
    alone = np.concatenate([embed(encoder, graph) for graph in graphs])
    np.testing.assert_allclose(embed(encoder, *graphs), alone, atol=1e-9)


def test_edges_and_their_features_reach_the_nodes_they_enter(encoder: GraphEncoder) -> None:
    rng = np.random.default_rng(1)
    edges = [edge.name for edge in SCHEMA.edges]
    drawn = {"task": rng.normal(size=(3, 2)), "pe": rng.normal(size=(1, 1))}
    nodes = {name: rows.astype(np.float32) for name, rows in drawn.items()}
    empty = {name: np.empty((2, 0), np.int64) for name in edges}
    one = np.ones((1, 2), np.float32)
    none = {"feeds": np.empty((0, 2), np.float32), "serves": np.empty((0, 1), np.float32)}
    bare = embed(encoder, StaticGraph(nodes, empty, none))
    linked = {**empty, "feeds": np.array([[0], [1]])}
    first = embed(encoder, StaticGraph(nodes, linked, {**none, "feeds": one}))
    second = embed(encoder, StaticGraph(nodes, linked, {**none, "feeds": -one}))
    changed = np.abs(first - bare).max(axis=1) > 1e-6
    np.testing.assert_array_equal(changed, [False, True, False, False])
    assert np.abs(first - second)[1].max() > 1e-6


def test_unmentioned_edge_types_are_empty(encoder: GraphEncoder) -> None:
    graph = random_graph(SCHEMA, np.random.default_rng(2))
    none = {e.name: np.empty((2, 0), np.int64) for e in SCHEMA.edges}
    rows = {e.name: np.empty((0, len(e.features)), np.float32) for e in SCHEMA.edges if e.features}
    explicit = embed(encoder, StaticGraph(graph.nodes, none, rows))
    np.testing.assert_array_equal(embed(encoder, StaticGraph(graph.nodes, {})), explicit)


def test_rows_fill_the_node_table_graph_by_graph() -> None:
    store = random_store(SCHEMA, np.random.default_rng(3), graphs=3)
    ids = store.ids()[::-1]
    batch = collate(SCHEMA, map(store.graph, ids))
    everything = torch.cat([torch.nn.functional.pad(x, (0, 2 - x.shape[1])) for x in batch.nodes])
    laid_out = everything[batch.rows].numpy()
    first = 0
    for graph_id in ids:
        graph = store.graph(graph_id)
        for name in ("task", "pe"):
            rows = graph.nodes[name]
            got = laid_out[first : first + len(rows), : rows.shape[1]]
            np.testing.assert_array_equal(got, rows)
            first += len(rows)
    assert first == len(laid_out)


def test_every_parameter_gets_a_gradient() -> None:
    torch.manual_seed(0)
    encoder = GraphEncoder(SCHEMA, width=8, layers=2)
    store = random_store(SCHEMA, np.random.default_rng(4), graphs=4)
    encoder(collate(SCHEMA, map(store.graph, store.ids()))).pow(3).sum().backward()
    silent = [n for n, p in encoder.named_parameters() if p.grad is None or not p.grad.any()]
    assert silent == []
