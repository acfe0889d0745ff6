"""Fast decisions for a simulator: graphs encoded once by torch, decisions by compiled code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch

from graphsched.agents.networks.encoder import collate
from graphsched.agents.networks.kernel import DecoderKernel

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from graphsched.agents.learning.policy import GraphPolicy
    from graphsched.agents.networks.choice import Decisions
    from graphsched.agents.networks.kernel import Tables
    from graphsched.agents.networks.packing import NetworkObs
    from graphsched.envs.core.graph import GraphStore, PackedObs

MAX_NODES = 50_000  # nodes encoded in one pass, which bounds the memory of the edge messages


class NodeTable:
    """Embeddings of a store's nodes, in the store's rows, each graph encoded once.

    The store's ids only rise, so one number tells which of its graphs are encoded.

    Attributes:
        rows: (at least the store's rows, width) float32; zeros where nothing was encoded.
    """

    def __init__(self, width: int) -> None:
        """Args: width: of an embedding."""
        self.rows: NDArray[np.float32] = np.zeros((0, width), np.float32)
        self._oldest = 0
        self._newest = -1
        # First row and number of rows of each graph, by id less the oldest graph's.
        self._blocks = np.zeros((2, 0), np.int64)

    def encode(
        self, policy: GraphPolicy, store: GraphStore, wanted: NDArray[np.int64]
    ) -> list[int]:
        """Encode the store's new graphs if any of the ``wanted`` ids is new; returns their ids."""
        if not len(wanted) or wanted.max() <= self._newest:
            return []
        fresh = [graph_id for graph_id in store.ids() if graph_id > self._newest]
        if self._newest < 0:
            self._oldest = fresh[0]
        self._newest = fresh[-1]
        self.rows = _with_room(self.rows, 0, store.num_rows)
        self._blocks = _with_room(self._blocks, 1, self._newest + 1 - self._oldest)
        for ids in _portions(store, fresh):
            batch = collate(policy.schema, store, ids).to(policy.device)
            with torch.no_grad():
                embedded = policy.encoder(batch).cpu().numpy()
            self._put(store, ids, embedded)
        return fresh

    def _put(self, store: GraphStore, ids: Sequence[int], embedded: NDArray[np.float32]) -> None:
        first = 0
        for graph_id in ids:
            start, size = store.row_start(graph_id), store.graph(graph_id).num_nodes
            self._blocks[:, graph_id - self._oldest] = start, size
            self.rows[start : start + size] = embedded[first : first + size]
            first += size

    def block(self, graph_id: int) -> tuple[int, int]:
        """First row of an encoded graph and the row after its last."""
        start, size = self._blocks[:, graph_id - self._oldest].tolist()
        return start, start + size

    def locate(self, obs: PackedObs | Mapping[str, Any]) -> NetworkObs:
        """The observation of encoded graphs, with the blocks of rows of its graphs."""
        start, size = self._blocks[:, obs["graph"] - self._oldest]
        located = {**obs, "graph_start": start, "graph_size": size}
        return cast("NetworkObs", located)


def _with_room(array: NDArray[Any], axis: int, length: int) -> NDArray[Any]:
    """The array, or a copy padded with zeros if it is too short along the axis."""
    held = array.shape[axis]
    if length <= held:
        return array
    padding = [(0, 0)] * array.ndim
    padding[axis] = (0, max(length, held * 3 // 2) - held)
    return np.pad(array, padding)


def _portions(store: GraphStore, ids: Sequence[int]) -> Iterator[list[int]]:
    portion: list[int] = []
    nodes = 0
    for graph_id in ids:
        size = store.graph(graph_id).num_nodes
        if portion and nodes + size > MAX_NODES:
            yield portion
            portion, nodes = [], 0
        portion.append(graph_id)
        nodes += size
    if portion:
        yield portion


class Actor:
    """Decides for all waiting slots of one simulator with the policy's present weights.

    Make a new one when the weights have changed.
    """

    def __init__(self, policy: GraphPolicy) -> None:
        """Args: policy: whose weights are used."""
        self._policy = policy
        weights = policy.decoder.state_dict()
        params = {name: tensor.cpu().numpy() for name, tensor in weights.items()}
        self._kernel = DecoderKernel(policy.schema, params)
        self._table = NodeTable(policy.width)
        self._projected: Tables | None = None

    def encode(self, store: GraphStore, graph_ids: NDArray[np.int64]) -> list[int]:
        """Encode graphs that are new since the last call; returns the ids of those.

        All calls must name the same store.
        """
        fresh = self._table.encode(self._policy, store, graph_ids)
        if fresh and self._projected is None:
            self._projected = self._kernel.project(self._table.rows)
        elif self._projected is not None:
            for graph_id in fresh:
                self._project(graph_id)
        return fresh

    def _project(self, graph_id: int) -> None:
        assert self._projected is not None
        start, end = self._table.block(graph_id)
        rows, height = self._table.rows[start:end], len(self._table.rows)
        self._projected = self._kernel.project_rows(self._projected, rows, start, height)

    def act(self, obs: PackedObs, uniforms: NDArray[np.float64], greedy: bool = False) -> Decisions:
        """Actions, log-probabilities, values and entropies (N,) of encoded graphs' decisions.

        Args:
            obs: N blocks.
            uniforms: (N,) random numbers in [0, 1) that choose the actions.
            greedy: take the most probable candidates instead.
        """
        assert self._projected is not None
        return self._kernel.act(self._table.locate(obs), self._projected, uniforms, greedy)
