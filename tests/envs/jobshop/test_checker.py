"""The checker accepts every feasible schedule and names every way to break one."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphsched.envs.jobshop import checker
from graphsched.envs.jobshop.checker import check
from graphsched.envs.jobshop.generators import irregular, toy
from graphsched.envs.jobshop.instance import JobShopInstance
from graphsched.envs.jobshop.solution import JobShopSolution

Serial = Callable[[JobShopInstance, Sequence[int]], JobShopSolution]
# machine 0: job 0 in [0, 3), job 1 in [3, 5); machine 1: job 1 in [0, 3), job 0 in [3, 7)
INSTANCE = JobShopInstance.from_jobs("two", [[(0, 3), (1, 4)], [(1, 3), (0, 2)]])
START = np.array([0, 3, 0, 3])


def _broken(**changes: object) -> list[tuple[str, str]]:
    solution = JobShopSolution.from_starts(INSTANCE, START)
    found = check(INSTANCE, replace(solution, **changes))  # type: ignore[arg-type]
    return [(violation.kind, violation.message) for violation in found]


def _started(*start: int) -> list[tuple[str, str]]:
    solution = JobShopSolution.from_starts(INSTANCE, np.array(start))
    return [(violation.kind, violation.message) for violation in check(INSTANCE, solution)]


def test_touching_operations_are_feasible() -> None:
    assert _started(0, 3, 0, 3) == []


def test_a_machine_runs_one_operation_at_a_time() -> None:
    message = "job 1 operation 1 [3, 5) on machine 0 overlaps job 0 operation 0 [1, 4)"
    assert _started(1, 4, 0, 3) == [("overlap", message)]


def test_each_overlapping_operation_is_named_once_with_the_one_that_ends_last() -> None:
    instance = JobShopInstance.from_jobs("one", [[(0, 9)], [(0, 2)], [(0, 2)], [(0, 2)]])
    found = check(instance, JobShopSolution.from_starts(instance, np.array([0, 1, 2, 9])))
    assert [violation.kind for violation in found] == ["overlap", "overlap"]
    assert all("overlaps job 0 operation 0 [0, 9)" in v.message for v in found)


def test_jobs_keep_their_order() -> None:
    message = "job 1 operation 1 starts at 4, before operation 0 ends at 5"
    assert ("precedence", message) in _started(0, 5, 2, 4)


def test_time_starts_at_zero() -> None:
    message = "job 0 operation 0 starts at -1, before time 0"
    assert _started(-1, 3, 0, 3) == [("negative_start", message)]


def test_jobs_wait_for_their_release() -> None:
    instance = replace(INSTANCE, release_time=np.array([0, 1]))
    found = check(instance, JobShopSolution.from_starts(instance, START))
    message = "job 1 operation 0 starts at 0, before its job's release at 1"
    assert [(v.kind, v.message) for v in found] == [("release", message)]


def test_operations_take_their_duration() -> None:
    message = "job 0 operation 0 takes 2 in [0, 2), expected 3"
    assert _broken(end=np.array([2, 7, 3, 5])) == [("duration", message)]


def test_operations_run_on_their_machine() -> None:
    assert _broken(machine=np.array([0, 1, 1, 5])) == [
        ("machine", "job 1 operation 1 runs on machine 5, expected machine 0")
    ]


def test_the_makespan_is_the_last_end() -> None:
    message = "claimed 6, but job 0 operation 1 ends at 7"
    assert _broken(makespan=6) == [("makespan", message)]


@pytest.mark.parametrize("field", ["start", "end", "machine"])
@pytest.mark.parametrize("value", [np.zeros(3, np.int64), np.zeros(4), np.zeros((4, 1), np.int64)])
def test_arrays_of_another_shape_or_type_end_the_check(field: str, value: object) -> None:
    found = _broken(**{field: value, "makespan": -1})
    assert [kind for kind, _ in found] == ["shape"]
    assert found[0][1].startswith(f"{field}: expected 4 integers, found ")


def test_operations_without_duration_take_no_time_of_the_machine() -> None:
    instance = JobShopInstance.from_jobs("zero", [[(0, 4)], [(0, 0), (1, 1)]])
    inside = JobShopSolution.from_starts(instance, np.array([0, 2, 2]))
    assert check(instance, inside) == []
    early = JobShopSolution.from_starts(instance, np.array([0, 2, 1]))
    assert [violation.kind for violation in check(instance, early)] == ["precedence"]


def test_all_violations_are_reported_together() -> None:
    kinds = {kind for kind, _ in _broken(start=np.array([-1, 0, 0, 0]), makespan=0)}
    assert kinds == {"duration", "negative_start", "precedence", "overlap", "makespan"}


def test_nothing_of_the_simulator_is_imported() -> None:
    tree = ast.parse(inspect.getsource(checker))
    modules = [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    assert not any("simulator" in module or "state" in module for module in modules)


@given(seed=st.integers(0, 999), turns=st.lists(st.integers(0, 9), min_size=1, max_size=30))
def test_feasible_schedules_pass(serial: Serial, seed: int, turns: list[int]) -> None:
    instance = irregular(np.random.default_rng(seed))
    assert check(instance, serial(instance, turns)) == []


@given(operation=st.integers(0, 8), turns=st.lists(st.integers(0, 2), min_size=9, max_size=9))
def test_starting_any_operation_of_a_tight_schedule_earlier_breaks_it(
    serial: Serial, operation: int, turns: list[int]
) -> None:
    instance = toy(np.random.default_rng(0), "")
    start = serial(instance, turns).start.copy()
    start[operation] -= 1  # semi-active: nothing can start earlier in the same order
    found = check(instance, JobShopSolution.from_starts(instance, start))
    assert {v.kind for v in found} & {"precedence", "overlap", "negative_start"}
