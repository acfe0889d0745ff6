"""Gantt charts show every operation in its place, at every size, and load nothing from outside."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from PIL import Image

from graphsched.envs.jobshop.generators import irregular, uniform
from graphsched.envs.jobshop.instance import JobShopInstance
from graphsched.envs.jobshop.render import render_html, render_png, render_rgb, render_text
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


def test_png_is_a_picture_of_the_same_size() -> None:
    image = Image.open(io.BytesIO(render_png(INSTANCE, SOLUTION)))
    assert (image.height, image.width) == render_rgb(INSTANCE, SOLUTION).shape[:2]


def _bars(page: str) -> dict[str, ET.Element]:
    svg = ET.fromstring(page[page.index("<svg") : page.index("</svg>") + 6])
    groups = [g for g in svg.iter("g") if (g.get("class") or "").startswith("bar ")]
    return {g.get("data-o", ""): g for g in groups}


def test_html_draws_every_operation_in_place() -> None:
    bars = _bars(render_html(INSTANCE, SOLUTION))
    assert set(bars) == {"0,0,0,0,2", "0,1,1,2,6", "1,0,1,0,2", "1,1,0,4,8"}
    first, last = (bars[key].find("rect") for key in ("0,0,0,0,2", "1,1,0,4,8"))
    assert first is not None
    assert last is not None
    assert float(last.get("width", 0)) == pytest.approx(2 * float(first.get("width", 0)), abs=0.2)
    assert first.get("y") == last.get("y")


def test_html_needs_nothing_from_outside(serial: Serial) -> None:
    instance = uniform(np.random.default_rng(0), "100x20")
    page = render_html(instance, serial(instance, [0, 7, 3, 30]))
    assert len(_bars(page)) == 2000
    assert not re.search(r"https?:|//[a-z]|@import|\bsrc=|<link", page)
    assert re.findall(r"url\(([^)]*)\)", page) == ["#plot"]
    assert not re.search(r"\$[a-z]", page)  # every placeholder is filled in


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
