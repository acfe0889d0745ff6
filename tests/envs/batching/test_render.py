"""Time-lines of a log show when each request was queued, computed and answered."""

from __future__ import annotations

import json
from typing import Any

import pytest

from graphsched.envs.batching import DOMAIN
from graphsched.envs.batching.render import _chart, chrome_trace, render_html, render_text
from graphsched.envs.core.specs import parse_instance


@pytest.fixture(scope="module")
def served() -> Any:
    instance = parse_instance(DOMAIN, "random:150@4:seed=3")
    return instance, DOMAIN.baseline("vllm-v1")(instance)


def test_a_request_has_a_row_with_its_phases_one_after_the_other(served: Any) -> None:
    instance, solution = served
    chart = _chart(instance, solution)
    assert len(chart.bars) == 3 * len(chart.rows) == 3 * 150
    for k, name in enumerate(chart.rows):
        bars = chart.bars[3 * k : 3 * k + 3]
        assert name == f"{k} on {solution.home[k]}"
        assert [bar.row for bar in bars] == [k] * 3
        assert [bar.group for bar in bars] == [0, 1, 2]
        assert bars[0].end == bars[1].begin <= bars[1].end == bars[2].begin <= bars[2].end
    assert chart.span == pytest.approx(solution.end_s.max())


def test_pictures_tell_cost_measures_and_what_is_left_out(served: Any) -> None:
    instance, solution = served
    lines = render_text(instance, solution).splitlines()
    assert lines[0].startswith(f"{instance.name}: cost {solution.cost:.3f}, ")
    assert lines[-2:] == ["30 more rows, 90 more bars", "- queued  # prompt  = output  . paused"]
    page = render_html(instance, solution)
    assert page.count('class="bar ') == 450
    for name in DOMAIN.metrics(instance, solution) if DOMAIN.metrics else ():
        assert f"<span>{name} <b>" in page
    assert page.count("<button data-group=") == 4


def test_a_trace_has_the_same_phases_and_all_iterations(served: Any) -> None:
    instance, solution = served
    events = json.loads(chrome_trace(instance, solution))["traceEvents"]
    bars = [event for event in events if event["ph"] == "X"]
    assert len(events) - len(bars) == len(instance.replicas)
    assert len(bars) == len(solution.begin_s) + 3 * 150
    chart = _chart(instance, solution)
    found = [(e["tid"] - 1, e["ts"] / 1e6, e["dur"] / 1e6) for e in bars if e["tid"]]
    for (row, begin, length), bar in zip(found, chart.bars, strict=True):
        assert row == bar.row
        assert (begin, length) == pytest.approx((bar.begin, bar.end - bar.begin))
