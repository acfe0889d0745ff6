"""Features say what their names claim, are finite, free of scale and blind to labels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphsched.envs.jobshop.features import MACH, OP, SCHEMA, static_graph
from graphsched.envs.jobshop.generators import irregular, uniform
from graphsched.envs.jobshop.instance import JobShopInstance
from graphsched.envs.jobshop.options import LOOKS, JobShopOptions
from graphsched.envs.jobshop.simulator import JobShopSim

COLUMN = {f.name: i for i, f in enumerate(SCHEMA.candidate)}


def observations(instance, seed, look="none"):
    """All observations of a random episode."""
    rng = np.random.default_rng(seed)
    sim = JobShopSim(1, JobShopOptions(pilot_steps=7, look_ahead=look))
    sim.reset([0], [instance], [0])
    while len((obs := sim.observe())["slot"]):
        yield obs
        sim.step(rng.integers(0, np.diff(obs["candidate_ptr"])))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(LOOKS))
def test_rows_are_finite_and_bounded(seed, look):
    instance = irregular(np.random.default_rng(seed), "7x4")
    for obs in observations(instance, seed, look):
        for name in ("candidate", "resource", "context"):
            assert np.isfinite(obs[name]).all()
        rows = obs["candidate"]
        for name in ("operations_left", "window_position"):
            assert rows[:, COLUMN[name]].min() >= 0.0
            assert rows[:, COLUMN[name]].max() <= 1.0 + 1e-6
        for name in COLUMN:
            if "over_best" in name or name.endswith(("behind_best", "above_least")):
                assert rows[:, COLUMN[name]].min() == 0.0


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 50), st.sampled_from(LOOKS))
def test_rows_are_free_of_scale(seed, factor, look):
    instance = uniform(np.random.default_rng(seed), "6x4")
    larger = JobShopInstance(
        "scaled", instance.job_ptr, instance.machine, instance.duration * factor, 4
    )
    pairs = zip(observations(instance, 0, look), observations(larger, 0, look), strict=True)
    for one, other in pairs:
        for name in ("candidate", "resource", "context"):
            assert one[name] == pytest.approx(other[name], rel=1e-4, abs=1e-4)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(LOOKS))
def test_rows_do_not_know_machine_labels(seed, look):
    rng = np.random.default_rng(seed)
    instance = uniform(rng, "6x4")
    relabelled = JobShopInstance(
        "relabelled", instance.job_ptr, rng.permutation(4)[instance.machine], instance.duration, 4
    )
    pairs = zip(observations(instance, 0, look), observations(relabelled, 0, look), strict=True)
    for one, other in pairs:
        for name in ("candidate", "resource", "context"):
            assert one[name] == pytest.approx(other[name], abs=1e-6)


def test_hand_computed_candidate():
    """Two jobs on machine 0: durations 2 and 4, then 6 and 1 on machine 1; bound 9."""
    instance = JobShopInstance.from_jobs("hand", [[(0, 2), (1, 6)], [(0, 4), (1, 1)]])
    sim = JobShopSim(1, JobShopOptions(delay_window=1.0))
    sim.reset([0], [instance], [0])
    obs = sim.observe()
    # Machine 1 needs head 2 + load 7 + tail 0 = 9; machine 0 needs 6 + tail 1 = 7.
    assert sim.state.bound[0] == 9
    first, second = obs["candidate"]
    mean = 13 / 4
    assert first[COLUMN["duration"]] == pytest.approx(2 / mean)
    assert first[COLUMN["tail"]] == pytest.approx(6 / 9)
    assert first[COLUMN["criticality"]] == pytest.approx(8 / 9)
    assert second[COLUMN["tail_behind_best"]] == pytest.approx(5 / mean)
    assert second[COLUMN["duration_above_least"]] == pytest.approx(2 / mean)
    # If job 1 goes first, job 0 ends at 4 + 2 + 6 = 12; if job 0 does, job 1 ends at 2 + 4 + 1 = 7.
    assert second[COLUMN["push_criticality"]] == pytest.approx(12 / 9)
    assert second[COLUMN["push_over_best"]] == pytest.approx((12 - 8) / mean)
    assert second[COLUMN["lookahead_over_best"]] == pytest.approx((12 - 8) / mean)
    # The pilots complete the schedule: 9 in the better order, 12 + 1 or 5 + 1, 12 in the other.
    assert first[COLUMN["pilot"]] == pytest.approx(9 / 9)
    assert second[COLUMN["pilot"]] == pytest.approx(12 / 9)


def test_candidates_refer_to_their_operations_and_machines():
    instance = uniform(np.random.default_rng(3), "6x4")
    graph = static_graph(instance)
    size = len(graph.nodes["operation"])
    for obs in observations(instance, 3):
        places = obs["resource_node"] - size
        assert len(set(places.tolist())) == len(places)
        for node, (focus, following) in zip(
            obs["candidate_node"][:, 0], obs["candidate_resource"], strict=True
        ):
            assert places[focus] == instance.machine[node]
            last = node + 1 == instance.job_ptr[instance.job[node] + 1]
            assert (following < 0) == last
            if not last:
                assert places[following] == instance.machine[node + 1]


def test_static_graph_of_a_hand_made_shop():
    instance = JobShopInstance.from_jobs("hand", [[(0, 2), (1, 6)], [(0, 4), (1, 1)]])
    graph = static_graph(instance)
    heads, tails = (graph.nodes["operation"][:, k] * 8 for k in (OP.head, OP.tail))
    assert heads == pytest.approx([0, 2, 0, 4])  # the longest job takes 8
    assert tails == pytest.approx([6, 0, 1, 0])
    assert graph.nodes["machine"][:, MACH.load] * 8 == pytest.approx([6, 7])
    assert graph.edges["precedes"].tolist() == [[0, 2], [1, 3]]
    assert graph.edges["hosts"].tolist() == [[0, 1, 0, 1], [0, 1, 2, 3]]
