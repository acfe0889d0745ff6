"""``xla-msa``: XLA's memory space assignment with its options, under our physics."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from graphsched.envs.core.domain import Baseline, SolverOptions
from graphsched.envs.core.knobs import Knob
from graphsched.envs.memory.baselines.xla.picker import picker_of
from graphsched.envs.memory.baselines.xla.segments import assign
from graphsched.envs.memory.physics.arena import empty_arena
from graphsched.envs.memory.physics.mapping import solution_of
from graphsched.envs.memory.physics.orders import lifetimes
from graphsched.envs.memory.physics.program import problem_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from graphsched.envs.memory.instance import MemoryInstance
    from graphsched.envs.memory.physics.program import Problem
    from graphsched.envs.memory.solution import MemorySolution

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float64]

# Overlap ratios: XLA has no defaults of its own but those of each backend; 0.8, 1.5 and 10 are what
# its tests give the picker (memory_space_assignment_test_base.h). The values beside them span what
# users set for TPUs by flags such as xla_vf_vmem_preferred_overlap_to_async_copy_ratio: 0.58 to 1.5,
# 3.3 to 8.3, and 2.9 to 16.
# Scaling: benefit / sqrt(size), or the benefit alone where
# xla_tpu_alternate_memory_benefit_scaling_factor_for_large_buffers is NO_SCALE (cost_analysis.cc).
# Attempts: one and one retry (`max_retries = 1`); repacks: none (`max_repacks = 0`), both of
# options.h; users' flags have up to 8 and 18. Passes: XLA's is one, see `segments`.
KNOBS = {
    "least": Knob((0.0, 0.5, 0.8, 1.0, 1.5), default=0.8),
    "preferred": Knob((1.0, 1.5, 2.0, 4.0, 8.0), default=1.5),
    "most": Knob((0.1, 0.5, 2.0, 10.0, 32.0), default=10.0),
    "scaling": Knob(("root", "none"), default="root"),
    "attempts": Knob((1, 2, 8), default=2),
    "repacks": Knob((0, 1, 20), default=0),
    "passes": Knob((1, 2, 4), default=2),
}


def boundedness(p: Problem) -> Floats:
    """(G,) what a storage's uses gain from fast memory, us; negative where none is bound by memory.

    XLA's (``CostAnalysis::GetMemoryBoundedness``): a use by an instruction that is bound by memory
    gains the time that its bytes move faster, whatever the arithmetic takes; others lack so much of
    being bound. Gains add up; of lacks the least counts. Being given to the program counts nothing.
    """
    t, size = p.access_time, p.access_bytes
    lack = (p.slow_all * p.slow_us - p.compute)[t]
    gain = np.where(lack > 0, size * (p.slow_us - p.fast_us), 0.0)
    total = np.asarray(np.bincount(p.access_storage, gain, len(p.size)), np.float64)
    least = np.full(len(p.size), -np.inf)
    np.maximum.at(least, p.access_storage, lack)
    least[p.live_in] = np.maximum(least[p.live_in], 0.0)
    return np.where(total > 0, total, least)


def ranking(p: Problem, scaling: str = "root") -> Ints:
    """(G,) all storages in XLA's order.

    By falling benefit, in 32 bits; equal ones by falling size and lifetime, then by their last use,
    their beginning and their number (``MemoryBoundednessBufferIntervalComparator``).
    """
    benefit = boundedness(p)
    if scaling == "root":
        benefit = benefit / np.sqrt(np.maximum(p.size, 1))
    first, last = lifetimes(p)
    first = np.where(p.live_in, 0, first)
    keys = (first, last, first - last, -p.size, -benefit.astype(np.float32))
    return np.lexsort(keys).astype(np.int64)


def order_of_xla(p: Problem, scaling: str = "root") -> Ints:
    """Storages that are used and fit, in XLA's order."""
    order = ranking(p, scaling)
    fits = (p.size > 0) & (p.size <= p.capacity) & (np.diff(p.access_ptr) > 0)
    return order[fits[order]]


def assign_in_order(
    instance: MemoryInstance, order: Ints, settings: SolverOptions
) -> MemorySolution:
    """XLA's assignment with the storages in a given order."""
    told = {name: settings.settings.get(name, knob.default) for name, knob in KNOBS.items()}
    p = problem_of(instance)
    ratios = (float(told[name]) for name in ("least", "preferred", "most"))
    picker = picker_of(p, instance.machine, *ratios)
    arena, spare = (empty_arena(len(p.compute), len(p.access_time)) for _ in range(2))
    counts = (int(told[name]) for name in ("attempts", "repacks", "passes"))
    assign(p, arena, spare, picker, order, *counts)
    return solution_of(arena)


def xla_msa(options: SolverOptions) -> Callable[[MemoryInstance], MemorySolution]:
    """The assignment in XLA's own order."""
    scaling = str(options.settings.get("scaling", KNOBS["scaling"].default))
    return lambda i: assign_in_order(i, order_of_xla(problem_of(i), scaling), options)


BASELINE = Baseline(
    make=xla_msa,
    summary="XLA's memory space assignment: its order, picker, evictions and retries",
    is_rule=True,
    knobs=KNOBS,
)
