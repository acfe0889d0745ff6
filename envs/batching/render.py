"""Time-lines of a log: as text, as pixels, as a page, and as a trace for Perfetto."""

from __future__ import annotations

import colorsys
import html
import json
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from graphsched.envs.batching.metrics import metrics
from graphsched.envs.batching.physics.timeline import timeline

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from graphsched.envs.batching.instance import BatchingInstance
    from graphsched.envs.batching.solution import BatchingSolution

TEXT_COLUMNS, TEXT_ROWS = 80, 40
WIDTH, ROW, LEFT = 1100, 14, 90  # of the page's chart, px
MOST_ROWS = 400
QUEUED, PREFILL, DECODE = (204, 204, 204), (230, 159, 0), (0, 114, 178)


class _Phases(NamedTuple):
    """When a request came, was first admitted, got its first and its last token, s."""

    request: int
    came: float
    admitted: float
    first: float
    last: float


def _phases(instance: BatchingInstance, solution: BatchingSolution) -> list[_Phases]:
    """Phases of the requests that got tokens."""
    times = timeline(instance, solution)
    begins = [solution.begin_s[solution.replica == r] for r in range(len(instance.replicas))]
    admitted: dict[int, float] = {}
    for i, r, k, _, _ in solution.entry.tolist():
        admitted.setdefault(i, float(begins[r][k]))
    return [
        _Phases(i, float(times.visible[i]), at, *times.tokens[i][[0, -1]].tolist())
        for i, at in sorted(admitted.items())
        if len(times.tokens[i])
    ]


def render_text(instance: BatchingInstance, solution: BatchingSolution) -> str:
    """A row for each request: ``.`` waits, ``#`` prompt, ``=`` output; with the replica."""
    rows = _phases(instance, solution)
    end = max((row.last for row in rows), default=1.0)
    scale = TEXT_COLUMNS / max(end, 1e-9)
    out = [f"{instance.name}: cost {solution.cost:.3f}, {end:.2f} s"]
    for i, came, admitted, first, last in rows[:TEXT_ROWS]:
        line = [" "] * (TEXT_COLUMNS + 1)
        for mark, a, b in ((".", came, admitted), ("#", admitted, first), ("=", first, last)):
            for x in range(int(a * scale), int(b * scale) + 1):
                line[x] = mark
        out.append(f"{i:4d} on {solution.home[i]:2d} |{''.join(line).rstrip()}")
    if len(rows) > TEXT_ROWS:
        out.append(f"... {len(rows) - TEXT_ROWS} more")
    return "\n".join(out)


def render_rgb(instance: BatchingInstance, solution: BatchingSolution) -> NDArray[np.uint8]:
    """The same as pixels, (H, W, 3): 6 rows of pixels a request, a stripe for its replica."""
    rows = _phases(instance, solution)[:MOST_ROWS]
    out = np.full((6 * max(len(rows), 1) + 2, 640, 3), 255, np.uint8)
    end = max((row.last for row in rows), default=1.0)
    scale = 620 / max(end, 1e-9)
    for k, (i, came, admitted, first, last) in enumerate(rows):
        band = slice(6 * k + 1, 6 * k + 6)
        hue = (int(solution.home[i]) * 0.618) % 1.0
        out[band, 2:12] = [round(255 * c) for c in colorsys.hsv_to_rgb(hue, 0.6, 0.9)]
        for colour, a, b in (
            (QUEUED, came, admitted),
            (PREFILL, admitted, first),
            (DECODE, first, last),
        ):
            out[band, 16 + int(a * scale) : 17 + int(b * scale)] = colour
    return out


def render_html(instance: BatchingInstance, solution: BatchingSolution) -> str:
    """A page with the time-line and the measures, without anything to fetch."""
    rows = _phases(instance, solution)[:MOST_ROWS]
    end = max((row.last for row in rows), default=1.0)
    scale = (WIDTH - LEFT - 10) / max(end, 1e-9)
    bars = []
    for k, (i, came, admitted, first, last) in enumerate(rows):
        y = ROW * k
        bars.append(f'<text x="2" y="{y + 11}">{i} on {solution.home[i]}</text>')
        for colour, a, b in (
            (QUEUED, came, admitted),
            (PREFILL, admitted, first),
            (DECODE, first, last),
        ):
            fill = "#{:02x}{:02x}{:02x}".format(*colour)
            bars.append(
                f'<rect x="{LEFT + a * scale:.1f}" y="{y + 2}" width="{(b - a) * scale:.2f}" '
                f'height="{ROW - 4}" fill="{fill}"/>'
            )
    table = "".join(
        f"<tr><td>{html.escape(name)}</td><td>{value:.4g}</td></tr>"
        for name, value in metrics(instance, solution).items()
    )
    title = html.escape(f"{instance.name}: cost {solution.cost:.3f}")
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        "<style>body{font:14px sans-serif}svg text{font:10px sans-serif}td{padding:0 8px}</style>"
        f"</head><body><h1>{title}</h1><p>Grey: waits; orange: prompt; blue: output; {end:.2f} s</p>"
        f'<svg width="{WIDTH}" height="{ROW * max(len(rows), 1)}">{"".join(bars)}</svg>'
        f"<table>{table}</table></body></html>"
    )


def chrome_trace(instance: BatchingInstance, solution: BatchingSolution) -> str:
    """JSON in Chrome's trace format, which Perfetto opens: iterations and requests by replica."""
    events: list[dict[str, Any]] = []
    for r in range(len(instance.replicas)):
        events.append(
            {"ph": "M", "pid": r, "name": "process_name", "args": {"name": f"replica {r}"}}
        )
    columns = (solution.replica.tolist(), solution.begin_s.tolist(), solution.end_s.tolist())
    for r, begin, end in zip(*columns, strict=True):
        bar = {"ph": "X", "pid": r, "tid": 0, "name": "iteration"}
        events.append({**bar, "ts": 1e6 * begin, "dur": 1e6 * (end - begin)})
    for i, came, admitted, first, last in _phases(instance, solution):
        for name, a, b in (
            ("queued", came, admitted),
            ("prompt", admitted, first),
            ("output", first, last),
        ):
            bar = {"ph": "X", "pid": int(solution.home[i]), "tid": i + 1, "name": name}
            events.append({**bar, "ts": 1e6 * a, "dur": 1e6 * (b - a)})
    return json.dumps({"traceEvents": events, "displayTimeUnit": "ms"})
