"""Workflows: stages of like tasks, as in scientific computing, whose times differ by magnitudes.

A stage follows task by task on the one before it, scatters from it, or merges it into a single task.
Within a stage tasks take about as long; between stages times differ as those of a download and a
simulation do. Communication is as a rule little.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

DEVIATION = 1.2  # of the logarithm of a stage's time
WITHIN = (0.05, 0.6)  # the same of a task's within its stage, from, to
MERGES = 0.3  # chance that a stage is a single task
FOLLOWS = 0.5  # chance that any other stage follows task by task


def stages(rng: np.random.Generator, tasks: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Edges (2, E) over tasks in topological order, and (tasks,) work around 1."""
    pairs: list[tuple[int, int]] = []
    work = np.empty(tasks)
    before = range(0)
    while before.stop < tasks:
        left = tasks - before.stop
        wide = int(rng.integers(2, max(tasks // 2, 2) + 1))
        merges, follows = rng.random() < MERGES, rng.random() < FOLLOWS and len(before) > 1
        width = min(1 if merges else len(before) if follows else wide, left)
        stage = range(before.stop, before.stop + width)
        if merges:
            pairs += [(i, stage.start) for i in before]
        elif before:
            parents = np.arange(width) if follows else rng.integers(0, len(before), width)
            pairs += [(before[int(p)], i) for p, i in zip(parents, stage, strict=True)]
        deviation = rng.uniform(*WITHIN)
        base = np.exp(DEVIATION * rng.standard_normal())
        work[stage.start : stage.stop] = base * np.exp(deviation * rng.standard_normal(width))
        before = stage
    return np.array(sorted(pairs), np.int64).reshape(-1, 2).T.copy(), work
