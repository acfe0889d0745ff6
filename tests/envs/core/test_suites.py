"""Suites name shifts of instances; a malformed one is refused in a line."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from graphsched.envs.core.errors import InputError
from graphsched.envs.core.registry import domain_names, get_domain
from graphsched.envs.core.suites import open_suite, suites
from graphsched.eval.judging.verdicts import FEWEST
from tests.toy_domain import DOMAIN

if TYPE_CHECKING:
    from pathlib import Path


def _file(tmp_path: Path, text: str) -> str:
    file = tmp_path / "mine.toml"
    file.write_text(text)
    return str(file)


def test_every_domain_has_a_suite_whose_verdicts_have_enough_instances() -> None:
    """Ten instances of a shift are the fewest that a verdict is given from."""
    for name in domain_names():
        domain = get_domain(name)
        found = suites(domain)
        assert "robustness" in found
        for suite in found.values():
            assert suite.summary
            _, labels = suite.instances(domain)
            assert min(Counter(labels).values()) >= FEWEST, (name, suite.name)


def test_a_suite_of_ones_own_is_read_from_a_file(tmp_path: Path) -> None:
    text = 'policy = "none"\n[shifts]\n"small" = "random:n=2"\n"large" = "random:n=1,toy"\n'
    suite = open_suite(DOMAIN, _file(tmp_path, text))
    assert (suite.name, suite.policy, suite.baselines, suite.reference) == (
        "mine",
        "none",
        "rules",
        "",
    )
    instances, labels = suite.instances(DOMAIN)
    assert labels == ["small", "small", "large", "large"]
    assert len(instances) == 4


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "is empty"),
        ("[shifts]", "shifts: expected one"),
        ("[shifts]\na = 3", "shifts: expected one"),
        ('shifts = "toy"', "shifts: expected a table"),
        ('policies = "none"\n[shifts]\na = "toy"', "unknown field 'policies'"),
        ('policy = 3\n[shifts]\na = "toy"', "policy: expected a text, found 3"),
        ("[shifts", "expected TOML"),
    ],
)
def test_a_malformed_file_is_told_in_one_line(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(InputError, match=r"mine\.toml") as caught:
        open_suite(DOMAIN, _file(tmp_path, text))
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_unknown_name_and_a_missing_file_are_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected one of robustness"):
        open_suite(get_domain("jobshop"), "robust")
    with pytest.raises(InputError, match=r"no\.toml"):
        open_suite(DOMAIN, str(tmp_path / "no.toml"))


def test_an_unknown_instance_of_a_suite_is_told(tmp_path: Path) -> None:
    suite = open_suite(DOMAIN, _file(tmp_path, '[shifts]\na = "nothing-such"'))
    with pytest.raises(InputError, match="nothing-such"):
        suite.instances(DOMAIN)
