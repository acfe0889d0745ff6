"""Futures that are drawn anew keep to what is known, and tell nothing of what isn't."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest

from graphsched.envs.batching.futures.redraw import LAST, LEAST, redraw
from graphsched.envs.batching.generators import GENERATORS
from graphsched.envs.batching.instance import Requests
from graphsched.envs.batching.options import BatchingOptions
from graphsched.envs.batching.physics.state import FUTURE, SERVED, SPARE
from graphsched.envs.batching.simulator import BatchingSim
from graphsched.eval.solvers.counting import Counter, CountingSim

OPTIONS = BatchingOptions(agent="route+admit+preempt", order="urgency", displace=2.0)
COPIES = 200


def begun(instance, steps=90, copies=COPIES):
    """A world some way on in slot 0, and copies of it."""
    sim = BatchingSim(1 + copies, OPTIONS)
    sim.reset([0], [instance], [0])
    for _ in range(steps):
        sim.step(np.zeros(1, np.int64))
    sim.fork([0] * copies, range(1, 1 + copies))
    return sim


def world(name="hetero", size="120@24", seed=1):
    return GENERATORS[name](np.random.default_rng(seed), size)


def come(sim):
    """Numbers of the requests that have come with all of their stages: those before the next root."""
    return int(sim.state.root[0, sim.state.slot["next_root"][0]])


@pytest.mark.compiled
def test_outputs_are_drawn_around_what_is_predicted_until_they_are_longer_than_what_is_out():
    sim = begun(world())
    state, known = sim.state, come(sim)
    before = state.req[0].copy()
    assert redraw(sim, range(1, 1 + COPIES), range(COPIES))
    assert (state.req[0] == before).all()  # the world itself
    open_ = np.flatnonzero(before["status"][:known] < SERVED)
    drawn = state.req["output"][1:, open_]
    assert (drawn > before["made"][open_]).all()
    fresh = open_[before["made"][open_] == 0]
    logs = np.log(state.req["output"][1:, fresh] / before["predicted"][fresh])
    assert len(fresh) > 10
    assert logs.mean() == pytest.approx(0.0, abs=0.02)
    assert logs.std() == pytest.approx(0.3, abs=0.02)
    done = np.flatnonzero(before["status"][:known] == SERVED)
    assert (state.req["output"][1:, done] == before["output"][done]).all()


@pytest.mark.compiled
def test_a_simulator_whose_decisions_are_counted_is_drawn_anew_alike():
    """As `solve` and `eval` hand it over."""
    sim, other = begun(world(), copies=1), begun(world(), copies=1)
    redraw(sim, [1], [7])
    redraw(CountingSim(other, Counter()), [1], [7])
    assert (sim.state.req[1] == other.state.req[1]).all()
    assert (sim.state.req[1] != sim.state.req[0]).any()


@pytest.mark.compiled
def test_the_next_arrivals_are_like_the_last_ones():
    sim = begun(world())
    state, known, seen = sim.state, come(sim), int(sim.state.slot["next_root"][0])
    roots = state.root[0, max(seen - LAST, 0) : seen]
    pace = np.diff(state.req["arrival"][0, roots]).mean()
    redraw(sim, range(1, 1 + COPIES), range(COPIES))
    assert (state.slot["requests"][1:] <= known + SPARE).all()
    assert (state.slot["requests"][1:] > known + SPARE - 6).all()  # a workflow has five at most
    gaps = []
    for b in range(1, 1 + COPIES):
        new = state.root[b, seen:]
        at = state.req["arrival"][b, new[new >= 0]]
        gaps += np.diff(np.concatenate([[state.slot["clock"][0]], np.unique(at)])).tolist()
        fresh = state.req[b, known : state.slot["requests"][b]]
        assert (fresh["status"] == FUTURE).all()
        assert set(fresh["prompt"].tolist()) <= set(state.req["prompt"][0, :known].tolist())
        assert (fresh["blockers"][np.isin(np.arange(known, known + len(fresh)), new)] == 0).all()
    assert np.mean(gaps) == pytest.approx(pace, rel=0.25)


@pytest.mark.compiled
@pytest.mark.parametrize("name", ["hetero", "tenants", "tree", "mixed"])
def test_what_has_not_come_makes_no_difference(name):
    """Two worlds that are alike so far have the same futures, however they go on."""
    one = world(name, "60")
    sim = begun(one, 70 if name == "hetero" else 40, 3)
    known = come(sim)
    columns = {f.name: getattr(one.requests, f.name).copy() for f in fields(Requests)}
    columns["prompt"][known:] += 300
    columns["output"][known:] = 7
    columns["extends"][known:] = columns["shared"][known:]
    columns["arrival_s"][known:] += 2.0
    columns["weight"][known:] = np.roll(columns["weight"][known:], 1)
    other = begun(replace(one, requests=Requests(**columns)), 70 if name == "hetero" else 40, 3)
    for a in (sim, other):
        redraw(a, [1, 2, 3], [5, 6, 7])
        a.hold(np.array([True, False, False, False]))
    assert (sim.state.req["output"][1:, :known] == other.state.req["output"][1:, :known]).all()
    while len((obs := sim.observe())["slot"]):
        twin = other.observe()
        assert (obs["candidate"] == twin["candidate"]).all()
        first = np.zeros(len(obs["slot"]), np.int64)
        sim.step(first)
        other.step(first)
    total = sim.state.slot["total_weight"][0], other.state.slot["total_weight"][0]
    assert sim.costs()[1:] * total[0] == pytest.approx(other.costs()[1:] * total[1])


@pytest.mark.compiled
def test_after_few_arrivals_nothing_is_known_of_the_next():
    sim = begun(world(), steps=3, copies=2)
    assert sim.state.slot["next_root"][0] < LEAST
    known = come(sim)
    redraw(sim, [1, 2], [1, 2])
    assert (sim.state.slot["requests"][1:] == known).all()


@pytest.mark.compiled
def test_a_future_is_played_to_its_end():
    sim = begun(world("mixed", "80"), 60, 40)
    redraw(sim, range(1, 41), range(40))
    sim.hold(np.arange(41) == 0)
    while len((obs := sim.observe())["slot"]):
        sim.step(np.zeros(len(obs["slot"]), np.int64))
    state = sim.state
    for b in range(1, 41):
        assert state.slot["settled"][b] == state.slot["requests"][b]
