"""Specifications of instances: every form, what wins, and what is refused."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphsched.envs.core.errors import InputError
from graphsched.envs.core.registry import get_domain
from graphsched.envs.core.specs import absolute_part, parse_instances
from tests.toy_domain import DOMAIN as CREW

if TYPE_CHECKING:
    from pathlib import Path


def names(spec: str) -> list[str]:
    """Names of the toy domain's instances."""
    return [instance.name for instance in parse_instances(CREW, spec)]


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("q03", ["q03"]),
        ("queues", ["q01", "q02", "q03", "q04", "q05", "q06"]),
        ("queues:short", ["q01", "q02"]),
        ("q02-q04", ["q02", "q03", "q04"]),
        ("q02-04", ["q02", "q03", "q04"]),
        ("q05, q01,q05", ["q05", "q01", "q05"]),
        ("toy", ["toy"]),
        ("queues:short,toy", ["q01", "q02", "toy"]),
    ],
)
def test_names_and_sets_and_ranges(spec: str, expected: list[str]) -> None:
    """In the order given, repetitions kept."""
    assert names(spec) == expected


def test_generators_take_size_number_and_seed() -> None:
    """The first instances of a seed are the same whatever their number."""
    few, many = (parse_instances(CREW, f"random:3x2:n={n}:seed=7") for n in (2, 5))
    assert [i.to_json() for i in few] == [i.to_json() for i in many[:2]]
    assert all(CREW.group(i) == "3x2" for i in many)
    assert len({json.dumps(i.to_json()) for i in many}) == 5
    other = parse_instances(CREW, "random:3x2:seed=8")
    assert other[0].to_json() != few[0].to_json()
    assert CREW.group(parse_instances(CREW, "random")[0]) == "5x2"
    assert len(parse_instances(CREW, "random:n=4")) == 4


def test_files_and_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder gives its visible files in order; a format may be named."""
    for name in ("b", "a", ".hidden"):
        document = {**parse_instances(CREW, "toy")[0].to_json(), "name": name}
        (tmp_path / f"{name}.json").write_text(json.dumps(document))
    (tmp_path / "folder").mkdir()
    monkeypatch.chdir(tmp_path)
    assert names("a.json") == ["a"]
    assert names(f"{tmp_path}/b.json,./a.json") == ["b", "a"]
    assert names("json@b.json") == ["b"]
    assert names(str(tmp_path)) == ["a", "b"]
    with pytest.raises(InputError, match="folder: expected a folder with instances"):
        names("folder")
    (tmp_path / "q01").write_text("not an instance")
    assert names("q01") == ["q01"], "a name of the library wins over a file"
    with pytest.raises(InputError, match="expected a JSON file"):
        names("./q01")


def test_a_set_wins_over_a_generator_of_the_same_name() -> None:
    """The job shop has both: Taillard's instances and his generator."""
    shop = get_domain("jobshop")
    assert len(parse_instances(shop, "taillard")) == 80
    assert parse_instances(shop, "taillard:15x15")[0].name == "ta01"
    generated = parse_instances(shop, "taillard:15x15:n=2")
    assert [i.name for i in generated] == ["taillard-15x15"] * 2
    with pytest.raises(InputError, match="did you mean taillard"):
        parse_instances(shop, "taillard:15x25")
    assert [i.name for i in parse_instances(shop, "la01-la03,ft06")] == [
        "la01",
        "la02",
        "la03",
        "ft06",
    ]


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("q1", "did you mean q"),
        ("quues", "did you mean queues"),
        ("zzzzzz", "not one of all, queues, queues:short, random, toy, lonely, nor a file"),
        ("", "separated by single commas"),
        ("q01,,q02", "separated by single commas"),
        ("q04-q02", "expected a range that rises"),
        ("q04-q09", "there is no instance 'q07'"),
        ("random:3x2:n=0", "expected n from 1"),
        ("random:3x2:n=-1", "found 'n=-1'"),
        ("random:3x2:m=1", "found 'm=1'"),
        ("random:3x2:4x2", "found '4x2'"),
        ("random:big", "size 'big'"),
        ("./nothing.json", "no such file or folder"),
        ("json@nothing", "no such file or folder"),
    ],
)
def test_refuses_in_one_line_what_names_nothing(spec: str, message: str) -> None:
    """The message quotes the part and says what was expected."""
    with pytest.raises(InputError, match=message) as caught:
        names(spec)
    assert "\n" not in str(caught.value)


@given(st.text(max_size=30))
@settings(max_examples=50)
def test_never_fails_in_another_way(spec: str) -> None:
    """Whatever is typed, it is instances or an InputError."""
    message = ""
    try:
        found = len(parse_instances(CREW, spec))
    except InputError as error:
        found, message = 0, str(error)
    assert found or message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ("mine.json", "{}/mine.json"),
        ("json@mine.json", "json@{}/mine.json"),
        ("mine.json+other.json", "{}/mine.json+{}/other.json"),
        ("a+b.json", "{}/a+b.json"),
        ("./nowhere", "{}/nowhere"),
        ("nowhere", "nowhere"),
        ("/elsewhere/mine.json", "/elsewhere/mine.json"),
        ("ft06", "ft06"),
        ("./ft06", "{}/ft06"),
        ("la01-la05", "la01-la05"),
        ("swv:20x10", "swv:20x10"),
        ("uniform:3x3", "uniform:3x3"),
        ("", ""),
    ],
)
def test_parts_that_are_paths_become_absolute(tmp_path: Path, part: str, expected: str) -> None:
    """Of names with several meanings the first holds, as where they are read."""
    for name in ("mine.json", "other.json", "a+b.json", "ft06", "la01-la05", "uniform:3x3"):
        (tmp_path / name).write_text("")
    domain = get_domain("jobshop")
    assert absolute_part(domain, part, tmp_path) == expected.replace("{}", str(tmp_path))
