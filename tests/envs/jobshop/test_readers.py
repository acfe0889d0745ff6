"""Every file format reads back what it says, and every broken file is refused in one line."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from graphsched.envs.core.errors import InputError
from graphsched.envs.jobshop import readers
from graphsched.envs.jobshop.generators import irregular
from graphsched.envs.jobshop.library import content_hash, load
from graphsched.envs.jobshop.readers import READERS, read_auto

if TYPE_CHECKING:
    from graphsched.envs.jobshop.instance import JobShopInstance

Write = Callable[[str | bytes], Path]
STANDARD = "# two jobs\n2 3\n\n0 5 1 7 2 1\n2 4 0 0\n"
TAILLARD = "2 2\nTimes\n5 7\n4 9\nMachines\n1 2\n2 1\n"


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a file and return its path."""

    def put(content: str | bytes) -> Path:
        path = tmp_path / "shop.txt"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return put


def _jobs(instance: JobShopInstance) -> list[list[list[int]]]:
    jobs: list[list[list[int]]] = instance.to_json()["jobs"]
    return jobs


def _standard(instance: JobShopInstance) -> str:
    rows = [" ".join(f"{m} {d}" for m, d in job) for job in _jobs(instance)]
    return "\n".join([f"{instance.num_jobs} {instance.num_machines}", *rows])


def _taillard(instance: JobShopInstance, words: bool) -> str:
    times = [" ".join(str(d) for _, d in job) for job in _jobs(instance)]
    machines = [" ".join(str(m + 1) for m, _ in job) for job in _jobs(instance)]
    header = f"{instance.num_jobs} {instance.num_machines}"
    if not words:
        return "\n".join([header, *times, *machines])
    title = "Nb of jobs, Nb of Machines, Time seed, Machine seed, Upper bound, Lower bound"
    header += " 840612802 398197754 1231 1005"
    return "\n".join([title, header, "Times", *times, "Machines", *machines])


def test_standard_allows_comments_unequal_jobs_and_zero_durations(write: Write) -> None:
    instance = READERS["standard"](write(STANDARD))
    assert instance.name == "shop"
    assert instance.num_machines == 3
    assert _jobs(instance) == [[[0, 5], [1, 7], [2, 1]], [[2, 4], [0, 0]]]


def test_standard_allows_recirculation_and_unvisited_machines(write: Write) -> None:
    instance = READERS["standard"](write("1 4\r\n0 5 1 7 0 2\r\n"))
    assert _jobs(instance) == [[[0, 5], [1, 7], [0, 2]]]
    assert instance.num_machines == 4


@pytest.mark.parametrize("name", ["ft06", "la01", "ta01"])
@pytest.mark.parametrize("style", ["standard", "headings", "bare", "json"])
def test_every_format_says_the_same(write: Write, name: str, style: str) -> None:
    instance = load(name)
    text = {
        "standard": _standard(instance),
        "headings": _taillard(instance, words=True),
        "bare": _taillard(instance, words=False),
        "json": json.dumps(instance.to_json()),
    }[style]
    path = write(text)
    explicit = READERS["taillard" if style in ("headings", "bare") else style]
    assert content_hash(read_auto(path)) == content_hash(instance)
    assert content_hash(explicit(path)) == content_hash(instance)


def test_json_keeps_release_and_due_dates(write: Write) -> None:
    instance = irregular(np.random.default_rng(3))
    read = read_auto(write(json.dumps({**instance.to_json(), "due_date": [9] * 6})))
    assert content_hash(read) == content_hash(instance)
    assert read.name == instance.name
    assert read.due_date is not None
    assert read.due_date.tolist() == [9] * 6


@pytest.mark.parametrize(
    ("content", "place", "problem"),
    [
        ("", "", "is empty"),
        (" \n# only this\n", "", "nothing but blank lines"),
        ("1 1\n0 \0 5\n", "", "binary"),
        (b"\xff\xfe\x00\x01", "", "binary"),
        ("2 2\n0 1 1 2\n", ", line 2", "file ends here; expected job 2 of 2"),
        ("2 2", ", line 1", "file ends here; expected job 1 of 2"),
        ("1 2\n0 1 1 -2\n", ", line 2", "found -2"),
        ("1 2\n0 1 -1 2\n", ", line 2", "found -1"),
        ("1 2\n0 1 1 3.5\n", ", line 2", "expected an integer, found '3.5'"),
        ("1 2\n0 1 1 x\n", ", line 2", "expected an integer, found 'x'"),
        ("1 2\n0 1 1 1_0\n", ", line 2", "expected an integer, found '1_0'"),
        ("1 2\n0 1 1 ٣\n", ", line 2", "expected an integer"),
        ("1 2\n0 1 1\n", ", line 2", "expected pairs"),
        ("1 2\n0 1 2 4\n", ", line 2", "expected machines 0 to 1, found machine 2"),
        ("1 2\n0 1 1 4\n\n0 3\n", ", line 4", "expected the end of the file"),
        ("1 2\n0 1 1 2147483649\n", ", line 2", "found 2147483649"),
        ("1 2\n0 1 1 " + "9" * 5000, ", line 2", "found 9999"),
        ("6\n0 1\n", ", line 1", "expected 'jobs machines'"),
        ("2 2 2\n0 1\n0 1\n", ", line 1", "expected 'jobs machines'"),
        ("0 2\n", ", line 1", "expected 1 to 1000000 jobs, found 0"),
        ("-1 2\n0 1\n", ", line 1", "found -1"),
        ("1 2000000000\n0 1\n", ", line 1", "expected 1 to 10000 machines, found 2000000000"),
        ("2.5 2\n0 1\n", ", line 1", "found '2.5'"),
    ],
)
def test_broken_standard_files_are_refused(
    write: Write, content: str | bytes, place: str, problem: str
) -> None:
    path = write(content)
    with pytest.raises(InputError) as caught:
        READERS["standard"](path)
    assert str(caught.value).startswith(f"{path}{place}: ")
    assert problem in str(caught.value)
    assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match=r"shop\.txt"):
        read_auto(path)


@pytest.mark.parametrize(
    ("old", "new", "place", "problem"),
    [
        ("2 1\n", "", ", line 6", "file ends here; expected row 2 of 2 of the machines"),
        ("Times\n5 7\n4 9\n", "", ", line 2", "expected 'times' or numbers, found 'Machines'"),
        ("5 7", "5 7 1", ", line 3", "expected 2 times, found 3"),
        ("5 7", "5", ", line 3", "expected 2 times, found 1"),
        ("5 7", "5 -7", ", line 3", "found -7"),
        ("5 7", "5 x", ", line 3", "found 'x'"),
        ("1 2", "0 2", ", line 6", "expected integers in [1, 2], found 0"),
        ("1 2", "1 3", ", line 6", "found 3"),
        ("2 1\n", "2 1\n2 2\n", ", line 8", "one instance a file"),
        ("2 2\n", "2\n", ", line 1", "expected 'jobs machines'"),
        ("2 2\n", "2 2 seven\n", ", line 1", "found 'seven'"),
    ],
)
def test_broken_taillard_files_are_refused(
    write: Write, old: str, new: str, place: str, problem: str
) -> None:
    assert old in TAILLARD
    path = write(TAILLARD.replace(old, new, 1))
    for reader in (READERS["taillard"], read_auto):
        with pytest.raises(InputError) as caught:
            reader(path)
        assert str(caught.value).startswith(f"{path}{place}: ")
        assert problem in str(caught.value)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ('{"jobs":\n[', "line 2: expected JSON"),
        ("[1]", "expected a JSON object, found list"),
        ("[" * 100_000, "nested too deeply"),
        ('{"jobs": [[[0, ' + "9" * 5000 + "]]]}", "number too long"),
        ('{"tasks": []}', "'tasks': unknown field; expected jobs"),
        ('{"jobs": []}', "job_ptr"),
        ('{"jobs": [[]]}', "job_ptr"),
        ('{"jobs": [[[0, 1.5]]]}', "duration"),
        ('{"jobs": [[[0, -1]]]}', "duration"),
        ('{"jobs": [[["a", 1]]]}', "machine"),
        ('{"jobs": [[[3, 1]]], "num_machines": 2}', "machine"),
        ('{"jobs": [[[0, 1]]], "num_machines": 2000000}', "num_machines"),
        ('{"jobs": [[[0, 1]]], "release_time": [1, 2]}', "release_time"),
        ('{"domain": "soc", "jobs": [[[0, 1]]]}', "domain: expected 'jobshop', found 'soc'"),
    ],
)
def test_broken_json_files_are_refused(write: Write, content: str, problem: str) -> None:
    path = write(content)
    for reader in (READERS["json"], read_auto):
        with pytest.raises(InputError) as caught:
            reader(path)
        assert str(caught.value).startswith(str(path))
        assert problem in str(caught.value)


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
def test_what_is_no_file_is_refused(
    tmp_path: Path, reader: Callable[[Path], JobShopInstance]
) -> None:
    with pytest.raises(InputError, match="is a directory"):
        reader(tmp_path)
    with pytest.raises(InputError, match="no such file"):
        reader(tmp_path / "missing.txt")


def test_a_huge_file_is_refused_unread(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readers, "MAX_BYTES", 2**20)
    with pytest.raises(InputError, match="at most 1 MiB"):
        read_auto(write(b"1 " * 2**20))


def test_a_file_may_be_as_large_as_the_limit(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(STANDARD)
    monkeypatch.setattr(readers, "MAX_BYTES", len(STANDARD))
    assert read_auto(path).num_jobs == 2
    monkeypatch.setattr(readers, "MAX_BYTES", len(STANDARD) - 1)
    with pytest.raises(InputError, match="expected a file of at most"):
        read_auto(path)


def test_an_unreadable_file_is_refused(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(STANDARD)

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(InputError, match="can't be read: Permission denied"):
        read_auto(path)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damage_is_either_refused_or_harmless(write: Write, data: st.DataObject) -> None:
    text = bytearray(data.draw(st.sampled_from([STANDARD, TAILLARD])).encode())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(text) - 1))
        text[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
        if not text:
            break
    path = write(bytes(text))
    for reader in READERS.values():
        try:
            instance = reader(path)
        except InputError as error:
            assert "shop.txt" in str(error)  # noqa: PT017
        else:
            assert instance.num_operations >= 1
