"""What ``graphsched bench`` measures of this domain beside its simulator's speed."""

from __future__ import annotations

import numpy as np

from graphsched.envs.core.clock import cpu_s
from graphsched.envs.jobshop.generators import GENERATORS
from graphsched.envs.jobshop.search.solver import ENDLESS, Search

SIZES = ("15x15", "30x20")
FOREVER_S = 1e9
LEAST_S = 0.2  # so that time is left after the search's set-up


def measure(seconds: float) -> dict[str, float]:
    """Moves of the tabu search per second of processor time.

    Args:
        seconds: of processor time for each metric; 0.2 s are taken at least.
    """
    return {f"tabu_moves_per_cpu_s_{size}": round(_speed(size, seconds), 1) for size in SIZES}


def _speed(size: str, seconds: float) -> float:
    instance = GENERATORS["taillard"](np.random.default_rng(0), size)
    warm = Search(instance, 0, FOREVER_S, moves=10)
    warm.set_out_from(warm.dispatched())
    warm.descend(ENDLESS)  # compiles
    search = Search(instance, 0, max(seconds, LEAST_S))
    search.set_out_from(search.dispatched())
    began = cpu_s()
    search.descend(ENDLESS)
    return search.moves / (cpu_s() - began)
