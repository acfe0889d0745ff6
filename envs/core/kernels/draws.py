"""Streams of random numbers that kernels draw from, each in an array of its own.

Numba's ``np.random`` is one stream for a whole process; an episode or a search has to have its own, to
be saved, copied and repeated with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphsched.envs.core.kernels.jit import kernel

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Stream = NDArray[np.int64]  # (1,) state of Marsaglia's xorshift, 32 bits, not 0

MASK = 2**32 - 1
_MIX = 0x45D9F3B  # small enough that its product with 32 bits fits 63


@kernel
def begin_stream(stream: Stream, seed: int) -> None:
    """Begin at a seed >= 0; neighbours have nothing in common."""
    x = (seed ^ (seed >> 32)) & MASK
    for _ in range(3):
        x = (((x ^ (x >> 16)) + 1) * _MIX) & MASK
    stream[0] = max(x, 1)


@kernel(entry=False)
def _next(stream: Stream) -> int:
    x: int = stream[0]
    x ^= (x << 13) & MASK
    x ^= x >> 17
    x ^= (x << 5) & MASK
    stream[0] = x
    return x


@kernel(entry=False)
def draw(stream: Stream, below: int) -> int:
    """A number in [0, below); below < 2^31."""
    return (_next(stream) * below) >> 32


@kernel(entry=False)
def uniform(stream: Stream) -> float:
    """A number in (0, 1)."""
    return _next(stream) / (MASK + 1)
