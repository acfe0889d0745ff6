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
MOST_ROWS, MOST_BARS = 400, 10_000  # that are drawn, and links: a picture's size has a limit
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
    """A picture of a schedule before it is drawn; whoever draws makes names harmless."""

    name: str  # of the instance
    summary: str  # what else the heading says
    axis: str  # what runs to the right, with its unit
    bars: tuple[Bar, ...]  # where two overlap, the later one is above
    groups: tuple[Group, ...]
    kind: str  # what a group is, in one word
    rows: tuple[str, ...] = ()  # names from the top; none in a map
    top: str = ""  # of a map: the address where it ends, in words; empty if there are rows
    links: tuple[Link, ...] = ()
    marks: tuple[Mark, ...] = ()
    load: tuple[float, ...] = ()  # share of a map that is taken, from each time to the next
    facts: tuple[tuple[str, str], ...] = ()  # what a page tells instead of the summary
    note: str = ""
    least_span: float = 0.0  # where the axis ends, unless something is further on

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
    def depth(self) -> int:
        """What all rows, or all addresses, are together."""
        return 1 if self.top else len(self.rows)

    def limited(self, rows: int = MOST_ROWS) -> Chart:
        """The chart with no more than can be looked at: its first rows, the earliest bars."""
        here = [bar for bar in self.bars if self.top or bar.row < rows]
        between = [link for link in self.links if max(link.source, link.target) < rows]
        bars = tuple(sorted(here, key=lambda bar: bar.begin)[:MOST_BARS])
        links = tuple(sorted(between, key=lambda link: link.end)[:MOST_BARS])
        cut = replace(self, rows=self.rows[:rows], bars=bars, links=links, least_span=self.span)
        parts = ("rows", "bars", "links")
        left = [(len(getattr(self, part)) - len(getattr(cut, part)), part) for part in parts]
        words = ", ".join(f"{count} more {part}" for count, part in left if count)
        return replace(cut, note=". ".join(filter(None, (self.note, words))))


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
    red, green, blue = bytes.fromhex(color[1:])
    return "#111111" if 0.299 * red + 0.587 * green + 0.114 * blue > 127 else "#ffffff"


def shown(words: str, most: int = WORDS) -> str:
    """Words of at most so many characters, all of which can be printed."""
    out = "".join(c if c.isprintable() else "?" for c in words[: most + 1])
    return out if len(out) <= most else f"{out[: most - 1]}…"
