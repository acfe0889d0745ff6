"""Live graphs never share rows of the node table, and released rows are used again."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from graphsched.envs.core.graph import GraphStore, StaticGraph


def graph(size: int) -> StaticGraph:
    """A graph of that many nodes."""
    return StaticGraph({"node": np.zeros((size, 1), np.float32)}, {})


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(0, 5)), max_size=60))
def test_live_graphs_never_overlap(moves: list[tuple[int, int]]) -> None:
    """Whatever is added and released in whatever order."""
    store = GraphStore()
    for size, victim in moves:
        store.add(graph(size))
        if victim < len(store):
            store.release(store.ids()[victim])
        rows = [
            row
            for i in store.ids()
            for row in range(store.row_start(i), store.row_start(i) + store.graph(i).num_nodes)
        ]
        assert len(rows) == len(set(rows))
        assert not rows or max(rows) < store.num_rows


@given(st.lists(st.integers(1, 9), min_size=1, max_size=20), st.randoms(use_true_random=False))
def test_released_rows_join(sizes: list[int], random: object) -> None:
    """Once all graphs are gone, one as large as all of them together fits in their place."""
    store = GraphStore()
    ids = [store.add(graph(size)) for size in sizes]
    random.shuffle(ids)  # type: ignore[attr-defined]
    for graph_id in ids:
        store.release(graph_id)
    store.add(graph(sum(sizes)))
    assert store.num_rows == sum(sizes)
