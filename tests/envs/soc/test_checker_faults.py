"""Each rule of the checker is applied exactly: schedules by hand on either side of every limit."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from graphsched.envs.soc import DOMAIN
from graphsched.envs.soc.checker import _latest, check
from graphsched.envs.soc.instance import Job, Noise, Platform, SocInstance, Stream
from graphsched.envs.soc.solution import SocSolution

NO_EDGES = np.zeros((2, 0), np.int64)
TWO = Platform("two", ("x", "y"), np.array([[1.0, 2.0], [4.0, 1.0]]), capacity=np.array((1, 2)))
FORK = Job(
    "fork",
    ("a", "b", "c"),
    np.array([[4.0, 6.0], [3.0, 5.0], [np.inf, 2.0]]),
    np.array([[0, 0], [1, 2]]),
    np.array([8.0, 8.0]),
)
PLAN = SocInstance("fork", TWO, (FORK,))


def plan(pe, start, end):
    return SocSolution.of_plan(np.array(pe), np.array(start, float), np.array(end, float))


def kinds(instance, solution):
    return {violation.kind for violation in check(instance, solution)}


# Data takes 8 / 2 from x to y, 8 / 4 back, and nothing on a PE.
FORTH = ([0, 0, 1], [0, 4, 8], [4, 7, 10])
BACK = ([1, 0, 1], [0, 8, 6], [6, 11, 8])


@pytest.mark.parametrize("rows", [FORTH, BACK])
def test_a_tight_schedule_is_in_order(rows):
    assert check(PLAN, plan(*rows)) == []


@pytest.mark.parametrize("rows", [FORTH, BACK])
@pytest.mark.parametrize("task", [1, 2])
def test_no_task_may_start_before_its_data(rows, task):
    pe, start, end = (np.array(column, float) for column in rows)
    for shift, wrong in ((-1e-3, True), (-1e-4, True), (-1e-6, False), (0.5, False)):
        moved, ended = start.copy(), end.copy()
        moved[task] += shift
        ended[task] += shift
        found = kinds(PLAN, plan(pe.astype(int), moved, ended)) - {"overlap"}
        assert found == ({"precedence"} if wrong else set()), shift


def test_data_of_long_schedules_is_held_to_a_relative_tolerance():
    """At 4 million time units a millionth of them is 4."""
    long = Job("long", FORK.task_names, FORK.duration * 1e6, FORK.edge, np.zeros(2))
    instance = SocInstance("long", TWO, (long,))
    for early, wrong in ((1.0, False), (9.0, True)):
        start = np.array([0, 4e6 - early, 4e6])
        solution = plan([0, 0, 1], start, start + np.array([4e6, 3e6, 2e6]))
        assert ("precedence" in kinds(instance, solution)) == wrong


def test_messages_name_task_and_place():
    (found,) = check(PLAN, plan([0, 0, 1], [0, 4, 7], [4, 7, 9]))
    assert found.message == "task c starts at 7.0, data of task a is there at 8.0"


def test_data_arrives_at_ticks_where_time_has_them():
    """Of 7 / 2 a whole 3 counts, and 8 / 2 is 4."""
    for volume, ready in ((7.0, 3), (8.0, 4), (9.0, 4)):
        job = replace(FORK, volume=np.array([0.0, volume]))
        instance = SocInstance("ticks", TWO, (job,), ticks=True)
        for start in (3 + ready, 4 + ready):
            rows = ([0, 0, 1], [0, 4, start], [4, 7, start + 2])
            assert ("precedence" in kinds(instance, plan(*rows))) == (start < 4 + ready)


@pytest.mark.parametrize(
    ("name", "row", "value", "kind"),
    [
        ("job", 0, -1, "unknown"),
        ("job", 2, 1, "unknown"),
        ("task", 0, -1, "unknown"),
        ("task", 2, 3, "unknown"),
        ("pe", 0, -1, "unknown"),
        ("pe", 2, 2, "unknown"),
        ("pe", 2, 0, "unsupported"),
        ("task", 1, 0, "repeated"),
        ("task", 2, 0, "repeated"),
        ("end", 2, 10.001, "duration"),
        ("end", 2, 9.999, "duration"),
        ("kind", 0, 1, "unknown"),
        ("kind", 0, -1, "unknown"),
    ],
)
def test_a_wrong_value_is_named(name, row, value, kind):
    solution = plan(*FORTH)
    column = np.array(getattr(solution, name), float if name == "end" else np.int64)
    column[row] = value
    assert kind in kinds(PLAN, replace(solution, **{name: column}))


def test_every_wrong_row_is_named():
    """A row that makes no sense hides none after it."""
    found = [v.kind for v in check(PLAN, plan([2, -1, 0], [0, 4, 8], [4, 7, 10]))]
    assert found.count("unknown") == 2
    assert "unsupported" in found
    solution = replace(plan(*FORTH), job=np.array([5, 5, 0]))
    assert [v.kind for v in check(PLAN, solution)].count("unknown") == 2


def test_durations_are_held_to_a_relative_tolerance():
    long = replace(FORK, duration=FORK.duration * 1000)
    instance = SocInstance("long", TWO, (long,))
    for excess, wrong in ((0.001, False), (0.02, True)):
        solution = plan([0, 0, 1], [0, 4001, 4004], [4000 + excess, 7001, 6004])
        assert ("duration" in kinds(instance, solution)) == wrong


def test_nothing_starts_before_time_0():
    for start, wrong in ((-0.5, True), (0.0, False)):
        rows = ([0, 0, 1], [start, 4, 8], [start + 4, 7, 10])
        assert ("early" in kinds(PLAN, plan(*rows))) == wrong


def test_a_static_schedule_has_every_task_of_one_job_at_0():
    solution = plan(*FORTH)
    more = replace(solution, kind=np.zeros(2, np.int64), arrival=np.zeros(2))
    assert kinds(PLAN, more) == {"missing"}
    part = {n: getattr(solution, n)[:2] for n in ("job", "task", "pe", "start", "end")}
    assert kinds(PLAN, replace(solution, **part, cost=7.0)) == {"missing"}
    assert kinds(PLAN, replace(solution, arrival=np.array([-1.0]))) == {"arrival"}


def test_the_makespan_is_the_last_end():
    for cost, wrong in ((10.0, False), (10 + 5e-6, False), (10.001, True), (9.999, True)):
        assert kinds(PLAN, replace(plan(*FORTH), cost=cost)) == ({"cost"} if wrong else set())


def flat(tasks, length=4.0, capacity=(1, 2), pes=("x", "y")):
    """Independent tasks."""
    platform = Platform("flat", pes, np.ones((len(pes),) * 2), capacity=np.array(capacity))
    names = tuple(f"t{i}" for i in range(tasks))
    times = np.broadcast_to(np.asarray(length, float), (tasks,))
    return SocInstance(
        "flat",
        platform,
        (Job("flat", names, np.tile(times[:, None], (1, len(pes))), NO_EDGES, np.zeros(0)),),
    )


@pytest.mark.parametrize(
    ("pe", "start", "wrong"),
    [
        ([0, 0], [0, 4], False),
        ([0, 0], [4, 0], False),
        ([0, 0], [0, 3.999], True),
        ([0, 0], [0, 4 - 5e-7], False),
        ([0, 0], [0, 0], True),
        ([1, 1], [0, 0], False),
        ([1, 1, 1], [0, 0, 0], True),
        ([1, 1, 1], [0, 2, 4], False),
        ([1, 1, 1], [0, 2, 3.9], True),
        ([0, 1, 1], [0, 0, 0], False),
        ([1, 1, 1, 1], [0, 0, 0, 0], True),  # named once
        ([1, 1, 1, 0, 0], [0, 0, 4, 0, 3], True),
        ([1, 1, 1, 1, 0], [0, 0, 4, 4, 1], False),
    ],
)
def test_pes_run_as_many_tasks_as_they_can(pe, start, wrong):
    instance = flat(len(pe))
    found = check(instance, plan(pe, start, np.array(start) + 4.0))
    assert [v.kind for v in found] == (["overlap"] if wrong else [])


def test_every_pe_that_is_overbooked_is_named_with_the_task_too_many():
    found = check(flat(5), plan([0, 0, 1, 1, 1], [0, 1, 0, 0, 2], [4, 5, 4, 4, 6]))
    assert [v.message for v in found] == [
        "task t1 starts at 1.0 while x is busy",
        "task t4 starts at 2.0 while y is busy",
    ]


def test_a_task_without_length_takes_no_room():
    instance = flat(2, length=[4.0, 0.0])
    assert kinds(instance, plan([0, 0], [0, 2], [4, 2])) == set()


@pytest.mark.parametrize(
    ("transfers", "late"),
    [
        ([], None),
        ([(0, 2, 2)], None),
        ([(0, 2, 2.001)], 2),
        ([(5, 6, 1)], None),
        ([(5, 5.5, 1)], 5.5),
        ([(0, 1, 1), (5, 6, 1)], None),
        ([(5, 6, 1.5), (0, 1, 1)], 6),
        ([(0, 2, 1), (0, 1, 1)], None),
        ([(0, 1.5, 1), (0, 1, 1)], 1.5),
        # the urgent one interrupts, and the rest of the first comes after it
        ([(0, 3, 2), (1, 2, 1)], None),
        ([(0, 2.5, 2), (1, 2, 1)], 2.5),
        ([(0, 9, 2), (1, 2, 1.5)], 2),
        ([(0, 4, 3), (1, 9, 1)], None),
        ([(0, 4, 3), (1, 2, 1), (2, 3, 1)], 4),
        ([(0, 5, 3), (1, 2, 1), (2, 3, 1)], None),
        ([(0, 1, 1), (0, 2, 1), (0, 3, 1), (0, 4, 1)], None),
        ([(0, 1, 1), (0, 2, 1), (0, 3, 1.1), (3, 4, 1)], 3),
        # idle in between: waiting gains nothing
        ([(0, 1, 0.5), (2, 3, 1), (2, 3.5, 1)], 3.5),
        ([(0, 1, 1 + 5e-7)], None),
        ([(0, 1, 0), (0, 1, 1)], None),
    ],
)
def test_a_link_carries_one_transfer_at_a_time(transfers, late):
    assert _latest(transfers) == late


def stream_of(job, platform=TWO, **facts):
    """Jobs in a system that takes them; with noise and ticks where they are asked for."""
    ticks, noise = facts.pop("ticks", False), facts.pop("noise", Noise())
    mix = facts.pop("jobs", (job,))
    stream = Stream(**{"horizon": 200.0, "mean_gap": 9.0, **facts})
    return SocInstance("stream", platform, mix, stream, noise, ticks, seed=3)


WORLDS: dict[str, dict[str, Any]] = {
    "lose": {"max_in_system": 2, "fill": 1},
    "queue": {"max_in_system": 2, "fill": 1, "when_full": "queue"},
    "ticks lose": {"max_in_system": 2, "fill": 3, "ticks": True, "mean_gap": 3.0},
    "ticks queue": {"max_in_system": 3, "fill": 2, "ticks": True, "when_full": "queue"},
    "seldom": {"max_in_system": 3, "mean_gap": 40.0},
    "often": {"max_in_system": 1, "mean_gap": 1.0, "when_full": "queue"},
    "noise": {"noise": Noise("gaussian", 0.3), "ticks": True},
    "lognormal": {"noise": Noise("lognormal", 0.3)},
    "two kinds": {"jobs": (FORK, replace(FORK, name="other")), "mix": (0.25, 0.75)},
}


@pytest.fixture(scope="module", params=list(WORLDS))
def world(request):
    instance = stream_of(FORK, **WORLDS[request.param])
    return instance, DOMAIN.baseline("etf")(instance)


def test_what_the_simulator_does_is_in_order(world):
    assert check(*world) == []
    assert np.isfinite(world[1].cost)


def test_every_arrival_is_checked(world):
    instance, solution = world
    for n in range(len(solution.arrival)):
        for change in (-0.01, 0.01):
            arrival = solution.arrival.copy()
            arrival[n] += change
            found = [v for v in check(instance, replace(solution, arrival=arrival))]
            (named,) = [v for v in found if v.kind == "arrival"]
            assert named.message.startswith(f"job {n} enters at {arrival[n]}, expected ")


def test_every_kind_is_checked():
    instance = stream_of(FORK, **WORLDS["two kinds"])
    solution = DOMAIN.baseline("etf")(instance)
    assert set(solution.kind.tolist()) == {0, 1}
    for n in range(len(solution.kind)):
        kind = solution.kind.copy()
        kind[n] = 1 - kind[n]
        found = {v.message for v in check(instance, replace(solution, kind=kind))}
        assert any(text.startswith(f"job {n} is of kind {kind[n]}") for text in found)


def test_a_job_more_or_less_is_found(world):
    """One that does nothing at the end, and the last one where it does nothing."""
    instance, solution = world
    end = instance.stream.horizon
    more = replace(
        solution, kind=np.append(solution.kind, 0), arrival=np.append(solution.arrival, end)
    )
    (found,) = [v for v in check(instance, more) if v.kind == "arrival"]
    assert found.message == f"job {len(solution.kind)} enters at {end}, expected none"
    last = len(solution.kind) - 1
    rows = solution.job != last
    columns = {n: getattr(solution, n)[rows] for n in ("job", "task", "pe", "start", "end")}
    less = replace(solution, kind=solution.kind[:-1], arrival=solution.arrival[:-1], **columns)
    named = {v.message for v in check(instance, less) if v.kind == "arrival"}
    assert named == {f"job {last} enters at none, expected {solution.arrival[-1]}"}


def test_every_duration_is_checked(world):
    instance, solution = world
    for r in range(0, len(solution.end), 7):
        end = solution.end.copy()
        end[r] += 0.01
        found = {v.kind for v in check(instance, replace(solution, end=end))}
        assert "duration" in found


def test_a_job_is_complete_by_the_horizon_only():
    """One task of 8: it counts if it ends at the horizon, and not later."""
    job = Job("one", ("a",), np.full((1, 2), 8.0), NO_EDGES, np.zeros(0))
    for horizon, cost in ((8.0, 8.0), (7.0, 7.0)):
        instance = stream_of(job, horizon=horizon, mean_gap=1e6, fill=1, max_in_system=1)
        solution = SocSolution(
            np.zeros(1, np.int64),
            np.zeros(1),
            np.zeros(1, np.int64),
            np.zeros(1, np.int64),
            np.zeros(1, np.int64),
            np.zeros(1),
            np.array([8.0]),
            cost,
        )
        assert check(instance, solution) == []
        assert kinds(instance, replace(solution, cost=cost + 1)) == {"cost"}


def test_the_mean_latency_counts_completed_jobs(world):
    instance, solution = world
    latency = []
    for n, entered in enumerate(solution.arrival):
        mine = solution.end[solution.job == n]
        if len(mine) == 3 and mine.max() <= instance.stream.horizon:
            latency.append(mine.max() - entered)
    assert len(latency) > 1
    assert solution.cost == pytest.approx(np.mean(latency))
    found = kinds(instance, replace(solution, cost=solution.cost * 1.001))
    assert found == {"cost"}


def linked(volume, starts, ticks=False, contention=True, pe=(0, 0, 1, 1)):
    """Two sources, each with data for a task of its own, on x and y; one job that enters at 0."""
    times = np.repeat([[2.0], [2.0], [1.0], [1.0]], 2, axis=1)
    edges = np.array([[0, 1], [2, 3]])
    job = Job("pairs", ("a", "b", "c", "d"), times, edges, np.full(2, float(volume)))
    platform = Platform(
        "two",
        ("x", "y"),
        np.array([[1.0, 2.0], [4.0, 1.0]]),
        capacity=np.array((2, 2)),
        link_contention=contention,
    )
    instance = stream_of(
        job, platform, horizon=99.0, mean_gap=1e6, fill=1, max_in_system=1, ticks=ticks
    )
    start = np.array([0.0, 0.0, *starts])
    end = start + np.array([2.0, 2.0, 1.0, 1.0])
    zero = np.zeros(4, np.int64)
    return instance, SocSolution(
        np.zeros(1, np.int64),
        np.zeros(1),
        zero,
        np.arange(4),
        np.array(pe),
        start,
        end,
        float(end.max()),
    )


@pytest.mark.parametrize(
    ("case", "wrong"),
    [
        ({"volume": 6, "starts": (5, 8)}, False),
        ({"volume": 6, "starts": (8, 5)}, False),
        ({"volume": 6, "starts": (5, 7.99)}, True),
        ({"volume": 6, "starts": (7, 7)}, True),
        ({"volume": 6, "starts": (7, 7), "contention": False}, False),
        ({"volume": 7, "starts": (5, 8), "ticks": True}, False),
        ({"volume": 7, "starts": (6, 8), "ticks": False}, True),
        ({"volume": 8, "starts": (6, 9), "ticks": True}, True),
    ],
)
def test_data_of_two_tasks_shares_a_link(case, wrong):
    found = check(*linked(**case))
    assert [v.kind for v in found] == (["link"] if wrong else [])
    assert all(v.message.startswith("x to y can't carry all of its data by ") for v in found)


def test_every_pair_of_pes_has_a_link_of_its_own():
    """Back from y to x data takes half as long, and on a PE no time at all."""
    for starts, wrong in (((3.5, 5), False), ((3.5, 4.9), True), ((3.5, 3.5), True)):
        found = check(*linked(6, starts, pe=(1, 1, 0, 0)))
        assert [v.message.partition(" can't")[0] for v in found] == ["y to x"] * wrong
    assert check(*linked(6, (5, 3.5), pe=(0, 1, 1, 0))) == []
    for pe in (0, 1):
        rows = linked(99, (2, 2), pe=(1, 1, 1, 1)) if pe else linked(99, (2, 3), pe=(0, 0, 0, 0))
        assert "link" not in kinds(*rows)


@pytest.mark.parametrize("scale", [1.0, 1e-3, 1e-7, 1e-12])
def test_tolerances_shrink_with_what_is_measured(scale):
    """Microseconds given in seconds are held to a millionth of them, not of a second."""
    job = replace(FORK, duration=FORK.duration * scale, volume=FORK.volume * scale)
    instance = SocInstance("small", TWO, (job,))
    pe, start, end = (np.array(column, float) for column in FORTH)
    assert check(instance, plan(pe.astype(int), start * scale, end * scale)) == []
    at_once = plan(pe.astype(int), start * 0.0, start * 0.0)
    assert kinds(instance, at_once) == {"duration"}
    moved = np.array([0, 3.999, 8])  # the second begins before the first ends, on the same PE
    early = plan(pe.astype(int), moved * scale, (moved + end - start) * scale)
    assert kinds(instance, early) == {"precedence", "overlap"}
    claimed = replace(plan(pe.astype(int), start * scale, end * scale), cost=9.99 * scale)
    assert kinds(instance, claimed) == {"cost"}
