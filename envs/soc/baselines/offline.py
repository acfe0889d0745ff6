"""List scheduling heuristics, as they are or as the best of N perturbed runs.

They plan one job; a stream is served by a fixed plan for each kind of job.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from graphsched.envs.core.domain import Baseline, SolverOptions
from graphsched.envs.soc.baselines import lists
from graphsched.envs.soc.baselines.runtime import follow_plans
from graphsched.envs.soc.physics.tasks import tasks_of
from graphsched.envs.soc.plan.mode import run_plan

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from graphsched.envs.soc.instance import SocInstance
    from graphsched.envs.soc.physics.tasks import Tasks
    from graphsched.envs.soc.solution import SocSolution

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Planner = Callable[[Tasks, "Jitter | None"], "Plan"]

PERTURBATION = 0.1  # standard deviation of the noise on ranks, relative to their size


class Jitter(NamedTuple):
    """What makes a run of a planner differ from its first one."""

    rng: np.random.Generator
    spread: float  # standard deviation of the noise, relative to what it is added to

    def around(self, values: Floats) -> Floats:
        """The values, each with noise in proportion to its size."""
        return np.asarray(values * (1 + self.spread * self.rng.standard_normal(values.shape)))


class Plan(NamedTuple):
    """Where and when each of N tasks runs."""

    lane: Ints  # (N,)
    start: Floats  # (N,)
    end: Floats  # (N,)
    makespan: float


def _in_order(
    tasks: Tasks, priority: Floats, choice: int = lists.EFT, fixed: Ints | None = None
) -> Plan:
    size = len(tasks.mean)
    fixed = np.full(size, -1) if fixed is None else fixed
    lane, start, end = np.empty(size, np.int64), np.empty(size), np.empty(size)
    makespan = lists.plan_in_order(tasks, priority, choice, fixed, lane, start, end)
    return Plan(lane, start, end, makespan)


def _perturbed(priority: Floats, jitter: Jitter | None) -> Floats:
    return priority if jitter is None else jitter.around(priority)


def _heft(tasks: Tasks, jitter: Jitter | None, choice: int = lists.EFT) -> Plan:
    return _in_order(tasks, _perturbed(tasks.rank_up, jitter), choice)


def _peft(tasks: Tasks, jitter: Jitter | None) -> Plan:
    rank = np.where(np.isfinite(tasks.duration), tasks.oct, 0.0).sum(axis=1)
    return _in_order(
        tasks, _perturbed(rank / np.isfinite(tasks.duration).sum(axis=1), jitter), lists.OCT
    )


def _cpop(tasks: Tasks, jitter: Jitter | None) -> Plan:
    """Tasks of a critical path share the lane that runs them fastest."""
    rank = tasks.rank_up + tasks.rank_down
    longest = rank.max()
    fixed = np.full(len(rank), -1)
    on_path = _critical_path(tasks, rank, longest)
    total = tasks.duration[on_path].sum(axis=0)
    if np.isfinite(total).any():
        fixed[on_path] = int(np.argmin(total))
    return _in_order(tasks, _perturbed(rank, jitter), lists.EFT, fixed)


def _critical_path(tasks: Tasks, rank: Floats, longest: float) -> list[int]:
    entries = np.flatnonzero(np.diff(tasks.pred_ptr) == 0)
    path = [int(entries[np.argmax(rank[entries])])]
    while tasks.succ_ptr[path[-1]] < tasks.succ_ptr[path[-1] + 1]:
        after = tasks.succ[tasks.succ_ptr[path[-1]] : tasks.succ_ptr[path[-1] + 1]]
        path.append(int(after[np.argmin(np.abs(rank[after] - longest))]))
    return path


def _serial(tasks: Tasks, jitter: Jitter | None) -> Plan:
    """Everything on the lane on which that takes the least time; others only where they must."""
    rank = _perturbed(tasks.rank_up, jitter)
    lanes = list(range(tasks.duration.shape[1]))
    if np.isfinite(tasks.duration).all():  # one after another, without a pause
        lanes = [int(np.argmin(tasks.duration.sum(axis=0)))]
    plans = []
    for p in lanes:
        fixed = np.where(np.isfinite(tasks.duration[:, p]), p, -1)
        plans.append(_in_order(tasks, rank, lists.EFT, fixed))
    return min(plans, key=lambda plan: plan.makespan)


def _best3(tasks: Tasks, jitter: Jitter | None) -> Plan:
    return min((f(tasks, jitter) for f in (_heft, _peft, _serial)), key=lambda plan: plan.makespan)


def _greedy(tasks: Tasks, jitter: Jitter | None, rule: int) -> Plan:
    size = len(tasks.mean)
    noise = np.zeros(tasks.duration.shape)
    if jitter is not None:
        noise = jitter.spread * jitter.rng.standard_normal(noise.shape)
    lane, start, end = np.empty(size, np.int64), np.empty(size), np.empty(size)
    return Plan(lane, start, end, lists.plan_greedily(tasks, rule, noise, lane, start, end))


PLANNERS: dict[str, tuple[Planner, str]] = {
    "heft": (_heft, "heterogeneous earliest finish time, insertion (Topcuoglu et al. 2002)"),
    "cpop": (_cpop, "critical path on one PE (Topcuoglu et al. 2002)"),
    "peft": (_peft, "predict earliest finish time (Arabnejad & Barbosa 2014)"),
    "lookahead-heft": (
        partial(_heft, choice=lists.LOOKAHEAD),
        "HEFT that looks at the children's finish (Bittencourt et al. 2010)",
    ),
    "dls": (partial(_greedy, rule=lists.DLS), "generalised dynamic level (Sih & Lee 1993)"),
    "minmin": (partial(_greedy, rule=lists.MINMIN), "least earliest finish first"),
    "maxmin": (partial(_greedy, rule=lists.MAXMIN), "greatest earliest finish first"),
    "sufferage": (partial(_greedy, rule=lists.SUFFERAGE), "greatest loss by the second best first"),
    "mct": (partial(_greedy, rule=lists.MCT), "tasks in order, minimum completion time"),
    "serial": (_serial, "everything on the best single PE"),
    "best3": (_best3, "the best of heft, peft and serial"),
}


def _best(planner: Planner, tasks: Tasks, options: SolverOptions) -> Plan:
    """Best of ``options.samples`` runs, the first of which is unperturbed."""
    spread = PERTURBATION if options.temperature is None else options.temperature
    jitter = Jitter(np.random.default_rng(options.seed), spread)
    runs = [planner(tasks, None)] + [planner(tasks, jitter) for _ in range(options.samples - 1)]
    return min(runs, key=lambda run: run.makespan)


def plan(instance: SocInstance, planner: Planner, options: SolverOptions) -> SocSolution:
    """A plan for a static instance; for a stream one for each kind of job, followed at run time."""
    tasks = [tasks_of(job, instance.platform, instance.ticks) for job in instance.jobs]
    plans = [_best(planner, each, options) for each in tasks]
    if instance.is_stream:
        pes = {k: each.lane_pe[plans[k].lane] for k, each in enumerate(tasks)}
        return follow_plans(instance, replace(options, samples=1), pes)
    return run_plan(instance, tasks[0], plans[0].lane, plans[0].start)


def _make(planner: Planner, options: SolverOptions) -> Callable[[SocInstance], SocSolution]:
    return partial(plan, planner=planner, options=options)


BASELINES = {
    name: Baseline(make=partial(_make, planner), summary=summary, is_rule=True)
    for name, (planner, summary) in PLANNERS.items()
}
