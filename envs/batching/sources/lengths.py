"""Lengths of prompts and outputs, and what a predictor says of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]

NOISE = 0.3  # standard deviation of the log of a predicted length over the true one


def lognormal(rng: Generator, size: int, mean: float, spread: float, least: int, most: int) -> Ints:
    """Lengths of that mean (before they are cut), tokens."""
    draws = mean * np.exp(spread * rng.standard_normal(size) - 0.5 * spread**2)
    return np.clip(np.round(draws), least, most).astype(np.int64)


def predictions(rng: Generator, output: Ints, noise: float = NOISE) -> Ints:
    """What a predictor says: the true length with lognormal noise."""
    draws = np.round(output * np.exp(noise * rng.standard_normal(len(output))))
    return np.maximum(draws, 1).astype(np.int64)
