"""Each kind of change of a task graph, platform or stream touches what it says and nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from graphsched.envs.soc.generators import GENERATORS
from graphsched.envs.soc.sources.perturb import KINDS

TASK, ENTRY, VOLUME, EDGES, SPEED, LINK, GAP = (kind for kind, _ in KINDS)
SEEDS = range(12)


@pytest.fixture
def plan():
    return GENERATORS["random"](np.random.default_rng(0), "8x3@1")


def _differs(before, after):
    """(task, PE) whose execution times differ."""
    return np.argwhere(before.jobs[0].duration != after.jobs[0].duration)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_tasks_work_changes_on_every_pe_alike(plan, seed):
    found = TASK(plan, np.random.default_rng(seed))
    cells = _differs(plan, found)
    assert len(set(cells[:, 0])) == 1
    assert len(cells) == 3
    ratio = found.jobs[0].duration[cells[0, 0]] / plan.jobs[0].duration[cells[0, 0]]
    assert np.allclose(ratio, ratio[0])


@pytest.mark.parametrize("seed", SEEDS)
def test_one_time_of_one_task_changes(plan, seed):
    assert len(_differs(plan, ENTRY(plan, np.random.default_rng(seed)))) == 1


@pytest.mark.parametrize("seed", SEEDS)
def test_one_volume_changes(plan, seed):
    found = VOLUME(plan, np.random.default_rng(seed))
    assert np.count_nonzero(found.jobs[0].volume != plan.jobs[0].volume) == 1
    assert not len(_differs(plan, found))


@pytest.mark.parametrize("seed", SEEDS)
def test_an_edge_comes_or_goes(plan, seed):
    found = EDGES(plan, np.random.default_rng(seed))
    before = {(a, b) for a, b in plan.jobs[0].edge.T.tolist()}
    after = {(a, b) for a, b in found.jobs[0].edge.T.tolist()}
    assert len(before ^ after) == 1
    assert sorted(found.jobs[0].order.tolist()) == list(range(8))


def test_edges_come_and_go():
    """Both happen, and a graph of one task has none to gain or lose."""
    plan = GENERATORS["random"](np.random.default_rng(1), "8x3@1")
    sizes = {EDGES(plan, np.random.default_rng(s)).jobs[0].num_edges for s in range(30)}
    assert sizes == {plan.jobs[0].num_edges - 1, plan.jobs[0].num_edges + 1}
    lonely = GENERATORS["random"](np.random.default_rng(0), "1x2@1")
    assert EDGES(lonely, np.random.default_rng(0)).jobs[0].num_edges == 0
    assert len(_differs(lonely, VOLUME(lonely, np.random.default_rng(0)))) == 2


@pytest.mark.parametrize("seed", SEEDS)
def test_a_pe_becomes_faster_or_slower(plan, seed):
    cells = _differs(plan, SPEED(plan, np.random.default_rng(seed)))
    assert len(set(cells[:, 1])) == 1
    assert len(cells) == 8


@pytest.mark.parametrize("seed", SEEDS)
def test_a_link_changes_both_ways(plan, seed):
    found = LINK(plan, np.random.default_rng(seed))
    cells = np.argwhere(found.platform.bandwidth != plan.platform.bandwidth)
    assert len(cells) == 2
    assert cells[0].tolist() == cells[1].tolist()[::-1]


def test_what_can_not_run_on_a_pe_still_can_not():
    """Barred PEs stay barred, whatever changes."""
    stream = GENERATORS["ds3-default-soc"](np.random.default_rng(0), "0.5@400")
    barred = [np.isinf(job.duration) for job in stream.jobs]
    assert any(part.any() for part in barred)
    for kind in (TASK, ENTRY, SPEED):
        for seed in SEEDS:
            found = kind(stream, np.random.default_rng(seed))
            after = [np.isinf(job.duration) for job in found.jobs]
            assert all(np.array_equal(a, b) for a, b in zip(barred, after, strict=True))


def test_a_stream_gets_another_gap_and_a_plan_another_speed(plan):
    """The gap stays below the horizon, and above what would make an episode endless."""
    stream = GENERATORS["ds3gym"](np.random.default_rng(0), "0@400")
    for seed in SEEDS:
        found = GAP(stream, np.random.default_rng(seed)).stream
        assert found is not None
        assert stream.stream is not None
        assert found.mean_gap != stream.stream.mean_gap
        assert 0.4 <= found.mean_gap <= 400
    assert len(_differs(plan, GAP(plan, np.random.default_rng(0)))) == 8
