"""The answer on top of a report says who wins, and as plainly who loses."""

from __future__ import annotations

from typing import Any

from graphsched.eval.judging.findings import headline, policy_findings, reference_note
from graphsched.eval.judging.view import View, typical_instance
from tests.eval.samples import (
    batching_document,
    contender,
    document_of,
    field_document,
    row,
    sample_document,
)


def _texts(document: dict[str, Any], policy: str) -> list[str]:
    view = View(document)
    return [finding.text for finding in policy_findings(view, view.facts[policy])]


def test_a_clear_win_is_called_one_and_the_search_is_named_beside_it() -> None:
    found = headline(View(sample_document(5, 10)))
    assert found.tone == "good"
    assert found.text == (
        "policy p beats best, a rule, by 5.0 percentage points; the strongest search, cp@10s "
        "(an exact solver), reaches 8.0% in 10 s where policy p reaches 5.0% in 100 ms"
    )
    assert found.detail.startswith("mean gap 5.0% in 100 ms against 10.0% in 200 ms on 12 inst")
    assert found.detail.endswith("12 won, 0 tied, 0 lost")


def test_a_loss_is_called_one() -> None:
    document = sample_document(12, 10)
    found = headline(View(document))
    assert found.tone == "bad"
    assert found.text.startswith("policy p loses to best, a rule, by 2.0 percentage points;")
    assert _texts(document, "policy p")[-1] == (
        "policy p is behind its strongest rival at "
        "small (best by 2.0 percentage points, 6 instances: too few to tell), "
        "large (best by 2.0 percentage points, 6 instances: too few to tell)"
    )


def test_a_difference_within_the_noise_is_not_a_win() -> None:
    found = headline(View(sample_document(10.0, 10.0, spread=2.0)))
    assert found.tone == "even"
    assert found.text.startswith("policy p can't be told apart from best, a rule;")


def test_evolved_rules_are_rivals_and_called_what_they_are() -> None:
    """The best rule is far behind the evolved one, which is the one to beat."""
    text = headline(View(field_document())).text
    assert text.startswith("default beats cem-linear, an evolved linear rule, by 3.7 percentage")
    assert "the strongest search, most-work>tabu@10s, reaches 1.3% in 10 s" in text


def test_a_policy_in_front_of_a_search_is_judged_by_that_search() -> None:
    texts = _texts(field_document(), "default>tabu@1s")
    assert texts[0].startswith("default>tabu@1s beats most-work>tabu@1s, a search, by 0.81 perc")
    assert any(t.startswith("default>tabu@1s beats tabu@1s, a search, by") for t in texts)
    assert not any("@10s" in text or "@0.1s" in text for text in texts)


def test_one_instance_decides_nothing() -> None:
    contenders = [contender("p", "policy"), contender("r", "rule")]
    found = headline(View(document_of(contenders, [row("a", "p", 103), row("a", "r", 110)])))
    assert (found.tone, found.text) == (
        "plain",
        "p is 7.0 percentage points ahead of r, a rule, on average, "
        "but 1 instance: too few to tell",
    )
    assert "interval" not in found.detail


def test_points_are_called_points() -> None:
    found = headline(View(batching_document()))
    assert found.text == "default beats fcfs, a rule, by 3.2 points"
    assert found.detail.startswith("mean 5.6 points in 100 ms against 8.8 points in 100 ms on 16")
    assert "%" not in (found.text + found.detail).replace("95% interval", "")


def test_a_rival_of_more_runs_says_so_where_there_is_no_other() -> None:
    contenders = [contender("p", "policy"), contender("r@64", "rule", tries=64)]
    rows = [row(f"a-{i}", c.name, 101 + i + k) for k, c in enumerate(contenders) for i in range(12)]
    rows[0] = row("a-0", "p", 101.5)
    assert "r@64, a rule, 64 runs, by" in headline(View(document_of(contenders, rows))).text


def test_training_is_told_with_what_it_gains() -> None:
    cost = {"core_hours": 3.5, "machine": "a laptop"}
    policies = [{"name": "default", "path": "p", "curve": [], "cost": cost}]
    document = field_document(policies=policies)
    assert (
        "its training took 3.5 core-hours; most-work>tabu needs at most 100 ms to be as good, "
        "so it pays back after at least 160,000 instances"
    ) in _texts(document, "default")
    assert (
        "its training took 3.5 core-hours; no rival is as good, not even most-work>tabu after 10 s"
    ) in _texts(document, "default>tabu@10s")


def test_what_a_policy_was_not_fitted_to_is_told() -> None:
    contenders = [contender("policy p", "policy"), contender("best", "rule")]
    for group, expected in ((40.0, "most often at large (40%)"), (0.1, None)):
        rows = [row(f"small-{i}", "policy p", 105, outside_pct=0.1) for i in range(3)]
        rows += [row(f"large-{i}", "policy p", 105, outside_pct=group) for i in range(3)]
        rows += [row(f"{g}-{i}", "best", 110) for g in ("small", "large") for i in range(3)]
        texts = [t for t in _texts(document_of(contenders, rows), "policy p") if "outside" in t]
        assert len(texts) == (expected is not None)
        if expected is not None:
            assert expected in texts[0]
            assert "clipped, in 20% of its decisions" in texts[0]


def test_broken_rules_come_before_everything() -> None:
    document = sample_document()
    document["violations"] = [{"instance": "a", "solver": "s", "seed": 0, "violations": []}]
    assert headline(View(document)).text == "1 solution broke the rules of the problem"


def test_the_reference_of_gaps_is_told() -> None:
    document = {**sample_document(), "gap_reference": {"best_known": 3, "lower_bound": 1}}
    note = reference_note(View(document))
    assert "best known value on 3 instances" in note
    assert "lower bound" in note
    assert reference_note(View(batching_document())).startswith("Costs are shown as they are, poi")


def test_the_typical_instance_has_the_median_lead() -> None:
    document = sample_document()
    for found in document["rows"]:
        if found["solver"] == "policy p":
            found["gap_pct"] = {"small-0": -90.0, "large-5": 9.0}.get(found["instance"], 0.0)
    assert typical_instance(View(document), "policy p", None) not in ("small-0", "large-5")
