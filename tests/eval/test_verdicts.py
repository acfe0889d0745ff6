"""What may be said of a comparison, and the sentence that says it, case by case."""

from __future__ import annotations

from typing import Any

import pytest

from graphsched.eval.judging.findings import headline, policy_findings, statement
from graphsched.eval.judging.verdicts import in_a_word, tone, verdict
from graphsched.eval.judging.view import View
from tests.eval.samples import sample_document


def _case(low: float, high: float, p: float = 0.001, n: int = 12) -> dict[str, Any]:
    middle = (low + high) / 2
    return {"mean_diff": middle, "ci_low": low, "ci_high": high, "n": n, "p_holm": p}


WIN, LOSS, TIE = _case(-7.0, -3.0), _case(3.0, 7.0), _case(-1.0, 2.0, 0.4)
CASES = {
    "better": (WIN, "p beats q, a rule, by 5.0 percentage points"),
    "worse": (LOSS, "p loses to q, a rule, by 5.0 percentage points"),
    "even": (TIE, "p can't be told apart from q, a rule"),
    "maybe better": (
        _case(-7.0, -3.0, 0.05),
        "p is 5.0 percentage points ahead of q, a rule, "
        "which holds only uncorrected for the number of comparisons",
    ),
    "maybe worse": (
        _case(3.0, 7.0, 0.2),
        "p is 5.0 percentage points behind q, a rule, "
        "which holds only uncorrected for the number of comparisons",
    ),
    "few": (
        _case(-7.0, -3.0, n=9),
        "p is 5.0 percentage points ahead of q, a rule, on average, "
        "but 9 instances: too few to tell",
    ),
    "flat": (
        _case(5.0, 5.0),
        "p is 5.0 percentage points behind q, a rule, on every instance alike: "
        "no spread to judge by",
    ),
    "same": (_case(0.0, 0.0, 1.0), "p does as well as q, a rule, on every instance"),
}


def _view(comparison: dict[str, Any]) -> View:
    document = sample_document()
    pair = {"solver": "p", "baseline": "q", "group": "all", **comparison}
    return View({**document, "versus": [pair]})


@pytest.mark.parametrize("told", CASES)
def test_each_case_has_its_sentence(told: str) -> None:
    comparison, expected = CASES[told]
    assert verdict(comparison) == told
    assert statement(_view(comparison), "p", "q", "q, a rule") == expected


def test_one_instance_is_never_a_win() -> None:
    """Its interval has no width and excludes zero."""
    one = _case(-6.4, -6.4, 0.0, n=1)
    assert verdict(one) == "few"
    text = statement(_view(one), "p", "q", "q")
    assert text == (
        "p is 6.4 percentage points ahead of q, on average, but 1 instance: too few to tell"
    )
    assert statement(_view(_case(0.0, 0.0, n=1)), "p", "q", "q") == (
        "p ties with q, but 1 instance: too few to tell"
    )


@pytest.mark.parametrize(
    ("low", "high", "p", "n", "told"),
    [
        (-0.2, -0.1, 0.049, 10, "better"),
        (-0.2, -0.1, 0.051, 10, "maybe better"),
        (-0.2, -0.1, 0.049, 9, "few"),
        (0.1, 0.2, 0.049, 10, "worse"),
        (-0.1, 0.0, 0.001, 10, "even"),
        (0.0, 0.1, 0.001, 10, "even"),
    ],
)
def test_the_borders_between_verdicts(low: float, high: float, p: float, n: int, told: str) -> None:
    assert verdict(_case(low, high, p, n)) == told


def test_colours_follow_verdicts() -> None:
    assert [tone(c) for c in (WIN, LOSS, TIE)] == ["good", "bad", "even"]
    assert tone(CASES["few"][0]) == "plain"
    assert tone(CASES["maybe better"][0]) == "even"
    assert in_a_word(CASES["maybe better"][0]) == "better, uncorrected only"


def test_without_a_difference_there_is_no_verdict() -> None:
    nothing = {"mean_diff": None, "ci_low": None, "ci_high": None, "n": 0, "p_holm": None}
    assert (verdict(nothing), tone(nothing)) == ("none", "plain")
    assert statement(_view(nothing), "p", "q", "q") is None


def test_without_a_comparison_the_cost_is_the_headline() -> None:
    expected = "policy p takes 100 ms of processor time per instance"
    found = headline(View({**sample_document(), "versus": []}))
    assert (found.tone, found.text) == ("plain", expected)


def test_the_time_per_decision_is_told_where_it_is_known() -> None:
    document = sample_document()
    for summary in document["summary"]:
        summary["ms_per_decision"] = 4.0
    view = View(document)
    texts = [f.text for f in policy_findings(view, view.learned[0])]
    assert "policy p takes 100 ms of processor time per instance, 4 ms per decision" in texts


def test_without_a_policy_the_best_solver_is_named() -> None:
    document = sample_document()
    document["solvers"] = [s for s in document["solvers"] if s["kind"] == "rule"]
    found = headline(View(document))
    assert (found.tone, found.text) == ("plain", "best comes closest: mean gap 10.0%")
    for summary in document["summary"]:
        summary["mean"] = None
    assert headline(View(document)).text == "no solver has a gap to show"
