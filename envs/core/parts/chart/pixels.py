"""Charts in pixels, by matplotlib."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from graphsched.envs.core.extras import require
from graphsched.envs.core.parts.chart.model import NAME, WORDS, ink, shown

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from graphsched.envs.core.parts.chart.model import Bar, Chart

WIDTH, MAP_HEIGHT, ROW, MANY_ROWS = 12.0, 6.0, 0.34, 14.0  # inches of 100 pixels
BOUND, END, LINK, LOAD = "#2563a8", "#c2304a", "#00000055", "#7f9bb8"
MOST_TITLE, MOST_KEYS = 80, 8  # characters in a line, groups in a legend


def rgb(chart: Chart) -> NDArray[np.uint8]:
    """The chart as (height, width, 3). Raises InputError where matplotlib isn't installed."""
    require("a picture in pixels", "matplotlib")
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(_figure(chart.limited()))
    canvas.draw()  # type: ignore[no-untyped-call]
    pixels = np.asarray(canvas.buffer_rgba())  # type: ignore[no-untyped-call]
    return np.ascontiguousarray(pixels[:, :, :3])


def _figure(chart: Chart) -> Figure:
    """Figure that knows no global state, so threads may draw at once."""
    from matplotlib.figure import Figure

    names = [_plain(name, NAME) for name in chart.rows]
    height = (
        MAP_HEIGHT if chart.top else 1.4 + min(ROW * len(names), max(MANY_ROWS, len(names) / 10))
    )
    figure = Figure(figsize=(WIDTH, height), dpi=100)
    left = 0.05 + 0.006 * max(map(len, names), default=3)
    below = 0.32 if chart.load else 0.6 / height
    axes = figure.add_axes((left, below, 0.98 - left, 1 - 0.4 / height - below))
    _draw_bars(axes, chart)
    _draw_marks(axes, chart)
    axes.set(xlim=(0, chart.span * 1.01), ylim=(max(chart.depth, 1), 0))
    axes.set_title(_plain(chart.title, MOST_TITLE), fontsize=11, loc="left")
    if chart.top:
        axes.set(ylim=(0, 1), ylabel=f"address / {_plain(chart.top, NAME)}")
    else:
        size = min(10.0, 50 * axes.get_position().height * height / max(len(names), 1))
        axes.set_yticks(np.arange(len(names)) + 0.5, names, fontsize=size)
    if chart.load:
        under = figure.add_axes((left, 0.09, 0.98 - left, 0.17))
        steps = [*chart.load, chart.load[-1]]
        under.fill_between(np.arange(len(steps)), steps, step="post", color=LOAD)
        under.set(xlim=axes.get_xlim(), ylim=(0, 1), ylabel="taken")
    words = f"{chart.axis} ({chart.note})" if chart.note else chart.axis
    figure.axes[-1].set_xlabel(_plain(words))
    for part in figure.axes:
        part.spines[["top", "right"]].set_visible(False)
    return figure


def _draw_bars(axes: Axes, chart: Chart) -> None:
    """Boxes, the labels that have room on them, and the lines between them."""
    from matplotlib.collections import LineCollection, PolyCollection

    corners = [_corners(chart, bar) for bar in chart.bars]
    style: dict[str, Any] = {"edgecolors": "white", "linewidths": 0.3}
    colors = [chart.groups[bar.group].color for bar in chart.bars]
    axes.add_collection(PolyCollection(corners, facecolors=colors, **style))
    lines = [[(a, p + 0.5), (b, q + 0.5)] for a, p, b, q in chart.links]
    axes.add_collection(LineCollection(lines, colors=LINK, linewidths=0.7))
    for bar, color in zip(chart.bars, colors, strict=True):
        if bar.label and bar.end - bar.begin > 0.009 * len(bar.label) * chart.span:
            middle = (bar.begin + bar.end) / 2, bar.row + bar.height / 2
            label = axes.text(*middle, _plain(bar.label), fontsize=8, color=ink(color))
            label.set(ha="center", va="center")


def _draw_marks(axes: Axes, chart: Chart) -> None:
    """Marked moments, and a legend of them and of what no label says."""
    from matplotlib.patches import Patch

    keys: list[Any] = []
    for mark in chart.marks:
        color, line = (BOUND, "--") if mark.is_bound else (END, "-")
        keys.append(axes.axvline(mark.at, color=color, linestyle=line, linewidth=1.2))
    words = [_plain(mark.words, NAME) for mark in chart.marks]
    if len(chart.groups) <= MOST_KEYS and not any(bar.label for bar in chart.bars):
        keys += [Patch(color=group.color) for group in chart.groups]
        words += [_plain(group.name, NAME) for group in chart.groups]
    if keys:
        place: dict[str, Any] = {"loc": "lower right", "bbox_to_anchor": (1.0, 1.0)}
        axes.legend(keys, words, ncols=len(keys), frameon=False, fontsize=8, **place)


def _corners(chart: Chart, bar: Bar) -> list[tuple[float, float]]:
    """Corners of a bar, at least so long and so high that it can be seen."""
    gap = 0.0 if chart.top else 0.08
    low, end = bar.row + gap, max(bar.end, bar.begin + chart.span / 1000)
    high = max(bar.row + bar.height - gap, low + chart.depth / 1000)
    return [(bar.begin, low), (end, low), (end, high), (bar.begin, high)]


def _plain(words: str, most: int = WORDS) -> str:
    """Words in which matplotlib finds no formula."""
    return shown(words, most).replace("$", r"\$")
