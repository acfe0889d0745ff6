"""What a comparison allows to say: better, worse, or why neither."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

Tone = Literal["good", "bad", "even", "plain"]
Verdict = Literal[
    "better", "worse", "maybe better", "maybe worse", "even", "same", "few", "flat", "none"
]

FEWEST = 10  # instances from which on a difference may be called one
LEVEL = 0.05

TONES: dict[Verdict, Tone] = {"better": "good", "worse": "bad", "few": "plain", "none": "plain"}


def verdict(comparison: Mapping[str, Any]) -> Verdict:
    """The one verdict of a comparison as `Versus` describes it.

    - ``none``: nothing was compared.
    - ``few``: fewer than ten instances, too few to tell.
    - ``same``, ``flat``: the difference is the same on every instance (zero; not zero), so
      nothing tells how it varies.
    - ``better``, ``worse``: the interval excludes zero, and so does the test that is corrected
      for the number of comparisons.
    - ``maybe ...``: the interval excludes zero, the corrected test doesn't.
    - ``even``: the interval holds zero.
    """
    difference = comparison["mean_diff"]
    if difference is None:
        return "none"
    if comparison["n"] < FEWEST:
        return "few"
    low, high = comparison["ci_low"], comparison["ci_high"]
    if low == high:
        return "same" if difference == 0 else "flat"
    if low <= 0 <= high:
        return "even"
    holds = comparison["p_holm"] < LEVEL
    if high < 0:
        return "better" if holds else "maybe better"
    return "worse" if holds else "maybe worse"


def tone(comparison: Mapping[str, Any]) -> Tone:
    """How a comparison is coloured."""
    return TONES.get(verdict(comparison), "even")


def in_a_word(comparison: Mapping[str, Any]) -> str:
    """A verdict for a cell of a table."""
    words = {
        "few": "too few to tell",
        "even": "can't be told apart",
        "flat": "no spread to judge by",
        "maybe better": "better, uncorrected only",
        "maybe worse": "worse, uncorrected only",
        "none": "–",
    }
    found = verdict(comparison)
    return words.get(found, found)
