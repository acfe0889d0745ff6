"""What ``graphsched bench`` measures of this domain beside its simulator's speed."""

from __future__ import annotations

import numpy as np

from graphsched.envs.core.clock import cpu_s
from graphsched.envs.jobshop.features import CAND
from graphsched.envs.jobshop.generators import GENERATORS
from graphsched.envs.jobshop.options import JobShopOptions
from graphsched.envs.jobshop.search.solver import ENDLESS, Search
from graphsched.envs.jobshop.simulator import JobShopSim

SIZES = ("15x15", "30x20")
FOREVER_S = 1e9
LEAST_S = 0.2  # so that time is left after the search's set-up
SHOPS, MIXED = 16, "10x10-20x20"  # that are dispatched side by side
LOOKS = {
    "none": JobShopOptions(delay_window=1.0),
    "bounds": JobShopOptions(delay_window=1.0, look_ahead="bounds"),
    "rules_3": JobShopOptions(delay_window=1.0, look_ahead="rules", rules=3),
    "rules_12": JobShopOptions(delay_window=1.0, look_ahead="rules"),
}


def measure(seconds: float) -> dict[str, float]:
    """Decisions, by what they look at, and moves of the tabu search, per processor-second.

    Args:
        seconds: of processor time for each metric; 0.2 s are taken at least.
    """
    out = {f"decisions_per_cpu_s_{name}": _pace(look, seconds) for name, look in LOOKS.items()}
    return out | {f"tabu_moves_per_cpu_s_{size}": _speed(size, seconds) for size in SIZES}


def _pace(options: JobShopOptions, seconds: float) -> float:
    """Decisions of a rule, the most critical job first, on shops of several sizes."""
    rng = np.random.default_rng(0)
    shops = [GENERATORS["mixed"](rng, MIXED) for _ in range(SHOPS)]
    sim = JobShopSim(SHOPS, options)
    sim.reset(range(SHOPS), shops, [0] * SHOPS)
    sim.observe()  # compiles
    taken, began = 0, cpu_s()
    while cpu_s() - began < max(seconds, LEAST_S):
        obs = sim.observe()
        if not len(obs["slot"]):
            sim.reset(range(SHOPS), shops, [0] * SHOPS)
            continue
        blocks = np.split(obs["candidate"][:, CAND.criticality], obs["candidate_ptr"][1:-1])
        taken += len(sim.step(np.array([int(block.argmax()) for block in blocks])).slots)
    return round(taken / (cpu_s() - began), 1)


def _speed(size: str, seconds: float) -> float:
    instance = GENERATORS["taillard"](np.random.default_rng(0), size)
    warm = Search(instance, 0, FOREVER_S, moves=10)
    warm.set_out_from(warm.dispatched())
    warm.descend(ENDLESS)  # compiles
    search = Search(instance, 0, max(seconds, LEAST_S))
    search.set_out_from(search.dispatched())
    began = cpu_s()
    search.descend(ENDLESS)
    return round(search.moves / (cpu_s() - began), 1)
