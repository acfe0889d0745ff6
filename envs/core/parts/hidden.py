"""Rules with one hidden layer over candidate features: what a network may set out from."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class HiddenRule(NamedTuple):
    """Scores ``outer . relu(inner^T x + bias)`` of candidates in one kind of decision; H units.

    Of the columns (F,) only those may have weights that are 0 in all other kinds of decision.
    """

    inner: NDArray[np.float32]  # (F, H)
    bias: NDArray[np.float32]  # (H,)
    outer: NDArray[np.float32]  # (H,)
