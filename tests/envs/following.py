"""Solutions followed through a simulator, as several domains test it."""

from __future__ import annotations

from typing import Any

import numpy as np


def followed(domain: Any, instance: Any, solution: Any, options: Any) -> tuple[float, list[bool]]:
    """Cost, and whether each decision was exact."""
    sim = domain.simulator(1, options)
    sim.reset([0], [instance], [0])
    exact = []
    while sim.waiting.any():
        actions, just = domain.follow(sim, np.zeros(1, np.int64), [solution])
        exact.append(bool(just[0]))
        sim.step(actions)
    return float(sim.costs()[0]), exact
