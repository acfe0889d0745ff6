"""How often a decoder meets columns outside of its limits, which it then sees clipped.

A policy is at home where its columns lie as they did when it was fitted. A share of decisions that is
much larger on somebody's instances says that these are of another kind.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from graphsched.agents.networks.packing import UNLIMITED, limited_parts
from graphsched.envs.core.kernels.jit import kernel

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from graphsched.agents.networks.packing import NetworkObs
    from graphsched.envs.core.graph import GraphSchema

    F32 = NDArray[np.float32]


@dataclass
class Tally:
    """Decisions that a policy took, those in copies of episodes and in searches included.

    Attributes:
        decisions: all of them.
        outside: those with a column outside of its limits.
    """

    decisions: int = 0
    outside: int = 0

    def __sub__(self, earlier: Tally) -> Tally:
        """What came since."""
        return Tally(self.decisions - earlier.decisions, self.outside - earlier.outside)

    @property
    def share(self) -> float | None:
        """Of the decisions, those outside; None of nothing."""
        return self.outside / self.decisions if self.decisions else None


class Watch:
    """Tells blocks with a column outside of a decoder's limits."""

    def __init__(self, schema: GraphSchema, params: Mapping[str, F32]) -> None:
        """Args: schema: of the observations. params: of the decoder, by name."""
        found = {part: params[f"{part}_limits"] for part in limited_parts(schema)}
        self._limits = {
            part: np.ascontiguousarray(limits, np.float32)
            for part, limits in found.items()
            if (np.abs(limits) < UNLIMITED).any()
        }

    def count(self, obs: NetworkObs) -> int:
        """Blocks of an observation with such a column; 0 of a decoder without limits."""
        if not self._limits:
            return 0
        blocks = np.zeros(len(obs["kind"]), np.bool_)
        whole = np.arange(len(blocks) + 1)
        for part, limits in self._limits.items():
            ptr = whole if part == "context" else obs[f"{part}_ptr"]  # type: ignore[literal-required]
            _mark(obs[part], ptr, limits, blocks)  # type: ignore[literal-required]
        return int(blocks.sum())


@kernel
def _mark(rows: F32, ptr: NDArray[np.int64], limits: F32, blocks: NDArray[np.bool_]) -> None:
    """Set blocks (N,) of rows (ptr[N], columns) in which one lies outside of limits (2, columns)."""
    columns = limits.shape[1]
    for block in range(len(blocks)):
        for row in range(ptr[block], ptr[block + 1]):
            for i in range(columns):
                if rows[row, i] < limits[0, i] or rows[row, i] > limits[1, i]:
                    blocks[block] = True
                    break
            if blocks[block]:
                break
