"""Gantt charts of plans and streams show every task on its PE, and every transfer."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from graphsched.envs.core.specs import parse_instance
from graphsched.envs.soc import DOMAIN
from graphsched.envs.soc.render import _chart, _rows_of, render_html, render_text


@pytest.fixture(scope="module")
def plan() -> Any:
    instance = parse_instance(DOMAIN, "canonical")
    return instance, DOMAIN.baseline("heft")(instance)


def test_a_plan_has_a_bar_for_each_task_and_a_line_for_each_transfer(plan: Any) -> None:
    instance, solution = plan
    chart = _chart(instance, solution)
    assert [bar.begin for bar in chart.bars] == sorted(solution.start.tolist())
    pe = dict(zip(solution.task.tolist(), solution.pe.tolist(), strict=True))
    assert {bar.group: bar.row for bar in chart.bars} == pe  # a colour for each task
    job = instance.jobs[0]
    assert {bar.label for bar in chart.bars} == set(job.task_names)
    assert len(chart.links) == sum(pe[j] != pe[i] for j, i in job.edge.T.tolist())
    assert all(link.begin <= link.end for link in chart.links)
    assert [mark.words for mark in chart.marks] == ["lower bound 41", "makespan 80"]
    assert render_text(instance, solution).startswith("top: makespan 80\np0 |")


def test_a_stream_has_a_colour_for_each_job() -> None:
    instance = parse_instance(DOMAIN, "ds3gym:seed=1")
    solution = DOMAIN.baseline("etf")(instance)
    chart = _chart(instance, solution)
    assert Counter(bar.group for bar in chart.bars) == Counter(solution.job.tolist())
    assert len(chart.groups) == len(solution.kind)
    assert "jobs completed" in chart.summary
    assert chart.marks == ()


def test_a_pe_has_a_row_for_each_task_that_it_runs_at_once(plan: Any) -> None:
    start, end = np.array([3.0, 0.0, 0.0, 1.0, 4.0]), np.array([5.0, 3.0, 2.0, 9.0, 6.0])
    solution: Any = SimpleNamespace(pe=np.array([1, 1, 1, 0, 1]), start=start, end=end)
    assert _rows_of(solution, 1, 7, 2) == {1: 7, 2: 8, 0: 7, 4: 8}
    instance, planned = plan
    platform = replace(instance.platform, capacity=np.array([1, 3, 2]))
    rows = _chart(replace(instance, platform=platform), planned).rows
    assert rows == ("p0", "p1 0", "p1 1", "p1 2", "p2 0", "p2 1")


def test_names_of_tasks_are_text(plan: Any) -> None:
    instance, solution = plan
    names = tuple(f"<script>{k}" for k in range(instance.jobs[0].num_tasks))
    evil = replace(instance, jobs=(replace(instance.jobs[0], task_names=names),))
    page = render_html(evil, solution)
    assert "<script>0" not in page
    assert "&lt;script&gt;0 (job 0)" in page
