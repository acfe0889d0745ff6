"""Charts in characters."""

from __future__ import annotations

from collections import Counter
from math import ceil
from typing import TYPE_CHECKING

import numpy as np

from graphsched.envs.core.parts.chart.model import NAME, SYMBOLS, shown

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from graphsched.envs.core.parts.chart.model import Bar, Chart

MAP_LINES = 20
LEAST_COLUMNS, MOST_ROWS = 10, 120


def text(chart: Chart, width: int = 100) -> str:
    """The chart in at most `width` columns: a symbol for each group, ``.`` where there is nothing.

    Each place shows the bar that is in its middle. A bar that is in no middle takes the place of
    one that has others.
    """
    chart = chart.limited(MOST_ROWS)
    names = [shown(name, NAME) for name in chart.rows]
    if chart.top:
        names = [shown(chart.top, NAME), *[""] * (MAP_LINES - 2), "0"]
    label = max(map(len, names), default=0)
    columns = max(width - label - 3, LEAST_COLUMNS)
    symbols = np.array([*(group.symbol for group in chart.groups), "."])
    grid = symbols[_groups(chart, len(names), columns)].tolist()
    out = [shown(chart.title, width)]
    for name, row in zip(names, reversed(grid) if chart.top else grid, strict=True):
        out.append(f"{name:>{label}} |{''.join(row)}|")
    middle, end = (f"{t:.15g}" if t % 1 == 0 else f"{t:.6g}" for t in (chart.span / 2, chart.span))
    axis = "0" + middle.rjust(columns // 2) + end.rjust(columns - columns // 2)
    return "\n".join([*out, " " * (label + 2) + axis, *_notes(chart, width)])


def _groups(chart: Chart, lines: int, columns: int) -> NDArray[np.int64]:
    """(lines, columns) group of the bar that each place shows, -1 where there is none."""
    owner = np.full((lines, columns), -1)
    sizes = [0] * len(chart.bars)  # places that each bar has
    wanted = [_place(chart, bar, lines, columns) for bar in chart.bars]
    for k in sorted(range(len(wanted)), key=lambda k: not wanted[k][1]):
        here = owner[wanted[k][0]]
        losers = Counter(here[here >= 0].tolist())
        if all(sizes[loser] > lost for loser, lost in losers.items()):
            for loser, lost in losers.items():
                sizes[loser] -= lost
            sizes[k], here[...] = here.size, k
    groups = np.array([*(bar.group for bar in chart.bars), -1], np.int64)
    return np.asarray(groups[owner])


def _place(chart: Chart, bar: Bar, lines: int, columns: int) -> tuple[tuple[slice, slice], bool]:
    """A bar's lines and columns, and whether it is in the middle of them."""
    down, is_deep = _cells(bar.row, bar.row + bar.height, lines / max(chart.depth, 1), lines)
    along, is_long = _cells(bar.begin, bar.end, columns / chart.span, columns)
    return (down, along), is_deep and is_long


def _cells(low: float, high: float, scale: float, count: int) -> tuple[slice, bool]:
    """The cells whose middle is between two values; if there is none, that of the lower value."""
    first, last = (ceil(value * scale - 0.5) for value in (low, high))
    if first < last:
        return slice(first, last), True
    at = min(int(low * scale), count - 1)
    return slice(at, at + 1), False


def _notes(chart: Chart, width: int) -> list[str]:
    """What the symbols mean, where they don't say it themselves and a line has room for it."""
    out = [shown(chart.note, width)] if chart.note else []
    if len(chart.groups) > len(SYMBOLS):
        return [*out, f"{chart.kind}s {len(SYMBOLS)} apart share a symbol"]
    legend = "  ".join(f"{group.symbol} {shown(group.name, NAME)}" for group in chart.groups)
    plain = all(group.name.endswith(group.symbol) for group in chart.groups)
    return out if plain or len(legend) > width else [*out, legend]
