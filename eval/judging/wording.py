"""Numbers as people read them."""

from __future__ import annotations

import math
from dataclasses import dataclass

DASH = "–"
PERCENT = "%"


def duration(seconds: float | None) -> str:
    """``0.031 ms``, ``4.2 ms``, ``1.30 s``, ``2.5 min``."""
    if seconds is None:
        return DASH
    if seconds < 1:
        return f"{_three_digits(1e3 * seconds)} ms"
    return f"{_three_digits(seconds)} s" if seconds < 120 else f"{seconds / 60:.1f} min"


def _three_digits(value: float) -> str:
    """Three significant digits at most, without an exponent."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def number(value: float | None) -> str:
    """``13.8``: one decimal; two below one, none from a thousand on."""
    if value is None:
        return DASH
    if abs(value) >= 999.95:
        return f"{value:,.0f}"
    text = f"{value:.2f}" if 0 < abs(value) < 0.995 else f"{value:.1f}"
    return "0.0" if float(text) == 0 else text


def interval(low: float | None, high: float | None) -> str:
    """``12.1 to 13.9``."""
    return DASH if low is None or high is None else f"{number(low)} to {number(high)}"


def count(amount: int, noun: str) -> str:
    """``1 instance``, ``80 instances``."""
    return f"{amount:,} {noun}{'' if amount == 1 else 's'}"


def sentence(text: str) -> str:
    """With a capital in front and a full stop behind."""
    return f"{text[:1].upper()}{text[1:]}."


def rough_count(amount: float) -> str:
    """``12,000``: two digits of a number that is an estimate."""
    whole = math.ceil(amount)
    unit = 10 ** max(len(str(whole)) - 2, 0)
    return f"{round(whole / unit) * unit:,}"


def shorten(text: str, length: int) -> str:
    """At most so many characters, the middle left out: names differ at their ends."""
    if len(text) <= length:
        return text
    tail = (length - 1) // 2
    return f"{text[: length - 1 - tail]}…{text[-tail:]}"


def cost_unit(objective: str) -> str:
    """Unit of a domain's objective: ``us`` of "latency, us", ``points`` of "points lost ...".

    An objective that names no unit is its own: so many "units of makespan".
    """
    last = objective.rpartition(", ")[2]
    if last != objective and last.isalpha():
        return last
    return "points" if objective.startswith("points ") else f"units of {objective}"


@dataclass(frozen=True)
class Measure:
    """What a report judges by, in words: gaps in percent, or costs where gaps say nothing.

    Attributes:
        unit: "%", or the unit of costs.
        objective: of the domain.
    """

    unit: str
    objective: str

    @property
    def is_gap(self) -> bool:
        """Whether values are gaps in percent."""
        return self.unit == PERCENT

    @property
    def noun(self) -> str:
        """``mean gap``; ``mean``, of what the unit says, for costs."""
        return "mean gap" if self.is_gap else "mean"

    @property
    def short(self) -> str:
        """``gap``, or the objective without its range."""
        return "gap" if self.is_gap else self.objective.partition(", ")[0]

    @property
    def axis(self) -> str:
        """Title of an axis."""
        if self.is_gap:
            return "mean gap, %"
        return f"mean of {self.objective}"

    def value(self, value: float | None) -> str:
        """``5.0%``, ``5.0 points``."""
        if value is None:
            return DASH
        return f"{number(value)}%" if self.is_gap else f"{number(value)} {self.unit}"

    def size(self, difference: float) -> str:
        """``5.0 percentage points``: size of a difference of values."""
        return f"{number(abs(difference))} {self.unit_of_difference}"

    @property
    def unit_of_difference(self) -> str:
        """What differences are counted in."""
        return "percentage points" if self.is_gap else self.unit
