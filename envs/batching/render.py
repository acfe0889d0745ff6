"""Time-lines of a log: as text, as pixels, as a page, and as a trace for Perfetto."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from graphsched.envs.batching.metrics import metrics
from graphsched.envs.batching.physics.timeline import timeline
from graphsched.envs.core.parts.chart import Bar, Chart, Group, drawers

if TYPE_CHECKING:
    from graphsched.envs.batching.instance import BatchingInstance
    from graphsched.envs.batching.solution import BatchingSolution
    from graphsched.envs.core.arrays import Ints

    Moments = list[float]

PHASES = (
    Group("queued", "#cccccc", "-"),
    Group("prompt", "#e69f00", "#"),
    Group("output", "#0072b2", "="),
    Group("paused", "#999999", "."),  # it left a batch, and has not come back yet
)
QUEUED, PROMPT, OUTPUT, PAUSED = range(4)


class Phase(NamedTuple):
    """A part of a request's time-line, s."""

    kind: int  # place in `PHASES`
    begin: float
    end: float


def _moments(instance: BatchingInstance, solution: BatchingSolution, table: Ints) -> list[Moments]:
    """(N,) when the iterations began that rows of a table (request, replica, iteration, ...) name."""
    out: list[Moments] = [[] for _ in instance.requests.arrival_s]
    for r in range(len(instance.replicas)):
        mine = solution.replica == r
        at = np.append(solution.begin_s[mine], solution.end_s[mine][-1:])
        for i, _, k, *_ in table[table[:, 1] == r].tolist():
            out[i].append(float(at[k]))
    return [sorted(moments) for moments in out]


def _phases(instance: BatchingInstance, solution: BatchingSolution) -> dict[int, list[Phase]]:
    """Of the requests that got tokens, by when they were first admitted."""
    times = timeline(instance, solution)
    came = _moments(instance, solution, solution.entry)
    left = _moments(instance, solution, solution.leave)
    out = {}
    for i, tokens in enumerate(times.tokens):
        if not len(tokens):
            continue
        first, last = float(tokens[0]), float(tokens[-1])
        phases = [Phase(QUEUED, float(times.visible[i]), came[i][0])]
        for begin, end in zip(came[i], [*left[i], last], strict=False):
            if begin > phases[-1].end:
                phases.append(Phase(PAUSED, phases[-1].end, begin))
            parts = (Phase(PROMPT, begin, min(end, first)), Phase(OUTPUT, max(begin, first), end))
            phases += [part for part in parts if part.begin < part.end]
        out[i] = phases
    return dict(sorted(out.items()))


def _chart(instance: BatchingInstance, solution: BatchingSolution) -> Chart:
    """A row for each request, called "number on replica"."""
    phases = _phases(instance, solution)
    end = max((mine[-1].end for mine in phases.values()), default=1.0)
    bars, names = [], []
    for row, i in enumerate(phases):
        names.append(f"{i} on {solution.home[i]}")
        for phase in phases[i]:
            words = f"request {i} {PHASES[phase.kind].name}, replica {solution.home[i]}"
            bars.append(Bar(row, phase.begin, phase.end, phase.kind, words=words))
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
    for i, phases in _phases(instance, solution).items():
        for kind, a, b in phases:
            spans.append((int(solution.home[i]), i + 1, PHASES[kind].name, a, b))
    events: list[dict[str, Any]] = [
        {"ph": "M", "pid": r, "name": "process_name", "args": {"name": f"replica {r}"}}
        for r in range(len(instance.replicas))
    ]
    for r, row, name, a, b in spans:
        bar = {"ph": "X", "pid": r, "tid": row, "name": name}
        events.append({**bar, "ts": 1e6 * a, "dur": 1e6 * (b - a)})
    return json.dumps({"traceEvents": events, "displayTimeUnit": "ms"})
