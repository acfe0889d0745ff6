"""Just enough SVG: scales, ticks, and elements as text. Colours come from the page's CSS."""

from __future__ import annotations

import math
from dataclasses import dataclass
from html import escape

from graphsched.eval.judging.wording import duration


@dataclass(frozen=True)
class Scale:
    """Maps values in [low, high] to pixels in [start, end]; `log` on a logarithmic axis."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """Pixel of a value."""
        low, high, at = self.low, self.high, value
        if self.log:
            low, high, at = math.log10(low), math.log10(high), math.log10(max(value, self.low))
        return self.start + (at - low) / ((high - low) or 1.0) * (self.end - self.start)

    def ticks(self) -> list[tuple[float, str]]:
        """Round values within the scale, with labels; durations on a logarithmic scale."""
        if self.log:
            first, last = math.ceil(math.log10(self.low)), math.floor(math.log10(self.high))
            powers = [10.0**power for power in range(first, last + 1)]
            if len(powers) < 2:  # within a power of ten: 1, 2 and 5 of it
                near = [m * 10.0**k for k in range(first - 2, last + 2) for m in (1, 2, 5)]
                powers = [value for value in near if self.low <= value <= self.high]
            return [(value, duration(value)) for value in powers]
        step = nice_step((self.high - self.low) / 5)
        first = math.ceil(self.low / step - 1e-9)
        values = [k * step for k in range(first, math.floor(self.high / step + 1e-9) + 1)]
        return [(value, f"{value:g}" if step >= 1 else f"{value:.6g}") for value in values]


def nice_step(rough: float) -> float:
    """The least of 1, 2, 5 times a power of ten that is not below ``rough``."""
    if rough <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(rough))
    return next(power * m for m in (1, 2, 5, 10) if power * m >= rough * (1 - 1e-9))


def element(tag: str, content: str = "", **attributes: object) -> str:
    """An element; ``cls`` stands for ``class`` and underscores for hyphens."""
    words = []
    for key, value in attributes.items():
        name = "class" if key == "cls" else key.replace("_", "-")
        shown = f"{value:.1f}" if isinstance(value, float) else escape(str(value), quote=True)
        words.append(f' {name}="{shown}"')
    return f"<{tag}{''.join(words)}>{content}</{tag}>"


def label(x: float, y: float, words: str, anchor: str = "start", cls: str = "label") -> str:
    """A line of text with its baseline at (x, y)."""
    return element("text", escape(words), x=x, y=y, text_anchor=anchor, cls=cls)


def line(x1: float, y1: float, x2: float, y2: float, cls: str) -> str:
    """A straight line."""
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, cls=cls)


def dot(x: float, y: float, cls: str, title: str, radius: float = 5.0) -> str:
    """A disc that tells its title when pointed at."""
    content = element("title", escape(title))
    return element("circle", content, cx=x, cy=y, r=radius, cls=cls)


def path(points: list[tuple[float, float]], cls: str) -> str:
    """A polyline through the points."""
    joined = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return element("polyline", points=joined, cls=cls)


def spread(wanted: list[float], distance: float, low: float, high: float) -> list[float]:
    """Positions as close to the wanted ones as keeps them ``distance`` apart within bounds."""
    order = sorted(range(len(wanted)), key=wanted.__getitem__)
    placed = [wanted[i] for i in order]
    for i in range(1, len(placed)):
        placed[i] = max(placed[i], placed[i - 1] + distance)
    limit = high
    for i in reversed(range(len(placed))):
        placed[i] = max(min(placed[i], limit), low + i * distance)
        limit = placed[i] - distance
    out = [0.0] * len(wanted)
    for rank, i in enumerate(order):
        out[i] = placed[rank]
    return out


def picture(width: float, height: float, content: str, about: str) -> str:
    """A whole picture that fits its column."""
    box = f"0 0 {width:g} {height:g}"
    return element("svg", content, viewBox=box, role="img", aria_label=about, cls="plot")
