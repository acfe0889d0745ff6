"""Simulator, checker and bound agree where tasks take no time, and exact plans are never worse."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphsched.envs.core.domain import SolverOptions
from graphsched.envs.soc import DOMAIN
from graphsched.envs.soc.instance import Job, Noise, Platform, SocInstance, Stream

TIMES = st.sampled_from([0.0, 0.0, 1.0, 2.0, 3.0, 0.25])
RULES = ("etf", "etf-fair", "heft-rt", "random", "olb")


@st.composite
def jobs(draw, pes, most=4):
    """Up to so many tasks, many of which take no time, with edges that may carry nothing."""
    size = draw(st.integers(1, most))
    able = st.one_of(TIMES, TIMES, TIMES, st.just(np.inf))
    rows = [[draw(TIMES), *(draw(able) for _ in range(pes - 1))] for _ in range(size)]
    times = np.array(rows)
    pairs = [(a, b) for b in range(size) for a in range(b) if draw(st.booleans())]
    volume = np.array([draw(st.sampled_from([0.0, 2.0, 5.0])) for _ in pairs])
    edge = np.array(pairs, np.int64).reshape(-1, 2).T
    return Job("j", tuple(f"t{i}" for i in range(size)), times, edge, volume)


@st.composite
def platforms(draw):
    pes = draw(st.integers(1, 3))
    capacity = np.array([draw(st.integers(1, 2)) for _ in range(pes)])
    return Platform(
        "p",
        tuple("abc"[:pes]),
        np.full((pes, pes), draw(st.sampled_from([1.0, 2.0, 3.0]))),
        capacity=capacity,
        link_contention=draw(st.booleans()),
    )


@st.composite
def worlds(draw):
    """Short streams."""
    platform = draw(platforms())
    kinds = tuple(draw(jobs(platform.num_pes, 3)) for _ in range(draw(st.integers(1, 2))))
    stream = Stream(
        draw(st.sampled_from([0.5, 2.0, 5.0, 12.0])),
        max_in_system=draw(st.integers(1, 3)),
        mean_gap=draw(st.sampled_from([0.5, 2.0, 5.0])),
        mix=(1.0,) if len(kinds) == 1 else (0.5, 0.5),
        when_full=draw(st.sampled_from(["lose", "queue"])),
        fill=draw(st.integers(1, 4)),
    )
    noise = draw(st.sampled_from([Noise(), Noise("lognormal", 0.3), Noise("gaussian", 0.3)]))
    ticks, seed = draw(st.booleans()), draw(st.integers(0, 99))
    return SocInstance("w", platform, kinds, stream, noise, ticks, seed)


@settings(max_examples=150)
@given(worlds(), st.sampled_from(RULES))
def test_what_the_simulator_does_with_a_stream_is_in_order(world, rule):
    found = DOMAIN.baseline(rule)(world)
    assert DOMAIN.check(world, found) == []
    assert DOMAIN.cost(world, found) == pytest.approx(found.cost)
    assert DOMAIN.lower_bound(world) <= found.cost + 1e-9


@settings(max_examples=80)
@given(platforms(), st.data(), st.sampled_from(["heft", "etf", "dls", "serial", "random"]))
def test_what_planners_do_with_tasks_without_length_is_in_order(platform, data, rule):
    plan = SocInstance("p", platform, (data.draw(jobs(platform.num_pes)),))
    found = DOMAIN.baseline(rule)(plan)
    assert DOMAIN.check(plan, found) == []
    assert DOMAIN.lower_bound(plan) <= found.cost + 1e-9


def test_jobs_without_length_leave_after_those_that_come_at_the_same_moment():
    """Three fill the system at 0, where the arrival at 0 is lost; another one comes when one is out."""
    job = Job("j", ("x", "y"), np.zeros((2, 2)), np.array([[0], [1]]), np.zeros(1))
    platform = Platform("p", ("a", "b"), np.ones((2, 2)))
    world = SocInstance("s", platform, (job,), Stream(100.0))
    found = DOMAIN.baseline("etf")(world)
    assert found.arrival[:3].tolist() == [0.0] * 3
    assert found.arrival[3] > 0
    assert DOMAIN.check(world, found) == []
    early = found.arrival.copy()
    early[3] = 0.0
    kinds = {v.kind for v in DOMAIN.check(world, replace(found, arrival=early))}
    assert kinds == {"arrival", "cost"}


def test_a_stream_that_ends_before_any_job_can_costs_its_horizon_and_no_bound_is_above():
    job = Job("j", ("x",), np.full((1, 1), 4.0), np.zeros((2, 0), np.int64), np.zeros(0))
    platform = Platform("p", ("a",), np.ones((1, 1)))
    for horizon, expected in ((0.5, 0.5), (4.0, 4.0), (50.0, 4.0)):
        world = SocInstance("s", platform, (job,), Stream(horizon, mean_gap=1e3))
        assert DOMAIN.lower_bound(world) == expected
    found = DOMAIN.baseline("etf")(replace(world, stream=Stream(0.5)))
    assert found.cost == 0.5


LIMIT = SolverOptions(time_limit_s=20.0)  # far from needed: plans are small
OTHERS = ("heft", "cpop", "peft", "lookahead-heft", "dls", "minmin", "maxmin", "sufferage", "mct")


def four_tasks():
    """One of them takes no time on b, where it goes first, before another that begins then, too."""
    times = np.array([[3.0, 3.0], [1.0, 0.0], [1.0, 3.0], [2.0, 2.0]])
    job = Job("j", ("t0", "t1", "t2", "t3"), times, np.array([[1], [2]]), np.array([2.0]))
    return SocInstance("four", Platform("p", ("a", "b"), np.ones((2, 2))), (job,))


def test_of_tasks_that_begin_together_the_one_without_length_goes_first():
    found = DOMAIN.baseline("cp-sat", LIMIT)(four_tasks())
    assert found.cost == 3.0
    assert DOMAIN.check(four_tasks(), found) == []


def test_a_task_without_length_may_lie_inside_another():
    """Task y becomes ready while x runs on the only PE that can run either, and z waits for y."""
    inf = np.inf
    times = np.array([[5.0, inf], [inf, 2.0], [0.0, inf], [inf, 3.0]])
    job = Job("j", ("x", "w", "y", "z"), times, np.array([[1, 2], [2, 3]]), np.zeros(2))
    plan = SocInstance("inside", Platform("p", ("a", "b"), np.ones((2, 2))), (job,))
    found = DOMAIN.baseline("cp-sat", LIMIT)(plan)
    assert found.cost == 5.0
    assert DOMAIN.check(plan, found) == []


@pytest.mark.differential
@settings(max_examples=50)
@given(platforms(), st.data())
def test_exact_plans_are_never_worse_than_others(platform, data):
    job, ticks = data.draw(jobs(platform.num_pes, 5)), data.draw(st.booleans())
    plan = SocInstance("p", platform, (job,), ticks=ticks)
    best = DOMAIN.baseline("cp-sat", LIMIT)(plan)
    assert DOMAIN.check(plan, best) == []
    assert DOMAIN.lower_bound(plan) <= best.cost + 1e-9
    brief = SolverOptions(time_limit_s=0.005)
    names = [*OTHERS, "etf", "random", "serial", "ga", "local-search"]
    for name in names:
        other = DOMAIN.baseline(name, brief)(plan).cost
        assert best.cost <= other * (1 + 1e-5), f"{name}: {other} < {best.cost}"
