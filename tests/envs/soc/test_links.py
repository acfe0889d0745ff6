"""Data takes the link from where it is to where it goes: links are not the same both ways."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from graphsched.envs.soc import DOMAIN
from graphsched.envs.soc.features import CAND
from graphsched.envs.soc.instance import Job, Noise, Platform, SocInstance, Stream
from graphsched.envs.soc.options import SocOptions
from graphsched.envs.soc.physics.tasks import find_gap
from graphsched.envs.soc.simulator import SocSim
from graphsched.envs.soc.solution import SocSolution

# From x to y two units of data in a unit of time, back one.
BANDWIDTH = np.array([[1.0, 2.0], [1.0, 1.0]])


def two_pes(capacity=(1, 1), **fields):
    return Platform("two", ("x", "y"), BANDWIDTH, capacity=capacity, **fields)


def forced(first, volume=30.0):
    """A pair of tasks of 5 and 1: one on PE ``first`` alone, then one on the other PE alone."""
    times = np.full((2, 2), np.inf)
    times[0, first], times[1, 1 - first] = 5.0, 1.0
    return Job("pair", ("a", "c"), times, np.array([[0], [1]]), np.array([volume]))


def stream(fill, **fields):
    """Jobs at time 0 only."""
    return Stream(
        **{"horizon": 500.0, "max_in_system": fill, "mean_gap": 1e5, "fill": fill} | fields
    )


def run(instance):
    """Always the first candidate."""
    sim = SocSim(1, SocOptions(pilot_steps=0))
    sim.reset([0], [instance], [0])
    while sim.waiting.any():
        sim.step(np.array([0]))
    return sim.solution(0)


@pytest.mark.parametrize(("first", "move"), [(0, 15.0), (1, 30.0)])
@pytest.mark.parametrize("contention", [False, True])
def test_a_transfer_takes_as_long_as_its_direction_does(first, move, contention):
    plan = SocInstance("plan", two_pes(), (forced(first),))
    assert run(plan).cost == 5 + move + 1
    assert DOMAIN.baseline("heft")(plan).cost == DOMAIN.baseline("mct")(plan).cost == 5 + move + 1
    executed = replace(plan, noise=Noise("gaussian", 0.01))  # less than rounding undoes
    assert run(executed).cost == DOMAIN.baseline("heft")(executed).cost == 5 + move + 1
    world = SocInstance(
        "world", two_pes(link_contention=contention), (forced(first),), stream(1), seed=1
    )
    solution = run(world)
    assert solution.cost == 5 + move + 1
    assert DOMAIN.check(world, solution) == []


@pytest.mark.parametrize(("first", "ends"), [(0, [21.0, 36.0]), (1, [36.0, 66.0])])
def test_transfers_of_two_jobs_take_turns_on_their_link(first, ends):
    """Both jobs' data is there at 5; the second one's has to wait for the first one's."""
    capacity = (2, 2)
    platform = two_pes(capacity, link_contention=True)
    world = SocInstance("world", platform, (forced(first),), stream(2), seed=1)
    solution = run(world)
    assert sorted(solution.end[solution.task == 1].tolist()) == ends
    assert DOMAIN.check(world, solution) == []
    second = int(np.argmax(solution.end))
    for early, broken in ((0.0, set()), (1.0, {"link"})):
        start, end = solution.start.copy(), solution.end.copy()
        start[second], end[second] = start[second] - early, end[second] - early
        moved = replace(solution, start=start, end=end, cost=solution.cost - early / 2)
        assert {v.kind for v in DOMAIN.check(world, moved)} == broken
    apart = replace(world, platform=two_pes(capacity))
    assert run(apart).end[solution.task == 1].tolist() == [ends[0]] * 2


def test_links_carry_both_directions_at_once():
    """A job that goes from x to y and one that goes from y to x don't meet."""
    jobs = (forced(0), forced(1))
    platform = two_pes((2, 2), link_contention=True)
    # This seed's world sends the first kind, then the second.
    world = SocInstance("world", platform, jobs, stream(2, mix=(0.5, 0.5)), seed=6)
    solution = run(world)
    assert solution.kind.tolist() == [0, 1]
    assert sorted(solution.end[solution.task == 1].tolist()) == [21.0, 36.0]
    assert DOMAIN.check(world, solution) == []


@pytest.mark.parametrize(
    ("ready", "length", "expected"),
    [
        (0.0, 2.0, (0.0, 0)),  # a gap that holds it to the dot
        (0.0, 2.5, (9.0, 3)),  # no gap does
        (3.0, 2.0, (4.0, 1)),  # between the first two, again to the dot
        (4.0, 2.0, (4.0, 1)),  # an interval that ends when the data comes is over
        (4.5, 2.0, (9.0, 3)),  # there is less left of the gap than that
        (8.0, 1.0, (9.0, 3)),
        (9.0, 1.0, (9.0, 3)),
    ],
)
def test_a_task_goes_into_the_first_gap_that_holds_it(ready, length, expected):
    begin, finish = np.array([2.0, 6.0, 7.0, 99.0]), np.array([4.0, 7.0, 9.0, 0.0])
    assert find_gap(begin, finish, 3, ready, length) == expected


def test_a_task_of_no_length_comes_after_one_that_ends_when_its_data_comes():
    """Also after one of no length itself, or a lane would run a task before its input."""
    begin, finish = np.array([2.0, 5.0]), np.array([2.0, 9.0])
    assert find_gap(begin, finish, 2, 2.0, 0.0) == (2.0, 1)
    assert find_gap(begin, finish, 2, 1.0, 1.0) == (1.0, 0)


def test_plans_cut_transfers_to_whole_units_where_time_is_counted_in_ticks():
    """Data that takes 1.5 is there after 1; so see the decision after it, and its pilot."""
    times = np.array([[2.0, 9.0], [9.0, 3.0], [4.0, 8.0]])
    job = Job("chain", ("a", "b", "c"), times, np.array([[0, 1], [1, 2]]), np.array([3.0, 1.5]))
    found = []
    for ticks in (True, False):
        sim = SocSim(1, SocOptions(pilot_steps=9))
        sim.reset([0], [SocInstance("chain", two_pes(), (job,), ticks=ticks)], [0])
        sim.step(np.array([0]))  # a on x [0, 2]
        rows, now = sim.observe()["candidate"], sim.state.plan.now[0]
        state = sim.state.plan
        data = rows[:, CAND.data_wait] * state.unit[0] + now
        ends = rows[:, CAND.pilot] * state.scale[0] + now
        found.append((data.tolist(), ends.tolist()))
    # b on y at 3 or 3.5, for 3; then c on x, its data a tick or 1.5 later, for 4.
    # b on x at 2 to 11; then c there, to 15.
    assert found[0] == (pytest.approx([3, 2]), pytest.approx([11, 15]))
    assert found[1] == (pytest.approx([3.5, 2]), pytest.approx([12, 15]))


def test_the_checker_knows_a_link_s_direction():
    for first, move in ((0, 15.0), (1, 30.0)):
        plan = SocInstance("plan", two_pes(), (forced(first),))
        pe = np.array([first, 1 - first])
        for early, broken in ((0.0, set()), (0.5, {"precedence"})):
            start = np.array([0.0, 5 + move - early])
            solution = SocSolution.of_plan(pe, start, start + np.array([5.0, 1.0]))
            assert {v.kind for v in DOMAIN.check(plan, solution)} == broken
