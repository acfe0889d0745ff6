"""The rival of a policy is the strongest that had no more than the policy had."""

from __future__ import annotations

from typing import Any

import pytest

from graphsched.eval.judging.rivals import described, own_search, strongest, strongest_search
from graphsched.eval.judging.view import View
from graphsched.eval.report.tables import leaders, shift_table, time_limit_table
from tests.eval.samples import FIELD, contender, document_of, field_document, row


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return field_document(suite="robustness")


def test_rivals_have_the_same_limit_and_no_more_runs(document: dict[str, Any]) -> None:
    view = View(document)
    assert strongest(view, view.facts["default"]) == "cem-linear"
    for limit in ("0.1s", "1s", "10s"):
        policy = view.facts[f"default>tabu@{limit}"]
        assert strongest(view, policy) == f"most-work>tabu@{limit}"
        assert own_search(view, policy) == f"tabu@{limit}"
    assert strongest_search(view, view.facts["default"]) == "most-work>tabu@10s"


def test_runs_allow_rivals_of_as_many_runs() -> None:
    document = field_document()
    next(s for s in document["solvers"] if s["name"] == "default")["tries"] = 128
    view = View(document)
    assert strongest(view, view.facts["default"]) == "cem-linear@64+reverse"


def test_a_rival_that_needs_less_than_the_limit_is_allowed() -> None:
    """With all searches gone, 396 ms fit a second and don't fit a tenth of one."""
    document = field_document()
    document["solvers"] = [s for s in document["solvers"] if s["kind"] in ("policy", "heuristic")]
    view = View(document)
    assert strongest(view, view.facts["default>tabu@1s"]) == "cem-linear@64+reverse"
    assert strongest(view, view.facts["default>tabu@0.1s"]) == "cem-linear"


def test_solvers_are_called_what_they_are(document: dict[str, Any]) -> None:
    view = View(document)
    policy = view.facts["default"]
    assert described(view, "cem-linear", policy) == "cem-linear, an evolved linear rule"
    assert described(view, "tabu@1s", policy) == "tabu@1s, a search"
    assert described(view, "cp-sat@1s", policy) == "cp-sat@1s, an exact solver"
    assert described(view, "cem-linear@64+reverse", policy).endswith("linear rule, 128 runs")


def test_the_table_of_limits_has_every_base_and_limit(document: dict[str, Any]) -> None:
    table = time_limit_table(View(document))
    assert table["columns"] == ["no limit", "100 ms", "1 s", "10 s"]
    assert {row["name"] for row in table["rows"]} == set(FIELD)
    best = [row["name"] for row in table["rows"] for cell in row["cells"] if cell["best"]]
    assert sorted(best) == ["default", *["default>tabu"] * 3]


def test_the_leader_of_each_limit_is_told_with_the_next(document: dict[str, Any]) -> None:
    found = {row["limit"]: row for row in leaders(View(document))}
    assert list(found) == ["no limit", "100 ms", "1 s", "10 s"]
    assert found["1 s"]["first"]["name"] == "default>tabu@1s"
    assert found["1 s"]["second"]["name"] == "most-work>tabu@1s"
    assert found["1 s"]["verdict"] == "better"


def test_a_suite_tells_where_a_policy_stops_to_help(document: dict[str, Any]) -> None:
    for item in document["versus"]:
        if item["solver"] == "default" and item["group"] == "30x20":
            item |= {"mean_diff": 2.0, "ci_low": 1.0, "ci_high": 3.0}
        if item["solver"] == "default" and item["group"] == "15x15":
            item |= {"mean_diff": 0.1, "ci_low": -1.0, "ci_high": 1.2}
    (first, *_) = shift_table(View(document))
    assert first["policy"] == "default"
    assert first["answer"] == (
        "helps at 6x6; is behind at 30x20; shows no sure difference at 15x15"
    )
    assert [row["verdict"] for row in first["rows"]] == ["better", "can't be told apart", "worse"]
    assert shift_table(View(field_document(per_group=2))) == []


def test_without_a_policy_a_suite_judges_its_first_contender() -> None:
    """An evolved rule where no policy ships; it is no rival of itself."""
    contenders = [contender("evolved", "heuristic"), contender("a", "rule"), contender("b", "rule")]
    costs = {"evolved": 104, "a": 109, "b": 106}
    rows = [row(f"g-{i}", c.name, costs[c.name] + i % 3) for c in contenders for i in range(12)]
    (part,) = shift_table(View(document_of(contenders, rows, suite="robustness")))
    assert part["policy"] == "evolved"
    assert all(found["rival"].startswith("b, a rule") for found in part["rows"])


def test_a_search_that_took_less_time_is_a_rival_of_a_policy_without_limit() -> None:
    """However many runs it made of it; one that was given more time is not."""
    contenders = [
        contender("p@128", "policy", tries=128),
        contender("r@128", "heuristic", tries=128),
        contender("t@0.1s", "search", time_limit_s=0.1),
        contender("t@1s", "search", time_limit_s=1.0),
    ]
    costs = {"p@128": 105, "r@128": 106, "t@0.1s": 103, "t@1s": 101}
    rows = [
        row(f"g-{i}", c.name, costs[c.name] + i % 3, seconds=c.time_limit_s or 0.4)
        for c in contenders
        for i in range(12)
    ]
    view = View(document_of(contenders, rows))
    assert strongest(view, view.facts["p@128"]) == "t@0.1s"
    assert strongest_search(view, view.facts["p@128"]) == "t@1s"
