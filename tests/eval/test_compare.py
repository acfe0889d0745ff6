"""Means, intervals and comparisons agree with what is known of the numbers they come from."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphsched.eval.judging.compare import Summary, Table, compare, compare_all, summarise
from graphsched.eval.judging.intervals import bootstrap_interval
from graphsched.eval.running.rows import with_gaps
from tests.eval.samples import contender, row

if TYPE_CHECKING:
    from graphsched.eval.running.rows import Row
    from graphsched.eval.solvers.contenders import Contender


def summaries(table: Table) -> list[Summary]:
    """Of whatever solvers the rows are of."""
    return summarise(table, [contender(name, "rule") for name in table.solvers])


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
    assert found.mean_diff == pytest.approx((-2 + 0 + 6) / 3)
    small = compare(_table(), "x", "y", "small")
    assert (small.wins, small.ties, small.losses) == (1, 1, 0)


def test_a_comparison_turned_round_has_the_opposite_sign() -> None:
    there, back = compare(_table(), "x", "y"), compare(_table(), "y", "x")
    assert there.mean_diff == pytest.approx(-(back.mean_diff or 0))
    assert there.ci_low == pytest.approx(-(back.ci_high or 0), abs=0.2)
    assert (there.wins, there.losses) == (back.losses, back.wins)


def test_seeds_are_averaged_before_instances_are() -> None:
    rows = [row("a", "x", 110, seed=0), row("a", "x", 130, seed=1), row("b", "x", 100)]
    everything = summaries(Table(with_gaps(rows)))[0]
    assert everything.n == 2
    assert everything.mean_gap_pct == pytest.approx(10.0)


def test_an_infeasible_seed_leaves_its_instance_out() -> None:
    rows = [
        row("a", "x", 1, seed=0, feasible=False),
        row("a", "x", 130, seed=1),
        row("b", "x", 120),
    ]
    table = Table(with_gaps([*rows, row("a", "y", 100), row("b", "y", 100)]))
    assert summaries(table)[0].n == 1
    assert compare(table, "x", "y").n == 1


def test_groups_all_first_and_time_per_decision() -> None:
    rows = [row("small-0", "x", 110, decisions=50, seconds=0.1), row("large-0", "x", 120)]
    found = summaries(Table(with_gaps(rows)))
    assert [s.group for s in found] == ["all", "small", "large"]
    assert found[0].ms_per_decision == pytest.approx(2.0)
    assert found[2].ms_per_decision is None


def _pairs(*contenders: Contender) -> dict[tuple[str, str], bool]:
    """Who is compared with whom, and whether in the same time."""
    table = Table(with_gaps([row(i, c.name, 110) for c in contenders for i in "ab"]))
    return {(v.solver, v.baseline): v.same_time for v in compare_all(table, contenders)}


def test_pairs_have_the_same_time_limit_or_are_marked() -> None:
    found = _pairs(
        contender("p", "policy"),
        contender("p>t@1s", "policy", time_limit_s=1.0),
        contender("t@1s", "search", time_limit_s=1.0),
        contender("t@10s", "search", time_limit_s=10.0),
        contender("r", "rule"),
    )
    assert found == {
        ("p", "p>t@1s"): False,
        ("p", "t@1s"): False,
        ("p", "t@10s"): False,
        ("p", "r"): True,
        ("p>t@1s", "p"): False,
        ("p>t@1s", "t@1s"): True,
        ("p>t@1s", "r"): False,
    }


def test_without_a_policy_everybody_meets_everybody() -> None:
    found = _pairs(contender("a", "rule"), contender("b", "rule"))
    assert found == {("a", "b"): True, ("b", "a"): True}


def test_p_is_corrected_within_a_policy_and_a_group() -> None:
    """Two rivals of twelve instances: all signs alike are 2 of 4096 patterns, then doubled."""
    contenders = [contender("p", "policy"), contender("a", "rule"), contender("b", "rule")]
    rows = [
        row(f"{'small' if i < 6 else 'large'}-{i}", name, cost + 0.1 * i)
        for name, cost in (("p", 105.0), ("a", 107.0), ("b", 109.0))
        for i in range(12)
    ]
    found = {(v.baseline, v.group): v for v in compare_all(Table(with_gaps(rows)), contenders)}
    whole, small = found["a", "all"], found["a", "small"]
    assert whole.p == 2 / 2**12
    assert whole.p_holm == 4 / 2**12
    assert small.p == 2 / 2**6
    assert small.p_holm == 4 / 2**6


def _unit(*rows: Row, reference: str | None = None) -> str:
    return Table(with_gaps(rows, reference), "points").unit


def test_costs_are_shown_where_percent_says_nothing() -> None:
    """Over a bound of zero, or over one that even the best solver is far above."""
    free = {"best_known": None}
    assert _unit(row("a", "x", 9, **free, lower_bound=0.0)) == "points"
    assert _unit(row("a", "x", 160, **free, lower_bound=100.0)) == "points"
    assert _unit(row("a", "x", 149, **free, lower_bound=100.0)) == "%"
    good, bad = row("a", "x", 110, **free), row("a", "y", 400, **free)
    assert _unit(replace(good, lower_bound=100.0), replace(bad, lower_bound=100.0)) == "%"
    assert _unit(row("a", "x", 900, lower_bound=0.0)) == "%"
    assert _unit(row("a", "x", 9, **free, lower_bound=0.0), reference="x") == "%"


def test_costs_in_their_own_unit_are_averaged_and_compared() -> None:
    known = {"best_known": None, "lower_bound": 0.0}
    costs = {"x": (0.0, 4.0), "y": (2.0, 10.0)}
    rows = [row(i, s, c, **known) for s, f in costs.items() for i, c in zip("ab", f, strict=True)]
    table = Table(with_gaps(rows), "points")
    (found, *_) = summaries(table)
    assert (found.unit, found.n, found.mean) == ("points", 2, 2.0)
    assert compare(table, "x", "y").mean_diff == -4.0
