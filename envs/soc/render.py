"""Gantt charts per PE with the transfers between them; a colour for each task, or each job."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from graphsched.envs.core.parts.chart import Bar, Chart, Link, Mark, drawers, palette
from graphsched.envs.soc.bounds import completions, lower_bound

if TYPE_CHECKING:
    from graphsched.envs.soc.instance import SocInstance
    from graphsched.envs.soc.solution import SocSolution


def _rows_of(solution: SocSolution, pe: int, first: int, lanes: int) -> dict[int, int]:
    """Chart row of each of a PE's tasks: the first one that is free."""
    tasks = np.flatnonzero(solution.pe == pe)
    free, out = [0.0] * lanes, {}
    for r in tasks[np.argsort(solution.start[tasks], kind="stable")].tolist():
        lane = min(range(lanes), key=lambda k: max(free[k] - solution.start[r], 1e-9))
        free[lane], out[r] = float(solution.end[r]), first + lane
    return out


def _chart(instance: SocInstance, solution: SocSolution) -> Chart:
    """A row for each task that a PE can run at once."""
    assert instance.platform.capacity is not None
    names: list[str] = []
    row: dict[int, int] = {}
    capacity = instance.platform.capacity.tolist()
    for p, (name, lanes) in enumerate(zip(instance.platform.pe_names, capacity, strict=True)):
        row |= _rows_of(solution, p, len(names), lanes)
        names += [name if lanes == 1 else f"{name} {k}" for k in range(lanes)]
    place = {}  # of task i of job n
    columns = (solution.job, solution.task, solution.start, solution.end)
    for r, (n, i, begin, end) in enumerate(zip(*(c.tolist() for c in columns), strict=True)):
        label = instance.jobs[int(solution.kind[n])].task_names[i]
        words = f"{label} (job {n}), {names[row[r]]}"
        place[n, i] = Bar(row[r], begin, end, n if instance.stream else i, label, words)
    tasks = instance.jobs[0].task_names
    groups = [f"job {n}" for n in range(len(solution.kind))] if instance.stream else tasks
    summary, least = _summary(instance, solution), 0 if instance.stream else lower_bound(instance)
    bound = [Mark(least, f"lower bound {least:g}", is_bound=True)] if least else []
    return Chart(
        name=instance.name,
        summary=summary,
        axis="time",
        bars=tuple(sorted(place.values(), key=lambda bar: bar.begin)),
        groups=palette(groups),
        kind="job" if instance.stream else "task",
        rows=tuple(names),
        links=_transfers(instance, solution, place),
        marks=() if instance.stream else (*bound, Mark(solution.cost, summary)),
    )


def _transfers(
    instance: SocInstance, solution: SocSolution, place: dict[tuple[int, int], Bar]
) -> tuple[Link, ...]:
    out = []
    for n, kind in enumerate(solution.kind.tolist()):
        for j, i in instance.jobs[kind].edge.T.tolist():
            source, target = place.get((n, j)), place.get((n, i))
            if source and target and source.row != target.row:
                out.append(Link(source.end, int(source.row), target.begin, int(target.row)))
    return tuple(out)


def _summary(instance: SocInstance, solution: SocSolution) -> str:
    if instance.stream is None:
        return f"makespan {solution.cost:g}"
    done = int(np.isfinite(completions(instance, solution)).sum())
    return f"mean latency {solution.cost:.1f}, {done} jobs completed"


render_text, render_rgb, render_html = drawers(_chart)
