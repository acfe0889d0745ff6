"""The graph encoder: heterogeneous message passing over static graphs, once per instance."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, cast

import torch
from torch import Tensor, nn
from torch_geometric.nn import MessagePassing

from graphsched.agents.networks.packing import collate_arrays

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from graphsched.envs.core.graph import GraphSchema, StaticGraph


class GraphBatch(NamedTuple):
    """Tensors of several static graphs; fields as in `packing.GraphArrays`."""

    nodes: tuple[Tensor, ...]
    edges: tuple[Tensor, ...]
    edge_features: tuple[Tensor, ...]
    rows: Tensor

    def to(self, device: torch.device | str) -> GraphBatch:
        """The batch on a device."""
        return GraphBatch(
            tuple(t.to(device) for t in self.nodes),
            tuple(t.to(device) for t in self.edges),
            tuple(t.to(device) for t in self.edge_features),
            self.rows.to(device),
        )


def collate(schema: GraphSchema, graphs: Iterable[StaticGraph]) -> GraphBatch:
    """The graphs as one batch; the encoder's output for it is laid out graph by graph."""
    arrays = collate_arrays(schema, list(graphs))
    return GraphBatch(
        tuple(map(torch.from_numpy, arrays.nodes)),
        tuple(map(torch.from_numpy, arrays.edges)),
        tuple(map(torch.from_numpy, arrays.edge_features)),
        torch.from_numpy(arrays.rows),
    )


class Links(NamedTuple):
    """All edge types as one bipartite graph.

    A node appears on the left once for each edge type that leaves its type, and on the right
    once for each that enters it; so one propagation serves all edge types.
    """

    ends: Tensor  # (2, E) int64
    inverse_degree: Tensor  # (right nodes, 1)
    left: int
    right: int


class HeteroLayer(MessagePassing):  # type: ignore[misc]
    r"""One round of messages along all edge types.

    .. math:: m_{uv} = \mathrm{relu}(A_r h_u + E_r e_{uv}), \quad
        h_v' = h_v + \mathrm{relu}(\mathrm{norm}(U_t [h_v, \mathrm{mean}_r m, \max_r m, ...]))

    with edge types r entering the node type t of v. Messages are not negative, so that the
    maximum over no neighbours is 0.
    """

    def __init__(self, schema: GraphSchema, width: int) -> None:
        """Parameters for every node and edge type of the schema."""
        super().__init__(aggr=None)
        self.width = width
        leaving, entering = degrees(schema)
        self.send = nn.ModuleList(nn.Linear(width, max(n, 1) * width) for n in leaving)
        self.keep = nn.ModuleList(nn.Linear(width, width) for _ in entering)
        self.mean = nn.ModuleList(nn.Linear(max(n, 1) * width, width, False) for n in entering)
        self.peak = nn.ModuleList(nn.Linear(max(n, 1) * width, width, False) for n in entering)
        self.norm = nn.ModuleList(nn.LayerNorm(width) for _ in schema.nodes)
        self.edge = nn.ModuleDict(
            {e.name: nn.Linear(len(e.features), width) for e in schema.edges if e.features}
        )
        self._edge_names = [e.name for e in schema.edges]
        self._leaving, self._entering = leaving, entering

    def forward(
        self, hidden: list[Tensor], links: Links, edge_features: Sequence[Tensor]
    ) -> list[Tensor]:
        """Per node type (n_t, width) in and out."""
        sent = [
            send(h).view(-1, self.width)
            for send, h, n in zip(self.send, hidden, self._leaving, strict=True)
            if n
        ]
        mean, peak = self.propagate(
            links.ends,
            x=torch.cat(sent),
            edge=self._edge_terms(edge_features),
            inverse=links.inverse_degree,
            size=(links.left, links.right),
        )
        updated, first = [], 0
        for t, h in enumerate(hidden):
            rows, copies = h.shape[0], self._entering[t]
            total: Tensor = self.keep[t](h)
            if copies:
                for pooled, weight in ((mean, self.mean[t].weight), (peak, self.peak[t].weight)):
                    mine = pooled.narrow(0, first, rows * copies).view(rows, copies * self.width)
                    total = torch.addmm(total, mine, cast("Tensor", weight).t())
            first += rows * copies
            updated.append(h + torch.relu(self.norm[t](total)))
        return updated

    def _edge_terms(self, edge_features: Sequence[Tensor]) -> Tensor | None:
        if not self.edge:
            return None
        terms = [
            self.edge[name](rows)
            if name in self.edge
            else rows.new_zeros(rows.shape[0], self.width)
            for name, rows in zip(self._edge_names, edge_features, strict=True)
        ]
        return torch.cat(terms)

    def message(self, x_j: Tensor, edge: Tensor | None) -> Tensor:
        """(E, width) messages."""
        return torch.relu(x_j if edge is None else x_j + edge)

    def aggregate(
        self, inputs: Tensor, index: Tensor, dim_size: int, inverse: Tensor
    ) -> tuple[Tensor, Tensor]:
        """(right nodes, width) mean and maximum of the messages to each node."""
        zeros = inputs.new_zeros(dim_size, self.width)
        mean = zeros.index_add(0, index, inputs) * inverse
        spread = index[:, None].expand(-1, self.width)
        peak = zeros.scatter_reduce(0, spread, inputs, "amax", include_self=True)
        return mean, peak


def degrees(schema: GraphSchema) -> tuple[list[int], list[int]]:
    """Numbers of edge types that leave and that enter each node type."""
    leaving = [sum(e.source == n.name for e in schema.edges) for n in schema.nodes]
    entering = [sum(e.target == n.name for e in schema.edges) for n in schema.nodes]
    return leaving, entering


class GraphEncoder(nn.Module):
    """Embeds the nodes of static graphs; equivariant to the order of nodes within a type."""

    def __init__(self, schema: GraphSchema, width: int = 32, layers: int = 3) -> None:
        """Args: schema: types and features. width: of the embeddings. layers: message rounds."""
        super().__init__()
        self.schema = schema
        self.width = width
        self.input = nn.ModuleList(
            nn.Sequential(nn.Linear(len(n.features), width), nn.LayerNorm(width), nn.ReLU())
            for n in schema.nodes
        )
        rounds = layers if schema.edges else 0
        self.layers = nn.ModuleList(HeteroLayer(schema, width) for _ in range(rounds))
        self.output = nn.LayerNorm(width)

    def forward(self, batch: GraphBatch) -> Tensor:
        """(num_nodes, width) embeddings, graph by graph as in the store's node table."""
        return self.embed(batch.nodes, batch.edges, batch.edge_features).index_select(0, batch.rows)

    def embed(
        self, nodes: Sequence[Tensor], edges: Sequence[Tensor], edge_features: Sequence[Tensor]
    ) -> Tensor:
        """(num_nodes, width) embeddings, type by type."""
        hidden = [layer(x) for layer, x in zip(self.input, nodes, strict=True)]
        if self.layers:
            links = self._links([h.shape[0] for h in hidden], edges, hidden[0])
            for layer in self.layers:
                hidden = layer(hidden, links, edge_features)
        out: Tensor = self.output(torch.cat(hidden))
        return out

    def _links(self, counts: list[int], edges: Sequence[Tensor], like: Tensor) -> Links:
        """Join the edge types; counts: nodes of each type."""
        leaving, entering = degrees(self.schema)
        place = {n.name: t for t, n in enumerate(self.schema.nodes)}
        lefts, rights = _firsts(counts, leaving), _firsts(counts, entering)
        sent, received = [0] * len(counts), [0] * len(counts)
        joined = []
        for edge, index in zip(self.schema.edges, edges, strict=True):
            s, t = place[edge.source], place[edge.target]
            left = index[0] * leaving[s] + (lefts[s] + sent[s])
            right = index[1] * entering[t] + (rights[t] + received[t])
            joined.append(torch.stack([left, right]))
            sent[s] += 1
            received[t] += 1
        whole = torch.cat(joined, dim=1)
        degree = like.new_zeros(rights[-1]).index_add(0, whole[1], like.new_ones(whole.shape[1]))
        return Links(whole, 1.0 / degree.clamp(min=1.0)[:, None], lefts[-1], rights[-1])


def _firsts(counts: list[int], copies: list[int]) -> list[int]:
    """First row of each type when every node has its type's number of copies, and the total."""
    firsts = [0]
    for count, times in zip(counts, copies, strict=True):
        firsts.append(firsts[-1] + count * times)
    return firsts
