"""What a policy sees: scale-free, finite, and pilots that keep their word."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphsched.envs.soc import DOMAIN
from graphsched.envs.soc.features import SCHEMA, static_graph
from graphsched.envs.soc.generators import GENERATORS
from graphsched.envs.soc.options import SocOptions
from graphsched.envs.soc.simulator import SocSim

NAMES = [feature.name for feature in SCHEMA.candidate]


def episode(instance, options, seed=0):
    """Observations of an episode of random choices."""
    rng = np.random.default_rng(seed)
    sim = SocSim(1, options)
    sim.reset([0], [instance], [0])
    out = []
    while len((obs := sim.observe())["slot"]):
        out.append(obs)
        sim.step(rng.integers(0, np.diff(obs["candidate_ptr"])))
    return out, sim.solution(0)


def scaled(instance, factor):
    """The same in another unit of time."""
    (job,) = instance.jobs
    larger = replace(job, duration=job.duration * factor, volume=job.volume * factor)
    return replace(instance, jobs=(larger,))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6))
def test_features_do_not_depend_on_the_unit_of_time(seed):
    instance = GENERATORS["random"](np.random.default_rng(seed), "2..12x1..4@0.1..10")
    options = SocOptions(pilot_steps=6)
    first, _ = episode(instance, options)
    second, _ = episode(scaled(instance, 4.0), options)  # a power of two: exact
    for a, b in zip(first, second, strict=True):
        for key in ("candidate", "resource", "context"):
            np.testing.assert_allclose(a[key], b[key], rtol=1e-5, atol=1e-5)
    one, other = (static_graph(i.jobs[0], i.platform) for i in (instance, scaled(instance, 4.0)))
    for name, rows in one.nodes.items():
        np.testing.assert_allclose(rows, other.nodes[name], rtol=1e-5, atol=1e-6)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(["ds3gym", "ds3gym-mix", "ds3-default-soc"]))
def test_rows_of_streams_are_finite_and_bounded(seed, setting):
    world = GENERATORS[setting](np.random.default_rng(seed), "0.5@90")
    for obs in episode(world, SocOptions(pilot_steps=5, defer=True), seed)[0]:
        assert np.isfinite(obs["candidate"]).all()
        assert np.abs(obs["candidate"]).max() <= 20.0
        best = obs["candidate"][:, NAMES.index("pilot_over_best")]
        assert best.min() == pytest.approx(0.0, abs=1e-6)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6))
def test_the_best_pilot_of_the_first_decision_can_be_kept(seed):
    """Whoever always takes the best pilot never ends above the best outcome seen at first."""
    instance = GENERATORS["random"](np.random.default_rng(seed), "3..14x2..4@0.1..10")
    sim = SocSim(1, SocOptions(pilot_steps=64))
    sim.reset([0], [instance], [0])
    scale, promised = sim.state.plan.scale[0], np.inf
    while len((obs := sim.observe())["slot"]):
        rows = obs["candidate"]
        best = int(np.argmin(rows[:, NAMES.index("pilot_over_best")]))
        now = sim.state.plan.now[0]
        if promised == np.inf:
            promised = now + rows[best, NAMES.index("pilot")] * scale
        sim.step(np.array([best]))
    # Later decisions see fewer candidates than a pilot could use, so that it may slip a little.
    assert sim.solution(0).cost <= 1.25 * promised + 1e-6
    assert DOMAIN.check(instance, sim.solution(0)) == []


def test_a_pilot_of_the_last_decision_is_exact():
    """Nothing is left to guess: the outcome is the makespan that the choice leads to."""
    instance = GENERATORS["layered"](np.random.default_rng(3), "12x3@1")
    options = SocOptions(pilot_steps=64)
    observations, _ = episode(instance, options)
    last = observations[-1]
    outcomes = []
    for action in range(int(last["candidate_ptr"][-1])):
        rng = np.random.default_rng(0)
        sim = SocSim(1, options)
        sim.reset([0], [instance], [0])
        for obs in observations[:-1]:
            sim.step(rng.integers(0, np.diff(obs["candidate_ptr"])))
        now, scale = sim.state.plan.now[0], sim.state.plan.scale[0]
        sim.step(np.array([action]))
        outcomes.append((sim.solution(0).cost - now) / scale)
    seen = last["candidate"][:, NAMES.index("pilot")]
    assert np.all(seen <= np.array(outcomes) + 1e-5)
    assert seen.min() == pytest.approx(min(outcomes), abs=1e-5)
