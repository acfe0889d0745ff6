"""One-machine bounds after each candidate are those of plain preemptive schedules."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphsched.envs.jobshop.features import CANDIDATE
from graphsched.envs.jobshop.view import pilots
from graphsched.envs.jobshop.view.machines import MEAN, MOST, OUTCOMES, POWER, bound_machines
from graphsched.envs.jobshop.view.opinions import BACKWARD, FORWARD
from tests.envs.jobshop.view import plain

SHOPS = st.tuples(st.integers(0, 10**6), st.sampled_from(["6x4", "4x6", "12x2", "1x2"]))


def jackson(operations):
    """Preemptive bound of (head, duration, tail): always the available one with the longest tail.

    Unit of time by unit of time. An operation without duration is done when it arrives.
    """
    left = [duration for _, duration, _ in operations]
    bound = max((head + tail for head, duration, tail in operations if duration == 0), default=0)
    clock = 0
    while any(left):
        here = [i for i, (head, _, _) in enumerate(operations) if left[i] and head <= clock]
        clock += 1
        if here:
            i = max(here, key=lambda i: operations[i][2])
            left[i] -= 1
            if left[i] == 0:
                bound = max(bound, clock + operations[i][2])
    return bound


def machines_after(at, j):
    """(head, duration, tail) of the other operations, by machine, if job j goes first."""
    _, _, end = at.first(j)
    lists: list[list[tuple[int, int, int]]] = [[] for _ in range(at.shop.num_machines)]
    for k, route in enumerate(at.route):
        clock = end if k == j else at.ready[k]
        for o in route[1:] if k == j else route:
            m = at.machine(o)
            clock = max(clock, end if m == at.focus else at.free[m])
            lists[m].append((clock, at.duration(o), at.tail(o)))
            clock += at.duration(o)
    return lists


def test_jackson_by_hand():
    """The second interrupts the first: [0, 2), [2, 5), [5, 7); the third needs no time."""
    assert jackson([(0, 4, 1), (2, 3, 9), (3, 0, 12)]) == 3 + 12
    assert jackson([(0, 4, 8), (2, 3, 9), (3, 0, 11)]) == 7 + 8


@settings(max_examples=80, deadline=None)
@given(SHOPS)
def test_bounds_of_all_machines(shop):
    sim = plain.waiting(*shop)
    if sim is None:
        return
    at, state = plain.situation(sim), sim.state
    now, horizon = int(state.focus_start[0]), max(int(state.bound[0] - state.focus_start[0]), 1)
    desk = plain.empty_desk_for(sim)
    found = np.empty((len(at.candidates), OUTCOMES))
    bound_machines(state, 0, desk.lists, found)
    for c, j in enumerate(at.candidates):
        o, _, end = at.first(j)
        values = [jackson(operations) for operations in machines_after(at, j)]
        values[at.focus] = max(values[at.focus], end)
        values = [max(value - now, 0) for value in values]
        assert found[c, MOST] == max(*values, end + at.tail(o) - now)
        assert found[c, MEAN] == pytest.approx(np.mean(values))
        power = np.mean([(value / horizon) ** 16 for value in values]) ** (1 / 16)
        assert found[c, POWER] == pytest.approx(power * horizon)


@settings(max_examples=40, deadline=None)
@given(SHOPS)
def test_no_schedule_is_below_the_bounds(shop):
    """Schedules that begin with a candidate, forward or backward, end no sooner than its bound."""
    sim = plain.waiting(*shop)
    if sim is None:
        return
    state, count = sim.state, int(sim.state.num_candidates[0])
    desk = plain.empty_desk_for(sim)
    bounds, makespan, free = np.empty((count, OUTCOMES)), np.empty(count), np.empty(count)
    bound_machines(state, 0, desk.lists, bounds)
    least = bounds[:, MOST] + state.focus_start[0]
    pilots.mirrored(state, 0, desk.mirror)
    for ahead, back in zip(FORWARD, BACKWARD, strict=True):
        pilots.forward(state, 0, ahead, desk.scratch, makespan)
        assert (makespan >= least).all()
        pilots.backward(state, 0, back, desk.mirror, desk.scratch, makespan, free)
        assert (makespan >= least).all()


@settings(max_examples=30, deadline=None)
@given(SHOPS)
def test_columns(shop):
    """A share of the horizon, twice it at most, and differences to the least in mean durations."""
    sim = plain.waiting(*shop, look_ahead="bounds")
    if sim is None or not plain.situation(sim).shop.duration.any():
        return
    state = sim.state
    rows, mean = sim.observe()["candidate"], float(state.mean_duration[0])
    horizon = max(int(state.bound[0] - state.focus_start[0]), 1)
    desk = plain.empty_desk_for(sim)
    outcome = np.empty((len(rows), OUTCOMES))
    bound_machines(state, 0, desk.lists, outcome)
    names = [f.name for f in CANDIDATE]
    for name, kind in (("bounds", MOST), ("bounds_mean", MEAN), ("bounds_power", POWER)):
        values = outcome[:, kind]
        expected = np.minimum(values / horizon, 2.0)
        assert rows[:, names.index(name)] == pytest.approx(expected, abs=1e-6)
        over = rows[:, names.index(f"{name}_over_best")]
        assert over == pytest.approx((values - values.min()) / mean, rel=1e-5, abs=1e-5)
