"""Time-lines of a log: as text, as pixels, as a page, and as a trace for Perfetto."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from graphsched.envs.batching.metrics import metrics
from graphsched.envs.batching.physics.timeline import timeline
from graphsched.envs.core.parts.chart import Bar, Chart, Group, drawers

if TYPE_CHECKING:
    from graphsched.envs.batching.instance import BatchingInstance
    from graphsched.envs.batching.solution import BatchingSolution

PHASES = (
    Group("queued", "#cccccc", "-"),
    Group("prompt", "#e69f00", "#"),
    Group("output", "#0072b2", "="),
)


def _phases(instance: BatchingInstance, solution: BatchingSolution) -> dict[int, list[float]]:
    """When the requests that got tokens came, were first admitted, got the first and last one, s."""
    times = timeline(instance, solution)
    begins = [solution.begin_s[solution.replica == r] for r in range(len(instance.replicas))]
    admitted: dict[int, float] = {}
    for i, r, k, *_ in solution.entry.tolist():
        admitted.setdefault(i, float(begins[r][k]))
    return {
        i: [float(times.visible[i]), at, *times.tokens[i][[0, -1]].tolist()]
        for i, at in sorted(admitted.items())
        if len(times.tokens[i])
    }


def _chart(instance: BatchingInstance, solution: BatchingSolution) -> Chart:
    """A row for each request, called "number on replica"."""
    phases = _phases(instance, solution)
    end = max((times[-1] for times in phases.values()), default=1.0)
    bars, names = [], []
    for row, i in enumerate(phases):
        names.append(f"{i} on {solution.home[i]}")
        for phase, (begin, until) in enumerate(pairwise(phases[i])):
            words = f"request {i} {PHASES[phase].name}, replica {solution.home[i]}"
            bars.append(Bar(row, begin, until, phase, words=words))
    facts = [("cost", f"{solution.cost:.3f}"), ("last token", f"{end:.2f} s")]
    facts += [(name, f"{value:.4g}") for name, value in metrics(instance, solution).items()]
    return Chart(
        name=instance.name,
        summary=f"cost {solution.cost:.3f}, {end:.2f} s",
        axis="time, s",
        bars=tuple(bars),
        groups=PHASES,
        kind="phase",
        rows=tuple(names),
        facts=tuple(facts),
    )


render_text, render_rgb, render_html = drawers(_chart)


def chrome_trace(instance: BatchingInstance, solution: BatchingSolution) -> str:
    """JSON in Chrome's trace format, which Perfetto opens: iterations and requests by replica."""
    columns = (solution.replica.tolist(), solution.begin_s.tolist(), solution.end_s.tolist())
    spans = [(r, 0, "iteration", a, b) for r, a, b in zip(*columns, strict=True)]
    for i, times in _phases(instance, solution).items():
        for phase, (a, b) in zip(PHASES, pairwise(times), strict=True):
            spans.append((int(solution.home[i]), i + 1, phase.name, a, b))
    events: list[dict[str, Any]] = [
        {"ph": "M", "pid": r, "name": "process_name", "args": {"name": f"replica {r}"}}
        for r in range(len(instance.replicas))
    ]
    for r, row, name, a, b in spans:
        bar = {"ph": "X", "pid": r, "tid": row, "name": name}
        events.append({**bar, "ts": 1e6 * a, "dur": 1e6 * (b - a)})
    return json.dumps({"traceEvents": events, "displayTimeUnit": "ms"})
