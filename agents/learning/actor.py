"""Fast decisions for a simulator: graphs encoded once by torch, decisions by compiled code."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from graphsched.agents.networks.embeddings import EmbeddingTable
from graphsched.agents.networks.encoder import collate
from graphsched.agents.networks.kernel import DecoderKernel

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from graphsched.agents.networks.choice import Decisions
    from graphsched.agents.networks.decoder import Decoder
    from graphsched.agents.networks.encoder import GraphEncoder
    from graphsched.agents.networks.kernel import Tables
    from graphsched.envs.core.graph import GraphStore, PackedObs, StaticGraph

MAX_NODES = 50_000  # nodes encoded in one pass, which bounds the memory of the edge messages


class Actor:
    """Decides for all waiting slots of one simulator with the networks' present weights.

    Make a new one when the weights have changed.
    """

    def __init__(self, encoder: GraphEncoder | None, decoder: Decoder) -> None:
        """Args: encoder, decoder: whose weights are used; no encoder embeds all nodes as zero."""
        self._encoder = encoder
        self._width = decoder.embedding_width
        params = {name: tensor.cpu().numpy() for name, tensor in decoder.state_dict().items()}
        self._kernel = DecoderKernel(decoder.schema, params)
        self._embeddings = EmbeddingTable(self._embed)
        self._projected: Tables | None = None

    def encode(self, store: GraphStore, graph_ids: NDArray[np.int64]) -> list[int]:
        """Encode all of the store's new graphs if one of these is new; returns the ids of those.

        All calls must name the same store.
        """
        if not self._embeddings.missing(graph_ids):
            return []
        fresh = self._embeddings.missing(np.array(store.ids()))
        self._embeddings.add(store, fresh)
        if self._projected is None:
            self._projected = self._kernel.project(self._embeddings.rows)
            return fresh
        for start, rows in self._embeddings.blocks(fresh):
            height = len(self._embeddings.rows)
            self._projected = self._kernel.project_rows(self._projected, rows, start, height)
        return fresh

    @torch.no_grad()
    def _embed(self, graphs: Sequence[StaticGraph]) -> Iterator[NDArray[np.float32]]:
        if self._encoder is None:
            yield from (np.zeros((g.num_nodes, self._width), np.float32) for g in graphs)
            return
        device = self._encoder.output.weight.device
        for portion in _portions(graphs):
            batch = collate(self._encoder.schema, portion).to(device)
            embedded = self._encoder(batch).cpu().numpy()
            yield from np.split(embedded, np.cumsum([g.num_nodes for g in portion])[:-1])

    def act(self, obs: PackedObs, uniforms: NDArray[np.float64], greedy: bool = False) -> Decisions:
        """Actions, log-probabilities, values and entropies (N,) of encoded graphs' decisions.

        Args:
            obs: N blocks.
            uniforms: (N,) random numbers in [0, 1) that choose the actions.
            greedy: take the most probable candidates instead.
        """
        assert self._projected is not None
        return self._kernel.act(self._embeddings.locate(obs), self._projected, uniforms, greedy)


def _portions(graphs: Sequence[StaticGraph]) -> Iterator[list[StaticGraph]]:
    portion: list[StaticGraph] = []
    nodes = 0
    for graph in graphs:
        if portion and nodes + graph.num_nodes > MAX_NODES:
            yield portion
            portion, nodes = [], 0
        portion.append(graph)
        nodes += graph.num_nodes
    yield portion
