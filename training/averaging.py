"""Exponential moving average of a network's weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch.optim.swa_utils import AveragedModel

if TYPE_CHECKING:
    from torch import Tensor, nn

HEAD_START = 20  # updates over which a young average leans to the present weights


def weight_average(network: nn.Module, decay: float) -> AveragedModel:
    """Average from the network's present weights on, in which early weights are forgotten faster.

    Args:
        network: to copy.
        decay: per update; 0 keeps the latest weights.
    """

    def mix(average: Tensor, present: Tensor, averaged: Tensor | int) -> Tensor:
        updates = int(averaged)
        return average.lerp(present, 1.0 - min(decay, updates / (updates + HEAD_START)))

    out = AveragedModel(network, avg_fn=mix)
    out.n_averaged.fill_(1)  # the weights it starts from, which the first update would overwrite
    return out
