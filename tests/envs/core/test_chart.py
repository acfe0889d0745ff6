"""A chart shows every bar in its place, at every size, and no name can do harm."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from html.parser import HTMLParser
from itertools import groupby, pairwise
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphsched.envs.core import extras
from graphsched.envs.core.errors import InputError
from graphsched.envs.core.parts import chart
from graphsched.envs.core.parts.chart import Bar, Chart, Link, Mark, palette
from graphsched.envs.core.parts.chart.model import MOST_BARS

EVIL = '"><script>alert("x")</script>\n<b onclick=\'y\'> $name $\\frac ${svg} \ud800'
DRAWERS = (chart.text, chart.rgb, chart.html)


def _chart(bars: list[Bar], rows: int = 2, **rest: Any) -> Chart:
    names = tuple(f"row {k}" for k in range(rows))
    groups = palette(f"job {j}" for j in range(1 + max((bar.group for bar in bars), default=0)))
    fixed: dict[str, Any] = {"name": "n", "summary": "s", "axis": "time", "kind": "job"}
    return Chart(**{**fixed, "bars": tuple(bars), "groups": groups, "rows": names, **rest})


def _rects(page: str) -> list[tuple[float, float, float, float]]:
    """x, y, width and height of each bar of a page."""
    svg = ET.fromstring(page[page.index("<svg") : page.index("</svg>") + 6])
    out = []
    for group in svg.iter("g"):
        if (group.get("class") or "").startswith("bar "):
            rect = next(group.iter("rect"))
            x, y, width, height = (float(rect.get(k, -1)) for k in ("x", "y", "width", "height"))
            out.append((x, y, width, height))
    return out


@st.composite
def _one_row(draw: st.DrawFn) -> list[Bar]:
    """Bars in a row, one after the other, some without length."""
    gaps = draw(st.lists(st.floats(0, 50), min_size=2, max_size=40))
    times = np.cumsum(gaps).tolist()
    return [Bar(0, a, b, k) for k, (a, b) in enumerate(zip(times[::2], times[1::2], strict=False))]


def test_a_small_chart_in_text() -> None:
    bars = [Bar(0, 0, 4, 0), Bar(0, 6, 12, 1), Bar(1, 5, 5, 2)]
    assert chart.text(_chart(bars, note="later: more"), 31).splitlines() == [
        "n: s",
        "row 0 |00000000...111111111111|",
        "row 1 |.........2.............|",
        "       0          6          12",
        "later: more",
    ]


def test_a_small_map_in_text() -> None:
    """Addresses go up; a box that is nowhere in the middle of a place is shown still."""
    bars = [
        Bar(0, 0, 4, 0, height=0.5),
        Bar(0.5, 2, 6, 1, height=0.25),
        Bar(0.9, 5, 5, 2, height=0),
    ]
    lines = chart.text(_chart(bars, 0, top="8 B", groups=palette("abc")), 26).splitlines()
    assert lines[1:-2] == [
        "8 B |....................|",
        "    |................2...|",
        *["    |....................|"] * 3,
        *["    |.......1111111111111|"] * 5,
        *["    |0000000000000.......|"] * 9,
        "  0 |0000000000000.......|",
    ]
    assert lines[-2:] == ["     0         3         6", "0 a  1 b  2 c"]


def test_short_bars_take_places_of_those_that_have_others() -> None:
    """The first one has one place only and keeps it, and the last one is at the very end."""
    bars = [Bar(0, 0.2, 0.8, 0), Bar(0, 0.9, 0.95, 1), Bar(0, 6, 12, 2), Bar(0, 12, 12, 3)]
    assert chart.text(_chart(bars, 1), 20).splitlines()[1] == "row 0 |0.....222223|"


@given(_one_row(), st.integers(40, 120))
def test_bars_of_a_row_are_in_order_in_text(bars: list[Bar], width: int) -> None:
    """The symbols of a row come in the order of its bars, and a bar of a column is there."""
    picture = _chart(bars, 1)
    line = chart.text(picture, width).splitlines()[1]
    assert len(line) == width
    cells = line[line.index("|") + 1 : -1]
    seen = [symbol for symbol, _ in groupby(cells) if symbol != "."]
    order = [group.symbol for group in palette("x" * len(bars))]
    assert seen == [symbol for symbol in order if symbol in seen]
    column = 1.001 * picture.span / len(cells)
    long = {order[k] for k, bar in enumerate(bars) if bar.end - bar.begin > column}
    assert long <= set(seen)


@given(_one_row())
def test_bars_of_a_page_are_in_order_and_inside(bars: list[Bar]) -> None:
    picture = _chart(bars, 1, marks=(Mark(bars[-1].end, "end"),))
    page = chart.html(picture)
    left, right = (int(re.findall(rf'data-{side}="(\d+)"', page)[0]) for side in ("left", "right"))
    rects = _rects(page)
    assert len(rects) == len(bars)
    assert all(a[0] <= b[0] for a, b in pairwise(rects))
    scale = (1200 - left - right) / picture.span
    for (x, y, width, height), bar in zip(rects, bars, strict=True):
        assert x == pytest.approx(left + bar.begin * scale, abs=0.06)
        assert width == pytest.approx(max((bar.end - bar.begin) * scale, 1), abs=0.06)
        assert x + width <= 1200 - right + 1.2
        assert y > 0
        assert height > 0


def test_boxes_of_a_map_are_as_high_as_their_share() -> None:
    bars = [Bar(0.0, 0, 1, 0, height=0.25), Bar(0.25, 0, 1, 1, height=0.75)]
    low, high = _rects(chart.html(_chart(bars, 0, top="8 B", load=(1.0,))))
    assert high[3] == pytest.approx(3 * low[3], abs=0.2)
    assert high[1] + high[3] == pytest.approx(low[1], abs=0.2)  # above, and y goes down


@pytest.mark.parametrize("rows", [0, 3])
@pytest.mark.parametrize("draw", DRAWERS)
def test_an_empty_chart_can_be_drawn(draw: Any, rows: int) -> None:
    assert len(draw(_chart([], rows)))
    assert len(draw(_chart([], 0, top="1 B", load=(0.0,))))
    assert len(draw(_chart([], rows, groups=())))


def test_a_bar_without_length_is_seen() -> None:
    picture = _chart([Bar(0, 1, 1, 0), Bar(1, 0, 2, 1)])
    assert chart.text(picture).splitlines()[1].count("0") == 2  # one of them in "row 0"
    assert min(rect[2] for rect in _rects(chart.html(picture))) == 1.0
    with_it, without = chart.rgb(picture), chart.rgb(_chart([Bar(1, 0, 2, 1)]))
    assert np.any(with_it.astype(int) - without, axis=2).sum() > 10


def _found(pixels: Any, group: int) -> Any:
    """Lines of all pixels of a group's colour."""
    color = palette("xx")[group].color
    return np.nonzero(np.all(pixels == [*bytes.fromhex(color[1:])], axis=2))[0]


def test_pixels_show_bars_marks_and_links() -> None:
    """Everything that a chart has changes the picture."""
    bars = [Bar(0, 0, 4, 0), Bar(1, 5, 8, 1)]
    least = chart.rgb(_chart(bars))
    assert least.dtype == np.uint8
    assert least.ndim == 3
    upper, lower = (_found(least, k) for k in (0, 1))
    assert min(upper.size, lower.size) > 1000
    assert np.median(upper) < np.median(lower)
    boxes = [Bar(0, 0, 1, 0, height=0.3), Bar(0.5, 0, 1, 1, height=0.3)]
    drawn = chart.rgb(_chart(boxes, 0, top="8 B", load=(0.6,)))
    assert np.median(_found(drawn, 1)) < np.median(_found(drawn, 0))  # addresses go up
    for more in ({"marks": (Mark(3, "m"),)}, {"links": (Link(4, 0, 5, 1),)}, {"note": "more"}):
        assert np.any(chart.rgb(_chart(bars, **more)) != least)
    assert np.any(chart.rgb(_chart([bar._replace(label="a") for bar in bars])) != least)


def test_many_bars_take_bounded_time_and_size() -> None:
    bars = [Bar(k % 50, k, k + 40, k % 300, f"{k}", f"bar {k}") for k in range(3 * MOST_BARS)]
    links = tuple(Link(k, k % 50, k + 1, (k + 1) % 50) for k in range(3 * MOST_BARS))
    began = time.process_time()
    picture = _chart(bars, 50, links=links)
    assert picture.limited().span == picture.span == bars[-1].end
    page = chart.html(picture)
    assert len(page) < 5e6
    assert len(_rects(page)) == page.count("<line x1") == MOST_BARS
    assert f"{2 * MOST_BARS} more bars, {2 * MOST_BARS} more links" in page
    assert chart.rgb(picture).size < 2e7
    assert len(chart.text(picture)) < 6000
    assert time.process_time() - began < 30


def test_pixels_without_matplotlib_are_refused_in_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda _module: None)
    with pytest.raises(InputError, match=r"pixels.*graphsched\[report\]"):
        chart.rgb(_chart([]))


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}


def _named(name: str) -> Chart:
    """A chart in which everything has the same name."""
    bars = [Bar(0, 0, 5, 0, name, name), Bar(1, 5, 9, 1, name, name)]
    words: dict[str, Any] = dict.fromkeys(("name", "summary", "axis", "kind", "note"), name)
    words |= {"rows": (name, name), "groups": palette([name, name]), "facts": ((name, name),)}
    return replace(_chart(bars), **words, marks=(Mark(3, name, is_bound=True), Mark(9, name)))


def test_names_are_text_and_never_markup() -> None:
    evil, tame = _Tags(), _Tags()
    page = chart.html(_named(EVIL))
    evil.feed(page)
    tame.feed(chart.html(_named("name")))
    assert evil.tags == tame.tags
    assert evil.attributes == tame.attributes
    assert page.count("&lt;script&gt;alert") >= 10
    assert page.encode()
    assert "$name" in page


@pytest.mark.parametrize("name", [EVIL, "x" * 100_000, "a\nb\n" * 50])
def test_names_of_any_kind_and_length(name: str) -> None:
    """They neither widen a text nor add lines to it, nor stop any drawer."""
    lines = chart.text(_named(name)).split("\n")
    assert max(map(len, lines)) <= 100
    assert len(lines) == 6  # title, two rows, axis, note and legend
    assert chart.rgb(_named(name)).shape == chart.rgb(_named("name")).shape
    assert len(chart.html(_named(name))) < 40_000


def test_pages_need_nothing_from_outside() -> None:
    page = chart.html(_named("name"))
    assert not re.search(r"https?:|//[a-z]|@import|\bsrc=|<link", page)
    assert re.findall(r"url\(([^)]*)\)", page) == ["#plot"]
    assert not re.search(r"\$[a-z]", page)  # every placeholder is filled in
