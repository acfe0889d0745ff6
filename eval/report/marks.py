"""Marks that stay apart without colour: shapes, dashes, and where labels find room."""

from __future__ import annotations

import math
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from graphsched.eval.report import svg

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

SHAPES = ("circle", "square", "diamond", "up", "down", "cross", "saltire", "star")
DASHES = ("", "7 4", "2 3", "9 3 2 3", "12 4", "4 2 1 2")
CHARACTER = 8.3  # pixels of a character of 13 px text, on the wide side: bold in wide fonts
LINE = 15.0  # height of a label


@dataclass(frozen=True)
class Style:
    """How the marks of a base look; `kind` is its colour."""

    kind: str
    shape: str
    dash: str
    hollow: bool


def styles(kinds: dict[str, str]) -> dict[str, Style]:
    """Base -> style: no two bases share shape and filling (up to 16), colour is by kind."""
    out = {}
    for i, (base, kind) in enumerate(kinds.items()):
        hollow = i // len(SHAPES) % 2 == 1
        out[base] = Style(kind, SHAPES[i % len(SHAPES)], DASHES[i % len(DASHES)], hollow)
    return out


def mark(x: float, y: float, style: Style, title: str, radius: float = 5.0) -> str:
    """A mark that tells its title when pointed at."""
    told = svg.element("title", escape(title))
    filling = "hollow" if style.hollow or style.shape in ("cross", "saltire") else "full"
    cls = f"mark {filling} f-{style.kind} s-{style.kind}"
    if style.shape == "circle":
        return svg.element("circle", told, cx=x, cy=y, r=radius, cls=cls)
    return svg.element("path", told, d=_outline(x, y, style.shape, radius), cls=cls)


_POLYGONS = {  # corners in units of the radius
    "square": ((-0.85, -0.85), (0.85, -0.85), (0.85, 0.85), (-0.85, 0.85)),
    "diamond": ((0, -1.25), (1.25, 0), (0, 1.25), (-1.25, 0)),
    "up": ((0, -1.15), (1.1, 0.85), (-1.1, 0.85)),
    "down": ((0, 1.15), (1.1, -0.85), (-1.1, -0.85)),
}
_STAR = tuple(
    (r * math.sin(math.pi * k / 5), -r * math.cos(math.pi * k / 5))
    for k, r in enumerate([1.35, 0.55] * 5)
)
_STROKES = {
    "cross": (((-1.1, 0), (1.1, 0)), ((0, -1.1), (0, 1.1))),
    "saltire": (((-0.85, -0.85), (0.85, 0.85)), ((-0.85, 0.85), (0.85, -0.85))),
}


def _outline(x: float, y: float, shape: str, radius: float) -> str:
    def at(corner: tuple[float, float]) -> str:
        return f"{x + radius * corner[0]:.1f} {y + radius * corner[1]:.1f}"

    if shape in _STROKES:
        return " ".join(f"M{at(a)} L{at(b)}" for a, b in _STROKES[shape])
    corners = _STAR if shape == "star" else _POLYGONS[shape]
    return "M" + " L".join(at(corner) for corner in corners) + "Z"


def curve(points: Sequence[tuple[float, float]], style: Style) -> str:
    """A line through the points in the style's dashes."""
    joined = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    facts = {"stroke_dasharray": style.dash} if style.dash else {}
    return svg.element("polyline", points=joined, cls=f"curve s-{style.kind}", **facts)


def band(points: Sequence[tuple[float, float, float]], style: Style) -> str:
    """A shaded band; points are (x, y of the lower end, y of the upper end)."""
    there = [f"{x:.1f},{low:.1f}" for x, low, _ in points]
    back = [f"{x:.1f},{high:.1f}" for x, _, high in reversed(points)]
    return svg.element("polygon", points=" ".join(there + back), cls=f"band f-{style.kind}")


@dataclass(frozen=True)
class Box:
    """A rectangle in pixels."""

    left: float
    top: float
    right: float
    bottom: float

    def meets(self, other: Box) -> bool:
        """Whether the two overlap."""
        return (
            self.left < other.right
            and other.left < self.right
            and self.top < other.bottom
            and other.top < self.bottom
        )

    def within(self, other: Box) -> bool:
        """Whether it lies inside the other."""
        return (
            self.left >= other.left
            and self.top >= other.top
            and self.right <= other.right
            and self.bottom <= other.bottom
        )


def text_width(words: str) -> float:
    """Pixels that a label takes at most."""
    return CHARACTER * len(words)


def place_labels(
    wanted: Iterable[tuple[str, float, float]], taken: Sequence[Box], area: Box
) -> dict[str, Box]:
    """Room for labels beside their points: each where it meets nothing, or nowhere.

    Args:
        wanted: words, and the point that they belong to; earlier ones choose first.
        taken: what labels must not cover.
        area: where they have to stay.
    """
    out: dict[str, Box] = {}
    for words, x, y in wanted:
        width, half = text_width(words), LINE / 2
        spots = [
            (x + 9, y - half),
            (x - 9 - width, y - half),
            (x - width / 2, y - 9 - LINE),
            (x - width / 2, y + 9),
            (x + 9, y - half - LINE * 0.8),
            (x + 9, y - half + LINE * 0.8),
            (x - 9 - width, y - half - LINE * 0.8),
            (x - 9 - width, y - half + LINE * 0.8),
        ]
        for left, top in spots:
            box = Box(left, top, left + width, top + LINE)
            if box.within(area) and not any(box.meets(b) for b in (*taken, *out.values())):
                out[words] = box
                break
    return out
