"""Gantt charts of job shop schedules: as text, as pixels and as a self-contained page."""

from __future__ import annotations

import colorsys
import html
import io
import string
from importlib.resources import files
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from graphsched.envs.jobshop.bounds import lower_bound

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from graphsched.envs.jobshop.instance import JobShopInstance
    from graphsched.envs.jobshop.solution import JobShopSolution

TEXT_COLUMNS = 100
SYMBOLS = string.digits + string.ascii_uppercase + string.ascii_lowercase
LEFT, RIGHT, TOP, BOTTOM, WIDTH = 52, 22, 26, 40, 1200  # margins and width of the page's chart, px


class Bar(NamedTuple):
    """One scheduled operation."""

    job: int
    step: int  # place within the job, from 0
    machine: int
    start: int
    end: int


def _bars(instance: JobShopInstance, solution: JobShopSolution) -> Iterator[Bar]:
    step = np.arange(instance.num_operations) - instance.job_ptr[instance.job]
    columns = (instance.job, step, solution.machine, solution.start, solution.end)
    return map(Bar._make, zip(*(column.tolist() for column in columns), strict=True))


def _color(job: int) -> tuple[float, float, float]:
    """RGB in [0, 1]: hues a golden angle apart, so that any two neighbours differ."""
    hue = (0.58 + job * 0.618034) % 1.0
    return colorsys.hls_to_rgb(hue, (0.58, 0.70, 0.46)[job % 3], 0.58)


def _ink(job: int) -> str:
    """Text colour that can be read on a job's colour."""
    red, green, blue = _color(job)
    return "#111" if 0.299 * red + 0.587 * green + 0.114 * blue > 0.5 else "#fff"


def _title(instance: JobShopInstance, solution: JobShopSolution) -> str:
    bound = f"lower bound {lower_bound(instance):.0f}"
    size = f"{instance.num_jobs} jobs, {instance.num_machines} machines"
    return f"{instance.name}: makespan {solution.makespan}, {bound}, {size}"


def render_text(instance: JobShopInstance, solution: JobShopSolution) -> str:
    """Gantt chart in at most 100 columns: one row a machine, one symbol a job, ``.`` idle.

    Each column shows the job that runs in the middle of its share of time.
    """
    label = len(f"machine {instance.num_machines - 1} |")
    columns = TEXT_COLUMNS - label - 1
    span = max(int(solution.end.max()), 1)
    rows = [["."] * columns for _ in range(instance.num_machines)]
    for bar in _bars(instance, solution):
        # the first column whose middle, (c + 1/2) span / columns, is at or after the time
        first, last = (-((span - 2 * t * columns) // (2 * span)) for t in (bar.start, bar.end))
        symbol = SYMBOLS[bar.job % len(SYMBOLS)]
        rows[bar.machine][first:last] = symbol * (last - first)
    lines = [_title(instance, solution)[:TEXT_COLUMNS]]
    for machine, row in enumerate(rows):
        lines.append(f"machine {machine} |".rjust(label) + "".join(row) + "|")
    middle, end = str(span // 2), str(span)
    axis = "0" + middle.rjust(columns // 2) + end.rjust(columns - columns // 2)
    lines.append(" " * label + axis)
    if instance.num_jobs > len(SYMBOLS):
        lines.append(f"jobs {len(SYMBOLS)} apart share a symbol")
    return "\n".join(lines)


def _figure(instance: JobShopInstance, solution: JobShopSolution) -> Figure:
    """Matplotlib figure that knows no global state, so threads may draw at once."""
    from matplotlib.collections import PolyCollection
    from matplotlib.figure import Figure

    height = min(1.4 + 0.34 * instance.num_machines, 40.0)
    figure = Figure(figsize=(12, height), dpi=100)
    axes = figure.add_axes((0.05, 0.6 / height, 0.93, 1 - 1.0 / height))
    span = max(int(solution.end.max()), 1)
    bars = list(_bars(instance, solution))
    boxes = [_box(bar, span / 2000) for bar in bars]
    colors = [_color(bar.job) for bar in bars]
    axes.add_collection(
        PolyCollection(boxes, facecolors=colors, edgecolors="white", linewidths=0.3)
    )
    shortest = 0.009 * len(str(instance.num_jobs - 1)) * span
    for bar in bars:
        if bar.end - bar.start > shortest:
            middle, color = (bar.start + bar.end) / 2, _ink(bar.job)
            label = axes.text(middle, bar.machine, str(bar.job), fontsize=8, color=color)
            label.set(ha="center", va="center")
    axes.axvline(lower_bound(instance), color="#2563a8", linestyle="--", linewidth=1.2)
    axes.axvline(solution.makespan, color="#c2304a", linewidth=1.2)
    axes.set(xlim=(0, span * 1.01), ylim=(instance.num_machines - 0.5, -0.5))
    axes.set(xlabel="time", ylabel="machine", title=_title(instance, solution))
    axes.set_yticks(range(instance.num_machines))
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def _box(bar: Bar, least: float) -> list[tuple[float, float]]:
    """Corners of a bar, (time, machine); at least so long that it can be seen."""
    end, low, high = max(bar.end, bar.start + least), bar.machine - 0.42, bar.machine + 0.42
    return [(bar.start, low), (end, low), (end, high), (bar.start, high)]


def render_rgb(instance: JobShopInstance, solution: JobShopSolution) -> NDArray[np.uint8]:
    """Gantt chart as (height, width, 3) uint8; dashed line: lower bound, solid: makespan."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(_figure(instance, solution))
    canvas.draw()  # type: ignore[no-untyped-call]
    buffer = canvas.buffer_rgba()  # type: ignore[no-untyped-call]
    pixels: NDArray[np.uint8] = np.asarray(buffer)[..., :3].copy()
    return pixels


def render_png(instance: JobShopInstance, solution: JobShopSolution) -> bytes:
    """The same chart as the content of a PNG file."""
    buffer = io.BytesIO()
    _figure(instance, solution).savefig(buffer, format="png")
    return buffer.getvalue()


def _row_height(machines: int) -> int:
    return 40 if machines <= 8 else 30 if machines <= 15 else 25


def _svg(instance: JobShopInstance, solution: JobShopSolution) -> str:
    """The chart as it looks before the page's script fits it to the window."""
    row = _row_height(instance.num_machines)
    bottom = TOP + row * instance.num_machines
    height, plot = bottom + BOTTOM, WIDTH - LEFT - RIGHT
    span = max(int(solution.end.max()), 1)
    stripes, labels = [], []
    for machine in range(instance.num_machines):
        y = TOP + machine * row
        if machine % 2 == 0:
            box = f'x="{LEFT}" y="{y}" width="{plot}" height="{row}"'
            stripes.append(f'<rect class="stripe" {box}/>')
        place = f'x="{LEFT - 8}" y="{y + row / 2 + 4}"'
        labels.append(f'<text {place} text-anchor="end">M{machine}</text>')
    bars = []
    for bar in _bars(instance, solution):
        x, width = LEFT + bar.start * plot / span, (bar.end - bar.start) * plot / span
        y = TOP + bar.machine * row
        shape = f'<rect x="{x:.1f}" y="{y + 2}" width="{width:.1f}" height="{row - 4}" rx="2"/>'
        text = f'<text x="{x + width / 2:.1f}" y="{y + row / 2}">{bar.job}</text>'
        data = ",".join(map(str, bar))
        bars.append(f'<g class="bar j{bar.job}" data-o="{data}">{shape}{text}</g>')
    lines = []
    bound = int(lower_bound(instance))
    marks = (("bound", "lower bound", bound, bottom + 32), ("makespan", "makespan", span, 16))
    for kind, words, time, y in marks:
        place = f'data-at="{time}" transform="translate({LEFT + time * plot / span:.1f} 0)"'
        line = f'<line class="{kind}" y1="{TOP - 6}" y2="{bottom + 4}"/>'
        text = f'<text class="{kind}-text" y="{y}">{words} {time}</text>'
        lines.append(f"<g {place}>{line}{text}</g>")
    clip = f'<rect x="{LEFT}" y="0" width="{plot + 2}" height="{height}"/>'
    data = f'data-left="{LEFT}" data-right="{RIGHT}" data-top="{TOP}" data-bottom="{bottom}"'
    data += f' data-height="{height}" data-end="{span}" role="img" aria-label="Gantt chart"'
    data += f' data-digits="{len(str(instance.num_jobs - 1))}"'
    return (
        f'<svg viewBox="0 0 {WIDTH} {height}" {data}>'
        f'<defs><clipPath id="plot">{clip}</clipPath></defs>{"".join(stripes)}<g id="grid"></g>'
        f'<g clip-path="url(#plot)">{"".join(bars)}{"".join(lines)}</g>{"".join(labels)}</svg>'
    )


def _facts(instance: JobShopInstance, solution: JobShopSolution) -> str:
    bound = lower_bound(instance)
    excess = 100 * (solution.makespan / bound - 1) if bound else 0.0
    work = int(instance.duration.sum())
    busy = 100 * work / (max(solution.makespan, 1) * instance.num_machines)
    facts = (
        ("makespan", f"{solution.makespan}"),
        ("lower bound", f"{bound:.0f} (+{excess:.1f}%)"),
        ("jobs × machines", f"{instance.num_jobs} × {instance.num_machines}"),
        ("operations", f"{instance.num_operations}"),
        ("machines busy", f"{busy:.0f}%"),
    )
    return "".join(f"<span>{name} <b>{value}</b></span>" for name, value in facts)


def render_html(instance: JobShopInstance, solution: JobShopSolution) -> str:
    """Gantt chart as a page of its own that requests nothing: zoom, tooltips, jobs to highlight."""
    colors, legend = [], []
    for job in range(instance.num_jobs):
        fill = "#" + "".join(f"{round(255 * part):02x}" for part in _color(job))
        colors.append(f".j{job} rect {{ fill: {fill}; }} .bar.j{job} text {{ fill: {_ink(job)}; }}")
        swatch = f'<i style="background:{fill}"></i>'
        legend.append(f'<button data-job="{job}">{swatch}job {job}</button>')
    template = (files("graphsched.envs.jobshop.data") / "gantt.html").read_text(encoding="utf-8")
    return string.Template(template).substitute(
        title=html.escape(instance.name),
        stroke="1" if instance.num_operations < 500 else "0.5",
        colors="\n".join(colors),
        facts=_facts(instance, solution),
        svg=_svg(instance, solution),
        legend="".join(legend),
    )
