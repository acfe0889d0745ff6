"""The checker names every broken rule."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from graphsched.envs.soc import DOMAIN
from graphsched.envs.soc.generators import GENERATORS
from graphsched.envs.soc.instance import Job, Platform, SocInstance, Stream
from graphsched.envs.soc.solution import SocSolution


@pytest.fixture(scope="module")
def plan():
    instance = GENERATORS["toy"](np.random.default_rng(0), "")
    return instance, DOMAIN.baseline("heft")(instance)


@pytest.fixture(scope="module")
def world():
    instance = GENERATORS["ds3gym-mix"](np.random.default_rng(0), "0.5@1000")
    return instance, DOMAIN.baseline("etf")(instance)


def changed(solution, name, row, value):
    column = getattr(solution, name).copy()
    column[row] = value
    return replace(solution, **{name: column})


def kinds(case, solution):
    return {violation.kind for violation in DOMAIN.check(case[0], solution)}


def test_good_schedules_pass(plan, world):
    assert kinds(plan, plan[1]) == kinds(world, world[1]) == set()


@pytest.mark.parametrize(
    ("name", "value", "kind"),
    [
        ("job", 1, "unknown"),
        ("task", 10, "unknown"),
        ("task", 1, "repeated"),
        ("pe", 3, "unknown"),
        ("start", -1.0, "early"),
        ("end", 500.0, "duration"),
    ],
)
def test_a_wrong_value_is_named(plan, name, value, kind):
    assert kind in kinds(plan, changed(plan[1], name, 0, value))


def test_missing_tasks_and_wrong_costs_are_named(plan):
    solution = plan[1]
    rows = {n: getattr(solution, n)[1:] for n in ("job", "task", "pe", "start", "end")}
    assert kinds(plan, replace(solution, **rows)) == {"missing"}
    assert kinds(plan, replace(solution, cost=solution.cost - 1)) == {"cost"}
    assert kinds(plan, replace(solution, arrival=np.array([1.0]))) >= {"arrival"}


def test_data_must_have_arrived_and_pes_be_free(plan):
    solution = plan[1]
    last = int(np.argmax(solution.start))
    moved = changed(solution, "start", last, solution.start[last] - 5)
    moved = changed(moved, "end", last, solution.end[last] - 5)
    assert "precedence" in kinds(plan, moved)
    instance = plan[0]
    everything = np.zeros(10, np.int64)
    length = instance.jobs[0].duration[:, 0]
    start = np.arange(10) * 100.0
    rows = {"pe": everything, "start": start, "end": start + length}
    assert kinds(plan, replace(solution, **rows, cost=float(max(start + length)))) == set()
    start[7] = start[6]
    rows = {"pe": everything, "start": start, "end": start + length}
    assert "overlap" in kinds(plan, replace(solution, **rows))


def test_a_pe_that_cannot_run_a_task_is_named(plan):
    job = plan[0].jobs[0]
    times = job.duration.copy()
    times[int(plan[1].task[0]), int(plan[1].pe[0])] = np.inf
    barred = replace(plan[0], jobs=(replace(job, duration=times),))
    assert "unsupported" in {v.kind for v in DOMAIN.check(barred, plan[1])}


def test_jobs_are_those_that_the_world_sends(world):
    solution = world[1]
    other = (solution.kind[0] + 1) % 5
    assert kinds(world, changed(solution, "kind", 0, other))
    assert "arrival" in kinds(world, changed(solution, "arrival", 3, solution.arrival[3] + 1.0))
    fewer = replace(solution, kind=solution.kind[:-1], arrival=solution.arrival[:-1])
    assert kinds(world, fewer)  # its tasks run for nobody, or it is missing


def test_links_that_carry_one_transfer_at_a_time_are_not_overbooked():
    times = np.array([[5.0, np.inf], [5.0, np.inf], [np.inf, 1.0]])
    job = Job("join", ("a", "b", "c"), times, np.array([[0, 1], [2, 2]]), np.array([30.0, 30.0]))
    stream = Stream(500.0, max_in_system=1, mean_gap=1e5, fill=1)

    def case(contention):
        platform = Platform(
            "two",
            ("x", "y"),
            np.ones((2, 2)),
            capacity=np.array([2, 1]),
            link_contention=contention,
        )
        return SocInstance("join", platform, (job,), stream, seed=1)

    apart = DOMAIN.baseline("etf-fair")(case(contention=False))
    assert DOMAIN.check(case(contention=False), apart) == []
    assert {v.kind for v in DOMAIN.check(case(contention=True), apart)} == {"link"}


@pytest.mark.parametrize(
    ("capacity", "starts", "broken"),
    [
        (2, (0.0, 0.0, 4.0, 4.0), set()),  # two at once, and two when they end
        (2, (0.0, 0.0, 3.5, 4.0), {"overlap"}),  # three for half a unit
        (2, (0.0, 2.0, 3.5, 8.0), {"overlap"}),
        (1, (0.0, 4.0, 8.0, 12.0), set()),
        (1, (0.0, 3.5, 8.0, 12.0), {"overlap"}),
    ],
)
def test_a_pe_runs_as_many_tasks_at_once_as_it_can(capacity, starts, broken):
    job = Job("four", tuple("abcd"), np.full((4, 1), 4.0), np.zeros((2, 0), np.int64), np.zeros(0))
    platform = Platform("one", ("x",), np.ones((1, 1)), capacity=np.array([capacity]))
    start = np.array(starts)
    solution = SocSolution.of_plan(np.zeros(4, np.int64), start, start + 4)
    case = SocInstance("four", platform, (job,))
    assert {v.kind for v in DOMAIN.check(case, solution)} == broken


def one_at_a_time(horizon, when_full="lose"):
    """A job of a single task of 4, one in the system; another one comes at 0, then none."""
    job = Job("one", ("a",), np.full((1, 1), 4.0), np.zeros((2, 0), np.int64), np.zeros(0))
    stream = Stream(horizon, max_in_system=1, mean_gap=1e5, when_full=when_full, fill=1)
    return SocInstance("world", Platform("one", ("x",), np.ones((1, 1))), (job,), stream, seed=1)


@pytest.mark.parametrize(
    ("horizon", "when_full", "arrival", "cost"),
    [
        (20.0, "lose", [0.0], 4.0),
        (20.0, "queue", [0.0, 4.0], 4.0),  # enters when the first one leaves
        (8.0, "queue", [0.0, 4.0], 4.0),
        (4.0, "lose", [0.0], 4.0),  # complete at the horizon
        (3.5, "lose", [0.0], 3.5),  # none is complete: the horizon
    ],
)
def test_jobs_enter_when_there_is_room_and_count_up_to_the_horizon(
    horizon, when_full, arrival, cost
):
    instance = one_at_a_time(horizon, when_full)
    jobs = len(arrival)
    start = np.array(arrival)
    zeros = np.zeros(jobs, np.int64)
    solution = SocSolution(zeros, start, np.arange(jobs), zeros, zeros, start, start + 4, cost)
    assert DOMAIN.check(instance, solution) == []
    assert DOMAIN.cost(instance, solution) == cost
    found = DOMAIN.baseline("etf-fair")(instance)
    assert (found.arrival.tolist(), found.cost) == (arrival, cost)
    late = replace(solution, arrival=start - np.eye(jobs)[-1])
    assert "arrival" in {v.kind for v in DOMAIN.check(instance, late)}
