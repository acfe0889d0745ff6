"""Standardised inputs for a decoder, without a trace in the weights that are kept.

Columns of an observation differ in spread by orders of magnitude, which gradient steps of one size
for all weights don't bear. While a decoder is fitted its first layers see standardised columns;
afterwards mean and deviation are folded into the weights, which take plain columns again. What lies
outside of what was seen is clipped for the hidden layers, then and afterwards.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np
import torch

from graphsched.agents.networks.packing import unlimited

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from graphsched.agents.networks.decoder import Decoder
    from graphsched.envs.core.graph import PackedObs

CONSTANT = 1e-6  # deviation below which a column is taken for constant


class Column(NamedTuple):
    """Mean, deviation and limits of the columns of a part; deviation 1 where they are constant."""

    mean: Tensor
    deviation: Tensor
    varies: Tensor  # 1 or 0
    limits: Tensor  # (2, columns) least and most

    def on(self, device: torch.device) -> Column:
        """On a device, where weights may be."""
        return Column(*(part.to(device) for part in self))


class Scaling:
    """Mean and deviation of candidate, resource and context columns."""

    def __init__(self, obs: PackedObs, clip: float = 0.0) -> None:
        """Args: obs: whose columns are measured.

        clip: deviations from the mean beyond which, or beyond all that was seen, hidden layers see
            columns clipped; 0: nowhere.
        """
        parts = {
            "candidate": obs["candidate"],
            "resource": obs["resource"],
            "context": obs["context"],
        }
        self.columns = {name: _measure(rows, clip) for name, rows in parts.items() if rows.size}

    def standardised(self, obs: PackedObs) -> PackedObs:
        """The observation with standardised columns."""
        out: dict[str, Any] = dict(obs)
        for name, column in self.columns.items():
            out[name] = (out[name] - column.mean.numpy()) / column.deviation.numpy()
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
        for part, column in self.columns.items():
            limits = (column.limits - column.mean) / column.deviation
            decoder.get_buffer(f"{part}_limits").copy_(limits)

    @torch.no_grad()
    def fold(self, decoder: Decoder) -> None:
        """Inverse of `unfold`."""
        for weight, shift, column in self._places(decoder):
            weight /= column.deviation
            if shift is not None:
                shift -= weight @ column.mean
        for part, column in self.columns.items():
            decoder.get_buffer(f"{part}_limits").copy_(column.limits)

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


def _measure(rows: NDArray[np.float32], clip: float) -> Column:
    mean, deviation = rows.mean(axis=0, dtype=np.float64), rows.std(axis=0, dtype=np.float64)
    varies = deviation > CONSTANT
    deviation[~varies] = 1.0
    limits: NDArray[Any] = unlimited(len(mean))
    if clip:
        least = np.maximum(mean - clip * deviation, rows.min(axis=0))
        limits = np.stack([least, np.minimum(mean + clip * deviation, rows.max(axis=0))])
    columns = (mean, deviation, varies, limits)
    return Column(*(torch.from_numpy(column.astype(np.float32)) for column in columns))
