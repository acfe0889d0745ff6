"""Memory maps: time across, addresses up, a box for each residency; and the occupancy below."""

from __future__ import annotations

import colorsys
import html
import io
import string
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from graphsched.envs.memory.hardware.machine import MIB

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from graphsched.envs.memory.instance import MemoryInstance
    from graphsched.envs.memory.solution import MemorySolution

COLUMNS, LINES = 100, 20
SYMBOLS = string.ascii_uppercase + string.ascii_lowercase + string.digits
WIDTH, HEIGHT, LOAD, LEFT = 1200, 420, 110, 70  # of the page's drawing, px


class Box(NamedTuple):
    """A residency."""

    storage: int
    start: int
    end: int  # exclusive
    low: float  # share of fast memory
    high: float
    label: str


def _boxes(instance: MemoryInstance, solution: MemorySolution) -> list[Box]:
    capacity = max(instance.machine.fast_capacity, 1)
    out = []
    columns = (solution.storage, solution.start, solution.end, solution.offset)
    for g, start, end, offset in zip(*(c.tolist() for c in columns), strict=True):
        name = instance.buffers[int(instance.representative[g])].name
        high = (offset + int(instance.size[g])) / capacity
        out.append(Box(g, start, end + 1, offset / capacity, high, name))
    return out


def _title(instance: MemoryInstance, solution: MemorySolution) -> str:
    mib = instance.machine.fast_capacity / MIB
    return f"{instance.name}: {solution.cost:.4g} us, {mib:g} MiB of fast memory"


def _load(instance: MemoryInstance, boxes: list[Box]) -> NDArray[np.float64]:
    """(T,) share of fast memory that is taken."""
    out = np.zeros(instance.num_instructions)
    for box in boxes:
        out[box.start : box.end] += box.high - box.low
    return out


def _color(number: int) -> tuple[float, float, float]:
    """RGB in [0, 1]: hues a golden angle apart."""
    return colorsys.hls_to_rgb(
        (0.58 + number * 0.618034) % 1.0, (0.62, 0.72, 0.52)[number % 3], 0.55
    )


def render_text(instance: MemoryInstance, solution: MemorySolution) -> str:
    """The map in at most 100 columns: fast memory upwards, a symbol for each storage."""
    columns = min(COLUMNS - 2, max(instance.num_instructions, 1))
    grid = [["."] * columns for _ in range(LINES)]
    scale = columns / instance.num_instructions
    for box in _boxes(instance, solution):
        first, last = int(box.start * scale), max(int(box.end * scale), int(box.start * scale) + 1)
        low = min(int(box.low * LINES), LINES - 1)
        for line in range(low, max(int(np.ceil(box.high * LINES)), low + 1)):
            symbol = SYMBOLS[box.storage % len(SYMBOLS)]
            grid[min(line, LINES - 1)][first:last] = symbol * (min(last, columns) - first)
    rows = ["|" + "".join(line) + "|" for line in reversed(grid)]
    return "\n".join([_title(instance, solution)[:COLUMNS], *rows])


def _figure(instance: MemoryInstance, solution: MemorySolution) -> Figure:
    """Matplotlib figure that knows no global state."""
    from matplotlib.collections import PolyCollection
    from matplotlib.figure import Figure

    boxes = _boxes(instance, solution)
    figure = Figure(figsize=(12, 6), dpi=100)
    axes = figure.add_axes((0.07, 0.32, 0.91, 0.61))
    corners = [
        [(b.start, b.low), (b.end, b.low), (b.end, b.high), (b.start, b.high)] for b in boxes
    ]
    colors = [_color(b.storage) for b in boxes]
    axes.add_collection(
        PolyCollection(corners, facecolors=colors, edgecolors="white", linewidths=0.3)
    )
    size = instance.num_instructions
    axes.set(xlim=(0, size), ylim=(0, 1), ylabel="address / capacity")
    axes.set_title(_title(instance, solution))
    below = figure.add_axes((0.07, 0.09, 0.91, 0.17))
    below.fill_between(np.arange(size), _load(instance, boxes), step="post", color="#7f9bb8")
    below.set(xlim=(0, size), ylim=(0, 1), xlabel="instruction", ylabel="taken")
    for part in (axes, below):
        part.spines[["top", "right"]].set_visible(False)
    return figure


def render_rgb(instance: MemoryInstance, solution: MemorySolution) -> NDArray[np.uint8]:
    """The map as (height, width, 3) uint8."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(_figure(instance, solution))
    canvas.draw()  # type: ignore[no-untyped-call]
    pixels = np.asarray(canvas.buffer_rgba())  # type: ignore[no-untyped-call]
    return np.ascontiguousarray(pixels[:, :, :3])


def render_html(instance: MemoryInstance, solution: MemorySolution) -> str:
    """A self-contained page with the map; hovering names buffers."""
    boxes, size = _boxes(instance, solution), instance.num_instructions
    title = html.escape(_title(instance, solution))
    wide, total = WIDTH - LEFT - 10, HEIGHT + LOAD + 60
    out = io.StringIO()
    out.write(
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>'
        "body{font:14px system-ui,sans-serif;margin:24px;color:#1d2733;background:#fff}"
        "text{font-size:12px;fill:#1d2733}rect:hover{stroke:#000;stroke-width:1.5}"
        f'</style></head><body><h1 style="font-size:18px">{title}</h1>'
        f'<svg viewBox="0 0 {WIDTH} {total}" width="100%" role="img" aria-label="{title}">'
        f'<rect x="{LEFT}" y="0" width="{wide}" height="{HEIGHT}" fill="#f3f5f8"/>'
    )
    for box in boxes:
        red, green, blue = (round(255 * part) for part in _color(box.storage))
        x, width = LEFT + box.start / size * wide, (box.end - box.start) / size * wide
        y, height = HEIGHT * (1 - box.high), HEIGHT * (box.high - box.low)
        mib = instance.size[box.storage] / MIB
        words = f"{box.label}: {mib:.3g} MiB, instructions {box.start} to {box.end - 1}"
        out.write(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width, 0.5):.1f}" '
            f'height="{max(height, 0.5):.1f}" fill="rgb({red},{green},{blue})">'
            f"<title>{html.escape(words)}</title></rect>"
        )
    base = HEIGHT + 30 + LOAD
    points = [f"{LEFT},{base}"]
    for t, load in enumerate(_load(instance, boxes).tolist()):
        for edge in (t, t + 1):
            points.append(f"{LEFT + edge / size * wide:.1f},{base - LOAD * load:.1f}")
    points.append(f"{LEFT + wide},{base}")
    out.write(f'<polygon points="{" ".join(points)}" fill="#7f9bb8"/>')
    for k in range(6):
        at = LEFT + k / 5 * wide
        out.write(f'<text x="{at:.0f}" y="{base + 18}" text-anchor="middle">{size * k // 5}</text>')
    top = f"{instance.machine.fast_capacity / MIB:.3g} MiB"
    out.write(f'<text x="{LEFT - 6}" y="12" text-anchor="end">{top}</text>')
    out.write(f'<text x="{LEFT - 6}" y="{base - LOAD + 12}" text-anchor="end">taken</text>')
    out.write("</svg></body></html>")
    return out.getvalue()
