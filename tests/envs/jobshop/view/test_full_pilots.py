"""Pilots of full length are what plain schedules by their rules are, and these are feasible."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphsched.envs.jobshop.checker import check
from graphsched.envs.jobshop.features import CANDIDATE
from graphsched.envs.jobshop.options import NUM_RULES
from graphsched.envs.jobshop.view import pilots
from graphsched.envs.jobshop.view.opinions import BACKWARD, FORWARD
from graphsched.envs.jobshop.view.play import is_narrow
from tests.envs.jobshop.view import plain

# More jobs than lanes as well; times that need 64 bits as well.
SHOPS = st.tuples(
    st.integers(0, 10**6),
    st.sampled_from(["6x4", "4x6", "14x3", "1x2"]),
    st.sampled_from([1, 10**6]),
)


def turned_round(at, rule, first):
    """Starts of a schedule built backward behind job ``first``'s operation, as early as it fits."""
    o, start, end = at.first(first)
    times = plain.backward(at, rule, first)  # from each operation's end to the end of all
    jobs = {p: j for j, route in enumerate(at.route) for p in route}
    last = end
    for p, gap in times.items():
        after_job = end if jobs[p] == first else at.ready[jobs[p]]
        after_machine = end if at.machine(p) == at.focus else at.free[at.machine(p)]
        last = max(last, max(after_job, after_machine) + at.duration(p) + gap)
    return {o: start} | {p: last - gap - at.duration(p) for p, gap in times.items()}, last


@settings(max_examples=60, deadline=None)
@given(SHOPS, st.sampled_from(FORWARD), st.booleans())
def test_forward(shop, rule, narrow):
    sim = plain.waiting(*shop)
    if sim is None:
        return
    at = plain.situation(sim)
    narrow = narrow and is_narrow(at.shop.num_jobs, at.shop.work)
    found = np.empty(len(at.candidates))
    pilots.forward(sim.state, 0, rule, plain.empty_desk_for(sim, narrow).scratch, found)
    for c, j in enumerate(at.candidates):
        solution = at.completed(plain.forward(at, rule, j))
        assert check(at.shop, solution) == []
        assert found[c] == solution.makespan


@settings(max_examples=60, deadline=None)
@given(SHOPS, st.sampled_from(BACKWARD), st.booleans())
def test_backward(shop, rule, narrow):
    """The plain schedule is feasible, the candidate first on its machine, and as long as said."""
    sim = plain.waiting(*shop)
    if sim is None:
        return
    at = plain.situation(sim)
    desk = plain.empty_desk_for(sim, narrow and is_narrow(at.shop.num_jobs, at.shop.work))
    found, free = np.empty(len(at.candidates)), np.empty(len(at.candidates))
    pilots.mirrored(sim.state, 0, desk.mirror)
    pilots.backward(sim.state, 0, rule, desk.mirror, desk.scratch, found, free)
    unforced = plain.backward(at, rule, None)
    for c, j in enumerate(at.candidates):
        start, last = turned_round(at, rule, j)
        solution = at.completed(start)
        assert check(at.shop, solution) == []
        others = [start[p] for p in start if at.machine(p) == at.focus and p != at.route[j][0]]
        assert min(others, default=last) >= at.first(j)[2]
        assert found[c] == last
        assert solution.makespan == max(last, at.latest)
        o = at.route[j][0]
        assert free[c] == unforced[o] + at.duration(o)


def summary(at, makespans):
    """Columns by name from makespans (rules, C)."""
    mean = at.shop.duration.mean()
    ordered = np.sort(makespans, axis=0)
    quarter = max(len(makespans) // 4, 1)
    over = {"least": ordered[0], "quartile": ordered[:quarter].mean(0), "mean": ordered.mean(0)}
    columns = {name: (v - v.min()) / mean for name, v in over.items()}
    columns["wins"] = (makespans == makespans.min(1)[:, None]).mean(0)
    for r in range(NUM_RULES):
        known = r < len(makespans)
        columns[f"over_best_{r + 1}"] = (
            (makespans[r] - makespans[r].min()) / mean if known else np.zeros(makespans.shape[1])
        )
    return columns


@settings(max_examples=30, deadline=None)
@given(SHOPS, st.integers(1, NUM_RULES))
def test_columns(shop, rules):
    """What a policy sees: of each direction least, lower quarter, mean, wins, each rule's excess."""
    sim = plain.waiting(*shop, look_ahead="rules", rules=rules)
    if sim is None or not plain.situation(sim).shop.duration.any():
        return
    at = plain.situation(sim)
    jobs, mean = at.candidates, at.shop.duration.mean()
    ahead = [
        [at.completed(plain.forward(at, r, j)).makespan for j in jobs] for r in FORWARD[:rules]
    ]
    back = [[turned_round(at, r, j)[1] for j in jobs] for r in BACKWARD[:rules]]
    expected = {f"forward_{k}": v for k, v in summary(at, np.array(ahead)).items()}
    expected |= {f"backward_{k}": v for k, v in summary(at, np.array(back)).items()}
    behind = []
    for rule in BACKWARD[:rules]:
        gap = plain.backward(at, rule, None)
        own = [gap[at.route[j][0]] + at.duration(at.route[j][0]) for j in jobs]
        behind.append([(max(own) - value) / mean for value in own])
    expected["backward_behind"] = np.mean(behind, axis=0)
    rows = sim.observe()["candidate"]
    names = [f.name for f in CANDIDATE]
    assert {n for n in names if n.startswith(("forward", "backward"))} == expected.keys()
    for name, values in expected.items():
        assert rows[:, names.index(name)] == pytest.approx(values, rel=1e-5, abs=1e-5), name


def test_rules_fit_what_is_said_of_times():
    """`is_narrow` relies on weights below the scale, and on columns for all rules."""
    for rules in (FORWARD, BACKWARD):
        assert len(rules) == NUM_RULES
        assert len(set(rules)) == NUM_RULES
        for duration, tail, load in rules:
            assert 0 <= duration < plain.SCALE
            assert tail >= 0
            assert load >= -1
            assert tail + max(load, 0) < plain.SCALE
