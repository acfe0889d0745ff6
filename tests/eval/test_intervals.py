"""Intervals are as wide as they say: the level, the number of resamples and their use."""

from __future__ import annotations

import numpy as np
import pytest

from graphsched.eval import compare as module
from graphsched.eval.compare import Table, bootstrap_interval, compare, summarise
from graphsched.eval.rows import with_gaps
from tests.eval.samples import row


def test_the_interval_is_the_95_percent_one() -> None:
    """Resampled means of 50 zeros and 50 ones follow a binomial law of 100 draws.

    Its 2.5% and 97.5% quantiles are 40 and 60; 90% of it lie from 42 to 58, 99% from 37 to 63.
    """
    assert bootstrap_interval(np.repeat([0.0, 1.0], 50)) == (0.4, 0.6)
    assert module.CONFIDENCE == 0.95


def test_the_interval_leaves_as_much_out_on_either_side() -> None:
    """Of a skewed sample: 1 one in 60 zeros, so the count of ones is nearly Poisson with mean 1."""
    low, high = bootstrap_interval(np.array([1.0] + [0.0] * 60))
    assert (round(low * 61), round(high * 61)) == (0, 3)


def test_every_resample_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few resamples, so that a single one that is missing or doubled moves the interval."""
    monkeypatch.setattr(module, "RESAMPLES", 7)
    values = np.array([1.0, 5.0, 25.0])
    drawn = np.random.default_rng(4).integers(3, size=(7, 3))
    expected = np.percentile(values[drawn].mean(axis=1), [2.5, 97.5])
    assert bootstrap_interval(values, seed=4) == pytest.approx(tuple(expected))


def test_more_values_than_indices_fit_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RESAMPLES", 3)
    assert bootstrap_interval(np.full(1_000_001, 2.0)) == pytest.approx((2.0, 2.0))


def test_costs_are_equal_up_to_rounding_only() -> None:
    """One part in 10^10 is a tie, one in 10^8 is none; the sign says who wins."""
    for excess, expected in ((1e-10, (0, 1, 0)), (1e-8, (0, 0, 1)), (-1e-8, (1, 0, 0))):
        rows = [row("a", "x", 2000 * (1 + excess)), row("a", "y", 2000)]
        found = compare(Table(with_gaps(rows)), "x", "y")
        assert (found.wins, found.ties, found.losses) == expected


def test_time_per_decision_leaves_out_solves_without_decisions() -> None:
    rows = [
        row("a", "x", 110, decisions=50, seconds=0.1),
        row("b", "x", 110, decisions=150, seconds=0.5),
        row("c", "x", 110, decisions=0, seconds=9.0),
        row("d", "x", 110, seconds=0.4),
    ]
    (found, *_) = summarise(Table(with_gaps(rows)))
    assert found.ms_per_decision == pytest.approx(1e3 * 0.6 / 200)
    assert found.mean_seconds == pytest.approx(10.0 / 4)


def test_without_a_gap_there_is_no_mean() -> None:
    nothing = {"best_known": None, "lower_bound": 0.0, "feasible": False}
    (found, *_) = summarise(Table(with_gaps([row("a", "x", 1, **nothing)])))
    assert (found.n, found.mean_gap_pct, found.ci_low, found.ci_high) == (0, None, None, None)


def test_small_costs_are_references_like_large_ones() -> None:
    """Bounds, costs and best values below one count as any other."""
    (known,) = with_gaps([row("a", "x", 0.6, best_known=0.5)])
    (bound,) = with_gaps([row("a", "x", 0.6, best_known=None, lower_bound=0.5)])
    nothing = {"best_known": None, "lower_bound": 0.0}
    found = with_gaps([row("a", "x", 0.6, **nothing), row("a", "y", 0.5, **nothing)])
    against = with_gaps([row("a", "x", 0.6), row("a", "y", 0.5)], "y")
    for gap in (known.gap_pct, bound.gap_pct, found[0].gap_pct, against[0].gap_pct):
        assert gap == pytest.approx(20.0)


def test_infeasible_costs_are_no_reference() -> None:
    rows = [row("a", "x", 110), row("a", "y", 100), row("a", "y", 5, seed=1, feasible=False)]
    found = with_gaps(rows, "y")
    assert [r.gap_pct for r in found] == [pytest.approx(10.0), pytest.approx(0.0), None]
    assert [r.gap_reference for r in found] == ["y", "y", None]


def test_a_row_without_a_gap_hides_none_after_it() -> None:
    found = with_gaps([row("a", "x", 1, feasible=False), row("a", "y", 110)])
    assert [r.gap_pct for r in found] == [None, pytest.approx(10.0)]
