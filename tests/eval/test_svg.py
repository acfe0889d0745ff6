"""Axes have round ticks, and labels keep their distance."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphsched.eval.report.svg import Scale, element, nice_step, spread


@given(st.floats(1e-6, 1e6))
def test_steps_are_round_and_not_below_what_is_asked_for(rough: float) -> None:
    step = nice_step(rough)
    assert rough * (1 - 1e-6) <= step <= 2.5 * rough * (1 + 1e-6)
    assert f"{step:.0e}"[0] in "125"


@given(st.lists(st.floats(0, 300), max_size=12))
def test_labels_are_apart_and_in_bounds(wanted: list[float]) -> None:
    placed = sorted(spread(wanted, 15.0, 0.0, 300.0))
    assert all(b - a >= 15.0 - 1e-9 for a, b in itertools.pairwise(placed))
    assert all(-1e-9 <= y <= 300.0 + 1e-9 for y in placed)


def test_labels_with_room_stay_where_they_are() -> None:
    assert spread([200.0, 10.0, 100.0], 15.0, 0.0, 300.0) == [200.0, 10.0, 100.0]


def test_scales_map_ends_to_ends() -> None:
    plain, log = Scale(0, 40, 100, 500), Scale(0.001, 10, 0, 400, log=True)
    assert (plain(0), plain(40), plain(20)) == (100, 500, 300)
    assert log(0.001) == pytest.approx(0)
    assert log(1) == pytest.approx(300)
    assert [words for _, words in log.ticks()] == ["1 ms", "10 ms", "100 ms", "1 s", "10 s"]
    assert [value for value, _ in plain.ticks()] == [0, 10, 20, 30, 40]


def test_attributes_are_escaped() -> None:
    assert (
        element("a", "x", cls='"q"', font_size=2.0)
        == '<a class="&quot;q&quot;" font-size="2.0">x</a>'
    )
