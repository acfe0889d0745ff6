"""The answer on top of a report says who wins, and as plainly who loses."""

from __future__ import annotations

from graphsched.eval.findings import headline, policy_findings, reference_note
from graphsched.eval.view import View, typical_instance
from tests.eval.samples import sample_document, timed_document


def test_a_clear_win_is_called_one() -> None:
    found = headline(View(sample_document(5, 10)))
    assert found.tone == "good"
    assert found.text == "policy p beats the best rule (best) by 5.0 points"
    assert "12 won, 0 tied, 0 lost" in found.detail


def test_a_loss_is_called_one() -> None:
    view = View(sample_document(12, 10))
    found = headline(view)
    assert (found.tone, found.text) == (
        "bad",
        "policy p loses to the best rule (best) by 2.0 points",
    )
    texts = [f.text for f in policy_findings(view, view.of_kind("policy")[0])]
    assert any(text.startswith("policy p is behind a heuristic at small") for text in texts)


def test_a_difference_within_the_noise_is_not_a_win() -> None:
    found = headline(View(sample_document(10.0, 10.0, spread=2.0)))
    assert (found.tone, found.text) == (
        "even",
        "policy p can't be told apart from the best rule (best)",
    )


def test_broken_rules_come_before_everything() -> None:
    document = sample_document()
    document["violations"] = [{"instance": "a", "solver": "s", "seed": 0, "violations": []}]
    assert headline(View(document)).text == "1 solution broke the rules of the problem"


def test_the_reference_of_gaps_is_told() -> None:
    document = {**sample_document(), "gap_reference": {"best_known": 3, "lower_bound": 1}}
    note = reference_note(View(document))
    assert "best known value on 3 instances" in note
    assert "lower bound" in note


def test_the_typical_instance_has_the_median_lead() -> None:
    document = sample_document()
    for row in document["rows"]:
        if row["solver"] == "policy p":
            row["gap_pct"] = {"small-0": -90.0, "large-5": 9.0}.get(row["instance"], 0.0)
    assert typical_instance(View(document), "policy p", None) not in ("small-0", "large-5")


def test_in_the_same_time_the_strongest_rival_is_named_whatever_it_is() -> None:
    """A policy that loses to a search says so on top, not only what it costs."""
    found = headline(View(timed_document(tabu_gap=2.0)))
    assert found.tone == "bad"
    assert found.text == (
        "policy p@1s loses to the strongest rival in the same time (tabu@1s) by 3.0 points"
    )


def test_a_difference_that_is_the_same_everywhere_is_no_verdict() -> None:
    """An interval without width holds no evidence, however many instances there are."""
    found = headline(View(timed_document(tabu_gap=5.0, spread=0.0)))
    assert (found.tone, found.text) == (
        "even",
        "policy p@1s can't be told apart from the strongest rival in the same time (tabu@1s)",
    )
    assert "interval" not in found.detail
