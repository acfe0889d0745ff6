"""Choosing candidates from logits; plain numpy code that `kernel` compiles."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray


class Decisions(NamedTuple):
    """What was decided, one entry a block."""

    actions: NDArray[np.int64]
    log_probs: NDArray[np.float32]
    values: NDArray[np.float32]
    entropies: NDArray[np.float32]


def choose(
    logits: NDArray[np.float32],  # (C,)
    ptr: NDArray[np.int64],  # (N + 1,)
    uniforms: NDArray[np.float64],  # (N,) in [0, 1); not read where greedy
    greedy: NDArray[np.bool_],  # (N,)
    temperature: float,
    actions: NDArray[np.int64],  # (N,) out
    log_probs: NDArray[np.float32],  # (N,) out
    entropies: NDArray[np.float32],  # (N,) out
) -> None:
    """First best candidate, or a draw by inversion, from softmax(logits / temperature)."""
    for i in range(len(actions)):
        block = logits[ptr[i] : ptr[i + 1]]
        best = 0
        for j in range(len(block)):
            if block[j] > block[best]:
                best = j
        total, weighted = 0.0, 0.0
        for j in range(len(block)):
            shifted = (np.float64(block[j]) - block[best]) / temperature
            weight = np.exp(shifted)
            total += weight
            weighted += weight * shifted
        action = best
        if not greedy[i]:
            target, passed = uniforms[i] * total, 0.0
            action = -1
            while passed <= target and action + 1 < len(block):
                action += 1
                passed += np.exp((np.float64(block[action]) - block[best]) / temperature)
        actions[i] = action
        shifted = (np.float64(block[action]) - block[best]) / temperature
        log_probs[i] = shifted - np.log(total)
        entropies[i] = np.log(total) - weighted / total


def decide(
    logits: NDArray[np.float32],
    values: NDArray[np.float32],
    ptr: NDArray[np.int64],
    uniforms: NDArray[np.float64],
    greedy: bool | NDArray[np.bool_],
    temperature: float,
    chooser: Callable[..., None] = choose,
) -> Decisions:
    """Decisions from (C,) logits and (N,) values; ``greedy`` for all blocks or (N,)."""
    size = len(values)
    actions = np.empty(size, np.int64)
    log_probs, entropies = np.empty(size, np.float32), np.empty(size, np.float32)
    draws = np.asarray(uniforms, np.float64)
    modes = np.full(size, greedy) if isinstance(greedy, bool) else greedy
    chooser(logits, ptr, draws, modes, float(temperature), actions, log_probs, entropies)
    return Decisions(actions, log_probs, values, entropies)
