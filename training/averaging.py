"""Exponential moving average of a network's weights."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor, nn

HEAD_START = 20  # updates over which a young average leans to the present weights


class WeightAverage:
    """Average over updates, in which early weights are forgotten faster.

    Attributes:
        weights: averaged parameters by name.
        updates: averaged so far.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        """Args: network: to follow. decay: per update; 0 keeps the latest weights."""
        self.decay = decay
        self.updates = 0
        self.weights = {name: p.detach().clone() for name, p in network.named_parameters()}

    @torch.no_grad()
    def update(self, network: nn.Module) -> None:
        """Take in the network's present weights."""
        self.updates += 1
        decay = min(self.decay, self.updates / (self.updates + HEAD_START))
        for name, parameter in network.named_parameters():
            self.weights[name].lerp_(parameter.detach(), 1.0 - decay)

    @contextmanager
    def applied(self, network: nn.Module) -> Iterator[None]:
        """Put the average into the network for the time of a block."""
        if self.decay == 0.0:
            yield
            return
        own = {name: p.detach().clone() for name, p in network.named_parameters()}
        _put(network, self.weights)
        try:
            yield
        finally:
            _put(network, own)


@torch.no_grad()
def _put(network: nn.Module, weights: dict[str, Tensor]) -> None:
    for name, parameter in network.named_parameters():
        parameter.copy_(weights[name])
