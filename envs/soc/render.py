"""Gantt charts per PE with the transfers between them: as text, as pixels, as a page."""

from __future__ import annotations

import colorsys
import html
import io
import string
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from graphsched.envs.soc.bounds import completions

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from graphsched.envs.soc.instance import SocInstance
    from graphsched.envs.soc.solution import SocSolution

TEXT_COLUMNS = 100
SYMBOLS = string.digits + string.ascii_uppercase + string.ascii_lowercase
WIDTH, LEFT, TOP, ROW, GAP = 1200, 110, 40, 26, 6  # of the page's chart, px
MOST_BARS = 3000  # drawn at most: the earliest ones


class Bar(NamedTuple):
    """One task that ran."""

    job: int
    task: int
    row: int  # of the chart
    start: float
    end: float
    label: str


class Chart(NamedTuple):
    """What is drawn: a row for each task that a PE can run at once."""

    rows: list[str]
    bars: list[Bar]
    transfers: list[tuple[float, int, float, int]]  # time and row of its end, time and row of use
    span: float
    title: str


def _rows_of(solution: SocSolution, pe: int, first: int, lanes: int) -> dict[int, int]:
    """Chart row of each of a PE's tasks: the first one that is free."""
    rows = np.flatnonzero(solution.pe == pe)
    rows = rows[np.argsort(solution.start[rows], kind="stable")]
    free = [0.0] * lanes
    out = {}
    for r in rows.tolist():
        fits = [k for k in range(lanes) if free[k] <= solution.start[r] + 1e-9]
        lane = fits[0] if fits else int(np.argmin(free))
        free[lane] = float(solution.end[r])
        out[r] = first + lane
    return out


def _chart(instance: SocInstance, solution: SocSolution) -> Chart:
    assert instance.platform.capacity is not None
    names: list[str] = []
    row: dict[int, int] = {}
    for p, (name, lanes) in enumerate(
        zip(instance.platform.pe_names, instance.platform.capacity.tolist(), strict=True)
    ):
        row |= _rows_of(solution, p, len(names), lanes)
        names += [name if lanes == 1 else f"{name} {k}" for k in range(lanes)]
    order = np.argsort(solution.start, kind="stable")[:MOST_BARS].tolist()
    bars, place = [], {}
    for r in order:
        n, i = int(solution.job[r]), int(solution.task[r])
        label = instance.jobs[int(solution.kind[n])].task_names[i]
        bars.append(Bar(n, i, row[r], float(solution.start[r]), float(solution.end[r]), label))
        place[n, i] = bars[-1]
    span = max((bar.end for bar in bars), default=1.0) or 1.0
    return Chart(
        names, bars, _transfers(instance, solution, place), span, _title(instance, solution)
    )


def _transfers(
    instance: SocInstance, solution: SocSolution, place: dict[tuple[int, int], Bar]
) -> list[tuple[float, int, float, int]]:
    out = []
    for n, kind in enumerate(solution.kind.tolist()):
        for j, i in instance.jobs[kind].edge.T.tolist():
            source, target = place.get((n, j)), place.get((n, i))
            if source and target and source.row != target.row:
                out.append((source.end, source.row, target.start, target.row))
    return out


def _title(instance: SocInstance, solution: SocSolution) -> str:
    if instance.stream is None:
        return f"{instance.name}: makespan {solution.cost:g}"
    done = int(np.isfinite(completions(instance, solution)).sum())
    return f"{instance.name}: mean latency {solution.cost:.1f}, {done} jobs completed"


def _color(number: int) -> tuple[float, float, float]:
    """RGB in [0, 1]: hues a golden angle apart."""
    hue = (0.58 + number * 0.618034) % 1.0
    return colorsys.hls_to_rgb(hue, (0.62, 0.72, 0.52)[number % 3], 0.55)


def _number(instance: SocInstance, bar: Bar) -> int:
    """What a bar's colour and symbol stand for: its job, or its task if there is one job."""
    return bar.job if instance.stream else bar.task


def render_text(instance: SocInstance, solution: SocSolution) -> str:
    """Gantt chart in at most 100 columns: a row for each PE, a symbol for each task or job."""
    chart = _chart(instance, solution)
    label = min(max(len(name) for name in chart.rows), 20) + 2
    columns = TEXT_COLUMNS - label - 1
    rows = [["."] * columns for _ in chart.rows]
    for bar in chart.bars:
        first = int(bar.start / chart.span * columns)
        last = max(int(bar.end / chart.span * columns), first + 1)
        symbol = SYMBOLS[_number(instance, bar) % len(SYMBOLS)]
        rows[bar.row][first:last] = symbol * (min(last, columns) - first)
    lines = [chart.title[:TEXT_COLUMNS]]
    lines += [
        f"{name[:20]} |".rjust(label) + "".join(row) + "|"
        for name, row in zip(chart.rows, rows, strict=True)
    ]
    return "\n".join([*lines, " " * label + "0" + f"{chart.span:g}".rjust(columns)])


def _figure(instance: SocInstance, solution: SocSolution) -> Figure:
    """Matplotlib figure that knows no global state."""
    from matplotlib.collections import LineCollection, PolyCollection
    from matplotlib.figure import Figure

    chart = _chart(instance, solution)
    height = min(1.4 + 0.34 * len(chart.rows), 40.0)
    figure = Figure(figsize=(12, height), dpi=100)
    axes = figure.add_axes((0.08, 0.6 / height, 0.9, 1 - 1.0 / height))
    boxes = [
        [
            (x, bar.row + y)
            for x, y in ((bar.start, -0.4), (bar.end, -0.4), (bar.end, 0.4), (bar.start, 0.4))
        ]
        for bar in chart.bars
    ]
    colors = [_color(_number(instance, bar)) for bar in chart.bars]
    axes.add_collection(
        PolyCollection(boxes, facecolors=colors, edgecolors="white", linewidths=0.4)
    )
    lines = [[(a, p), (b, q)] for a, p, b, q in chart.transfers]
    axes.add_collection(LineCollection(lines, colors="#00000055", linewidths=0.7))
    for bar in chart.bars:
        if bar.end - bar.start > 0.01 * len(bar.label) * chart.span:
            text = axes.text((bar.start + bar.end) / 2, bar.row, bar.label, fontsize=8)
            text.set(ha="center", va="center")
    axes.set(xlim=(0, chart.span * 1.01), ylim=(len(chart.rows) - 0.5, -0.5))
    axes.set(xlabel="time", title=chart.title)
    axes.set_yticks(range(len(chart.rows)), chart.rows)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def render_rgb(instance: SocInstance, solution: SocSolution) -> NDArray[np.uint8]:
    """Gantt chart as (height, width, 3) uint8."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(_figure(instance, solution))
    canvas.draw()  # type: ignore[no-untyped-call]
    pixels = np.asarray(canvas.buffer_rgba())  # type: ignore[no-untyped-call]
    return np.ascontiguousarray(pixels[:, :, :3])


def render_html(instance: SocInstance, solution: SocSolution) -> str:
    """A self-contained page with the Gantt chart; hovering names tasks, lines are transfers."""
    chart = _chart(instance, solution)
    wide = WIDTH - LEFT - 20
    high = TOP + (ROW + GAP) * len(chart.rows) + 30
    scale = wide / chart.span
    out = io.StringIO()
    title = html.escape(chart.title)
    out.write(
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>'
        "body{font:14px system-ui,sans-serif;margin:24px;color:#1d2733;background:#fff}"
        "text{font-size:12px;fill:#1d2733}rect:hover{stroke:#000;stroke-width:1.5}"
        "line{stroke:#00000040;pointer-events:none}</style></head><body>"
        f'<h1 style="font-size:18px">{title}</h1>'
        f'<svg viewBox="0 0 {WIDTH} {high}" width="100%" role="img" aria-label="{title}">'
    )
    for r, name in enumerate(chart.rows):
        y = TOP + r * (ROW + GAP)
        out.write(f'<text x="{LEFT - 8}" y="{y + 17}" text-anchor="end">{html.escape(name)}</text>')
        out.write(f'<rect x="{LEFT}" y="{y}" width="{wide}" height="{ROW}" fill="#f3f5f8"/>')
    for bar in chart.bars:
        red, green, blue = (round(255 * part) for part in _color(_number(instance, bar)))
        x, y = LEFT + bar.start * scale, TOP + bar.row * (ROW + GAP)
        width = max((bar.end - bar.start) * scale, 0.8)
        words = f"{bar.label} (job {bar.job}): {bar.start:g} to {bar.end:g}, {chart.rows[bar.row]}"
        out.write(
            f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="{ROW}" rx="2" '
            f'fill="rgb({red},{green},{blue})"><title>{html.escape(words)}</title></rect>'
        )
        if width > 8 * len(bar.label):
            middle = x + width / 2
            out.write(
                f'<text x="{middle:.1f}" y="{y + 17}" text-anchor="middle" '
                f'pointer-events="none">{html.escape(bar.label)}</text>'
            )
    for begin, p, end, q in chart.transfers:
        ends = (LEFT + begin * scale, p, LEFT + end * scale, q)
        x1, x2 = ends[0], ends[2]
        y1, y2 = (TOP + r * (ROW + GAP) + ROW / 2 for r in (ends[1], ends[3]))
        out.write(f'<line x1="{x1:.1f}" y1="{y1}" x2="{x2:.1f}" y2="{y2}"/>')
    axis = TOP + len(chart.rows) * (ROW + GAP) + 16
    for k in range(6):
        time = chart.span * k / 5
        out.write(
            f'<text x="{LEFT + time * scale:.0f}" y="{axis}" text-anchor="middle">{time:.4g}</text>'
        )
    out.write("</svg></body></html>")
    return out.getvalue()
