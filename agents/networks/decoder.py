"""The decoder: scores the candidates of a decision from dynamic rows and node embeddings.

`kernel` computes the same in numba for rollouts and deployment; a test holds the two equal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from graphsched.agents.networks.packing import has_resources, limited_parts, unlimited
from graphsched.agents.networks.ragged import block_index, block_max, block_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

    from graphsched.envs.core.graph import GraphSchema


class Decoder(nn.Module):
    r"""Two-layer scorer of candidates in the context of their block; H is its width.

    .. math::
        c &= \mathrm{relu}(W_c x + \sum_k P_k\, z_{node_k} + K_{kind}) \\
        r &= \mathrm{relu}(W_r y + P_r\, z_{node} + b_r) \\
        g &= \mathrm{relu}(W_g [context, \bar c, \max c, \bar r, \max r, \bar z] + K'_{kind}) \\
        s &= \mathrm{relu}(W_s [c, r_1, ..., r_k] + W_{sg} g + b_s) \\
        logit &= w_s s + w_l x, \qquad value = w_v\, \mathrm{relu}(W_v g + b_v) + b

    for candidate rows x, resource rows y and node embeddings z; :math:`\bar z` is the mean over
    the block's live graphs of a graph's mean embedding. Missing references (-1) contribute 0.
    All but the linear part sees columns clipped to limits, the buffers ``*_limits``: hidden layers
    say nothing of what lies far outside of what they were fitted to, a linear rule may.
    """

    def __init__(self, schema: GraphSchema, embedding_width: int, width: int = 32) -> None:
        """Args: schema: of the observations. embedding_width: of the table. width: H."""
        super().__init__()
        self.schema = schema
        self.width = width
        self.embedding_width = embedding_width
        inner, kinds = len(schema.candidate), len(schema.kinds)
        resources = has_resources(schema)
        pools = (4 if resources else 2) * width + embedding_width
        roles = len(schema.candidate_resources) if resources else 0
        self.candidate_in = nn.Linear(inner, width, bias=False)
        self.candidate_refs = nn.ModuleList(
            nn.Linear(embedding_width, width, bias=False) for _ in schema.candidate_nodes
        )
        self.candidate_kind = nn.Embedding(kinds, width)
        self.resource_in = nn.Linear(len(schema.resource), width) if resources else None
        self.resource_ref = (
            nn.Linear(embedding_width, width, bias=False) if schema.resource_node else None
        )
        self.context_in = nn.Linear(len(schema.context) + pools, width, bias=False)
        self.context_kind = nn.Embedding(kinds, width)
        self.score_in = nn.Linear((1 + roles) * width, width, bias=False)
        self.score_context = nn.Linear(width, width)
        self.score_out = nn.Linear(width, 1, bias=False)
        self.linear_out = nn.Linear(inner, 1, bias=False)
        self.value_in = nn.Linear(width, width)
        self.value_out = nn.Linear(width, 1)
        for part, columns in limited_parts(schema).items():
            self.register_buffer(f"{part}_limits", torch.from_numpy(unlimited(columns)))
        self._initialise()

    def _initialise(self) -> None:
        """Start near the uniform policy, and blind to embeddings.

        Exploration is unbiased at first, and the embeddings of an encoder that knows nothing yet
        don't drown the features: they enter as their projections learn.
        """
        for weight in self.references():
            nn.init.zeros_(weight)
        with torch.no_grad():
            self.context_in.weight[:, -self.embedding_width :] = 0.0
        nn.init.normal_(self.candidate_kind.weight, std=0.1)
        nn.init.normal_(self.context_kind.weight, std=0.1)
        nn.init.normal_(self.score_out.weight, std=0.01)
        nn.init.zeros_(self.linear_out.weight)

    def references(self) -> list[nn.Parameter]:
        """Weights that project the embeddings of nodes that candidates and resources refer to."""
        projections = [*self.candidate_refs, *([self.resource_ref] if self.resource_ref else [])]
        return [weight for project in projections for weight in project.parameters()]

    def forward(self, obs: Mapping[str, Tensor], table: Tensor) -> tuple[Tensor, Tensor]:
        """Score all candidates.

        Args:
            obs: arrays of `packing.NetworkObs` as tensors, those named by `decoder_inputs`.
            table: (rows, embedding width) node embeddings, all finite.

        Returns:
            (C,) logits and (N,) values.
        """
        x, ptr = obs["candidate"], obs["candidate_ptr"]
        block = block_index(ptr, x.shape[0])
        c = self._candidates(obs, table, block)
        own = self._within("context", obs)
        pooled = [own, block_mean(c, block, ptr), block_max(c, block, ptr.shape[0] - 1)]
        weight = self.score_in.weight  # (H, (1 + roles) H): a part for each row that counts
        hidden = nn.functional.linear(c, weight[:, : self.width])
        if self.resource_in is not None:
            r, owner = self._resources(obs, table)
            places = obs["resource_ptr"]
            pooled += [block_mean(r, owner, places), block_max(r, owner, places.shape[0] - 1)]
            for rows in self._roles(obs, r, block):
                hidden = hidden + rows
        pooled.append(mean_embedding(obs, table))
        context = torch.relu(
            self.context_in(torch.cat(pooled, dim=1)) + self.context_kind(obs["kind"])
        )
        hidden = hidden + self.score_context(context).index_select(0, block)
        logits = self.score_out(torch.relu(hidden)) + self.linear_out(x)
        values = self.value_out(torch.relu(self.value_in(context)))
        return logits.squeeze(1), values.squeeze(1)

    def _within(self, part: str, obs: Mapping[str, Tensor]) -> Tensor:
        """The columns of a part, clipped to its limits."""
        least, most = self.get_buffer(f"{part}_limits")
        return torch.minimum(torch.maximum(obs[part], least), most)

    def _candidates(self, obs: Mapping[str, Tensor], table: Tensor, block: Tensor) -> Tensor:
        """(C, H)."""
        c: Tensor = self.candidate_in(self._within("candidate", obs))
        c = c + self.candidate_kind(obs["kind"]).index_select(0, block)
        for k, project in enumerate(self.candidate_refs):
            c = c + gather_rows(project(table), obs["candidate_node"][:, k])
        return torch.relu(c)

    def _resources(self, obs: Mapping[str, Tensor], table: Tensor) -> tuple[Tensor, Tensor]:
        """(R, H) and the block of each row."""
        assert self.resource_in is not None
        r: Tensor = self.resource_in(self._within("resource", obs))
        if self.resource_ref is not None:
            r = r + gather_rows(self.resource_ref(table), obs["resource_node"])
        return torch.relu(r), block_index(obs["resource_ptr"], r.shape[0])

    def _roles(self, obs: Mapping[str, Tensor], r: Tensor, block: Tensor) -> list[Tensor]:
        """Part of the score's hidden layer that each role's resource row adds, (C, H) each."""
        if not self.schema.candidate_resources:
            return []
        parts = torch.split(self.score_in.weight[:, self.width :], self.width, dim=1)
        first = obs["resource_ptr"].index_select(0, block)
        return [
            gather_rows(nn.functional.linear(r, part), torch.where(place < 0, place, first + place))
            for part, place in zip(parts, obs["candidate_resource"].unbind(1), strict=True)
        ]


def gather_rows(rows: Tensor, index: Tensor) -> Tensor:
    """``rows[index]``, with zeros where the index is -1."""
    padded = nn.functional.pad(rows, (0, 0, 0, 1))
    return padded.index_select(0, torch.where(index < 0, rows.shape[0], index))


def mean_embedding(obs: Mapping[str, Tensor], table: Tensor) -> Tensor:
    """(N, embedding width): mean over live graphs of each graph's mean embedding.

    Differences of running sums need no index of rows; double precision keeps them exact enough.
    """
    running = table.double().cumsum(0)
    running = torch.cat([running.new_zeros(1, table.shape[1]), running])
    start, size = obs["graph_start"], obs["graph_size"]
    total = running.index_select(0, start + size) - running.index_select(0, start)
    means = (total / size[:, None]).to(table.dtype)
    block = block_index(obs["graph_ptr"], start.shape[0])
    return block_mean(means, block, obs["graph_ptr"])
