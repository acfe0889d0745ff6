"""Older names of baselines and commands are still taken, and mean the same."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from graphsched.cli.main import main
from graphsched.envs.core.registry import domain_names, get_domain

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("name", domain_names())
def test_the_learned_rule_has_one_name(name: str) -> None:
    """Whatever it was called, in every domain."""
    domain = get_domain(name)
    assert "cem-linear" in domain.baselines
    assert domain.current_name("cem-linear") == "cem-linear"
    assert not set(domain.aliases) & set(domain.baselines)


def test_an_older_name_stands_for_the_present_one(tmp_path: Path) -> None:
    """As a contender, with samples, as start of a search and as reference."""
    words = "es-linear,es-linear@2,heft,es-linear>local-search@0.05s"
    asked = ["eval", "soc", "--policy", "none", "--instances", "top", "--baselines", words]
    assert main([*asked, "--reference", "es-linear", "--out", str(tmp_path)]) == 0
    rows = json.loads((tmp_path / "report.json").read_text())["rows"]
    assert {row["solver"] for row in rows} == {
        "cem-linear",
        "cem-linear@2",
        "heft",
        "cem-linear>local-search@0.05s",
    }
    assert {row["gap_reference"] for row in rows} == {"cem-linear"}


def test_solve_takes_an_older_name(capsys: pytest.CaptureFixture[str]) -> None:
    """And says what it is called now."""
    assert main(["solve", "soc", "top", "--baseline", "es-linear"]) == 0
    assert "by cem-linear" in capsys.readouterr().out


def test_allocate_takes_its_older_form(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With the domain that it once belonged to."""
    file = tmp_path / "a.100.csv"
    file.write_text("id,lower,upper,size\nx,0,2,60\ny,1,3,40\n")
    for words in (["allocate", str(file)], ["allocate", "memory", str(file)]):
        assert main([*words, "--allocators", "best-fit size"]) == 0
        assert "1/1" in capsys.readouterr().out
