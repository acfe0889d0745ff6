"""Policies with random weights, for tests of what surrounds a policy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from graphsched.agents.networks.decoder import Decoder
from graphsched.agents.networks.encoder import GraphEncoder, collate
from graphsched.agents.networks.kernel import DecoderKernel
from graphsched.agents.networks.outside import Tally

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from graphsched.envs.core.domain import Domain
    from graphsched.envs.core.graph import GraphSchema, StaticGraph


def random_networks(schema: GraphSchema, seed: int = 0) -> tuple[GraphEncoder, Decoder]:
    """Small networks whose decisions are far from uniform."""
    torch.manual_seed(seed)
    encoder = GraphEncoder(schema, width=8, layers=2).eval()
    decoder = Decoder(schema, 8, 8).eval()
    for parameter in decoder.parameters():
        torch.nn.init.normal_(parameter, std=0.4)
    return encoder, decoder


class UntrainedPolicy(DecoderKernel):
    """Looks to a search like `runtime.Policy`, without a bundle."""

    def __init__(self, domain: Domain[Any, Any], seed: int = 0) -> None:
        encoder, decoder = random_networks(domain.schema, seed)
        super().__init__(domain.schema, {k: v.numpy() for k, v in decoder.state_dict().items()})
        self.simulator_options = domain.options()
        self.tally = Tally()
        self._encoder = encoder

    def encode(self, graphs: Sequence[StaticGraph]) -> NDArray[np.float32]:
        """Node embeddings, graph after graph."""
        batch = collate(self.schema, graphs)
        with torch.no_grad():
            rows: NDArray[np.float32] = self._encoder(batch).numpy()
        return rows
