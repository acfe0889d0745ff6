"""Means, intervals and comparisons agree with what is known of the numbers they come from."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphsched.eval.compare import Table, bootstrap_interval, compare, summarise
from graphsched.eval.rows import with_gaps
from tests.eval.samples import row

GAPS = st.lists(st.floats(0, 100), min_size=2, max_size=12)


@settings(max_examples=15)
@given(GAPS)
def test_the_interval_holds_the_mean_and_lies_within_the_values(gaps: list[float]) -> None:
    values = np.array(gaps)
    low, high = bootstrap_interval(values)
    assert values.min() - 1e-9 <= low <= values.mean() + 1e-9
    assert values.mean() - 1e-9 <= high <= values.max() + 1e-9


def test_the_interval_covers_the_true_mean_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(1)
    draws = [bootstrap_interval(rng.exponential(size=60)) for _ in range(120)]
    covered = np.mean([low <= 1.0 <= high for low, high in draws])
    assert 0.86 <= covered <= 0.99


def test_the_interval_is_the_same_every_time_and_a_point_for_one_value() -> None:
    values = np.arange(9.0)
    assert bootstrap_interval(values) == bootstrap_interval(values)
    assert bootstrap_interval(np.array([3.0])) == (3.0, 3.0)


def _table() -> Table:
    costs = {"x": (101, 105, 110), "y": (103, 105, 104)}
    names = ("small-0", "small-1", "large-0")
    return Table(
        with_gaps(
            [row(i, s, c) for s, found in costs.items() for i, c in zip(names, found, strict=True)]
        )
    )


def test_wins_ties_and_losses_are_counted_by_instance() -> None:
    found = compare(_table(), "x", "y")
    assert (found.wins, found.ties, found.losses, found.n) == (1, 1, 1, 3)
    assert found.mean_diff_pct == pytest.approx((-2 + 0 + 6) / 3)
    small = compare(_table(), "x", "y", "small")
    assert (small.wins, small.ties, small.losses) == (1, 1, 0)


def test_a_comparison_turned_round_has_the_opposite_sign() -> None:
    there, back = compare(_table(), "x", "y"), compare(_table(), "y", "x")
    assert there.mean_diff_pct == pytest.approx(-(back.mean_diff_pct or 0))
    assert there.ci_low == pytest.approx(-(back.ci_high or 0), abs=0.2)
    assert (there.wins, there.losses) == (back.losses, back.wins)


def test_seeds_are_averaged_before_instances_are() -> None:
    rows = [row("a", "x", 110, seed=0), row("a", "x", 130, seed=1), row("b", "x", 100)]
    everything = summarise(Table(with_gaps(rows)))[0]
    assert everything.n == 2
    assert everything.mean_gap_pct == pytest.approx(10.0)


def test_an_infeasible_seed_leaves_its_instance_out() -> None:
    rows = [
        row("a", "x", 1, seed=0, feasible=False),
        row("a", "x", 130, seed=1),
        row("b", "x", 120),
    ]
    table = Table(with_gaps([*rows, row("a", "y", 100), row("b", "y", 100)]))
    assert summarise(table)[0].n == 1
    assert compare(table, "x", "y").n == 1


def test_groups_all_first_and_time_per_decision() -> None:
    rows = [row("small-0", "x", 110, decisions=50, seconds=0.1), row("large-0", "x", 120)]
    found = summarise(Table(with_gaps(rows)))
    assert [s.group for s in found] == ["all", "small", "large"]
    assert found[0].ms_per_decision == pytest.approx(2.0)
    assert found[2].ms_per_decision is None
