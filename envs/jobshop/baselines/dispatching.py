"""Priority dispatching rules, as they are or as the best of N runs with perturbed priorities."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from graphsched.envs.core.domain import Baseline, SolverOptions
from graphsched.envs.core.kernels.jit import kernel
from graphsched.envs.jobshop.options import JobShopOptions
from graphsched.envs.jobshop.simulator import JobShopSim

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from graphsched.envs.jobshop.instance import JobShopInstance
    from graphsched.envs.jobshop.physics.state import State
    from graphsched.envs.jobshop.solution import JobShopSolution

SPT, LPT, FIFO, MWKR, LWKR, MOPNR, FDD_MWKR, TAIL, RANDOM = range(9)
RULES = {
    "spt": (SPT, "shortest processing time"),
    "lpt": (LPT, "longest processing time"),
    "fifo": (FIFO, "first in, first out: the job that has been ready for longest"),
    "mwkr": (MWKR, "most work remaining, the operation itself included"),
    "lwkr": (LWKR, "least work remaining"),
    "mopnr": (MOPNR, "most operations remaining"),
    "fdd-mwkr": (FDD_MWKR, "least ratio of flow due date to work remaining (Sels et al. 2012)"),
    "tail": (TAIL, "longest remaining work after the operation"),
    "random": (RANDOM, "uniformly random candidate"),
}
PERTURBATION = 0.1  # standard deviation of the noise on a priority, relative to its spread
MAX_SLOTS = 128


@kernel(entry=False)
def _priority(state: State, b: int, j: int, rule: int) -> float:
    """Priority of job j's next operation; the largest goes first."""
    o = state.next_operation[b, j]
    duration, tail = state.duration[b, o], state.tail[b, o]
    if rule == SPT:
        return -float(duration)
    if rule == LPT:
        return float(duration)
    if rule == FIFO:
        return -float(state.job_ready[b, j])
    if rule == MWKR:
        return float(duration + tail)
    if rule == LWKR:
        return -float(duration + tail)
    if rule == MOPNR:
        return float(state.job_ptr[b, j + 1] - o)
    if rule == FDD_MWKR:
        first = state.job_ptr[b, j]
        total = state.duration[b, first] + state.tail[b, first]
        return -float(total - tail) / float(max(duration + tail, 1))
    if rule == TAIL:
        return float(tail)
    return 0.0


@kernel
def choose(
    state: State,
    slots: NDArray[np.int64],  # (N,)
    rule: int,
    noise: NDArray[np.float64],  # (N, J) standard deviations to add; zeros: the rule itself
) -> NDArray[np.int64]:
    """(N,) actions: the candidate of highest priority, the lowest job on ties."""
    actions = np.zeros(len(slots), np.int64)
    for i in range(len(slots)):
        b = slots[i]
        count = state.num_candidates[b]
        priorities = np.empty(count)
        for c in range(count):
            priorities[c] = _priority(state, b, state.candidate[b, c], rule)
        spread = max(priorities.max() - priorities.min(), 1e-9)
        if rule == RANDOM:
            spread = 1.0
        for c in range(count):
            priorities[c] += spread * noise[i, c]
        actions[i] = np.argmax(priorities)
    return actions


def _noise(
    rng: np.random.Generator, rule: int, slots: NDArray[np.int64], jobs: int, spread: float
) -> NDArray[np.float64]:
    """Perturbations; the first run of a rule stays unperturbed, so that more runs never hurt."""
    if rule == RANDOM:
        return rng.random((len(slots), jobs))
    noise = spread * rng.standard_normal((len(slots), jobs))
    noise[slots == 0] = 0.0
    return noise


def dispatch(instance: JobShopInstance, rule: int, options: SolverOptions) -> JobShopSolution:
    """Best of ``options.samples`` runs of a rule."""
    rng = np.random.default_rng(options.seed)
    spread = PERTURBATION if options.temperature is None else options.temperature
    best: JobShopSolution | None = None
    for first in range(0, options.samples, MAX_SLOTS):
        runs = min(MAX_SLOTS, options.samples - first)
        sim = JobShopSim(runs, options.simulator or JobShopOptions(delay_window=0.0))
        sim.reset(range(runs), [instance] * runs, [0] * runs)
        while len(slots := np.flatnonzero(sim.waiting)):
            numbers = slots + first
            noise = _noise(rng, rule, numbers, instance.num_jobs, spread)
            sim.step(choose(sim.state, slots, rule, noise))
        found = sim.solution(int(np.argmin(sim.costs())))
        if best is None or found.makespan < best.makespan:
            best = found
    assert best is not None
    return best


def _make(rule: int, options: SolverOptions) -> Callable[[JobShopInstance], JobShopSolution]:
    return partial(dispatch, rule=rule, options=options)


BASELINES = {
    name: Baseline(make=partial(_make, rule), summary=summary, is_rule=True)
    for name, (rule, summary) in RULES.items()
}
