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
from graphsched.envs.memory.pricing.guide import guide_of
from graphsched.envs.memory.simulator import MemorySim

if TYPE_CHECKING:
    from graphsched.envs.memory.instance import MemoryInstance

SIZE = "8@16"


def measure(seconds: float) -> dict[str, float]:
    """Time to place all storages of a training step, and bare decisions/s of the step-wise game.

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
        "bare_step_decisions_per_cpu_s_b16": round(_bare_decisions(instance, seconds), 1),
    }


def _bare_decisions(instance: MemoryInstance, seconds: float) -> float:
    """Accesses decided per second of the simulator alone, 16 slots, the first choice each time."""
    slots = 16
    guide_of(instance)
    sim = MemorySim(slots, MemoryOptions(actions="step"))
    taken, spent = 0, 0.0
    while spent < seconds:
        sim.reset(range(slots), [instance] * slots, [0] * slots)
        began = cpu_s()
        while waiting := int(sim.waiting.sum()):
            sim.step(np.zeros(waiting, np.int64))
            taken += waiting
        spent += cpu_s() - began
    return taken / spent
