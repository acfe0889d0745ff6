"""Rules that decide at run time, one (task, PE) pair at a time; for streams and plans alike."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from graphsched.envs.core.domain import Baseline, SolverOptions
from graphsched.envs.soc.options import SocOptions
from graphsched.envs.soc.physics.tasks import tasks_of
from graphsched.envs.soc.simulator import SocSim

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from graphsched.envs.soc.instance import SocInstance
    from graphsched.envs.soc.solution import SocSolution

    Floats = NDArray[np.float64]
    Rule = Callable[["Pairs"], tuple[Floats, ...]]

EVERYTHING = 64  # ready tasks and lanes: all of them, in any instance of note
PERTURBATION = 0.1  # standard deviation of the noise on a score, relative to its size
MAX_SLOTS = 64


class Pairs(NamedTuple):
    """All pairs on offer in a slot, (C,) each; times from the job's own point of view.

    They come by tasks, those of older jobs and higher ranks first, each task's by finish.
    """

    candidate: NDArray[np.int64]  # its number
    task: Floats  # place of the task among the ready ones
    lane: Floats
    duration: Floats  # mean
    ready: Floats  # arrival of the data
    start: Floats  # by the present estimate of the lane's work
    promised: Floats  # end of the lane's work as foreseen when it was assigned, now at the least
    rank_up: Floats
    mean: Floats  # duration over all lanes


def _order(keys: tuple[Floats, ...]) -> int:
    """Index of the least pair by several keys, the first one weighing most."""
    return int(np.lexsort(keys[::-1])[0])


RULES: dict[str, tuple[Rule, str]] = {
    "etf": (
        lambda c: (np.maximum(c.ready, c.promised) + c.duration, c.task),
        "earliest finish by what lanes were promised, as in DS3Gym",
    ),
    "etf-fair": (
        lambda c: (c.start + c.duration, c.task),
        "earliest finish by lanes' work as it stands now",
    ),
    "met": (lambda c: (c.task, c.duration), "tasks in order, on the PE that runs each fastest"),
    "olb": (lambda c: (c.task, c.start), "tasks in order, on the PE that is free first"),
    "stf": (
        lambda c: (c.mean, c.start + c.duration),
        "shortest task first, on the PE of earliest finish",
    ),
    "heft-rt": (
        lambda c: (-c.mean, c.task, c.promised + c.duration),
        "HEFT on the ready tasks alone: longest first, finish without transfers, as in DS3Gym",
    ),
    "heft-rt-comm": (
        lambda c: (-c.rank_up, c.start + c.duration),
        "ready tasks by upward rank, earliest finish with transfers",
    ),
}


def _stream_pairs(sim: SocSim, slot: int) -> Pairs:
    state = sim.state.stream
    count = int(state.num_candidates[slot])
    job, task = state.job[slot, :count], state.task[slot, :count]
    # Candidates come by longest path, which plain rules know nothing of.
    rank_up = state.rank_up[slot, state.kind[slot, job], task]
    order = np.lexsort((task, -rank_up, job))
    job, task, lane = job[order], task[order], state.where[slot, order]
    kind = state.kind[slot, job]
    number = np.cumsum(np.append(0, (np.diff(job) != 0) | (np.diff(task) != 0)))
    return Pairs(
        order,
        number.astype(np.float64),
        lane.astype(np.float64),
        state.duration[slot, kind, task, lane],
        state.ready_at[slot, order],
        state.at[slot, order],
        np.maximum(state.promised[slot, lane], state.clock[slot]),
        rank_up[order],
        state.mean[slot, kind, task],
    )


def _plan_pairs(sim: SocSim, slot: int) -> Pairs:
    state = sim.state.plan
    count = int(state.num_candidates[slot])
    task, lane = state.task[slot, :count], state.where[slot, :count]
    last = np.maximum(state.filled[slot, lane] - 1, 0)
    free = np.where(state.filled[slot, lane] > 0, state.finish[slot, lane, last], 0.0)
    ready = state.ready_at[slot, :count]
    return Pairs(
        np.arange(count),
        np.cumsum(np.append(0, np.diff(task) != 0)).astype(np.float64),
        lane.astype(np.float64),
        state.duration[slot, task, lane],
        ready,
        np.maximum(ready, free),
        free,
        state.rank_up[slot, task],
        state.mean[slot, task],
    )


def play(
    instance: SocInstance,
    options: SolverOptions,
    choose: Callable[[SocSim, int, Pairs, np.random.Generator | None], int],
) -> SocSolution:
    """Best of ``options.samples`` episodes, the first of which is unperturbed.

    choose: the place among the pairs of a slot, given a generator where it is to be perturbed.
    """
    rng = np.random.default_rng(options.seed)
    best: SocSolution | None = None
    pairs = _stream_pairs if instance.is_stream else _plan_pairs
    wide = SocOptions(max_ready=EVERYTHING, max_lanes=EVERYTHING, pilot_steps=0)
    for first in range(0, options.samples, MAX_SLOTS):
        runs = min(MAX_SLOTS, options.samples - first)
        sim = SocSim(runs, wide)
        sim.reset(range(runs), [instance] * runs, [0] * runs)
        while len(slots := np.flatnonzero(sim.waiting)):
            perturb = [rng if s + first > 0 else None for s in slots]
            actions = []
            for s, noise in zip(slots.tolist(), perturb, strict=True):
                offered = pairs(sim, s)
                actions.append(offered.candidate[choose(sim, s, offered, noise)])
            sim.step(np.array(actions, np.int64))
        found = sim.solution(int(np.argmin(sim.costs())))
        if best is None or found.cost < best.cost:
            best = found
    assert best is not None
    return best


def _by_rule(
    sim: SocSim, slot: int, pairs: Pairs, rng: np.random.Generator | None, rule: Rule
) -> int:
    del sim, slot
    first, *others = rule(pairs)
    if rng is not None:
        first = first + PERTURBATION * np.abs(first) * rng.standard_normal(len(first))
    return _order((first, *others, pairs.lane))


def _at_random(sim: SocSim, slot: int, pairs: Pairs, rng: np.random.Generator | None) -> int:
    """Tasks in order, each anywhere; the first episode draws from a stream of its own."""
    if rng is None:
        taken = sim.state.stream.decisions[slot] + sim.state.plan.decisions[slot]
        rng = np.random.default_rng((slot, int(taken)))
    return int(rng.integers(np.count_nonzero(pairs.task == pairs.task[0])))


def follow_plans(
    instance: SocInstance, options: SolverOptions, pes: Mapping[int, NDArray[np.int64]]
) -> SocSolution:
    """Every job of a stream by its own plan: tasks on the planned PEs, by upward rank.

    Args:
        instance: a stream.
        options: seed and samples.
        pes: kind of job -> (N,) PE of each task.
    """
    lane_pe = tasks_of(instance.jobs[0], instance.platform, instance.ticks).lane_pe

    def choose(sim: SocSim, slot: int, pairs: Pairs, rng: np.random.Generator | None) -> int:
        state = sim.state.stream
        count = len(pairs.task)
        kinds = state.kind[slot, state.job[slot, pairs.candidate]].tolist()
        tasks = state.task[slot, pairs.candidate].tolist()
        wanted = np.array([pes[k][i] for k, i in zip(kinds, tasks, strict=True)])
        off = (lane_pe[pairs.lane.astype(np.int64)] != wanted).astype(np.float64)
        rank = pairs.rank_up
        if rng is not None:
            rank = rank * (1 + PERTURBATION * rng.standard_normal(count))
        return _order((off, -rank, pairs.start + pairs.duration))

    return play(instance, options, choose)


def _make(rule: Rule | None, options: SolverOptions) -> Callable[[SocInstance], SocSolution]:
    choose = _at_random if rule is None else partial(_by_rule, rule=rule)
    return partial(play, options=options, choose=choose)


BASELINES = {
    **{
        name: Baseline(make=partial(_make, rule), summary=summary, is_rule=True)
        for name, (rule, summary) in RULES.items()
    },
    "random": Baseline(
        make=partial(_make, None), summary="tasks in order, each on a random PE", is_rule=True
    ),
}
