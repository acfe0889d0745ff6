"""What ``graphsched bench`` measures of this domain beside its simulator's speed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from graphsched.envs.core.clock import cpu_s
from graphsched.envs.core.domain import SolverOptions
from graphsched.envs.core.errors import InputError
from graphsched.envs.soc.baselines.offline import PLANNERS, plan
from graphsched.envs.soc.options import SocOptions
from graphsched.envs.soc.physics.tasks import tasks_of
from graphsched.envs.soc.search.improve import of_plan, search
from graphsched.envs.soc.simulator import SocSim
from graphsched.envs.soc.sources.saga import related, saga_heft

if TYPE_CHECKING:
    from collections.abc import Callable

TASKS, PES = 200, 8
SEARCHED = (30, 100, 200)  # tasks of the plans that local search improves
LEAST_S = 0.2  # of a search, so that time is left after its set-up


def _seconds(work: Callable[[], object], budget_s: float) -> float:
    """Processor time of a call, at least one, on average over about the budget."""
    work()  # compiles
    calls, began = 0, cpu_s()
    while (spent := cpu_s() - began) < budget_s or not calls:
        work()
        calls += 1
    return spent / calls


def measure(seconds: float) -> dict[str, float]:
    """HEFT's time for 200 tasks on 8 PEs, beside SAGA's if it is there, decisions and placements.

    Args:
        seconds: of processor time for each metric.
    """
    instance = related(np.random.default_rng(0), TASKS, PES)
    tasks = tasks_of(instance.jobs[0], instance.platform)
    heft = PLANNERS["heft"][0]
    kernel = _seconds(lambda: heft(tasks, None), seconds)
    out = {
        "heft_200x8_us": round(1e6 * kernel, 1),
        "heft_200x8_schedule_us": round(
            1e6 * _seconds(lambda: plan(instance, heft, SolverOptions()), seconds), 1
        ),
        "bare_decisions_per_cpu_s_b64": round(_bare_decisions(seconds), 1),
        **{
            f"placements_valued_per_cpu_s_{size}x{PES}": round(_placements(size, seconds), 1)
            for size in SEARCHED
        },
    }
    try:
        peer = _seconds(saga_heft(instance), seconds)
    except InputError:
        return out
    return out | {
        "saga_heft_200x8_us": round(1e6 * peer, 1),
        "heft_times_faster_than_saga": float(f"{peer / kernel:.3g}"),
    }


def _bare_decisions(seconds: float) -> float:
    """Decisions per second of the simulator alone: 64 plans, the first candidate each time."""
    slots = 64
    instance = related(np.random.default_rng(0), TASKS, PES)
    sim = SocSim(slots, SocOptions(max_ready=1, pilot_steps=0))
    taken, spent = 0, 0.0
    while spent < seconds:
        sim.reset(range(slots), [instance] * slots, [0] * slots)
        began = cpu_s()
        while waiting := int(sim.waiting.sum()):
            sim.step(np.zeros(waiting, np.int64))
            taken += waiting
        spent += cpu_s() - began
    return taken / spent


def _placements(size: int, seconds: float) -> float:
    """Placements that local search values per second, from HEFT's plan on."""
    instance = related(np.random.default_rng(0), size, PES)
    tasks = tasks_of(instance.jobs[0], instance.platform)
    heft = PLANNERS["heft"][0](tasks, None)
    start = of_plan(tasks, tasks.lane_pe[heft.lane], heft.start, heft.end)
    search(tasks, [start], moves=1)  # compiles
    seconds = max(seconds, LEAST_S)
    began = cpu_s()
    return search(tasks, [start], seconds).valued / (cpu_s() - began)
