"""The temperature of everyone who samples, chosen on instances apart from those of the evaluation."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from graphsched.eval.solvers.pools import Ask, start_pool

if TYPE_CHECKING:
    from collections.abc import Sequence

    from graphsched.eval.solvers.entrants import Entrants
    from graphsched.eval.solvers.words import Start

POLICY_GRID = (0.25, 0.5, 0.7, 1.0, 1.4, 2.0)  # divides logits
RULE_GRID = (0.05, 0.1, 0.2, 0.4, 0.8)  # spread of noise, see `SolverOptions.temperature`
TIMED_SAMPLES = 16  # runs at which those are tuned that draw as many as fit a time limit


def tuned_temperatures(
    entrants: Entrants,
    starts: Sequence[Start],
    instances: Sequence[Any],
) -> dict[str, float]:
    """The best temperature of each start that samples.

    Args:
        entrants: what starts name.
        starts: that sample; those of one run draw as many as fit a time limit.
        instances: to choose on.

    Returns:
        The word of a start -> temperature.

    Raises:
        InputError: a start can't be run.
    """
    return {start.word: _best(entrants, start, instances) for start in dict.fromkeys(starts)}


def _best(entrants: Entrants, start: Start, instances: Sequence[Any]) -> float:
    """The temperature of least mean cost; costs that are ratios count relative to the instance's."""
    sampled = start if start.samples > 1 else replace(start, samples=TIMED_SAMPLES)
    grid = POLICY_GRID if start.name in entrants.policies else RULE_GRID
    costs = np.zeros((len(grid), len(instances)))
    for row, temperature in zip(costs, grid, strict=True):
        pool = start_pool(entrants, sampled, temperature)
        row[:] = [entrants.domain.cost(i, pool(Ask(i))[0]) for i in instances]
    if entrants.domain.cost_ratios:
        costs /= np.maximum(costs.mean(axis=0), np.finfo(float).tiny)
    return grid[int(np.argmin(costs.mean(axis=1)))]
