"""Who wins is decided by the interval alone, and a sentence appears only where it is true."""

from __future__ import annotations

from typing import Any

import pytest

from graphsched.eval.findings import Finding, headline, policy_findings, verdict
from graphsched.eval.view import View
from tests.eval.samples import sample_document


def _findings(document: dict[str, Any]) -> list[Finding]:
    view = View(document)
    return policy_findings(view, view.of_kind("policy")[0])


def _texts(document: dict[str, Any]) -> list[str]:
    return [finding.text for finding in _findings(document)]


@pytest.mark.parametrize(
    ("low", "high", "tone"),
    [
        (-0.2, -0.1, "good"),
        (0.1, 0.2, "bad"),
        (-0.1, 0.1, "even"),
        (-0.1, 0.0, "even"),
        (0.0, 0.1, "even"),
    ],
)
def test_the_interval_decides(low: float, high: float, tone: str) -> None:
    assert verdict({"mean_diff_pct": 0.5, "ci_low": low, "ci_high": high}) == tone


def test_without_a_difference_there_is_no_verdict() -> None:
    assert verdict({"mean_diff_pct": None, "ci_low": None, "ci_high": None}) == "plain"


def test_without_a_comparison_the_cost_is_the_headline() -> None:
    document = sample_document()
    document["versus"] = []
    found = headline(View(document))
    assert (found.tone, found.text) == ("plain", "policy p takes 100 ms per instance")
    document = sample_document()
    for comparison in document["versus"]:
        comparison["mean_diff_pct"] = None
    assert headline(View(document)).text == "policy p takes 100 ms per instance"


def test_the_numbers_behind_a_sentence_are_its_own() -> None:
    document = sample_document(5, 10)
    for comparison in document["versus"]:
        comparison |= {"ci_low": -7.0, "ci_high": -4.0}
    assert headline(View(document)).detail == (
        "mean gap 5.0% against 10.0% on 12 instances; difference -5.0 points, "
        "95% interval -7.0 to -4.0; 12 won, 0 tied, 0 lost"
    )


@pytest.mark.parametrize(("policy", "rule", "told"), [(1, 8, True), (8, 1, True), (1, 1, False)])
def test_unequal_numbers_of_runs_are_told(policy: int, rule: int, told: bool) -> None:
    document = sample_document()
    for solver in document["solvers"]:
        solver["samples"] = {"policy": policy, "rule": rule}.get(solver["kind"], 1)
    text = _texts(document)[0]
    assert (f", {rule} run" in text) == told


def test_a_rule_that_is_worse_is_not_ahead() -> None:
    assert not any("is behind" in text for text in _texts(sample_document(9.5, 10.0)))
    assert not any("is behind" in text for text in _texts(sample_document(9.5, 9.5, spread=0.0)))
    behind = next(text for text in _texts(sample_document(10.5, 10.0)) if "is behind" in text)
    assert behind == (
        "policy p is behind a heuristic at small (best is 0.50 points better), "
        "large (best is 0.50 points better)"
    )


def test_groups_without_a_difference_are_not_weak() -> None:
    document = sample_document(12.0, 10.0)
    for comparison in document["versus"]:
        if comparison["group"] != "all":
            comparison["mean_diff_pct"] = None
    assert not any("is behind" in text for text in _texts(document))


@pytest.mark.parametrize(("samples", "named"), [(1, True), (2, False)])
def test_heuristics_are_compared_at_equal_numbers_of_runs(samples: int, named: bool) -> None:
    document = sample_document()
    for solver in document["solvers"]:
        if solver["name"] == "worst":
            solver |= {"kind": "heuristic", "samples": samples}
    assert ("policy p beats worst by 25.0 points" in _texts(document)) == named


def test_the_time_per_decision_is_told_where_it_is_known() -> None:
    document = sample_document()
    for summary in document["summary"]:
        summary["ms_per_decision"] = 4.0
    assert "policy p takes 100 ms per instance, 4 ms per decision" in _texts(document)


def test_without_a_policy_the_best_solver_is_named() -> None:
    document = sample_document()
    document["solvers"] = [s for s in document["solvers"] if s["kind"] == "rule"]
    found = headline(View(document))
    assert (found.tone, found.text) == ("plain", "best comes closest: 10.0% mean gap")
    for summary in document["summary"]:
        summary["mean_gap_pct"] = None
    assert headline(View(document)).text == "no solver has a gap to show"
