"""Time-lines of a log: as text, as pixels, as a page, and as a trace for Perfetto."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from graphsched.envs.batching.metrics import metrics
from graphsched.envs.batching.physics.timeline import timeline
from graphsched.envs.core.parts import chart
from graphsched.envs.core.parts.chart import Bar, Chart, Group

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from graphsched.envs.batching.instance import BatchingInstance
    from graphsched.envs.batching.solution import BatchingSolution

TEXT_ROWS, MOST_ROWS = 40, 400  # requests that are shown, the first ones
PHASES = (
    Group("waits", "#cccccc", "-"),
    Group("prompt", "#e69f00", "#"),
    Group("output", "#0072b2", "="),
)


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


def _chart(instance: BatchingInstance, solution: BatchingSolution, most: int) -> Chart:
    """A row for each request, the first `most` of them, with the replica that serves it."""
    phases = _phases(instance, solution)
    end = max((row.last for row in phases), default=1.0)
    bars, names = [], []
    for k, row in enumerate(phases[:most]):
        names.append(f"{row.request} on {solution.home[row.request]}")
        edges = (row.came, row.admitted, row.first, row.last)
        for phase, (begin, until) in enumerate(pairwise(edges)):
            words = f"request {row.request} {PHASES[phase].name}"
            words += f", replica {solution.home[row.request]}"
            bars.append(Bar(k, begin, until, phase, words=words))
    measures = metrics(instance, solution).items()
    return Chart(
        name=instance.name,
        summary=f"cost {solution.cost:.3f}, {end:.2f} s",
        axis="time, s",
        bars=tuple(bars),
        groups=PHASES,
        kind="phase",
        rows=tuple(names),
        facts=(
            ("cost", f"{solution.cost:.3f}"),
            ("last token", f"{end:.2f} s"),
            *((name, f"{value:.4g}") for name, value in measures),
        ),
        note=f"{len(phases) - most} more requests" if len(phases) > most else "",
        least_span=end,
    )


def render_text(instance: BatchingInstance, solution: BatchingSolution) -> str:
    """A row for each request, as "number on replica": ``-`` waits, ``#`` prompt, ``=`` output."""
    return chart.text(_chart(instance, solution, TEXT_ROWS))


def render_rgb(instance: BatchingInstance, solution: BatchingSolution) -> NDArray[np.uint8]:
    """The same as (height, width, 3) uint8."""
    return chart.rgb(_chart(instance, solution, MOST_ROWS))


def render_html(instance: BatchingInstance, solution: BatchingSolution) -> str:
    """A page with the time-line and the measures, without anything to fetch."""
    return chart.html(_chart(instance, solution, MOST_ROWS))


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
