"""A solution's JSON that is wrong anywhere is refused by one line that names field and row."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
import pytest

from graphsched.cli.main import main
from graphsched.envs.core.errors import InputError
from graphsched.envs.core.registry import get_domain
from tests.mutations import get, paths, put

NEVER: list[Any] = [None, True, "1", "x", {}, [], float("nan"), float("inf"), 2**63, 2**70, 10**400]
DOMAINS = {"batching": "sarathi", "jobshop": "spt", "memory": "best-of-orders", "soc": "heft"}


@pytest.fixture(scope="module", params=DOMAINS)
def case(request):
    """A domain, an instance and an honest solution's document."""
    domain = get_domain(request.param)
    instance = domain.generators["toy"](np.random.default_rng(0), "")
    solution = domain.baseline(DOMAINS[domain.name])(instance)
    return domain, instance, json.loads(json.dumps(solution.to_json()))


def numbers(document):
    """Paths of all numbers, but those of the schema."""
    found = (path for path in paths(document) if "schema" not in path)
    return (path for path in found if type(get(document, path)) in (int, float))


def refusal(case, document):
    domain, instance, _ = case
    with pytest.raises(InputError) as refused:
        domain.solution_from_json(instance, document)
    message = str(refused.value)
    assert "\n" not in message
    assert len(message) < 200
    return message


def test_an_honest_document_is_read(case):
    domain, instance, document = case
    assert domain.solution_from_json(instance, document).to_json() == document
    bare = {key: value for key, value in document.items() if key not in ("schema", "domain")}
    if domain.name != "memory":  # without a schema its ends are those of the first
        assert domain.solution_from_json(instance, bare).to_json() == document


def test_what_is_no_number_is_named_by_field_and_row(case):
    document = case[2]
    for path in numbers(document):
        place = re.escape(str(path[0]))
        if len(path) > 1:
            place += rf"\[{path[1]}\]"
        for value in NEVER:
            message = refusal(case, put(document, path, value))
            assert re.match(place, message), (path, value, message)


def test_whole_numbers_have_no_fraction(case):
    document = case[2]
    for path in numbers(document):
        if type(get(document, path)) is int:
            for part in (0.5, 0.0):
                found = get(document, path) + part
                assert "expected an integer" in refusal(case, put(document, path, found))


def test_what_is_no_document_is_refused(case):
    wrongs: list[Any] = [None, [], 3, "x", [case[2]]]
    for wrong in wrongs:
        assert refusal(case, wrong).startswith("solution: expected an object")


@pytest.mark.parametrize("schema", [0, 99, 1.0, True, None, "1"])
def test_unknown_schemas_are_refused(case, schema):
    assert refusal(case, {**case[2], "schema": schema}).startswith("schema: expected ")


@pytest.mark.parametrize("name", ["other", None, 3])
def test_solutions_of_other_domains_are_refused(case, name):
    assert refusal(case, {**case[2], "domain": name}).startswith("domain: expected ")


def test_every_field_is_needed_and_no_other_is_known(case):
    document = case[2]
    for field in document:
        if field not in ("schema", "domain", "order"):
            rest = {key: value for key, value in document.items() if key != field}
            assert refusal(case, rest).startswith(f"{field}: missing")
        misspelt = {**document, f"{field}x": document[field]}
        assert f"is it {field!r}" in refusal(case, misspelt)


def test_rows_have_their_fields_and_no_other(case):
    document = case[2]
    for field, rows in document.items():
        if not isinstance(rows, list):
            continue
        for wrong in [3, {}, "x"] + [None] * (field != "order"):
            assert refusal(case, {**document, field: wrong}).startswith(f"{field}: expected a list")
        if not rows or not isinstance(rows[0], dict):
            continue
        for key in rows[0]:
            less = {name: value for name, value in rows[0].items() if name != key}
            less = {**document, field: [*rows[:-1], less]}
            place = f"{field}[{len(rows) - 1}]"
            assert refusal(case, less).startswith(f"{place}.{key}: missing")
            more = {**document, field: [*rows[:-1], {**rows[-1], f"{key}s": 1}]}
            assert refusal(case, more).startswith(f"{place}.'{key}s': unknown field")
        odds: list[Any] = [None, [], 3]
        for odd in odds:
            spoilt = {**document, field: [*rows[:-1], odd]}
            assert refusal(case, spoilt).startswith(f"{place}: expected {{")


@pytest.mark.parametrize("text", ["1e400", "NaN", "null", "9" * 30, "9" * 6000, '"1"', "[[[]]]"])
def test_the_command_says_what_is_wrong_in_one_line(case, text, tmp_path, capsys):
    domain, instance, document = case
    field = "makespan" if domain.name == "jobshop" else "cost"
    path, spec = tmp_path / "solution.json", tmp_path / "instance.json"
    spec.write_text(json.dumps(instance.to_json()))
    path.write_text(json.dumps({**document, field: "HERE"}).replace('"HERE"', text))
    assert main(["check", domain.name, str(spec), str(path)]) == 2
    printed = capsys.readouterr().err.strip()
    assert printed.count("\n") == 0
    assert str(path) in printed
    # What is no JSON, or no number of it, is told by what was read.
    assert field in printed or text[:40] in printed or len(text) > 4300
