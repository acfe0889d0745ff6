"""The report's plots as inline SVG; every mark tells its numbers when pointed at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graphsched.eval.judging.wording import interval, number, shorten
from graphsched.eval.report import svg
from graphsched.eval.report.tables import foremost

if TYPE_CHECKING:
    from collections.abc import Sequence

    from graphsched.eval.judging.view import View

WIDTH = 880.0
LABELS = 250.0  # room for solvers' names
ROW = 24.0
LONGEST = 30  # characters of a name that fit there


def highest(values: Sequence[float | None], least: float = 1.0) -> float:
    """Upper end of an axis that starts at zero."""
    return 1.06 * max([least, *(value for value in values if value is not None)])


def lowest(values: Sequence[float | None]) -> float:
    """Lower end of an axis: zero, or below the least value."""
    return min([0.0, *(1.06 * value for value in values if value is not None)])


def x_axis(scale: svg.Scale, top: float, bottom: float, title: str) -> str:
    """Ticks with grid lines, and a title below."""
    out = []
    for value, words in scale.ticks():
        x = scale(value)
        out.append(svg.line(x, top, x, bottom, "grid"))
        out.append(svg.label(x, bottom + 17, words, "middle", "tick"))
    out.append(svg.label((scale.start + scale.end) / 2, bottom + 38, title, "middle", "axis"))
    return "".join(out)


def y_axis(scale: svg.Scale, left: float, right: float, title: str) -> str:
    """Ticks with grid lines, and a title above."""
    out = [svg.label(left - 44, scale.end - 14, title, "start", "axis")]
    for value, words in scale.ticks():
        y = scale(value)
        out.append(svg.line(left, y, right, y, "grid"))
        out.append(svg.label(left - 8, y + 4, words, "end", "tick"))
    return "".join(out)


def mean_gaps(view: View) -> str:
    """Mean gap of every solver with its confidence interval, best on top."""
    rows = [s for name in view.names if (s := view.summary(name)) and s["n"]]
    top, bottom = 8.0, 8.0 + ROW * len(rows)
    highs = [row["ci_high"] for row in rows]
    scale = svg.Scale(lowest([r["ci_low"] for r in rows]), highest(highs), LABELS, WIDTH - 60)
    out = [x_axis(scale, top, bottom, f"{view.measure.axis} (bar: 95% interval)")]
    for i, row in enumerate(rows):
        kind, y = view.kind[row["solver"]], top + ROW * (i + 0.5)
        out.append(
            svg.label(LABELS - 12, y + 4, shorten(row["solver"], LONGEST), "end", f"label t-{kind}")
        )
        low, high = scale(row["ci_low"]), scale(row["ci_high"])
        out.append(svg.line(low, y, high, y, f"whisker s-{kind}"))
        tip = f"{row['solver']}: {view.measure.value(row['mean'])}, n = {row['n']}"
        tip += f", 95% {interval(row['ci_low'], row['ci_high'])}"
        out.append(svg.dot(scale(row["mean"]), y, f"f-{kind}", tip))
        out.append(svg.label(high + 9, y + 4, number(row["mean"]), "start", "value"))
    return svg.picture(WIDTH, bottom + 46, "".join(out), "Mean gap of each solver")


def _lines(view: View) -> list[str]:
    """The foremost solvers and all rules."""
    named = foremost(view)
    return [name for name in view.names if name in named or view.kind[name] == "rule"]


def gaps_by_group(view: View) -> str:
    """Mean over the groups, a line for each base at its longest limit; other rules stay grey."""
    groups, named = view.groups, foremost(view)
    left, right, top, bottom = 60.0, WIDTH - LABELS, 34.0, max(330.0, 34.0 + 17.0 * len(named))
    gaps = {name: [view.mean(name, group) for group in groups] for name in _lines(view)}
    flat = [gap for values in gaps.values() for gap in values]
    scale = svg.Scale(lowest(flat), highest(flat), bottom, top)
    step = (right - left) / len(groups)
    out = [y_axis(scale, left, right, view.measure.axis)]
    for i, group in enumerate(groups):
        out.append(svg.label(left + step * (i + 0.5), bottom + 18, group, "middle", "tick"))
    ends: list[tuple[float, str]] = []
    for name in sorted(gaps, key=lambda name: name in named):
        kind = view.kind[name] if name in named else "muted"
        marks, points = [], []
        for i, (group, gap) in enumerate(zip(groups, gaps[name], strict=True)):
            if gap is not None:
                points.append((left + step * (i + 0.5), scale(gap)))
                tip = f"{name} at {group}: {view.measure.value(gap)}"
                marks.append(svg.dot(*points[-1], f"f-{kind}", tip, 4.0 if name in named else 2.5))
        out += [svg.path(points, f"curve s-{kind}"), *marks]
        if name in named and points:
            ends.append((points[-1][1], name))
    heights = svg.spread([y for y, _ in ends], 17.0, top, bottom + 30)
    for (y, name), height in zip(ends, heights, strict=True):
        out.append(svg.line(right - step / 2 + 8, y, right + 8, height, "leader"))
        cls = f"label t-{view.kind[name]}"
        out.append(svg.label(right + 12, height + 4, shorten(name, LONGEST), "start", cls))
    return svg.picture(WIDTH, bottom + 44, "".join(out), "Mean gap by group")


def gap_distribution(view: View) -> str:
    """Every instance's gap as a dot, a row for each solver, a bar at the mean."""
    rows = [name for name in foremost(view) if view.values_by_instance(name)]
    gaps = {name: view.values_by_instance(name) for name in rows}
    height = 30.0
    top, bottom = 8.0, 8.0 + height * len(rows)
    flat = [gap for values in gaps.values() for gap in values.values()]
    scale = svg.Scale(lowest(flat), highest(flat), LABELS, WIDTH - 20)
    out = [
        x_axis(
            scale,
            top,
            bottom,
            f"{view.measure.short} of each instance{', %' * view.measure.is_gap} (bar: mean)",
        )
    ]
    for i, name in enumerate(rows):
        kind, y = view.kind[name], top + height * (i + 0.5)
        out.append(svg.label(LABELS - 12, y + 4, shorten(name, LONGEST), "end", f"label t-{kind}"))
        for k, (instance, gap) in enumerate(gaps[name].items()):
            shift = (k * 0.618034 % 1.0 - 0.5) * 0.6 * height
            tip = f"{instance}: {view.measure.value(gap)} by {name}"
            out.append(svg.dot(scale(gap), y + shift, f"f-{kind} faint", tip, 3.0))
        mean = scale(sum(gaps[name].values()) / len(gaps[name]))
        out.append(svg.line(mean, y - 0.42 * height, mean, y + 0.42 * height, f"mean s-{kind}"))
    return svg.picture(WIDTH, bottom + 46, "".join(out), "Distribution of gaps")


def training_curve(curve: Sequence[dict[str, Any]]) -> str:
    """Validation gap of the policy over training time, the best rule's as a dashed line."""
    left, right, top, bottom = 60.0, WIDTH - 120, 34.0, 270.0
    both = ("gap_pct", "best_rule_gap_pct")
    flat = [point[key] for point in curve for key in both if point.get(key) is not None]
    x = svg.Scale(0.0, max(point["minutes"] for point in curve) or 1.0, left, right)
    y = svg.Scale(lowest(flat), highest(flat), bottom, top)
    out = [x_axis(x, top, bottom, "minutes of training"), y_axis(y, left, right, "gap, %")]
    names = {"gap_pct": ("policy", "policy"), "best_rule_gap_pct": ("best rule", "rule")}
    for key, (words, kind) in names.items():
        points = [(x(p["minutes"]), y(p[key])) for p in curve if p.get(key) is not None]
        if points:
            out.append(svg.path(points, f"curve s-{kind}{' dashed' if kind == 'rule' else ''}"))
            end = points[-1]
            out.append(svg.label(end[0] + 8, end[1] + 4, words, "start", f"label t-{kind}"))
    return svg.picture(WIDTH, bottom + 46, "".join(out), "Training curve")
