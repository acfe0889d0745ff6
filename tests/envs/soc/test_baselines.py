"""Rules reproduce published figures, whatever they plan is feasible, and more runs never hurt."""

from __future__ import annotations

import csv
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphsched.envs.core.domain import SolverOptions
from graphsched.envs.soc import DOMAIN
from graphsched.envs.soc.generators import GENERATORS
from graphsched.envs.soc.instance import Noise
from graphsched.envs.soc.sources.saga import related, saga_heft

GOLDEN = Path(__file__).parents[2] / "golden" / "saga_heft.csv"
PLANNED = [n for n, b in DOMAIN.baselines.items() if n not in ("cp-sat", "cem-linear")]


def toy():
    return GENERATORS["toy"](np.random.default_rng(0), "")


def slow_heft(instance):
    """HEFT as the paper has it, with lists and dictionaries (Topcuoglu et al. 2002)."""
    (job,) = instance.jobs
    pes = range(instance.platform.num_pes)
    slowness = instance.platform.slowness
    pairs = [(p, q) for p in pes for q in pes if p <= q]
    moving = sum((slowness[p, q] + slowness[q, p]) / 2 for p, q in pairs) / len(pairs)
    volume = {tuple(e): v for e, v in zip(job.edge.T.tolist(), job.volume.tolist(), strict=True)}
    rank: dict[int, float] = {}

    def up(i):
        if i not in rank:
            row = [t for t in job.duration[i] if np.isfinite(t)]
            after = [up(j) + v * moving for (k, j), v in volume.items() if k == i]
            rank[i] = sum(row) / len(row) + max(after, default=0.0)
        return rank[i]

    order = sorted(range(job.num_tasks), key=lambda i: -up(i))
    timeline: dict[int, list[tuple[float, float]]] = {p: [] for p in pes}
    done: dict[int, tuple[float, float, int]] = {}
    for i in order:
        options = []
        for p in pes:
            length = job.duration[i, p]
            if not np.isfinite(length):
                continue
            arrivals = [
                done[k][1] + v * slowness[done[k][2], p] for (k, j), v in volume.items() if j == i
            ]
            at = max(arrivals, default=0.0)
            for begin, end in sorted(timeline[p]):
                if begin - at >= length:
                    break
                at = max(at, end)
            options.append((at + length, at, p))
        end, begin, p = min(options, key=lambda option: (option[0], option[2]))
        timeline[p].append((begin, end))
        done[i] = (begin, end, p)
    return max(end for _, end, _ in done.values())


def test_heft_and_peft_on_the_canonical_graph():
    """The figures of the papers that introduced them."""
    assert DOMAIN.baseline("heft")(toy()).cost == 80
    assert DOMAIN.baseline("peft")(toy()).cost == 85
    assert DOMAIN.baseline("best3")(toy()).cost == 80


def test_cp_sat_proves_the_optimum_of_the_canonical_graph():
    pytest.importorskip("ortools")
    options = SolverOptions(time_limit_s=30.0, workers=2)
    assert DOMAIN.baseline("cp-sat", options)(toy()).cost == DOMAIN.toy_optimum == 73


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6))
def test_heft_agrees_with_a_plain_one(seed):
    instance = GENERATORS["random"](np.random.default_rng(seed), "1..25x1..6@0.1..10")
    assert DOMAIN.baseline("heft")(instance).cost == pytest.approx(slow_heft(instance), abs=1e-6)


@pytest.mark.differential
def test_heft_agrees_with_saga():
    """200 graphs that SAGA 2.0.2 has planned (``anrg-saga``); planned again where it is installed."""
    rows = list(csv.DictReader(GOLDEN.open()))
    assert len(rows) == 200
    for row in rows:
        rng = np.random.default_rng(int(row["seed"]))
        tasks, pes = int(rng.integers(4, 60)), int(rng.integers(1, 9))
        assert (tasks, pes) == (int(row["tasks"]), int(row["pes"]))
        instance = related(rng, tasks, pes)
        ours = DOMAIN.baseline("heft")(instance).cost
        assert ours == pytest.approx(float(row["makespan"]), abs=1e-6)
        if find_spec("saga"):
            assert saga_heft(instance)() == pytest.approx(ours, abs=1e-6)


@pytest.mark.parametrize("name", PLANNED)
def test_plans_of_every_baseline_are_feasible(name):
    rng = np.random.default_rng(7)
    for size in ("8x3@0.1", "6x4@10", "1x1@1"):
        instance = GENERATORS["random"](rng, size)
        for noise in (Noise(), Noise("gaussian", 0.3)):
            given_noise = replace(instance, noise=noise)
            solution = DOMAIN.baseline(name, SolverOptions(time_limit_s=0.02))(given_noise)
            assert DOMAIN.check(given_noise, solution) == []


@pytest.mark.parametrize("name", ["heft", "dls", "lookahead-heft", "etf", "random"])
def test_more_runs_never_hurt(name):
    instance = GENERATORS["random"](np.random.default_rng(1), "20x4@1")
    costs = [DOMAIN.baseline(name, SolverOptions(samples=n))(instance).cost for n in (1, 8, 32)]
    assert costs[0] >= costs[1] >= costs[2]


def test_the_genetic_algorithm_starts_from_heft_and_peft():
    for seed in range(2):
        instance = GENERATORS["random"](np.random.default_rng(seed), "8x3@1")
        found = DOMAIN.baseline("ga", SolverOptions(time_limit_s=0.05))(instance)
        assert found.cost <= DOMAIN.baseline("best3")(instance).cost


@pytest.mark.compiled
def test_the_linear_rule_beats_heft_on_average():
    """On instances that it was not fitted to."""
    instances = [GENERATORS["random"](np.random.default_rng(s), "20x3..8@1") for s in range(20)]
    ours, heft = (
        np.array([DOMAIN.baseline(name)(i).cost for i in instances])
        for name in ("cem-linear", "heft")
    )
    assert (ours / heft).mean() < 0.96


# Latency in us and completed jobs of 100 worlds, as the setting's reimplementation gave them.
FIGURES = {
    ("etf", "0"): (104.4, None),  # its 109 jobs do not fit its own latency: see docs/results.md
    ("met", "0"): (107.8, 102),
    ("heft-rt", "0"): (121.9, 95),
    ("random", "0"): (167.0, 74),
    ("etf", "0.5"): (115.3, None),
    ("met", "0.5"): (114.4, None),
    ("heft-rt", "0.5"): (128.0, None),
    ("etf-fair", "0.5"): (112.5, None),
}


@pytest.mark.compiled
@pytest.mark.parametrize(("name", "noise"), FIGURES)
def test_ds3gym_rules_reproduce_the_known_figures(name, noise):
    """Within 3 % and the error of the mean."""
    worlds = [GENERATORS["ds3gym"](np.random.default_rng(s), noise) for s in range(15)]
    solve = DOMAIN.baseline(name)
    solutions = [solve(world) for world in worlds]
    latency, jobs = FIGURES[name, noise]
    costs = np.array([s.cost for s in solutions])
    error = costs.std() / len(costs) ** 0.5
    assert costs.mean() == pytest.approx(latency, rel=0.03, abs=2 * error)
    if jobs:
        ended = [np.bincount(s.job[s.end <= 5000]) for s in solutions]
        assert np.mean([(e == 10).sum() for e in ended]) == pytest.approx(jobs, rel=0.03)


@pytest.mark.parametrize(
    ("name", "single", "mix"),
    [
        ("etf", 3265 / 28, 119.0),
        ("etf-fair", 3286 / 30, 116.5),
        ("heft-rt", 3593 / 29, 139.4375),
        ("heft-rt-comm", 3583 / 31, 2137 / 18),
        ("met", 3581 / 31, 2501 / 18),
        ("olb", 3524 / 27, 2131 / 15),
        ("stf", 3381 / 29, 2182 / 18),
        ("random", 3735 / 21, 2150 / 11),
        ("heft", 125.25, 149.2),
        ("peft", 4120 / 24, 2313 / 17),
    ],
)
def test_rules_keep_their_ties(name, single, mix):
    """Costs of two noisy worlds as they were when candidates still came by upward rank.

    To be changed only where a rule's own definition is.
    """
    for kind, size, seed, cost in (
        ("ds3gym", "0.5@1500", 1, single),
        ("ds3gym-mix", "0.5@1000", 2, mix),
    ):
        world = GENERATORS[kind](np.random.default_rng(seed), size)
        assert DOMAIN.baseline(name)(world).cost == pytest.approx(cost, rel=1e-9)


@pytest.mark.parametrize("seed", range(6))
def test_serial_takes_the_lane_of_least_work_where_every_lane_can_run_everything(seed):
    """One after another without a pause; the plan is one of those that it would choose among."""
    instance = GENERATORS["random"](np.random.default_rng(seed), "12x3..6@0.5")
    (job,) = instance.jobs
    solution = DOMAIN.baseline("serial")(instance)
    assert DOMAIN.check(instance, solution) == []
    least = np.where(np.isfinite(job.duration), job.duration, np.inf).min(axis=1).sum()
    assert DOMAIN.cost(instance, solution) >= least / job.duration.shape[1]
    if np.isfinite(job.duration).all():
        assert DOMAIN.cost(instance, solution) == pytest.approx(job.duration.sum(axis=0).min())
