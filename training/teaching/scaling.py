"""Standardised inputs for a decoder, without a trace in the weights that are kept.

Columns of an observation differ in spread by orders of magnitude, which gradient steps of one size
for all weights don't bear. While a decoder is fitted its first layers see standardised columns;
afterwards mean and deviation are folded into the weights, which take plain columns again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np
import torch

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from graphsched.agents.networks.decoder import Decoder
    from graphsched.envs.core.graph import PackedObs

CONSTANT = 1e-6  # deviation below which a column is taken for constant


class Column(NamedTuple):
    """Mean and deviation of the columns of a part; deviation 1 where they are constant."""

    mean: Tensor
    deviation: Tensor
    varies: Tensor  # 1 or 0

    def on(self, device: torch.device) -> Column:
        """On a device, where weights may be."""
        return Column(*(part.to(device) for part in self))


class Scaling:
    """Mean and deviation of candidate, resource and context columns."""

    def __init__(self, obs: PackedObs) -> None:
        """Args: obs: whose columns are measured."""
        parts = {
            "candidate": obs["candidate"],
            "resource": obs["resource"],
            "context": obs["context"],
        }
        self.columns = {name: _measure(rows) for name, rows in parts.items() if rows.size}

    def standardised(self, obs: PackedObs) -> PackedObs:
        """The observation with standardised columns."""
        out: dict[str, Any] = dict(obs)
        for name, (mean, deviation, _) in self.columns.items():
            out[name] = (out[name] - mean.numpy()) / deviation.numpy()
        return cast("PackedObs", out)

    @torch.no_grad()
    def unfold(self, decoder: Decoder) -> None:
        """Weights that make of standardised columns what they made of plain ones.

        Columns that never vary get none in the hidden layers: nothing is known of them.
        """
        for weight, shift, column in self._places(decoder):
            if shift is not None:
                shift += weight @ column.mean
                weight *= column.varies
            weight *= column.deviation

    @torch.no_grad()
    def fold(self, decoder: Decoder) -> None:
        """Inverse of `unfold`."""
        for weight, shift, column in self._places(decoder):
            weight /= column.deviation
            if shift is not None:
                shift -= weight @ column.mean

    def _places(self, decoder: Decoder) -> list[tuple[Tensor, Tensor | None, Column]]:
        """Weights, what absorbs a shift of their inputs, and these.

        A shift of the linear part moves all candidates alike, so nothing need absorb it.
        """
        candidate, context = self.columns["candidate"], self.columns.get("context")
        places: list[tuple[Tensor, Tensor | None, Column]] = [
            (decoder.candidate_in.weight, decoder.candidate_kind.weight, candidate),
            (decoder.linear_out.weight, None, candidate),
        ]
        if context is not None:
            own = decoder.context_in.weight[:, : len(context.mean)]
            places.append((own, decoder.context_kind.weight, context))
        if decoder.resource_in is not None and "resource" in self.columns:
            resource = decoder.resource_in
            places.append((resource.weight, resource.bias, self.columns["resource"]))
        return [(weight, shift, column.on(weight.device)) for weight, shift, column in places]


def _measure(rows: NDArray[np.float32]) -> Column:
    mean, deviation = rows.mean(axis=0, dtype=np.float64), rows.std(axis=0, dtype=np.float64)
    varies = deviation > CONSTANT
    deviation[~varies] = 1.0
    columns = (mean, deviation, varies)
    return Column(*(torch.from_numpy(column.astype(np.float32)) for column in columns))
