"""Limits of readers and documents are where they are said to be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from graphsched.envs.core.errors import InputError
from graphsched.envs.jobshop import readers
from graphsched.envs.jobshop.instance import MAX_TIME, JobShopInstance
from graphsched.envs.jobshop.readers import READERS, read_auto
from graphsched.envs.jobshop.solution import JobShopSolution, solution_from_json

if TYPE_CHECKING:
    from pathlib import Path

INSTANCE = JobShopInstance.from_jobs("two", [[(0, 3), (1, 4)], [(1, 3)]])
SOLUTION = JobShopSolution.from_starts(INSTANCE, np.array([0, 3, 7]))


def _read(tmp_path: Path, text: str, name: str = "auto") -> JobShopInstance:
    path = tmp_path / "shop.txt"
    path.write_text(text)
    return READERS[name](path)


def _jobs(instance: JobShopInstance) -> list[list[list[int]]]:
    jobs: list[list[list[int]]] = instance.to_json()["jobs"]
    return jobs


def test_documents_hold_every_operation() -> None:
    document = SOLUTION.to_json()
    assert document["makespan"] == 10
    assert document["operations"] == [
        {"machine": 0, "start": 0, "end": 3},
        {"machine": 1, "start": 3, "end": 7},
        {"machine": 1, "start": 7, "end": 10},
    ]
    assert solution_from_json(INSTANCE, document).to_json() == document


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"makespan": None}, "makespan"),
        ({"makespan": True}, "makespan"),
        ({"makespan": 2**53 + 1}, "makespan"),
        ({"makespan": -(2**53) - 1}, "makespan"),
        ({"operations": {}}, "operations"),
        ({"operations": SOLUTION.to_json()["operations"][:2]}, "operations"),
        ({"operations": SOLUTION.to_json()["operations"] * 2}, "operations"),
        ({"operations": [1, 2, 3]}, r"operations\[0\]"),
        ({"operations": [*SOLUTION.to_json()["operations"][:2], []]}, r"operations\[2\]"),
        ({"operations": [*SOLUTION.to_json()["operations"][:2], {}]}, r"operations\[2\]\.machine"),
    ],
)
def test_a_bad_document_is_refused_by_field(change: dict[str, object], field: str) -> None:
    with pytest.raises(InputError, match=f"^{field}: "):
        solution_from_json(INSTANCE, {**SOLUTION.to_json(), **change})


def test_what_is_no_document_is_refused() -> None:
    wrongs: list[Any] = [*([], None, 3)]
    for wrong in wrongs:
        with pytest.raises(InputError, match=r"^solution: expected an object"):
            solution_from_json(INSTANCE, wrong)
    with pytest.raises(InputError, match=r"^operations: missing"):
        solution_from_json(INSTANCE, {})


@pytest.mark.parametrize("value", [2**53, -(2**53), 0])
def test_integers_up_to_what_json_holds_exactly_are_read(value: int) -> None:
    document = {**SOLUTION.to_json(), "makespan": value}
    assert solution_from_json(INSTANCE, document).makespan == value


@pytest.mark.parametrize(
    ("text", "good"),
    [
        (f"1 1\n0 {MAX_TIME}\n", True),
        (f"1 1\n0 {MAX_TIME + 1}\n", False),
        (f"1 1\n0 +{MAX_TIME}\n", True),
        ("1 1\n0 " + "0" * 18 + "5\n", True),
        ("1 10000\n9999 1\n", True),
        ("1 10001\n0 1\n", False),
        (f"{10**6 + 1} 1\n0 1\n", False),
        ("1 1\n0 1\n", True),
        ("0 1\n0 1\n", False),
        ("1 0\n0 1\n", False),
    ],
)
def test_numbers_at_their_limits(tmp_path: Path, text: str, good: bool) -> None:
    if good:
        assert _read(tmp_path, text, "standard").num_operations == 1
    else:
        with pytest.raises(InputError, match="expected"):
            _read(tmp_path, text, "standard")


def test_lines_are_counted_with_the_blank_ones_and_comments(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"shop\.txt, line 5: "):
        _read(tmp_path, "# a\n\n1 1\n  # b\n0 x\n")
    with pytest.raises(InputError, match=r"shop\.txt, line 3: the file ends here"):
        _read(tmp_path, "2 1\n\n0 1\n# end\n\n")


def test_the_first_line_too_many_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"shop\.txt, line 3: .*found '0 2'"):
        _read(tmp_path, "1 1\n0 1\n0 2\n0 3\n0 4\n", "standard")


@pytest.mark.parametrize(
    ("text", "jobs"),
    [
        # a row more than jobs, each with a number for each machine: two tables
        ("2 2\n5 7\n4 9\n1 2\n2 1\n", [[[0, 5], [1, 7]], [[1, 4], [0, 9]]]),
        # as many rows as jobs: pairs
        ("2 2\n0 7\n1 9\n", [[[0, 7]], [[1, 9]]]),
        # seeds behind the header
        ("1 1 77\n5\n1\n", [[[0, 5]]]),
        ("1 1\n5\n1\n", [[[0, 5]]]),
        ("1 1\nTimes\n5\nMachines\n1\n", [[[0, 5]]]),
        ("1 1\nTIMES in minutes\n5\nmachines\n1\n", [[[0, 5]]]),
        ("Nb of jobs, Nb of Machines\n1 1\n5\n1\n", [[[0, 5]]]),
        ("1 1\n0\t5\n", [[[0, 5]]]),
        ("\ufeff1 1\n0 5\n", [[[0, 5]]]),
    ],
)
def test_formats_are_told_apart_by_what_they_hold(
    tmp_path: Path, text: str, jobs: list[list[list[int]]]
) -> None:
    assert _jobs(_read(tmp_path, text)) == jobs


def test_a_file_of_the_largest_size_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "1 1\n0 5\n"
    monkeypatch.setattr(readers, "MAX_BYTES", len(text))
    assert _jobs(_read(tmp_path, text)) == [[[0, 5]]]
    with pytest.raises(InputError, match="expected a file of at most"):
        _read(tmp_path, text + "\n")


def test_json_is_known_by_its_first_sign(tmp_path: Path) -> None:
    assert _jobs(_read(tmp_path, ' \n{"jobs": [[[0, 5]]], "num_machines": 10000}')) == [[[0, 5]]]
    for text in ('{"jobs": [[[0, 5]]], "num_machines": 10001}', "[]", '{"domain": "soc"}'):
        with pytest.raises(InputError, match=r"shop\.txt"):
            _read(tmp_path, text)
    named = _read(tmp_path, '{"name": "given", "jobs": [[[0, 5]]], "domain": "jobshop"}')
    assert named.name == "given"
    assert read_auto(tmp_path / "shop.txt").name == "given"
    assert _read(tmp_path, '{"jobs": [[[0, 5]]]}').name == "shop"
