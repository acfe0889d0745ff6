"""Numbers as people read them."""

from __future__ import annotations

DASH = "–"


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


def percent(value: float | None) -> str:
    """``13.8``: a gap in percent, one decimal; two below one."""
    if value is None:
        return DASH
    text = f"{value:.2f}" if 0 < abs(value) < 0.995 else f"{value:.1f}"
    return "0.0" if float(text) == 0 else text


def points(value: float) -> str:
    """``3.2 points``; the size of a difference of gaps."""
    return f"{percent(abs(value))} points"


def interval(low: float | None, high: float | None) -> str:
    """``12.1 to 13.9``."""
    return DASH if low is None or high is None else f"{percent(low)} to {percent(high)}"


def count(number: int, noun: str) -> str:
    """``1 instance``, ``80 instances``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
