"""Schedules start at the peak, end where they should, and refine from observed gradients."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphsched.training.settings.schedules import (
    SCHEDULES,
    AutomaticDiscount,
    refine,
    rex,
    table,
    with_floor,
    with_warmup,
)

progress = st.floats(0.0, 1.0)


@pytest.mark.parametrize("name", list(SCHEDULES))
@given(one=progress, other=progress)
def test_schedules_fall_from_one_and_never_rise(name: str, one: float, other: float) -> None:
    """All but the constant one end at zero."""
    schedule = SCHEDULES[name]
    early, late = sorted((one, other))
    assert schedule(0.0) == pytest.approx(1.0)
    assert schedule(1.0) == pytest.approx(1.0 if name == "constant" else 0.0)
    assert schedule(early) >= schedule(late) - 1e-12


def test_rex_decays_later_than_linear() -> None:
    """Half-way it is still at two thirds, by its formula."""
    assert rex(0.5) == pytest.approx(2 / 3)


@given(progress)
def test_warmup_rises_then_runs_the_schedule_over_the_rest(at: float) -> None:
    """With a tenth of warm-up, the linear schedule covers the other nine."""
    value = with_warmup(SCHEDULES["linear"], 0.1)(at)
    assert value == pytest.approx(at / 0.1 if at < 0.1 else (1 - at) / 0.9)


@given(progress, progress)
def test_floor_holds(at: float, floor: float) -> None:
    """The larger of the two."""
    assert with_floor(SCHEDULES["cosine"], floor)(at) == max(SCHEDULES["cosine"](at), floor)


def test_table_interpolates() -> None:
    """Between equally distant points."""
    schedule = table([0.0, 1.0, 0.5])
    assert [schedule(p) for p in (0.0, 0.25, 0.5, 0.75, 1.0)] == [0.0, 0.5, 1.0, 0.75, 0.5]


def test_constant_gradients_refine_to_linear_decay() -> None:
    """The theory's base case: equal norms give (T - t) / T."""
    rates = refine([3.0] * 101)
    assert rates == pytest.approx([(100 - t) / 100 for t in range(101)])


def test_large_early_gradients_refine_to_a_warmup() -> None:
    """Where norms fall at first, the rate rises first; a single outlier is filtered away."""
    norms = np.concatenate([np.linspace(10.0, 1.0, 40), np.ones(160)])
    rates = np.array(refine(norms.tolist()))
    assert rates[0] < 0.2
    assert 20 <= rates.argmax() <= 60
    assert rates[-1] == 0.0
    outlier = norms.copy()
    outlier[100] = 1e3
    assert refine(outlier.tolist()) == pytest.approx(rates, abs=1e-9)


@given(st.lists(st.floats(1e-3, 1e3), min_size=2, max_size=60), st.sampled_from([1.0, 2.0]))
def test_refined_schedules_ignore_the_scale_of_gradients(norms: list[float], power: float) -> None:
    """Shares in [0, 1] with peak 1, the same for gradients ten times as large."""
    rates = refine(norms, power)
    assert max(rates) == 1.0
    assert min(rates) >= 0.0
    assert refine([10.0 * n for n in norms], power) == pytest.approx(rates, rel=1e-6, abs=1e-9)


def test_discount_waits_while_returns_improve() -> None:
    """Improvement holds the horizon; stagnation lengthens it, up to the end and no further."""
    discount = AutomaticDiscount(0.9, 0.99, stages=3, patience=2)
    for value in range(20):
        discount = discount.after(float(value))
    assert discount.gamma == pytest.approx(0.9)
    seen = []
    for _ in range(12):
        discount = discount.after(0.0)
        seen.append(discount.gamma)
    assert sorted(set(seen)) == pytest.approx([0.9, 1 - np.sqrt(0.1 * 0.01), 0.99])
    assert seen == sorted(seen)
    assert discount.gamma == 0.99
