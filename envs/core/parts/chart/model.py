"""What a chart holds: bars over time, in named rows or on a map of addresses."""

from __future__ import annotations

import colorsys
import string
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

SYMBOLS = string.digits + string.ascii_uppercase + string.ascii_lowercase
MOST_BARS = 10_000  # that are drawn, and links: a picture's size has a limit
SHORTEST = 1e-12  # span that isn't 0
NAME, WORDS = 20, 200  # characters of a row's name, and of any other text, that are shown


class Group(NamedTuple):
    """What has a colour of its own: a job, a phase."""

    name: str
    color: str  # "#rrggbb"
    symbol: str  # one character, in text


class Bar(NamedTuple):
    """A box from `begin` to `end`."""

    row: float  # of a map: its lowest address, as a share of all of them
    begin: float
    end: float
    group: int  # its number in `Chart.groups`
    label: str = ""  # written on it, where there is room
    words: str = ""  # shown where somebody points at it
    height: float = 1.0  # in rows; of a map a share as well


class Link(NamedTuple):
    """A line from the end of a bar to the begin of another one."""

    begin: float
    source: int  # row
    end: float
    target: int


class Mark(NamedTuple):
    """A moment that is marked in all rows."""

    at: float
    words: str
    is_bound: bool = False  # dashed


@dataclass(frozen=True)
class Chart:
    """A picture of a schedule before it is drawn.

    Attributes:
        name: of the instance. Names may come from files: whoever draws makes them harmless.
        summary: what else the heading says.
        axis: what runs to the right, with its unit.
        bars: where two overlap, the later one is above.
        groups: what the colours stand for.
        kind: what a group is, in one word.
        rows: names from the top; none in a map.
        top: of a map, in words, the address where it ends. Empty if there are rows.
        links, marks: lines between rows and through all of them.
        load: the share of a map that is taken, from each unit of time to the next.
        facts: name and value of what a page tells beside the name, instead of the summary.
        note: what a reader has to know as well.
        least_span: where the axis ends, unless something is further on.
    """

    name: str
    summary: str
    axis: str
    bars: tuple[Bar, ...]
    groups: tuple[Group, ...]
    kind: str
    rows: tuple[str, ...] = ()
    top: str = ""
    links: tuple[Link, ...] = ()
    marks: tuple[Mark, ...] = ()
    load: tuple[float, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    note: str = ""
    least_span: float = 0.0

    @property
    def title(self) -> str:
        """Name and summary in one line."""
        return shown(f"{self.name}: {self.summary}")

    @cached_property
    def span(self) -> float:
        """Where the axis ends; 1 if there is nothing that takes time."""
        ends = [bar.end for bar in self.bars] + [mark.at for mark in self.marks]
        last = max(*ends, self.least_span, len(self.load), 0.0)
        return last if last > SHORTEST else 1.0

    @property
    def whole(self) -> bool:
        """Whether all times are whole numbers."""
        return all(float(t).is_integer() for bar in self.bars for t in (bar.begin, bar.end))

    @property
    def depth(self) -> int:
        """What all rows, or all addresses, are together."""
        return 1 if self.top else len(self.rows)

    def limited(self) -> Chart:
        """The chart with no more bars and links than can be looked at: the earliest ones."""
        if max(len(self.bars), len(self.links)) <= MOST_BARS:
            return self
        bars = sorted(self.bars, key=lambda bar: bar.begin)
        links = sorted(self.links, key=lambda link: link.end)
        left = max(len(bars) - MOST_BARS, 0), max(len(links) - MOST_BARS, 0)
        words = f"not shown: {left[0]} later bars, {left[1]} later links"
        note = ". ".join(filter(None, (self.note, words)))
        bars, links = bars[:MOST_BARS], links[:MOST_BARS]
        return replace(self, bars=tuple(bars), links=tuple(links), note=note)


def palette(names: Iterable[str]) -> tuple[Group, ...]:
    """Groups with hues a golden angle apart, so that any two neighbours differ."""
    out = []
    for k, name in enumerate(names):
        light = (0.58, 0.70, 0.46)[k % 3]
        parts = colorsys.hls_to_rgb((0.58 + k * 0.618034) % 1.0, light, 0.58)
        color = "#" + "".join(f"{round(255 * part):02x}" for part in parts)
        out.append(Group(name, color, SYMBOLS[k % len(SYMBOLS)]))
    return tuple(out)


def ink(color: str) -> str:
    """Text colour that can be read on a colour."""
    red, green, blue = (int(color[k : k + 2], 16) for k in (1, 3, 5))
    return "#111111" if 0.299 * red + 0.587 * green + 0.114 * blue > 127 else "#ffffff"


def shown(words: str, most: int = WORDS) -> str:
    """Words of at most so many characters, all of which can be printed."""
    out = "".join(c if c.isprintable() else "?" for c in words[: most + 1])
    return out if len(out) <= most else f"{out[: most - 1]}…"


def number(value: float) -> str:
    """A time in words: whole numbers with every digit, others with six."""
    return str(int(value)) if float(value).is_integer() else f"{value:.6g}"
