"""Quality against time: a line for each base over its time limits, a mark for each one without."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from graphsched.eval.judging.wording import duration, interval, shorten
from graphsched.eval.report import svg
from graphsched.eval.report.marks import (
    CHARACTER,
    LINE,
    Box,
    Style,
    band,
    curve,
    mark,
    place_labels,
    styles,
    text_width,
)
from graphsched.eval.report.plots import highest, lowest, x_axis, y_axis

if TYPE_CHECKING:
    from graphsched.eval.judging.view import View

WIDTH = 880.0
LEFT, TOP, BOTTOM = 60.0, 34.0, 400.0
ROOM = 200.0  # right of the curves, for the names of their ends
KEY_ROW = 20.0
PANELS = 3  # in a row
PANEL_WIDTH, PANEL_HEIGHT = 293.0, 230.0
FAR = 3.0  # means so many times the median one are cut off at the upper edge
BEYOND = 1.25  # the axis ends so far beyond the best rule, counted from the best mean of all


@dataclass(frozen=True)
class Point:
    """One solver: when, and how good."""

    name: str
    base: str
    seconds: float
    mean: float
    low: float
    high: float
    limited: bool


def points(view: View, group: str = "all") -> list[Point]:
    """Every solver with a mean in a group, by base, shortest time first."""
    out = []
    for base, solvers in view.curves.items():
        for solver in solvers:
            found = view.summary(solver["name"], group)
            if found is None or found["mean"] is None:
                continue
            limit = solver["time_limit_s"]
            seconds = max(found["mean_seconds"] if limit is None else limit, 1e-6)
            numbers = (found["mean"], found["ci_low"], found["ci_high"])
            out.append(Point(solver["name"], base, seconds, *numbers, limit is not None))
    return out


def base_styles(view: View) -> dict[str, Style]:
    """Base -> style, the same in every picture of a report."""
    return styles({base: solvers[0]["kind"] for base, solvers in view.curves.items()})


def _cap(shown: list[Point], looks: dict[str, Style]) -> float:
    """Upper end of the axis: poor rules are cut off, but no policy and nothing with a curve."""
    means = [p.mean for p in shown]
    rules = [p.mean for p in shown if looks[p.base].kind == "rule"]
    least = min(means)
    far = least + BEYOND * (min(rules) - least) if rules else FAR * median(means)
    whole = [p.mean for p in shown if p.limited or looks[p.base].kind == "policy"]
    if far <= least:
        return max(means)
    limit = max([far, *whole])
    return max([mean for mean in means if mean <= limit] or [limit])


def _scales(
    shown: list[Point],
    looks: dict[str, Style],
    x_ends: tuple[float, float],
    y_ends: tuple[float, float],
) -> tuple[svg.Scale, svg.Scale]:
    times = [p.seconds for p in shown]
    x = svg.Scale(min(times) / 1.8, max(times) * 1.8, *x_ends, log=True)
    top = highest([_cap(shown, looks)], least=1e-9)
    return x, svg.Scale(lowest([p.low for p in shown]), top, *y_ends)


def _tip(view: View, p: Point) -> str:
    value = view.measure.value(p.mean)
    return f"{p.name}: {value} ({interval(p.low, p.high)}) in {duration(p.seconds)}"


def _body(
    view: View, shown: list[Point], x: svg.Scale, y: svg.Scale, looks: dict[str, Style], size: float
) -> str:
    """Bands, lines, whiskers and marks; what lies above the axis is at its upper edge."""
    out = []
    for base, style in looks.items():
        own = [p for p in shown if p.base == base and p.limited]
        line = [(x(p.seconds), _held(y, p.mean)) for p in own]
        if len(own) > 1:
            ends = [(x(p.seconds), _held(y, p.low), _held(y, p.high)) for p in own]
            out += [band(ends, style)] if style.kind == "policy" else []
            out.append(curve(line, style))
    for p in shown:
        style, at = looks[p.base], x(p.seconds)
        if p.low < p.high:
            out.append(svg.line(at, _held(y, p.low), at, _held(y, p.high), f"error s-{style.kind}"))
        out.append(mark(at, _held(y, p.mean), style, _tip(view, p), size))
    return "".join(out)


def _held(y: svg.Scale, value: float) -> float:
    return y(min(value, y.high))


def quality_against_time(view: View) -> str:
    """All instances: curves are named at their ends, marks where there is room, all in the key."""
    shown, looks = points(view), base_styles(view)
    if not shown:
        return ""
    right = WIDTH - 20 - (ROOM if view.limits else 0.0)
    x, y = _scales(shown, looks, (LEFT, right), (BOTTOM, TOP))
    key, height = _key(view, shown, y, looks, BOTTOM + 60)
    out = [
        x_axis(x, TOP, BOTTOM, "processor time per instance"),
        y_axis(y, LEFT, right, view.measure.axis),
        _body(view, shown, x, y, looks, 5.0),
        _ends(shown, x, y, looks, right),
        _names(shown, x, y, looks, right),
        key,
    ]
    return svg.picture(WIDTH, height, "".join(out), "Quality against time")


def _ends(
    shown: list[Point], x: svg.Scale, y: svg.Scale, looks: dict[str, Style], right: float
) -> str:
    """Names of the bases with time limits in a column on the right, none if they are too many."""
    last = {p.base: p for p in shown if p.limited}
    if len(last) * LINE > BOTTOM - TOP + LINE:
        return ""
    wanted = [_held(y, p.mean) for p in last.values()]
    out = []
    heights = svg.spread(wanted, LINE, TOP, BOTTOM)
    for (base, p), at, height in zip(last.items(), wanted, heights, strict=True):
        out.append(svg.line(x(p.seconds) + 7, at, right + 8, height, "leader"))
        words = shorten(base, int((ROOM - 16) / CHARACTER))
        cls = f"label t-{looks[base].kind}"
        out.append(svg.label(right + 12, height + 4, words, "start", cls))
    return "".join(out)


def _names(
    shown: list[Point], x: svg.Scale, y: svg.Scale, looks: dict[str, Style], right: float
) -> str:
    """Names beside the marks of those without time limits, where they cover nothing.

    Those that are cut off are named in the key alone.
    """
    named = [p for p in shown if not p.limited and p.mean <= y.high]
    wanted = [(p.base, x(p.seconds), y(p.mean)) for p in named]
    boxes = place_labels(wanted, _taken(shown, x, y), Box(LEFT, TOP - 4, right, BOTTOM))
    return "".join(
        svg.label(box.left, box.bottom - 4, base, "start", f"label t-{looks[base].kind}")
        for base, box in boxes.items()
    )


def _taken(shown: list[Point], x: svg.Scale, y: svg.Scale) -> list[Box]:
    """Where marks are, and the lines between them in steps."""
    places = []
    before: Point | None = None
    for p in shown:
        px, py = x(p.seconds), _held(y, p.mean)
        places.append((px, py))
        if before is not None and before.base == p.base and before.limited and p.limited:
            qx, qy = x(before.seconds), _held(y, before.mean)
            shares = [i / 24 for i in range(1, 24)]
            places += [(qx + s * (px - qx), qy + s * (py - qy)) for s in shares]
        before = p
    return [Box(px - 4, py - 4, px + 4, py + 4) for px, py in places]


def _key(
    view: View, shown: list[Point], y: svg.Scale, looks: dict[str, Style], top: float
) -> tuple[str, float]:
    """Every base with its mark, in columns as wide as the longest name; and where it ends."""
    words = {base: base for base in looks}
    for p in shown:
        if p.mean > y.high and not p.limited:
            words[p.base] = f"{p.base} ({view.measure.value(p.mean)}, above the picture)"
    widest = max(text_width(text) for text in words.values()) + 56
    columns = max(1, int((WIDTH - 20) // widest))
    rows = -(-len(words) // columns)
    out = []
    lines = {p.base for p in shown if p.limited}
    for i, (base, text) in enumerate(words.items()):
        left, at = 20 + (i // rows) * widest, top + (i % rows) * KEY_ROW
        if base in lines:
            out.append(curve([(left, at), (left + 30, at)], looks[base]))
        out.append(mark(left + 15, at, looks[base], text))
        out.append(svg.label(left + 38, at + 4, text, "start", "label"))
    return "".join(out), top + rows * KEY_ROW + LINE / 2


def panels(view: View) -> str:
    """The same for each group, small, with an axis of its own; marks as in the key above."""
    groups = [(group, points(view, group)) for group in view.groups]
    groups = [(group, shown) for group, shown in groups if shown]
    looks = base_styles(view)
    out = []
    for i, (group, shown) in enumerate(groups):
        left = 44 + (i % PANELS) * PANEL_WIDTH
        top = 40 + (i // PANELS) * PANEL_HEIGHT
        right, bottom = left + PANEL_WIDTH - 60, top + PANEL_HEIGHT - 74
        x, y = _scales(shown, looks, (left, right), (bottom, top))
        title = f"{group}, n = {view.size(group)}"
        out += [
            svg.label(left, top - 16, title, "start", "label title"),
            _sparse_x(x, top, bottom),
            y_axis(y, left, right, ""),
            _body(view, shown, x, y, looks, 3.6),
        ]
    rows = -(-len(groups) // PANELS)
    return svg.picture(
        WIDTH, rows * PANEL_HEIGHT + 8, "".join(out), "Quality against time by group"
    )


def _sparse_x(x: svg.Scale, top: float, bottom: float) -> str:
    """Ticks as far apart as their labels need."""
    out, edge = [], -1e9
    for value, words in x.ticks():
        at, half = x(value), text_width(words) / 2
        out.append(svg.line(at, top, at, bottom, "grid"))
        if at - half > edge:
            out.append(svg.label(at, bottom + 16, words, "middle", "tick"))
            edge = at + half + 4
    return "".join(out)
