"""Worlds of the `wide` generator are as its description says, and rows stand up to them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphsched.envs.core.errors import InputError
from graphsched.envs.soc import DOMAIN
from graphsched.envs.soc.features import static_graph
from graphsched.envs.soc.generators import GENERATORS
from graphsched.envs.soc.instance import Noise, SocInstance
from graphsched.envs.soc.options import SocOptions
from graphsched.envs.soc.simulator import SocSim

SEEDS = st.integers(0, 10**6)


def drawn(seed: int, size: str = "") -> SocInstance:
    return GENERATORS["wide"](np.random.default_rng(seed), size)


def observations(instance, options, most):
    """Of an episode of random choices."""
    sim, rng = SocSim(1, options), np.random.default_rng(0)
    sim.reset([0], [instance], [0])
    while len((obs := sim.observe())["slot"]) and most:
        yield obs
        sim.step(rng.integers(0, np.diff(obs["candidate_ptr"])))
        most -= 1


@settings(max_examples=40)
@given(SEEDS)
def test_general_pes_run_everything_and_accelerators_some_at_least_twice_as_fast(seed):
    world = drawn(seed)
    names = world.platform.pe_names
    general = sum(name.startswith("cpu") for name in names)
    assert names[:general] == tuple(f"cpu{p}" for p in range(general))
    assert names[general:] == tuple(f"acc{p}" for p in range(len(names) - general))
    assert 1 <= general <= 3
    assert 0 <= len(names) - general <= 3
    assert world.platform.capacity is not None
    assert set(world.platform.capacity) <= {1, 2, 3, 4}
    for job in world.jobs:
        assert np.isfinite(job.duration[:, :general]).all()
        assert job.duration.min() >= 0.01
        special, first = job.duration[:, general:], job.duration[:, :1]
        able = np.isfinite(special)
        quick = able & (special > 0.01)  # which is the least there is
        assert (2 * special <= first * (1 + 1e-9))[quick].all()
        assert (300 * special >= first * (1 - 1e-9))[able].all()
        between = job.duration[:, :general] / first  # speeds of 1/2 to 2
        assert between.min() >= 1 / 4 - 1e-9
        assert between.max() <= 4 + 1e-9


def test_accelerators_refuse_some_kinds_and_run_one_at_least():
    refused, run = 0, 0
    for seed in range(30):
        for job in drawn(seed).jobs:
            able = np.isfinite(job.duration)
            refused, run = refused + int((~able).sum()), run + int(able.sum())
    assert 0.05 < refused / (refused + run) < 0.5


@settings(max_examples=40)
@given(SEEDS)
def test_jobs_streams_and_noise_are_within_their_bounds(seed):
    world = drawn(seed, "7")
    stream = world.stream
    assert stream is not None
    assert 1 <= len(world.jobs) <= 4
    assert stream.mix == (1 / len(world.jobs),) * len(world.jobs)
    for job in world.jobs:
        exact = not job.name.startswith(("gauss", "fft", "cholesky"))
        assert (5 if exact else 1) <= job.num_tasks <= 30
    # Tasks of a kind are alike.
    rows = {tuple(row) for job in world.jobs for row in job.duration.tolist()}
    assert len(rows) <= 12
    assert 3 <= stream.max_in_system <= 9
    assert 1 <= stream.fill <= stream.max_in_system
    assert stream.horizon == pytest.approx(7 * stream.mean_gap)
    if world.noise.kind == "none":
        assert world.noise.std == 0
    else:
        assert 0.1 <= world.noise.std <= 0.7
    assert not world.ticks


@settings(max_examples=30)
@given(SEEDS)
def test_the_platform_can_keep_up_with_the_arrivals(seed):
    """The mean gap is no less than the mean work of a job on its quickest PEs, for each lane."""
    world = drawn(seed)
    assert world.stream is not None
    assert world.platform.capacity is not None
    work = np.mean([job.duration.min(axis=1).sum() for job in world.jobs])
    assert world.stream.mean_gap >= work / world.platform.capacity.sum() - 1e-9


def test_worlds_differ_in_all_that_they_may():
    worlds = [drawn(seed) for seed in range(60)]
    assert {world.noise.kind for world in worlds} == {"none", "gaussian", "lognormal"}
    assert {world.platform.num_pes for world in worlds} >= {1, 2, 3, 4, 5}
    assert {len(world.jobs) for world in worlds} == {1, 2, 3, 4}
    shapes = {job.name[:-1] for world in worlds for job in world.jobs}
    assert shapes >= {"chain", "layered", "erdos", "fork-join", "gauss", "fft", "cholesky"}
    slow = [w for w in worlds if np.min(w.platform.bandwidth) < 0.1]
    assert 0.05 < len(slow) / len(worlds) < 0.5
    assert len({world.seed for world in worlds}) == len(worlds)


def test_the_same_numbers_give_the_same_world():
    assert drawn(5, "9").to_json() == drawn(5, "9").to_json()
    assert drawn(5, "").to_json() == drawn(5, "60").to_json()


@pytest.mark.parametrize("size", ["0", "-1", "x", "1.5", "60@", "100000", " 60", "6 0", "٣"])
def test_a_size_is_a_number_of_arrivals(size):
    with pytest.raises(InputError, match="expected the number of arrivals"):
        drawn(0, size)


@pytest.mark.parametrize("seed", range(6))
def test_the_checker_accepts_plain_schedules(seed):
    world = drawn(seed, "15")
    solution = DOMAIN.baseline("etf-fair")(world)
    assert DOMAIN.check(world, solution) == []
    assert len(solution.task) > 10


@settings(max_examples=12)
@given(SEEDS)
def test_rows_are_finite_and_bounded(seed):
    world = drawn(seed, "6")
    for obs in observations(world, SocOptions(pilot_steps=9, defer=True), 60):
        for name in ("candidate", "resource", "context"):
            assert np.isfinite(obs[name]).all()
            assert np.abs(obs[name]).max(initial=0.0) <= 20.0
    for job in world.jobs:
        graph = static_graph(job, world.platform)
        for rows in (*graph.nodes.values(), *graph.edge_features.values()):
            assert np.isfinite(rows).all()
            assert np.abs(rows).max(initial=0.0) <= 20.0


def slower(world):
    """The same in another unit of time, without rounding; a power of two leaves all bits."""
    jobs = tuple(replace(j, duration=4 * j.duration, volume=4 * j.volume) for j in world.jobs)
    stream = world.stream and replace(
        world.stream, horizon=4 * world.stream.horizon, mean_gap=4 * world.stream.mean_gap
    )
    return replace(world, jobs=jobs, stream=stream)


def alike(first, second):
    """Whether two episodes look the same all along."""
    count = 0
    for a, b in zip(first, second, strict=True):
        for name in ("candidate", "resource", "context", "candidate_node", "candidate_resource"):
            np.testing.assert_allclose(a[name], b[name], rtol=1e-5, atol=1e-5, err_msg=name)
        count += 1
    return count


@pytest.mark.compiled
@settings(max_examples=12)
@given(SEEDS)
def test_rows_do_not_depend_on_the_unit_of_time(seed):
    world = drawn(seed, "6")
    if world.noise.kind == "gaussian":  # it rounds
        world = replace(world, noise=Noise("lognormal", world.noise.std))
    options = SocOptions(pilot_steps=9, defer=True)
    assert alike(*(observations(w, options, 60) for w in (world, slower(world)))) > 5
    plan = replace(world, jobs=world.jobs[:1], stream=None)
    assert alike(*(observations(w, options, 60) for w in (plan, slower(plan)))) > 0
    for name in ("nodes", "edge_features"):
        one, other = (
            getattr(static_graph(w.jobs[0], w.platform), name) for w in (world, slower(world))
        )
        assert one.keys() == other.keys()
        for key, rows in one.items():
            np.testing.assert_allclose(rows, other[key], rtol=1e-5, atol=1e-6, err_msg=key)
