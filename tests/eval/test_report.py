"""report.html is one page that needs nothing else, whatever the names in it are."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING

from graphsched.eval.document import build_document
from graphsched.eval.evaluate import evaluate
from graphsched.eval.report.page import render_report, showcase
from graphsched.eval.running.benchmark import run_benchmark
from tests.eval.samples import batching_document, entered, field_document, sample_document
from tests.eval.test_benchmark import _toy
from tests.toy_domain import DOMAIN

if TYPE_CHECKING:
    from pathlib import Path

VOID = {"meta", "br", "link", "img", "input"}


class _Balanced(HTMLParser):
    """Collects elements that are not closed in order, and every outside reference."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.faults: list[str] = []
        self.references: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)
        self.references += [v or "" for k, v in attrs if k in ("src", "href", "data", "action")]

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.faults.append(tag)


def _parsed(page: str) -> _Balanced:
    parser = _Balanced()
    parser.feed(page)
    parser.close()
    return parser


def test_the_page_is_whole_and_requests_nothing() -> None:
    page = render_report(sample_document(), {"caption": "one", "page": "<p>a picture</p>"})
    parsed = _parsed(page)
    assert (parsed.open, parsed.faults, parsed.references) == ([], [], [])
    assert not re.search(r"https?://|@import|url\(", page)
    assert "Policy p beats best, a rule, by 5.0 percentage points;" in page
    assert 'srcdoc="&lt;p&gt;a picture&lt;/p&gt;"' in page


def test_names_are_escaped_everywhere() -> None:
    text = json.dumps(sample_document()).replace("policy p", "<script>alert(1)</script>")
    page = render_report(json.loads(text))
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert _parsed(page).faults == []


def test_the_document_survives_json() -> None:
    document = sample_document()
    again = json.loads(json.dumps(document, allow_nan=False))
    assert again == document
    assert render_report(again) == render_report(document)


def test_the_document_has_the_promised_shape() -> None:
    document = sample_document()
    assert document["schema"] == 2
    row_keys = {"instance", "group", "solver", "seed", "cost", "best_known", "gap_pct", "seconds"}
    assert row_keys <= set(document["rows"][0])
    keys = {"solver", "base", "time_limit_s", "group", "n", "unit", "mean", "ci_low", "ci_high"}
    assert all(keys <= set(summary) for summary in document["summary"])
    facts = {"name", "base", "kind", "learned", "samples", "tries", "time_limit_s", "summary"}
    assert all(facts == set(solver) for solver in document["solvers"])
    pair = {"solver", "baseline", "group", "n", "unit", "mean_diff", "same_time", "p", "p_holm"}
    assert all(pair <= set(found) for found in document["versus"])
    assert {s["group"] for s in document["summary"]} == {"all", "small", "large"}


def test_a_broken_solution_is_shown_with_its_violation() -> None:
    document = sample_document()
    broken = [{"kind": "overlap", "message": "task 1 & task 2"}]
    place = {"instance": "small-0", "solver": "worst", "seed": 0}
    document["violations"] = [{**place, "violations": broken}]
    page = render_report(document)
    assert "overlap: task 1 &amp; task 2" in page
    assert '<h1 class="bad">1 solution broke the rules' in page


def test_every_section_appears_where_there_is_something_to_say() -> None:
    cost = {"core_hours": 3.5, "machine": "a laptop"}
    policies = [{"name": "default", "path": "p", "curve": [], "cost": cost}]
    titles = ("By time limit", "Who is best at each limit", "What learning costs", "stops to help")
    page = render_report(field_document(policies=policies, suite="robustness"))
    assert _parsed(page).faults == []
    assert all(title in page for title in titles)
    assert "3.5 core-hours" in page
    plain = render_report(batching_document())
    assert not any(title in plain for title in titles)
    assert "Points lost against the targets" in plain
    assert "wall-clock" not in page + plain


def test_a_training_curve_is_drawn_if_there_is_one() -> None:
    document = sample_document()
    facts = {"name": "policy p", "path": "p"}
    curve = [
        {"minutes": 0.0, "steps": 0, "gap_pct": 30.0, "best_rule_gap_pct": None},
        {"minutes": 2.0, "steps": 9, "gap_pct": 9.0, "best_rule_gap_pct": 12.0},
    ]
    document["policies"] = [{**facts, "curve": curve}]
    assert "How policy p learned" in render_report(document)
    document["policies"] = [{**facts, "curve": []}]
    assert "How policy p learned" not in render_report(document)


def test_one_solver_on_one_instance_makes_a_report_too(tmp_path: Path) -> None:
    contenders = entered(["first"])
    document = evaluate(DOMAIN, [_toy()], contenders, out=tmp_path)
    assert json.loads((tmp_path / "report.json").read_text()) == document
    page = (tmp_path / "report.html").read_text()
    assert _parsed(page).faults == []
    assert sorted(p.name for p in tmp_path.iterdir()) == ["report.html", "report.json"]


def test_the_showcase_is_a_solution_of_the_first_shown_solver() -> None:
    contenders = entered(["rules"])
    result = run_benchmark(DOMAIN, [_toy()], contenders, keep=["first"])
    shown = showcase(DOMAIN, result, build_document(DOMAIN, result, contenders))
    assert shown is not None
    assert shown["caption"].startswith("toy solved by first")
    assert "<" in shown["page"]
