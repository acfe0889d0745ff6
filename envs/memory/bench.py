"""What ``graphsched bench`` measures of this domain beside its simulator's speed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from graphsched.envs.core.clock import cpu_s
from graphsched.envs.memory.generators import GENERATORS
from graphsched.envs.memory.options import MemoryOptions
from graphsched.envs.memory.physics.arena import empty_arena
from graphsched.envs.memory.physics.orders import order_of, scores
from graphsched.envs.memory.physics.placing import decode
from graphsched.envs.memory.physics.program import problem_of
from graphsched.envs.memory.simulator import MemorySim

if TYPE_CHECKING:
    from graphsched.envs.memory.instance import MemoryInstance

SIZE = "8@16"
SLOTS = 64
FORMS = {
    "step": MemoryOptions(actions="step"),
    "priority": MemoryOptions(actions="priority"),
    "piloted": MemoryOptions(actions="priority", pilot_decisions=10**6),
}


def measure(seconds: float) -> dict[str, float]:
    """Time to place all storages of a training step, and decisions/s of the constructive forms.

    The latter are at random, observations included: access by access, by priority without pilots, and
    with a pilot for every candidate.

    Args:
        seconds: of processor time for each metric.
    """
    instance = GENERATORS["attention-training"](np.random.default_rng(0), SIZE)
    p = problem_of(instance)
    arena, order = empty_arena(len(p.compute), len(p.access_time)), order_of(scores(p)[0])
    decode(p, arena, order)
    calls, began = 0, cpu_s()
    while (spent := cpu_s() - began) < seconds or not calls:
        decode(p, arena, order)
        calls += 1
    return {
        "accesses_of_program": float(instance.num_accesses),
        "place_all_us": round(1e6 * spent / calls, 1),
        "accesses_placed_per_cpu_s": round(instance.num_accesses * calls / spent, 1),
    } | {
        f"{form}_decisions_per_cpu_s_b{SLOTS}": round(_pace(instance, options, seconds), 1)
        for form, options in FORMS.items()
    }


def _pace(instance: MemoryInstance, options: MemoryOptions, seconds: float) -> float:
    """Decisions per second of processor time, episodes beginning anew as they end."""
    sim, rng = MemorySim(SLOTS, options), np.random.default_rng(0)
    sim.reset(range(SLOTS), [instance] * SLOTS, [0] * SLOTS)
    _decide(sim, rng, instance)  # compiles
    taken, began = 0, cpu_s()
    while (spent := cpu_s() - began) < seconds or not taken:
        taken += _decide(sim, rng, instance)
    return taken / spent


def _decide(sim: MemorySim, rng: np.random.Generator, instance: MemoryInstance) -> int:
    """A random decision in every slot; returns their number."""
    counts = np.diff(sim.observe()["candidate_ptr"])
    result = sim.step(np.asarray(rng.random(len(counts)) * counts, np.int64))
    ended = result.slots[result.dones].tolist()
    sim.reset(ended, [instance] * len(ended), [0] * len(ended))
    return len(counts)
