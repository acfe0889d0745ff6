"""Charts as pages that fetch nothing: zoom, words where somebody points, groups to highlight."""

from __future__ import annotations

from html import escape
from importlib.resources import files
from string import Template
from typing import TYPE_CHECKING

from graphsched.envs.core.parts.chart.model import NAME, WORDS, ink, shown

if TYPE_CHECKING:
    from graphsched.envs.core.parts.chart.model import Bar, Chart

WIDTH, RIGHT, TOP, BOTTOM = 1200, 22, 26, 40  # of the drawing and its margins, px
CHARACTER, MAP, LOAD, GAP = 6.5, 420, 110, 14  # a character's width; heights of a map's parts, px
MOST_KEYS = 200  # groups in the legend


def html(chart: Chart) -> str:
    """The chart as a whole page; what comes from names is text in it, never markup."""
    chart = chart.limited()
    colors, legend = [], []
    for k, (name, color, _) in enumerate(chart.groups):
        colors.append(f".g{k} rect {{ fill: {color}; }} .bar.g{k} text {{ fill: {ink(color)}; }}")
        swatch = _tag("i", style=f"background:{color}")
        legend.append(_tag("button", swatch, _safe(name), data_group=k))
    facts = [f"{_safe(name)} {_tag('b', _safe(value))}" for name, value in chart.facts]
    return Template((files(__package__) / "page.html").read_text(encoding="utf-8")).substitute(
        title=_safe(chart.title),
        name=_safe(chart.name),
        stroke="1" if len(chart.bars) < 500 else "0.5",
        colors="\n".join(colors),
        facts="".join(_tag("span", fact) for fact in facts or [_safe(chart.summary)]),
        svg=_Drawing(chart).svg(),
        legend="".join(legend) if len(legend) <= MOST_KEYS else "",
        kind=_safe(chart.kind),
        note=_safe(chart.note),
    )


def _safe(words: str, most: int = WORDS) -> str:
    return escape(shown(words, most))


def _tag(name: str, *inside: str, **attributes: str | float) -> str:
    """An element. In names of attributes, ``_`` stands for ``-``."""
    words = (
        f' {key.strip("_").replace("_", "-")}="'
        f'{_safe(value) if isinstance(value, str) else format(value, ".9g")}"'
        for key, value in attributes.items()
    )
    return f"<{name}{''.join(words)}>{''.join(inside)}</{name}>"


class _Drawing:
    """The chart as it looks before the page's script fits it to the window."""

    def __init__(self, chart: Chart) -> None:
        self.chart = chart
        rows, names = len(chart.rows), (*chart.rows, chart.axis, chart.top)
        self.left = round(20 + CHARACTER * max(len(shown(name, NAME)) for name in names))
        self.wide = WIDTH - RIGHT - self.left
        self.scale = self.wide / chart.span
        self.row = 40 if rows <= 8 else 30 if rows <= 15 else 25 if rows <= 40 else 14
        self.row = MAP if chart.top else self.row
        self.under = TOP + self.row * chart.depth  # where the rows end
        self.bottom = self.under + (GAP + LOAD if chart.load else 0)

    def svg(self) -> str:
        """The element with everything in it."""
        height = self.bottom + BOTTOM
        clip = _tag("rect", x=self.left, y=0, width=self.wide + 2, height=height)
        inside = [*map(self._bar, self.chart.bars), self._stretched(), *self._marks()]
        data: dict[str, float] = {"left": self.left, "right": RIGHT, "height": height}
        data |= {"top": TOP, "bottom": self.bottom, "end": self.chart.span}
        behind = [_tag("defs", _tag("clipPath", clip, id="plot")), *self._stripes()]
        plot = _tag("g", id="grid") + _tag("g", *inside, clip_path="url(#plot)")
        return _tag(
            "svg",
            *(*behind, plot, *self._labels()),
            **{"viewBox": f"0 0 {WIDTH} {height}", "aria-label": self.chart.title, "role": "img"},
            **{f"data-{key}": value for key, value in data.items()},
            data_axis=self.chart.axis,
        )

    def _x(self, time: float) -> float:
        return round(self.left + time * self.scale, 1)

    def _stripes(self) -> list[str]:
        places = [(TOP + k * self.row, self.row) for k in range(0, self.chart.depth, 2)]
        places += [(self.bottom - LOAD, LOAD)] if self.chart.load else []
        box = {"x": self.left, "width": self.wide}
        return [_tag("rect", class_="stripe", y=y, height=h, **box) for y, h in places]

    def _labels(self) -> list[str]:
        words = [(TOP + (k + 0.5) * self.row + 4, name) for k, name in enumerate(self.chart.rows)]
        words.append((self.bottom + 15, self.chart.axis))
        words += [(TOP + 10, self.chart.top), (self.under, "0")] if self.chart.top else []
        words += [(self.bottom - LOAD + 10, "taken")] if self.chart.load else []
        x = self.left - 8
        return [_tag("text", _safe(name, NAME), x=x, y=y, text_anchor="end") for y, name in words]

    def _bar(self, bar: Bar) -> str:
        row, gap = (1 - bar.row - bar.height, 0) if self.chart.top else (bar.row, 2)
        y, high = TOP + row * self.row + gap, max(bar.height * self.row - 2 * gap, 1)
        x, wide = self._x(bar.begin), max(round((bar.end - bar.begin) * self.scale, 1), 1)
        inside = [_tag("rect", x=x, y=round(y, 1), width=wide, height=round(high, 1))]
        if bar.label:
            inside.append(_tag("text", _safe(bar.label), x=x + wide / 2, y=round(y + high / 2, 1)))
        times = f"{bar.begin:.9g},{bar.end:.9g}"
        return _tag("g", *inside, class_=f"bar g{bar.group}", data_at=times, data_words=bar.words)

    def _stretched(self) -> str:
        """Links and load, whose x is time: the script stretches them as a whole."""
        middle = [TOP + (k + 0.5) * self.row for k in range(self.chart.depth)]
        parts = [
            _tag("line", x1=a, y1=middle[p], x2=b, y2=middle[q]) for a, p, b, q in self.chart.links
        ]
        if self.chart.load:
            edges = "".join(f"V{self.bottom - LOAD * v:.1f}h1" for v in self.chart.load)
            parts.append(f'<path class="load" d="M0 {self.bottom}{edges}V{self.bottom}z"/>')
        place = f"translate({self.left} 0) scale({self.scale:.6g} 1)"
        return _tag("g", *parts, id="stretched", transform=place)

    def _marks(self) -> list[str]:
        out = []
        for at, words, is_bound in self.chart.marks:
            kind, y = ("bound", self.bottom + 32) if is_bound else ("end", 16)
            side = "text-anchor:" + ("start" if 4 * at < self.chart.span else "end")
            inside = _tag("line", y1=TOP - 6, y2=self.bottom + 4)
            inside += _tag("text", _safe(words), y=y, style=side)
            place = {"transform": f"translate({self._x(at)} 0)", "style": f"--color: var(--{kind})"}
            out.append(_tag("g", inside, class_=f"mark {kind}", data_at=f"{at:.9g}", **place))
        return out
