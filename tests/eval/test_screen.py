"""A terminal of eighty columns shows the answer; elsewhere nothing is cut off."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console

from graphsched.cli.screen import print_summary
from tests.eval.samples import FIELD, batching_document, field_document, sample_document

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.mark.parametrize("make", [field_document, batching_document, sample_document])
def test_tables_fit_eighty_columns(
    make: Callable[[], dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    print_summary(make(), Console(width=80))
    lines = capsys.readouterr().out.splitlines()
    drawn = [line for line in lines if line[:1] in "┏┃┡│└"]
    assert drawn
    assert all(len(line.rstrip()) <= 80 for line in drawn)


def test_five_columns_and_the_answer(capsys: pytest.CaptureFixture[str]) -> None:
    print_summary(sample_document(5, 10))
    shown = capsys.readouterr().out
    (head,) = [line for line in shown.splitlines() if "┃ solver" in line and "vs" in line]
    assert [word.strip() for word in head.strip("┃ ").split("┃")] == [
        "solver",
        "mean",
        "95% interval",
        "time",
        "vs policy p",
    ]
    assert "Policy p beats best, a rule, by 5.0 percentage points;" in shown
    (line,) = [line for line in shown.splitlines() if "│ best" in line]
    assert line.rstrip("│ ").endswith("5.0 +")


def test_limits_have_a_table_of_bases(capsys: pytest.CaptureFixture[str]) -> None:
    print_summary(field_document())
    _, _, table = capsys.readouterr().out.partition("by processor time")
    assert all(word in table for word in ("no limit", "100 ms", "1 s", "10 s"))
    assert all(base in table for base in FIELD)


def test_many_measures_keep_their_heads_whole(capsys: pytest.CaptureFixture[str]) -> None:
    document = batching_document()
    heads = [f"measure number {i}" for i in range(9)]
    for row in document["rows"]:
        row["metrics"] = dict.fromkeys(heads, 12345.0)
    print_summary(document, Console(width=80))
    shown = capsys.readouterr().out
    assert all(head in shown for head in heads)
    assert shown.count("other measures") == 3
    assert max(len(line) for line in shown.splitlines() if line[:1] in "┏┃│") <= 80


def test_names_are_whole_where_the_output_is_no_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """So that a file or another program finds them."""
    document = field_document()
    print_summary(document)
    shown = capsys.readouterr().out
    assert all(solver["name"] in shown for solver in document["solvers"])
