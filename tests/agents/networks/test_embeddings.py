"""Every graph is encoded once, and found again as long as it is alive, wherever its rows lie."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from graphsched.agents.networks.embeddings import EmbeddingTable
from graphsched.envs.core.graph import GraphStore, StaticGraph

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

WIDTH = 3


def graph(number: int, size: int) -> StaticGraph:
    """A graph whose features tell it from every other."""
    rows = number + np.arange(size * WIDTH).reshape(size, WIDTH) / 64.0
    return StaticGraph({"node": rows.astype(np.float32)}, {})


class Encoder:
    """Twice the features, and an account of its calls."""

    def __init__(self) -> None:
        self.calls: list[int] = []

    def __call__(self, graphs: Sequence[StaticGraph]) -> Iterator[NDArray[np.float32]]:
        self.calls.append(len(graphs))
        return (2.0 * g.nodes["node"] for g in graphs)


def observe(ids: Sequence[int]) -> dict[str, NDArray[np.int64]]:
    """What `locate` reads of an observation."""
    return {"graph": np.array(ids, np.int64)}


# Each step: sizes of graphs that arrive, which of the live ones go, which are then observed.
STEPS = st.lists(
    st.tuples(
        st.lists(st.integers(1, 5), max_size=4),
        st.sets(st.integers(0, 9)),
        st.lists(st.integers(0, 9), max_size=6),
    ),
    max_size=30,
)


@given(STEPS)
@settings(deadline=None)
def test_life_cycle_against_a_dictionary(
    steps: list[tuple[list[int], set[int], list[int]]],
) -> None:
    """Graphs come, go and leave their rows to others; each is encoded when it is first observed."""
    store, encoder = GraphStore(), Encoder()
    table = EmbeddingTable(encoder)
    expected: dict[int, NDArray[np.float32]] = {}
    encoded: list[int] = []
    for arriving, going, observed in steps:
        for size in arriving:
            number = store._next_id
            assert store.add(graph(number, size)) == number
        for place in sorted(going, reverse=True):
            if place < len(store):
                gone = store.ids()[place]
                store.release(gone)
                expected.pop(gone, None)
        live = store.ids()
        wanted = [live[place] for place in observed if place < len(live)]
        fresh = table.missing(observe(wanted)["graph"])
        assert fresh == sorted(set(wanted) - set(expected))
        if fresh:
            table.add(store, fresh)
        encoded += fresh
        expected |= {i: 2.0 * store.graph(i).nodes["node"] for i in fresh}
        located = table.locate(observe([*wanted, *expected]))
        blocks = zip(located["graph_start"], located["graph_size"], strict=True)
        for graph_id, (start, size) in zip([*wanted, *expected], blocks, strict=True):
            assert start == store.row_start(graph_id)
            np.testing.assert_array_equal(table.rows[start : start + size], expected[graph_id])
        for (start, rows), graph_id in zip(table.blocks(expected), expected, strict=True):
            assert start == store.row_start(graph_id)
            np.testing.assert_array_equal(rows, expected[graph_id])
    assert len(encoded) == len(set(encoded)) == sum(encoder.calls)


def test_graphs_are_encoded_in_one_call() -> None:
    """One for each time that something is missing, whatever the number of graphs."""
    store, encoder = GraphStore(), Encoder()
    table = EmbeddingTable(encoder)
    for number in range(5):
        store.add(graph(number, 2))
    table.add(store, table.missing(np.array([3, 1, 3])))
    table.add(store, table.missing(np.array(store.ids())))
    assert table.missing(np.array(store.ids())) == []
    assert encoder.calls == [2, 3]


def test_nothing_observed_is_nothing_missing() -> None:
    """Before the first graph as well."""
    table = EmbeddingTable(Encoder())
    assert table.missing(np.zeros(0, np.int64)) == []


def test_an_endless_stream_takes_bounded_room() -> None:
    """Graphs that are gone leave nothing behind."""
    store = GraphStore()
    table = EmbeddingTable(Encoder())
    for number in range(1000):
        store.add(graph(number, 2))
        table.add(store, [number])
        if number >= 4:
            store.release(number - 4)
    assert len(table.rows) <= 16
    assert len(table._sizes) <= 16
    (start, rows), *others = table.blocks(store.ids())
    assert start == store.row_start(996)
    np.testing.assert_array_equal(rows, 2.0 * store.graph(996).nodes["node"])
    assert len(others) == 3


def test_columns_are_contiguous() -> None:
    """The compiled decoder would be compiled a second time for strided ones."""
    store = GraphStore()
    store.add(graph(0, 2))
    table = EmbeddingTable(Encoder())
    table.add(store, [0])
    located = table.locate(observe([0, 0, 0]))
    assert located["graph_start"].flags.c_contiguous
    assert located["graph_size"].flags.c_contiguous
