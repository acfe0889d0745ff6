"""Intervals are as wide as they say: the level, the number of resamples and their use."""

from __future__ import annotations

import math

import numpy as np
import pytest

from graphsched.eval.judging import intervals as module
from graphsched.eval.judging.compare import Table, compare
from graphsched.eval.judging.intervals import bootstrap_interval, holm, nested_interval, sign_flip_p
from graphsched.eval.running.rows import with_gaps
from tests.eval.samples import row
from tests.eval.test_compare import summaries


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


def test_seeds_are_drawn_within_instances(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same draws, put together in plain Python."""
    monkeypatch.setattr(module, "RESAMPLES", 9)
    cells = [[1.0, 2.0, 6.0], [10.0], [20.0, 30.0, 70.0]]
    rng = np.random.default_rng(3)
    rows, shares = rng.integers(3, size=(9, 3)), rng.random((9, 3, 3))
    means = []
    for drawn, share in zip(rows, shares, strict=True):
        each = []
        for i, parts in zip(drawn, share, strict=True):
            size = len(cells[i])
            each.append(np.mean([cells[i][int(parts[k] * size)] for k in range(size)]))
        means.append(np.mean(each))
    expected = np.percentile(means, [2.5, 97.5])
    assert nested_interval(cells, seed=3) == pytest.approx(tuple(expected))


def test_chance_within_runs_widens_the_interval() -> None:
    """Instances that differ in nothing but the luck of their runs still have an interval."""
    assert nested_interval([[5.0]] * 12) == (5.0, 5.0)
    low, high = nested_interval([[4.0, 6.0]] * 12)
    spread = np.sqrt(1 / 2 / 12)  # of the mean of 12 means of 2 draws of variance 1
    assert high - low == pytest.approx(2 * 1.96 * spread, rel=0.1)


def test_flipped_signs_are_all_counted_where_they_are_few() -> None:
    """1, 2, 3 sum to 6 in two of eight patterns, to 4 or more in four."""
    assert sign_flip_p(np.array([1.0, 2.0, 3.0])) == 2 / 8
    assert sign_flip_p(np.array([-1.0, 2.0, 3.0])) == 4 / 8
    assert sign_flip_p(np.zeros(3)) == 1.0


def test_many_signs_are_drawn() -> None:
    values = np.random.default_rng(0).normal(0.35, 1.0, size=40)
    z = abs(values.sum()) / np.sqrt((values**2).sum())
    assert sign_flip_p(values) == pytest.approx(math.erfc(z / math.sqrt(2)), abs=0.01)
    assert sign_flip_p(np.ones(40)) == 1 / (module.RESAMPLES + 1)


def test_the_correction_is_the_textbook_one() -> None:
    """0.01 x 4, 0.02 x 3, then never below the one before: 0.03 x 2 and 0.04 x 1."""
    assert holm([0.03, 0.01, 0.04, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


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
    (found, *_) = summaries(Table(with_gaps(rows)))
    assert found.ms_per_decision == pytest.approx(1e3 * 0.6 / 200)
    assert found.mean_seconds == pytest.approx(10.0 / 4)


def test_without_a_gap_there_is_no_mean() -> None:
    nothing = {"best_known": None, "lower_bound": 0.0, "feasible": False}
    (found, *_) = summaries(Table(with_gaps([row("a", "x", 1, **nothing)])))
    assert (found.n, found.mean, found.ci_low, found.ci_high) == (0, None, None, None)


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
