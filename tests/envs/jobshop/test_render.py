"""Gantt charts show every operation in its place, at every size, and load nothing from outside."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from graphsched.envs.jobshop.bounds import lower_bound
from graphsched.envs.jobshop.generators import irregular, uniform
from graphsched.envs.jobshop.instance import JobShopInstance
from graphsched.envs.jobshop.render import render_html, render_rgb, render_text
from graphsched.envs.jobshop.solution import JobShopSolution

Serial = Callable[[JobShopInstance, Sequence[int]], JobShopSolution]
INSTANCE = JobShopInstance.from_jobs("two", [[(0, 2), (1, 4)], [(1, 2), (0, 4)]])
SOLUTION = JobShopSolution.from_starts(INSTANCE, np.array([0, 2, 0, 4]))


def test_text_shows_who_runs_when() -> None:
    title, first, second, axis = render_text(INSTANCE, SOLUTION).splitlines()
    assert title == "two: makespan 8, lower bound 6, 2 jobs, 2 machines"
    assert re.fullmatch(r"machine 0 \|0{22}\.{22}1{44}\|", first)
    assert re.fullmatch(r"machine 1 \|1{22}0{44}\.{22}\|", second)
    assert axis.split() == ["0", "4", "8"]


@pytest.mark.parametrize("size", ["1x1", "6x6", "70x20", "5x120"])
def test_text_fits_a_hundred_columns(serial: Serial, size: str) -> None:
    instance = uniform(np.random.default_rng(0), size)
    lines = render_text(instance, serial(instance, [0])).splitlines()
    assert max(map(len, lines)) <= 100
    assert sum(line.lstrip().startswith("machine ") for line in lines) == instance.num_machines
    assert ("share a symbol" in lines[-1]) == (instance.num_jobs > 62)


def test_pixels_show_the_bars() -> None:
    pixels = render_rgb(INSTANCE, SOLUTION)
    assert pixels.dtype == np.uint8
    assert pixels.ndim == 3
    assert pixels.shape[2] == 3
    colors, counts = np.unique(pixels.reshape(-1, 3), axis=0, return_counts=True)
    gray = np.ptp(colors.astype(int), axis=1) < 10
    assert (counts[~gray] > 5000).sum() == 2  # two jobs, two colours, large areas


def _bars(page: str) -> dict[str, ET.Element]:
    svg = ET.fromstring(page[page.index("<svg") : page.index("</svg>") + 6])
    groups = [g for g in svg.iter("g") if (g.get("class") or "").startswith("bar ")]
    return {g.get("data-words", "") + ", " + g.get("data-at", ""): g for g in groups}


def test_html_draws_every_operation_in_place() -> None:
    bars = _bars(render_html(INSTANCE, SOLUTION))
    assert sorted(bars) == [
        "job 0, operation 0 of 0–1, machine 0, 0,2",
        "job 0, operation 1 of 0–1, machine 1, 2,6",
        "job 1, operation 0 of 0–1, machine 1, 0,2",
        "job 1, operation 1 of 0–1, machine 0, 4,8",
    ]
    first, last = (bars[key].find("rect") for key in (min(bars), max(bars)))
    assert first is not None
    assert last is not None
    assert float(last.get("width", 0)) == pytest.approx(2 * float(first.get("width", 0)), abs=0.2)
    assert first.get("y") == last.get("y")


def test_html_tells_makespan_and_bound(serial: Serial) -> None:
    instance = uniform(np.random.default_rng(0), "100x20")
    solution = serial(instance, [0, 7, 3, 30])
    page = render_html(instance, solution)
    assert len(_bars(page)) == 2000
    assert page.count('<g class="mark bound"') == page.count('<g class="mark end"') == 1
    assert f">makespan {solution.makespan}</text>" in page
    assert f">lower bound {lower_bound(instance):.0f}</text>" in page
    assert "<span>jobs × machines <b>100 × 20</b></span>" in page
    assert page.count("<button data-group=") == 100


def test_html_escapes_names() -> None:
    page = render_html(replace(INSTANCE, name="<script>alert(1)</script>"), SOLUTION)
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_degenerate_schedules_can_be_drawn(serial: Serial) -> None:
    nothing = JobShopInstance.from_jobs("nothing", [[(0, 0)]], num_machines=2)
    shop = irregular(np.random.default_rng(5))
    for instance in (nothing, shop):
        solution = serial(instance, [0])
        assert str(solution.makespan) in render_text(instance, solution)
        assert render_rgb(instance, solution).size
        assert len(_bars(render_html(instance, solution))) == instance.num_operations
