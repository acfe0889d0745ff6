"""Task graphs have the shapes and ratios that their sizes ask for."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphsched.envs.core.errors import InputError
from graphsched.envs.soc.generators import GENERATORS
from graphsched.envs.soc.sources.shapes import SHAPES
from graphsched.envs.soc.sources.stages import stages


@pytest.mark.parametrize(
    ("shape", "asked", "tasks", "edges"),
    [
        ("gauss", 5, 5, 5),  # 3 rows: pivot, 2 updates, pivot, update
        ("gauss", 14, 14, 19),  # 5 rows
        ("fft", 15, 15, 22),  # 4 points: 7 calls and 2 rows of 4 butterflies
        ("fft", 39, 39, 62),  # 8 points
        ("cholesky", 4, 4, 3),  # 2 tiles: factor, solve, update, factor
        ("cholesky", 20, 20, 30),  # 4 tiles
    ],
)
def test_numerical_graphs_have_the_known_counts(shape, asked, tasks, edges):
    edge = SHAPES[shape](np.random.default_rng(0), asked)
    assert edge.max() + 1 == tasks
    assert edge.shape[1] == edges


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(SHAPES)), st.integers(1, 60), st.integers(0, 10**6))
def test_edges_lead_from_earlier_to_later_tasks(shape, tasks, seed):
    edge = SHAPES[shape](np.random.default_rng(seed), tasks)
    assert edge.shape[0] == 2
    assert np.all(edge[0] < edge[1])
    assert len({tuple(pair) for pair in edge.T.tolist()}) == edge.shape[1]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([0.1, 1.0, 10.0]))
def test_the_ratio_is_the_one_asked_for(seed, wanted):
    instance = GENERATORS["layered"](np.random.default_rng(seed), f"30x4@{wanted}")
    job, slowness = instance.jobs[0], instance.platform.slowness
    assert job.num_tasks == 30
    move = job.volume.mean() * slowness[~np.eye(4, dtype=bool)].mean()
    assert move / job.duration[np.isfinite(job.duration)].mean() == pytest.approx(wanted)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 80), st.integers(0, 10**6))
def test_stages_follow_each_other_and_all_tasks_have_work(tasks, seed):
    edge, work = stages(np.random.default_rng(seed), tasks)
    assert len(work) == tasks
    assert np.all(work > 0)
    assert np.all(edge[0] < edge[1])
    assert len({tuple(pair) for pair in edge.T.tolist()}) == edge.shape[1]
    fed = np.unique(edge[1])
    roots = np.setdiff1d(np.arange(tasks), fed)
    assert np.all(roots == np.arange(len(roots)))  # the first stage alone has no inputs


def test_times_of_stages_differ_by_magnitudes():
    rng = np.random.default_rng(0)
    made = [GENERATORS["staged"](rng, "60x4@0.01").jobs[0].duration for _ in range(20)]
    spreads = [np.ptp(np.log10(d[np.isfinite(d)])) for d in made]
    assert np.median(spreads) > 1.2


def test_ranges_are_drawn_from():
    rng = np.random.default_rng(0)
    drawn = [GENERATORS["random"](rng, "5..9x2..3@0.1..10") for _ in range(60)]
    assert {i.jobs[0].num_tasks for i in drawn} == set(range(5, 10))
    assert {i.platform.num_pes for i in drawn} == {2, 3}


@pytest.mark.parametrize("size", ["x", "5x2", "5x2@0", "9..5x2@1", "0x2@1", "5.5x2@1", "5x2@1 "])
def test_bad_sizes_say_what_was_expected(size):
    with pytest.raises(InputError, match="expected TASKSxPES@CCR"):
        GENERATORS["random"](np.random.default_rng(0), size)


def test_a_streams_size_is_its_noise_horizon_and_gap():
    world = GENERATORS["ds3gym"](np.random.default_rng(0), "0.25@700")
    assert world.stream is not None
    assert (world.noise.std, world.stream.horizon) == (0.25, 700.0)
    plain = GENERATORS["ds3gym"](np.random.default_rng(0), "")
    assert plain.stream is not None
    assert plain.stream.horizon == 5000.0
    for size in ("-1", "10", "0.5@", "0.5@0x", "1@99999999", "0.5@9@", "0.5@9@1@1", "0.5@@9"):
        with pytest.raises(InputError, match="NOISE@HORIZON@GAP"):
            GENERATORS["ds3gym-mix"](np.random.default_rng(0), size)


@pytest.mark.parametrize(
    ("name", "horizon", "gap"),
    [("ds3gym", 5000.0, 25.0), ("ds3gym-mix", 5000.0, 25.0), ("ds3-default-soc", 10000.0, 100.0)],
)
def test_a_streams_gap_may_be_asked_for(name, horizon, gap):
    def drawn(size):
        stream = GENERATORS[name](np.random.default_rng(0), size).stream
        assert stream is not None
        return stream.horizon, stream.mean_gap

    assert drawn("0.5@700@60") == (700.0, 60.0)
    assert drawn("0@0@7.5") == (horizon, 7.5)
    assert drawn("0.5@700") == (700.0, gap)
    assert drawn("0@700@0") == (700.0, gap)
    assert drawn("") == (horizon, gap)
    with pytest.raises(InputError, match="mean_gap"):
        drawn("0@999999@0.1")


def test_workflows_follow_their_recipe_and_leave_global_randomness_alone():
    pytest.importorskip("wfcommons")
    import random

    from graphsched.envs.soc.sources.wfcommons import workflow

    random.seed(1)
    expected = random.random()
    random.seed(1)
    first, second = (workflow(np.random.default_rng(1), "blast-60") for _ in range(2))
    assert random.random() == expected
    assert first.to_json() == second.to_json()
    assert 50 <= first.jobs[0].num_tasks <= 70
    for size in ("x", "montage-3", "nothing-10"):
        with pytest.raises(InputError, match="size"):
            workflow(np.random.default_rng(1), size)
