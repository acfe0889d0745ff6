"""A small network that ranks proposed moves, in the kernel: one hidden layer over a move's features."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from graphsched.envs.core.kernels.draws import uniform
from graphsched.envs.core.kernels.jit import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

FASTMATH = {"contract", "reassoc", "nsz"}  # fixed for a build; no effect on NaN and infinity


class Scorer(NamedTuple):
    """F features, H units."""

    inner: Floats  # (F, H)
    bias: Floats  # (H,)
    outer: Floats  # (H,)
    noise: float  # scale of the Gumbel noise by which moves are drawn, not ranked alone


def indifferent(features: int) -> Scorer:
    """Any move is as good as any other."""
    none = np.zeros(0, np.float32)
    return Scorer(np.zeros((features, 0), np.float32), none, none, 1.0)


@kernel(entry=False, fastmath=FASTMATH)
def _score(s: Scorer, row: Floats, hidden: Floats) -> float:
    """Score of a move by its features (F,): log odds that it helps, but for a constant."""
    hidden[:] = s.bias
    for f in range(len(row)):
        value = row[f]
        for h in range(len(hidden)):
            hidden[h] += value * s.inner[f, h]
    total = np.float32(0.0)
    for h in range(len(hidden)):
        total += max(hidden[h], np.float32(0.0)) * s.outer[h]
    return total  # type: ignore[return-value]


@kernel(entry=False)
def chosen(s: Scorer, rows: Floats, count: int, stream: NDArray[np.int64]) -> int:
    """The move of the highest score, noise added, of the first ``count`` rows (K, F)."""
    best, most = 0, -np.inf
    hidden = np.empty(len(s.bias), np.float32)
    for k in range(count):
        value = float(_score(s, rows[k], hidden))
        if s.noise > 0.0:
            value -= s.noise * np.log(-np.log(uniform(stream)))
        if value > most:
            best, most = k, value
    return best
