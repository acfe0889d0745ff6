"""Charts as pages that fetch nothing: zoom, words where somebody points, groups to highlight."""

from __future__ import annotations

from html import escape
from importlib.resources import files
from string import Template
from typing import TYPE_CHECKING

from graphsched.envs.core.parts.chart.model import NAME, ink, shown

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
        swatch = f'<i style="background:{color}"></i>'
        legend.append(f'<button data-group="{k}">{swatch}{_safe(name)}</button>')
    facts = (f"<span>{_safe(name)} <b>{_safe(value)}</b></span>" for name, value in chart.facts)
    return Template((files(__package__) / "page.html").read_text(encoding="utf-8")).substitute(
        title=escape(chart.title),
        name=_safe(chart.name),
        stroke="1" if len(chart.bars) < 500 else "0.5",
        colors="\n".join(colors),
        facts="".join(facts) or f"<span>{_safe(chart.summary)}</span>",
        svg=_Drawing(chart).svg(),
        legend="".join(legend) if len(legend) <= MOST_KEYS else "",
        kind=_safe(chart.kind),
        note=_safe(chart.note),
    )


def _safe(words: str, most: int = 200) -> str:
    return escape(shown(words, most))


class _Drawing:
    """The chart as it looks before the page's script fits it to the window."""

    def __init__(self, chart: Chart) -> None:
        self.chart = chart
        self.names = [shown(name, NAME) for name in chart.rows]
        widest = max(map(len, [*self.names, shown(chart.axis, NAME), shown(chart.top, NAME)]))
        self.left = round(20 + CHARACTER * widest)
        self.wide = WIDTH - RIGHT - self.left
        self.scale = self.wide / chart.span
        rows = len(chart.rows)
        self.row = MAP if chart.top else 40 if rows <= 8 else 30 if rows <= 15 else 25
        if rows > 40:
            self.row = 14
        self.under = TOP + self.row * chart.depth  # where the rows end
        self.bottom = self.under + (GAP + LOAD if chart.load else 0)

    def svg(self) -> str:
        """The element with everything in it."""
        chart, height = self.chart, self.bottom + BOTTOM
        clip = f'<rect x="{self.left}" y="0" width="{self.wide + 2}" height="{height}"/>'
        data = {"left": self.left, "right": RIGHT, "top": TOP, "bottom": self.bottom}
        data |= {"height": height, "step": int(chart.whole)}
        words = "".join(f' data-{key}="{value}"' for key, value in data.items())
        inside = "".join((self._bars(), self._stretched(), self._marks()))
        return (
            f'<svg viewBox="0 0 {WIDTH} {height}"{words} data-end="{chart.span:.9g}" data-axis="{_safe(chart.axis)}" '
            f'role="img" aria-label="{escape(chart.title)}">'
            f'<defs><clipPath id="plot">{clip}</clipPath></defs>{self._stripes()}'
            f'<g id="grid"></g><g clip-path="url(#plot)">{inside}</g>{self._labels()}</svg>'
        )

    def _stripes(self) -> str:
        places = [(TOP + k * self.row, self.row) for k in range(0, self.chart.depth, 2)]
        if self.chart.load:
            places.append((self.bottom - LOAD, LOAD))
        box = f'<rect class="stripe" x="{self.left}" width="{self.wide}"'
        return "".join(f'{box} y="{y}" height="{height}"/>' for y, height in places)

    def _labels(self) -> str:
        words = [(TOP + (k + 0.5) * self.row + 4, name) for k, name in enumerate(self.names)]
        words.append((self.bottom + 15, self.chart.axis))
        if self.chart.top:
            words += [(TOP + 10, self.chart.top), (self.under, "0")]
        if self.chart.load:
            words.append((self.bottom - LOAD + 10, "taken"))
        place = f'<text x="{self.left - 8}" text-anchor="end"'
        return "".join(f'{place} y="{y:.0f}">{_safe(name, NAME)}</text>' for y, name in words)

    def _bars(self) -> str:
        return "".join(map(self._bar, self.chart.bars))

    def _bar(self, bar: Bar) -> str:
        x, width = self.left + bar.begin * self.scale, max((bar.end - bar.begin) * self.scale, 1.0)
        y, height = TOP + bar.row * self.row, bar.height * self.row
        if self.chart.top:
            y, height = self.under - (bar.row + bar.height) * self.row, max(height, 1.0)
        else:
            y, height = y + 2, height - 4
        shape = f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"/>'
        text = ""
        if bar.label:
            place = f'x="{x + width / 2:.1f}" y="{y + height / 2:.1f}"'
            text = f"<text {place}>{_safe(bar.label)}</text>"
        data = f'data-at="{bar.begin:.9g},{bar.end:.9g}" data-words="{_safe(bar.words)}"'
        return f'<g class="bar g{bar.group}" {data}>{shape}{text}</g>'

    def _stretched(self) -> str:
        """Links and load, whose x is time: the script stretches them as a whole."""
        middle = [TOP + (k + 0.5) * self.row for k in range(self.chart.depth)]
        parts = [
            f'<line x1="{a:.6g}" y1="{middle[p]}" x2="{b:.6g}" y2="{middle[q]}"/>'
            for a, p, b, q in self.chart.links
        ]
        if self.chart.load:
            edges = [f"M0 {self.bottom}"]
            edges += [f"V{self.bottom - LOAD * v:.1f}h1" for v in self.chart.load]
            parts.append(f'<path class="load" d="{"".join(edges)}V{self.bottom}z"/>')
        place = f'transform="translate({self.left} 0) scale({self.scale:.6g} 1)"'
        return f'<g id="stretched" {place}>{"".join(parts)}</g>'

    def _marks(self) -> str:
        out = []
        for at, words, is_bound in self.chart.marks:
            kind, y = ("bound", self.bottom + 32) if is_bound else ("end", 16)
            place = f'data-at="{at:.9g}"'
            place += f' transform="translate({self.left + at * self.scale:.1f} 0)"'
            line = f'<line class="{kind}" y1="{TOP - 6}" y2="{self.bottom + 4}"/>'
            side = ' style="text-anchor: start"' if 4 * at < self.chart.span else ""
            text = f'<text class="{kind}-text" y="{y}"{side}>{_safe(words)}</text>'
            out.append(f'<g class="mark" {place}>{line}{text}</g>')
        return "".join(out)
