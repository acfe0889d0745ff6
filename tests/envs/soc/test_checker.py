"""The checker names every broken rule."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from graphsched.envs.soc import DOMAIN
from graphsched.envs.soc.generators import GENERATORS


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
    from graphsched.envs.soc.instance import Job, Platform, SocInstance, Stream

    times = np.array([[5.0, np.inf], [5.0, np.inf], [np.inf, 1.0]])
    job = Job("join", ("a", "b", "c"), times, np.array([[0, 1], [2, 2]]), np.array([30.0, 30.0]))
    stream = Stream(500.0, max_in_system=1, mean_gap=1e5, fill=1)

    def case(contention):
        platform = Platform(
            "two", ("x", "y"), np.ones((2, 2)), capacity=(2, 1), link_contention=contention
        )
        return SocInstance("join", platform, (job,), stream, seed=1)

    apart = DOMAIN.baseline("etf-fair")(case(contention=False))
    assert DOMAIN.check(case(contention=False), apart) == []
    assert {v.kind for v in DOMAIN.check(case(contention=True), apart)} == {"link"}
