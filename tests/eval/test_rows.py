"""Gaps are measured against the best reference that there is."""

from dataclasses import replace

import pytest

from graphsched.eval.running.rows import with_gaps
from tests.eval.samples import row


def test_the_best_known_value_is_the_first_choice() -> None:
    (found,) = with_gaps([row("a", "x", 110)])
    assert (found.gap_reference, round(found.gap_pct or 0, 9)) == ("best_known", 10.0)


def test_the_lower_bound_is_the_second_choice() -> None:
    (found,) = with_gaps([row("a", "x", 60, best_known=None)])
    assert (found.gap_reference, round(found.gap_pct or 0, 9)) == ("lower_bound", 20.0)


def test_the_best_feasible_cost_of_the_run_is_the_last_choice() -> None:
    nothing = {"best_known": None, "lower_bound": 0.0}
    rows = [row("a", "x", 50, **nothing), row("a", "y", 40, **nothing)]
    cheat = row("a", "z", 1, feasible=False, **nothing)
    found = with_gaps([*rows, cheat])
    assert [r.gap_reference for r in found] == ["best_found", "best_found", None]
    assert [r.gap_pct for r in found] == [25.0, 0.0, None]


def test_a_cost_of_zero_is_no_reference() -> None:
    (found,) = with_gaps([row("a", "x", 0, best_known=0.0, lower_bound=0.0)])
    assert found.gap_pct is None


def test_gaps_can_be_measured_against_a_solver() -> None:
    """Its mean cost over seeds is the reference, whatever bounds there are."""
    rows = [row("a", "x", 110), row("a", "y", 100), replace(row("a", "y", 120), seed=1)]
    found = with_gaps(rows, "y")
    assert [r.gap_pct for r in found] == pytest.approx([0.0, -100 / 11, 100 / 11])
    assert {r.gap_reference for r in found} == {"y"}
    assert with_gaps([row("b", "x", 5)], "y")[0].gap_pct is None
