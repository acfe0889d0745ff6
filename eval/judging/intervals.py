"""How sure a mean is: bootstrap intervals, sign-flip tests, and Holm's correction of many."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

RESAMPLES = 10_000
CONFIDENCE = 0.95
CHUNK = 1_000_000  # bounds the memory of what is drawn at once
EXACT_FLIPS = 13  # of so many values all patterns of signs are fewer than the resamples


def bootstrap_interval(values: Floats, seed: int = 0) -> tuple[float, float]:
    """95% percentile interval of the mean of ``values`` (n,) float64, n >= 1.

    Equal lengths and seeds draw equal resamples, so intervals of solvers on the same instances
    are paired. A single value is its own interval. Source: Efron and Tibshirani, An Introduction
    to the Bootstrap (1993), chapter 13.
    """
    rng = np.random.default_rng(seed)
    means = np.empty(RESAMPLES)
    for part in _chunks(len(values)):
        drawn = rng.integers(len(values), size=(part.stop - part.start, len(values)))
        means[part] = values[drawn].mean(axis=1)
    return _percentiles(means)


def nested_interval(cells: Sequence[Sequence[float]], seed: int = 0) -> tuple[float, float]:
    """95% percentile interval of the mean over cells of each cell's mean.

    A cell is an instance and its values are those of the seeds: instances are drawn, and within
    each one drawn its seeds, so that what chance does in a run widens the interval too. Source:
    Davison and Hinkley, Bootstrap Methods and their Application (1997), section 3.8.
    """
    counts = np.array([len(cell) for cell in cells])
    most = int(counts.max())
    if most == 1:
        return bootstrap_interval(np.array([cell[0] for cell in cells]), seed)
    values = np.zeros((len(cells), most))
    for i, cell in enumerate(cells):
        values[i, : len(cell)] = cell
    rng = np.random.default_rng(seed)
    means = np.empty(RESAMPLES)
    for part in _chunks(values.size):
        rows = rng.integers(len(cells), size=(part.stop - part.start, len(cells)))
        sizes = counts[rows][..., None]
        drawn = (rng.random((*rows.shape, most)) * sizes).astype(np.int64)
        found = np.where(np.arange(most) < sizes, values[rows[..., None], drawn], 0.0)
        means[part] = (found.sum(axis=2) / sizes[..., 0]).mean(axis=1)
    return _percentiles(means)


def _chunks(size: int) -> list[slice]:
    """Slices of the resamples, each of which draws about `CHUNK` numbers."""
    share = max(1, CHUNK // size)
    return [slice(i, min(i + share, RESAMPLES)) for i in range(0, RESAMPLES, share)]


def _percentiles(means: Floats) -> tuple[float, float]:
    tail = 50 * (1 - CONFIDENCE)
    low, high = np.percentile(means, [tail, 100 - tail])
    return float(low), float(high)


def sign_flip_p(differences: Floats, seed: int = 0) -> float:
    """Two-sided p of the mean of paired differences (n,) being zero, by flipping their signs.

    All 2^n patterns of signs where they are few, else random ones; the pattern that was seen
    counts as one of them. Source: Fisher, The Design of Experiments (1935), section 21; Phipson
    and Smyth, Permutation P-values Should Never Be Zero (2010), for the random ones.
    """
    n = len(differences)
    seen = abs(differences.sum()) * (1 - 1e-9)  # equal sums may differ in their last bits
    if n <= EXACT_FLIPS:
        signs = 1.0 - 2.0 * (np.arange(2**n)[:, None] >> np.arange(n) & 1)
        return float(np.mean(abs(signs @ differences) >= seen))
    rng = np.random.default_rng(seed)
    reached = 0
    for part in _chunks(n):
        signs = 1.0 - 2.0 * rng.integers(2, size=(part.stop - part.start, n))
        reached += int(np.sum(abs(signs @ differences) >= seen))
    return (1 + reached) / (1 + RESAMPLES)


def holm(p_values: Sequence[float]) -> list[float]:
    """Each p corrected for the number of tests, so that any false alarm at all is as rare.

    Source: Holm, A Simple Sequentially Rejective Multiple Test Procedure (1979).
    """
    out = [0.0] * len(p_values)
    least = 0.0
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    for rank, i in enumerate(order):
        least = max(least, min(1.0, (len(order) - rank) * p_values[i]))
        out[i] = least
    return out
