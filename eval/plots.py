"""The report's plots as inline SVG; every mark tells its numbers when pointed at."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from graphsched.eval import svg
from graphsched.eval.wording import duration, interval, percent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from graphsched.eval.view import View

WIDTH = 880.0
LABELS = 250.0  # room for solvers' names
ROW = 24.0


def _highest(values: Sequence[float | None], least: float = 1.0) -> float:
    return 1.06 * max([least, *(value for value in values if value is not None)])


def _lowest(values: Sequence[float | None]) -> float:
    return min([0.0, *(1.06 * value for value in values if value is not None)])


def _x_axis(scale: svg.Scale, top: float, bottom: float, title: str) -> str:
    out = []
    for value, words in scale.ticks():
        x = scale(value)
        out.append(svg.line(x, top, x, bottom, "grid"))
        out.append(svg.label(x, bottom + 17, words, "middle", "tick"))
    out.append(svg.label((scale.start + scale.end) / 2, bottom + 38, title, "middle", "axis"))
    return "".join(out)


def _y_axis(scale: svg.Scale, left: float, right: float, title: str) -> str:
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
    scale = svg.Scale(_lowest([r["ci_low"] for r in rows]), _highest(highs), LABELS, WIDTH - 60)
    out = [_x_axis(scale, top, bottom, "mean gap, % (bar: 95% interval)")]
    for i, row in enumerate(rows):
        kind, y = view.kind[row["solver"]], top + ROW * (i + 0.5)
        out.append(svg.label(LABELS - 12, y + 4, row["solver"], "end", f"label t-{kind}"))
        low, high = scale(row["ci_low"]), scale(row["ci_high"])
        out.append(svg.line(low, y, high, y, f"whisker s-{kind}"))
        tip = f"{row['solver']}: {percent(row['mean_gap_pct'])}%, n = {row['n']}"
        tip += f", 95% {interval(row['ci_low'], row['ci_high'])}"
        out.append(svg.dot(scale(row["mean_gap_pct"]), y, f"f-{kind}", tip))
        out.append(svg.label(high + 9, y + 4, percent(row["mean_gap_pct"]), "start", "value"))
    return svg.picture(WIDTH, bottom + 46, "".join(out), "Mean gap of each solver")


def _foremost(view: View) -> list[str]:
    """Solvers whose lines are named in plots: all but the rules that are not the best one."""
    best = view.best_rule()
    return [name for name in view.names if view.kind[name] != "rule" or name == best]


def gaps_by_group(view: View) -> str:
    """Mean gap over the groups, a line for each solver; rules but the best stay grey."""
    groups, named = view.groups, _foremost(view)
    left, right, top, bottom = 60.0, WIDTH - LABELS, 34.0, 330.0
    gaps = {name: [view.gap(name, group) for group in groups] for name in view.names}
    flat = [gap for values in gaps.values() for gap in values]
    scale = svg.Scale(_lowest(flat), _highest(flat), bottom, top)
    step = (right - left) / len(groups)
    out = [_y_axis(scale, left, right, "mean gap, %")]
    for i, group in enumerate(groups):
        out.append(svg.label(left + step * (i + 0.5), bottom + 18, group, "middle", "tick"))
    ends: list[tuple[float, str]] = []
    for name in sorted(gaps, key=lambda name: name in named):
        kind = view.kind[name] if name in named else "muted"
        marks, points = [], []
        for i, (group, gap) in enumerate(zip(groups, gaps[name], strict=True)):
            if gap is not None:
                points.append((left + step * (i + 0.5), scale(gap)))
                tip = f"{name} at {group}: {percent(gap)}%"
                marks.append(svg.dot(*points[-1], f"f-{kind}", tip, 4.0 if name in named else 2.5))
        out += [svg.path(points, f"curve s-{kind}"), *marks]
        if name in named and points:
            ends.append((points[-1][1], name))
    heights = svg.spread([y for y, _ in ends], 17.0, top, bottom + 30)
    for (y, name), height in zip(ends, heights, strict=True):
        out.append(svg.line(right - step / 2 + 8, y, right + 8, height, "leader"))
        cls = f"label t-{view.kind[name]}"
        out.append(svg.label(right + 12, height + 4, name, "start", cls))
    return svg.picture(WIDTH, bottom + 44, "".join(out), "Mean gap by group")


def _families(view: View) -> dict[str, list[str]]:
    """Solvers that differ in effort only (samples, time limit), joined by a line."""
    out: dict[str, list[str]] = {}
    for name in view.names:
        out.setdefault(re.sub(r"@[^+]*", "", name), []).append(name)
    return out


def gap_against_time(view: View) -> str:
    """What each solver reaches in which time; equal wall-clock is a vertical line."""
    found = {name: s for name in view.names if (s := view.summary(name)) and s["n"]}
    left, right, top, bottom = 60.0, WIDTH - 40, 34.0, 390.0
    times = [max(s["mean_seconds"], 1e-6) for s in found.values()]
    gaps = [s["mean_gap_pct"] for s in found.values()]
    x = svg.Scale(min(times) / 2, max(times) * 12, left, right, log=True)
    y = svg.Scale(_lowest(gaps), _highest(gaps), bottom, top)
    out = [
        _x_axis(x, top, bottom, "wall-clock time per instance"),
        _y_axis(y, left, right, "gap, %"),
    ]
    place = {name: (x(s["mean_seconds"]), y(s["mean_gap_pct"])) for name, s in found.items()}
    for names in _families(view).values():
        points = sorted(place[name] for name in names if name in place)
        out.append(svg.path(points, f"curve s-{view.kind[names[0]]}"))
    named = _foremost(view)
    heights = _free_heights({name: place[name] for name in named if name in place})
    for name, (px, py) in place.items():
        kind = view.kind[name]
        tip = f"{name}: {percent(found[name]['mean_gap_pct'])}% in "
        out.append(svg.dot(px, py, f"f-{kind}", tip + duration(found[name]["mean_seconds"])))
        if name in heights:
            cls = f"label t-{kind}"
            out.append(svg.label(px + 9, heights[name] + 4, name, "start", cls))
    return svg.picture(WIDTH, bottom + 46, "".join(out), "Mean gap against time")


def _free_heights(place: dict[str, tuple[float, float]]) -> dict[str, float]:
    """Heights of labels such that those of near points don't cover each other."""
    out: dict[str, float] = {}
    done: list[tuple[float, float]] = []
    for name, (x, y) in sorted(place.items(), key=lambda item: item[1][1]):
        height = y
        while any(abs(x - dx) < 0.8 * LABELS and abs(height - dy) < 15 for dx, dy in done):
            height += 3
        done.append((x, height))
        out[name] = height
    return out


def gap_distribution(view: View) -> str:
    """Every instance's gap as a dot, a row for each solver, a bar at the mean."""
    rows = [name for name in _foremost(view) if view.gaps_by_instance(name)]
    gaps = {name: view.gaps_by_instance(name) for name in rows}
    height = 30.0
    top, bottom = 8.0, 8.0 + height * len(rows)
    flat = [gap for values in gaps.values() for gap in values.values()]
    scale = svg.Scale(_lowest(flat), _highest(flat), LABELS, WIDTH - 20)
    out = [_x_axis(scale, top, bottom, "gap of each instance, % (bar: mean)")]
    for i, name in enumerate(rows):
        kind, y = view.kind[name], top + height * (i + 0.5)
        out.append(svg.label(LABELS - 12, y + 4, name, "end", f"label t-{kind}"))
        for k, (instance, gap) in enumerate(gaps[name].items()):
            shift = (k * 0.618034 % 1.0 - 0.5) * 0.6 * height
            tip = f"{instance}: {percent(gap)}% by {name}"
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
    y = svg.Scale(_lowest(flat), _highest(flat), bottom, top)
    out = [_x_axis(x, top, bottom, "minutes of training"), _y_axis(y, left, right, "gap, %")]
    names = {"gap_pct": ("policy", "policy"), "best_rule_gap_pct": ("best rule", "rule")}
    for key, (words, kind) in names.items():
        points = [(x(p["minutes"]), y(p[key])) for p in curve if p.get(key) is not None]
        if points:
            out.append(svg.path(points, f"curve s-{kind}{' dashed' if kind == 'rule' else ''}"))
            end = points[-1]
            out.append(svg.label(end[0] + 8, end[1] + 4, words, "start", f"label t-{kind}"))
    return svg.picture(WIDTH, bottom + 46, "".join(out), "Training curve")
