"""Means over kinds carry an error that repeated draws confirm, and verdicts follow the interval."""

from __future__ import annotations

import numpy as np
import pytest

from graphsched.training.paired import Kinds, improvement, quantile, with_error


def kinds_of(sizes: list[int], weights: list[float]) -> Kinds:
    """Kinds of such sizes and weights."""
    amounts = np.array(weights, np.float64)
    return Kinds(np.repeat(np.arange(len(sizes)), sizes), amounts / amounts.sum())


def test_one_kind_is_the_textbook() -> None:
    """Mean and s / sqrt(n)."""
    values = np.array([1.0, 2.0, 4.0, 9.0])
    found = kinds_of([4], [2.0]).estimate(values)
    assert found.mean == pytest.approx(4.0)
    assert found.se == pytest.approx(np.std(values, ddof=1) / 2)
    assert found.degrees == pytest.approx(3.0)


@pytest.mark.parametrize("sizes", [[30, 10, 20], [5, 5, 5]])
def test_the_error_is_that_of_repeated_draws(sizes: list[int]) -> None:
    """Kinds with other means, spreads and weights: between kinds there is no error."""
    rng = np.random.default_rng(0)
    kinds = kinds_of(sizes, [3.0, 1.0, 1.0])
    means = np.array([0.0, 50.0, 100.0])[kinds.labels]
    spreads = np.array([1.0, 5.0, 2.0])[kinds.labels]
    found = [kinds.estimate(means + spreads * rng.standard_normal(len(means))) for _ in range(4000)]
    true = np.std([estimate.mean for estimate in found])
    assert np.sqrt(np.mean([(e.se or 0.0) ** 2 for e in found])) == pytest.approx(true, rel=0.05)
    assert np.mean([e.mean for e in found]) == pytest.approx(30.0, abs=0.1)


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    """Nineteen times of twenty, for twelve instances of two kinds."""
    rng = np.random.default_rng(1)
    kinds = kinds_of([6, 6], [1.0, 1.0])
    zeros = np.zeros(12)
    held = [
        not improvement(rng.standard_normal(12), zeros, kinds).excludes_zero for _ in range(4000)
    ]
    assert np.mean(held) == pytest.approx(0.95, abs=0.012)


def test_single_instances_are_taken_as_one_sample() -> None:
    """A folder's files as words of their own, say; one alone tells nothing."""
    values = np.array([1.0, 2.0, 4.0, 9.0])
    found = kinds_of([1] * 4, [1.0] * 4).estimate(values)
    assert found.se == pytest.approx(np.std(values, ddof=1) / 2)
    assert kinds_of([1], [1.0]).estimate(values[:1]).se is None


def test_quantiles_are_student_s() -> None:
    """Against the tables."""
    for degrees, expected in ((5, 2.571), (10, 2.228), (30, 2.042), (10**6, 1.960)):
        assert quantile(degrees) == pytest.approx(expected, rel=0.005)


@pytest.mark.parametrize(
    ("shift", "noise", "count", "word", "excludes"),
    [
        (1.0, 0.5, 40, "the training improved the start by ", True),
        (-1.0, 0.5, 40, "the training made the start worse by ", True),
        (0.01, 2.0, 40, "no improvement that can be told from noise: ", False),
        (1.0, 0.01, 9, "fewer than 10 instances are too few to tell", False),
        (0.0, 0.0, 40, "no improvement: the weights decide as those of the start", False),
        (0.5, 0.0, 1, "one instance tells nothing", False),
    ],
)
def test_verdicts(shift: float, noise: float, count: int, word: str, excludes: bool) -> None:
    """Pairs matter: the spread between instances is a hundred times the difference."""
    rng = np.random.default_rng(2)
    start = 100.0 * rng.random(count)
    now = start - shift + noise * rng.standard_normal(count)
    found = improvement(start, now, kinds_of([count], [1.0]))
    assert word in found.in_words()
    assert found.excludes_zero is excludes
    assert found.to_json()["verdict"] == found.in_words()


def test_numbers_with_errors() -> None:
    """Two digits of both."""
    assert with_error(12.3456, 0.4249) == "12.35 ± 0.42"
    assert with_error(12.3456, None) == "12.35"
