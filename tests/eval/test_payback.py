"""Training pays back when the time saved on instances adds up to it, or never."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphsched.eval.judging.learning import in_words
from graphsched.eval.judging.payback import Payback, payback, time_to_reach

CURVE = [(0.1, 8.0), (1.0, 4.0), (10.0, 2.0)]


@pytest.mark.parametrize(
    ("value", "seconds"),
    [(9.0, 0.1), (8.0, 0.1), (6.0, math.sqrt(0.1)), (4.0, 1.0), (2.0, 10.0), (1.9, None)],
)
def test_times_are_read_off_the_curve(value: float, seconds: float | None) -> None:
    found = time_to_reach(CURVE, value)
    assert found == (None if seconds is None else pytest.approx(seconds))


def test_what_was_known_isnt_forgotten() -> None:
    """A run that is worse after longer doesn't lengthen the time to a quality between."""
    assert time_to_reach([(0.1, 8.0), (1.0, 9.0), (10.0, 4.0)], 6.0) == pytest.approx(
        math.sqrt(10.0)
    )


@given(st.lists(st.tuples(st.floats(0.01, 100), st.floats(0, 50)), min_size=1, max_size=6))
def test_a_better_quality_never_takes_less(curve: list[tuple[float, float]]) -> None:
    times = [time_to_reach(curve, value) for value in (40.0, 20.0, 10.0, 5.0)]
    known = [math.inf if time is None else time for time in times]
    assert all(a <= b * (1 + 1e-9) for a, b in itertools.pairwise(known))


def test_one_core_hour_saves_a_second_an_instance() -> None:
    found = payback(1.0, 0.5, 3.0, {"slow": [(1.5, 3.0)], "slower": [(9.0, 1.0)]})
    assert found == Payback("slow", 1.5, "", 1.0, 3600.0)
    assert in_words(found) == "about 3,600 instances"


def test_the_quickest_rival_counts() -> None:
    found = payback(1.0, 0.02, 6.0, {"tabu": CURVE, "rule": [(0.001, 30.0)]}, {"tabu"})
    assert found is not None
    assert (found.rival, found.bound) == ("tabu", "")
    assert found.instances == pytest.approx(3600 / (math.sqrt(0.1) - 0.02))


def test_a_quality_within_the_shortest_limit_bounds_the_saving() -> None:
    found = payback(1.0, 0.02, 8.5, {"tabu": CURVE}, {"tabu"})
    assert found is not None
    assert (found.rival, found.rival_s, found.bound) == ("tabu", 0.1, "at most")
    assert (found.saved_s, found.instances) == pytest.approx((0.08, 45_000))
    assert in_words(found) == "at least 45,000 instances"


def test_a_slower_policy_never_pays_back() -> None:
    found = payback(1.0, 2.0, 4.0, {"tabu": CURVE}, {"tabu"})
    assert found is not None
    assert (found.rival, found.bound, found.instances) == ("tabu", "", None)
    assert (found.rival_s, found.saved_s) == pytest.approx((1.0, -1.0))
    assert in_words(found) == "never"


def test_a_quality_that_nobody_reaches_is_a_bound_on_the_other_side() -> None:
    found = payback(1.0, 1.0, 0.5, {"tabu": CURVE, "ga": [(90.0, 3.0)]}, {"tabu", "ga"})
    assert found == Payback("tabu", 10.0, "more than", 9.0, 400.0)
    assert in_words(found) == "at most 400 instances"
    same_time = payback(1.0, 10.0, 0.5, {"tabu": CURVE}, {"tabu"})
    assert same_time is not None
    assert in_words(same_time) == "no time saved, but no rival is as good"


def test_without_rivals_there_is_nothing_to_save() -> None:
    assert payback(1.0, 1.0, 1.0, {}) is None
