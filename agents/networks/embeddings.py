"""Embeddings of a store's graphs, each encoded once; numpy only, the encoder is handed in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from graphsched.agents.networks.packing import NetworkObs
    from graphsched.envs.core.graph import GraphStore, PackedObs, StaticGraph

    Encode = Callable[[Sequence[StaticGraph]], Iterable[NDArray[np.float32]]]


class EmbeddingTable:
    """A store's node table, filled as its graphs are first met.

    It holds no store, so that it may be the value of a weak dictionary of stores; all calls must
    name the same one. Graphs that are gone are forgotten, and so are their rows once the store
    gives them to others.

    Attributes:
        rows: (at least the store's rows, width) float32; zeros where nothing was encoded.
    """

    def __init__(self, encode: Encode) -> None:
        """Args: encode: graphs -> the (nodes, width) embeddings of each."""
        self.rows: NDArray[np.float32] = np.zeros((0, 0), np.float32)
        self._encode = encode
        # By id less the oldest: first row and number of rows, which is 0 for graphs not encoded
        # and in the last place, where `missing` finds ids that are beyond.
        self._oldest = 0
        self._starts, self._sizes = np.zeros((2, 1), np.int64)

    def missing(self, ids: NDArray[np.int64]) -> list[int]:
        """Those of the live ``ids`` whose graphs are not encoded, each once, ascending."""
        absent = self._sizes.take(ids - self._oldest, mode="clip") == 0
        return np.unique(ids[absent]).tolist() if absent.any() else []

    def add(self, store: GraphStore, ids: Sequence[int]) -> None:
        """Encode live graphs in one call of the encoder."""
        graphs = [store.graph(graph_id) for graph_id in ids]
        embedded = list(self._encode(graphs))
        if not len(self.rows):
            self.rows = np.zeros((store.num_rows, embedded[0].shape[1]), np.float32)
        self.rows = _with_room(self.rows, store.num_rows)
        self._forget_before(store.ids()[0])
        room = max(ids) - self._oldest + 2
        self._starts, self._sizes = (_with_room(a, room) for a in (self._starts, self._sizes))
        for graph_id, rows in zip(ids, embedded, strict=True):
            start, place = store.row_start(graph_id), graph_id - self._oldest
            self.rows[start : start + len(rows)] = rows
            self._starts[place], self._sizes[place] = start, len(rows)

    def _forget_before(self, oldest: int) -> None:
        """Ids only rise, so none below the oldest live one is asked for again."""
        gone = oldest - self._oldest
        self._starts, self._sizes = self._starts[gone:], self._sizes[gone:]
        self._oldest = oldest

    def blocks(self, ids: Iterable[int]) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """First row and rows of each encoded graph."""
        for graph_id in ids:
            start, size = (int(a[graph_id - self._oldest]) for a in (self._starts, self._sizes))
            yield start, self.rows[start : start + size]

    def locate(self, obs: PackedObs | Mapping[str, Any]) -> NetworkObs:
        """The observation of encoded graphs, with the blocks of rows of its graphs."""
        place = obs["graph"] - self._oldest
        located = {**obs, "graph_start": self._starts[place], "graph_size": self._sizes[place]}
        return cast("NetworkObs", located)


def _with_room(array: NDArray[Any], length: int) -> NDArray[Any]:
    """The array, or a copy that ends in zeros if it is too short."""
    held = len(array)
    if length <= held:
        return array
    return np.pad(array, [(0, max(length, held * 3 // 2) - held)] + [(0, 0)] * (array.ndim - 1))
