"""Every column of what a policy sees is the number that its name says, worked out by hand."""

from __future__ import annotations

from math import log

import numpy as np
import pytest

from graphsched.envs.jobshop.features import (
    CANDIDATE,
    CONTEXT,
    JOB,
    MACHINE,
    OPERATION,
    RESOURCE,
    static_graph,
)
from graphsched.envs.jobshop.instance import JobShopInstance
from graphsched.envs.jobshop.options import JobShopOptions
from graphsched.envs.jobshop.simulator import JobShopSim

# Seven operations, numbered job by job; 17 time units of work, so that the mean duration is 17/7.
#
#   job  released  operations: machine, duration     tails
#   0    3         #0 m0 1   #1 m2 1                 1 0
#   1    2         #2 m2 6                           0
#   2    2         #3 m0 2   #4 m1 1   #5 m2 2       3 2 0
#   3    3         #6 m0 4                           0
SHOP = JobShopInstance.from_jobs(
    "by hand",
    [[(0, 1), (2, 1)], [(2, 6)], [(0, 2), (1, 1), (2, 2)], [(0, 4)]],
    3,
    [3, 2, 2, 3],
)
MEAN = 17 / 7
FURTHER = [  # columns of looks that aren't taken here, see `test_looks`
    f.name for f in CANDIDATE if f.name.startswith(("bounds", "forward", "backward"))
]


def _assert_columns(features, rows, expected):
    """Each column by name; a forgotten one is an error too."""
    names = [feature.name for feature in features]
    assert sorted(names) == sorted(expected)
    for k, name in enumerate(names):
        assert rows[:, k].tolist() == pytest.approx(expected[name], abs=1e-6), name


@pytest.fixture
def sim():
    """Before the first decision.

    Completions would be #0 3+1 = 4, #2 2+6 = 8, #3 2+2 = 4, #6 3+4 = 7: the first is on machine 0.
    There #3 can start at 2, so that now = 2, and half the window [2, 4] reaches to 3, when #0 and
    #6 can start: all three are candidates. Bounds are 3+1+1 = 5, 8, 7 and 7 of the jobs; head +
    load + tail = 2+7+0 = 9, 4+1+2 = 7 and 2+9+0 = 11 of the machines. So the horizon is 11-2 = 9.
    """
    sim = JobShopSim(1, JobShopOptions(delay_window=0.5, pilot_steps=2))
    sim.reset([0], [SHOP], [0])
    return sim


def test_candidates(sim):
    obs = sim.observe()
    assert obs["candidate_node"].tolist() == [[0], [3], [6]]
    assert obs["candidate_resource"].tolist() == [[0, 1], [0, 2], [0, -1]]  # machines 0, 2, 1
    # Machines need (ready + load + least tail - now) / horizon: 7/9, 3/9 and 9/9.
    #
    # What a choice does to the others on machine 0:
    #   #0 in [3, 4): #3 ends with its tail at 4+2+3 = 9, #6 at 4+4 = 8, which arrives at 3;
    #                 the machine is done at 4 + (2+4) + 0 = 10; #3, #6 one after another: 9, 10
    #   #3 in [2, 4): #0 at 4+1+1 = 6, #6 at 8, and both arrive at 3; its own tail ends at 7;
    #                 4 + (1+4) + 0 = 9; #0, #6: 6, 9
    #   #6 in [3, 7): #0 at 7+1+1 = 9 and it arrives at 3, #3 at 7+2+3 = 12;
    #                 7 + (1+2) + 1 = 11; #3 (longer tail), #0: 12, 11
    #
    # Pilots, two operations each. Keys 100 * start + a * duration - b * tail - c * load:
    # at first #0: 5, -2, 5; #2: 120, 0, 210; #3: 21, -6, 32; #6: 80, 0, 140 beside the start.
    #   after #0 [3, 4) (#1: 20, 0, 35): rule 1 has #1 420, #2 320, #3 421, #6 480; 2 has 400, 200,
    #     394, 400; 3 has 435, 410, 432, 540. All run #2 in [2, 8) and then #3 in [4, 6).
    #     Jobs 8+1 = 9, 8, 6+1+2 = 9, 6+4 = 10; machines 6+4 = 10, 0+1+2 = 3, 8+3 = 11
    #   after #3 [2, 4) (#4: 20-12-9 = -1, -4, 35-24-18 = -7): #0 405, 398, 405; #2 320, 200, 410;
    #     #4 399, 396, 393; #6 480, 400, 540. Rules 1 and 2 run #2 in [2, 8), #4 in [4, 5):
    #     jobs 4+1+1 = 6, 8, 8+2 = 10, 4+4 = 8; machines 4+5 = 9, 5, 8+3 = 11.
    #     Rule 3 runs #4 in [4, 5), then #0 (#5 has 570) in [4, 5):
    #     jobs 5+1 = 6, 8, 5+2 = 7, 5+4 = 9; machines 5+4 = 9, 5, 0+9 = 9
    #   after #6 [3, 7): #0 705, 698, 705; #2 320, 200, 410; #3 721, 694, 732: #2 in [2, 8), then
    #     rules 1 and 3 run #0 in [7, 8): jobs 8+1 = 9, 8, 8+2+3 = 13, 7; machines 8+2+3 = 13, 3, 11
    #     and rule 2 runs #3 in [7, 9): jobs 9+1+1 = 11, 8, 9+1+2 = 12, 7; machines 11, 3, 11
    _assert_columns(
        CANDIDATE,
        obs["candidate"],
        {
            "duration": [1 / MEAN, 2 / MEAN, 4 / MEAN],
            "start_delay": [1 / MEAN, 0, 1 / MEAN],
            "window_position": [1 / 2, 0, 1 / 2],
            "tail": [1 / 9, 3 / 9, 0],
            "criticality": [(4 + 1 - 2) / 9, (4 + 3 - 2) / 9, (7 - 2) / 9],
            "tail_behind_best": [2 / MEAN, 0, 3 / MEAN],
            "duration_above_least": [0, 1 / MEAN, 3 / MEAN],
            "log_tail": [log(1 + 1 / MEAN), log(1 + 3 / MEAN), 0],
            "operations_left": [1, 1, 1],
            "operations_left_relative": [2 / 3, 1, 1 / 3],
            "waiting": [0, 0, 0],
            "next_slack": [-4 / MEAN, -4 / MEAN, 0],
            "next_criticality": [1, 3 / 9, 0],
            "next_queue": [log(2), 0, 0],
            "next_queued_work": [log(1 + 6 / MEAN), 0, 0],
            "next_duration": [1 / MEAN, 1 / MEAN, 0],
            "route_criticality": [1, (1 * 3 / 9 + 2 * 1) / 3, 0],
            "route_peak": [1, 1, 0],
            "last_operation": [0, 0, 1],
            "push_criticality": [(9 - 2) / 9, (8 - 2) / 9, (12 - 2) / 9],
            "push_over_best": [1 / MEAN, 0, 4 / MEAN],
            "machine_criticality_after": [(10 - 2) / 9, (9 - 2) / 9, (11 - 2) / 9],
            "arrivals": [log(2), log(3), log(2)],
            "arrival_push": [(8 - 2) / 9, (8 - 2) / 9, (9 - 2) / 9],
            "lookahead": [(10 - 2) / 9, (9 - 2) / 9, (12 - 2) / 9],
            "lookahead_over_best": [1 / MEAN, 0, 3 / MEAN],
            "pilot": [(11 - 2) / 9, (11 - 2) / 9, (13 - 2) / 9],
            "pilot_jobs_over_best": [(9 - 8) / MEAN, 0, (37 / 4 - 8) / MEAN],
            "pilot_over_best_1": [0, 0, 2 / MEAN],
            "pilot_machines_over_best_1": [0, (25 / 3 - 8) / MEAN, (27 / 3 - 8) / MEAN],
            "pilot_over_best_2": [0, 0, 1 / MEAN],
            "pilot_machines_over_best_2": [0, (25 / 3 - 8) / MEAN, (25 / 3 - 8) / MEAN],
            "pilot_over_best_3": [2 / MEAN, 0, 4 / MEAN],
            "pilot_machines_over_best_3": [(24 - 23) / 3 / MEAN, 0, (27 - 23) / 3 / MEAN],
            **{name: [0, 0, 0] for name in FURTHER},
        },
    )


def test_resources(sim):
    """Machine 0 has #0, #3 and #6 waiting, of which #3 is ready; machine 2 has #2, ready."""
    obs = sim.observe()
    assert (obs["resource_node"] - 7).tolist() == [0, 2, 1]
    _assert_columns(
        RESOURCE,
        obs["resource"],
        {
            "ready": [-2 / MEAN, -2 / MEAN, -2 / MEAN],
            "load": [7 / 9, 9 / 9, 1 / 9],
            "criticality": [7 / 9, 9 / 9, 3 / 9],
            "queue": [log(4), log(2), 0],
            "queued_work": [log(1 + 7 / MEAN), log(1 + 6 / MEAN), 0],
            "arrived": [1 / 3, 1, 0],
            "least_tail": [0, 0, 2 / 9],
            "focus": [1, 0, 0],
        },
    )


def test_context(sim):
    """Jobs need 3+1+1-2 = 3, 6, 5 and 3+4-2 = 5 ninths of the horizon."""
    _assert_columns(
        CONTEXT,
        sim.observe()["context"],
        {
            "candidates": [log(3)],
            "window": [2 / MEAN],
            "horizon": [log(1 + 9 / MEAN)],
            "progress": [0],
            "jobs_left": [1],
            "machine_criticality": [7 / 9],
            "machine_load": [7 / 9],
            "mean_machine_criticality": [(7 + 3 + 9) / 9 / 3],
            "mean_job_criticality": [(3 + 6 + 5 + 5) / 9 / 4],
            "jobs_per_machine": [log(4 / 3)],
            "machines": [log(3) / 4],
        },
    )


def test_the_second_decision(sim):
    """After #6 in [3, 7), #0 and #3 compete from 7 on; the bound is 11 = 7+3+1 on machine 0.

    The horizon is 4: machine 0 needs 3+1 = 4, machine 1 3, and machine 2 9, which is cut at 2
    horizons. Jobs need 1+1 = 2, 2+6-7 = 1 and 2+3 = 5.
    """
    result = sim.step(np.array([2]))
    assert result.rewards.tolist() == [0]
    assert result.elapsed.tolist() == [7 - 2]
    obs = sim.observe()
    _assert_columns(
        CONTEXT,
        obs["context"],
        {
            "candidates": [log(2)],
            "window": [1 / MEAN],
            "horizon": [log(1 + 4 / MEAN)],
            "progress": [1 / 7],
            "jobs_left": [3 / 4],
            "machine_criticality": [4 / 4],
            "machine_load": [3 / 4],
            "mean_machine_criticality": [(1 + 3 / 4 + 2) / 3],
            "mean_job_criticality": [(2 + 1 + 5) / 4 / 3],
            "jobs_per_machine": [log(4 / 3)],
            "machines": [log(3) / 4],
        },
    )
    columns = {f.name: obs["candidate"][:, k].tolist() for k, f in enumerate(CANDIDATE)}
    assert columns["waiting"] == pytest.approx([(7 - 3) / MEAN, (7 - 2) / MEAN])
    assert columns["start_delay"] == [0, 0]
    assert columns["next_slack"] == [-3, -3]  # -8 and -9 over 17/7, cut
    machines = {f.name: obs["resource"][:, k].tolist() for k, f in enumerate(RESOURCE)}
    assert machines["ready"] == pytest.approx([0, -7 / MEAN, -7 / MEAN], abs=1e-6)
    assert machines["criticality"] == pytest.approx([1, 2, 3 / 4])


def test_operations_left_of_jobs_that_have_begun(sim):
    """After #3, two operations are left of jobs 0 and 2, which is most; #0 and #6 compete."""
    sim.step(np.array([1]))
    obs = sim.observe()
    assert obs["candidate_node"].tolist() == [[0], [6]]
    columns = {f.name: obs["candidate"][:, k].tolist() for k, f in enumerate(CANDIDATE)}
    assert columns["operations_left_relative"] == [2 / 2, 1 / 2]
    assert columns["operations_left"] == [2 / 2, 1 / 1]


def test_static_graph():
    """Jobs take 2, 6, 5 and 4, machines 7, 1 and 9, which is the longest of them."""
    graph = static_graph(SHOP)
    _assert_columns(
        OPERATION,
        graph.nodes["operation"],
        {
            "duration": [d / MEAN for d in (1, 1, 6, 2, 1, 2, 4)],
            "head": [0, 1 / 9, 0, 0, 2 / 9, 3 / 9, 0],
            "tail": [1 / 9, 0, 0, 3 / 9, 2 / 9, 0, 0],
            "position": [0, 1 / 2, 0, 0, 1 / 3, 2 / 3, 0],
            "machine_share": [4 / 7, 4 / 9, 24 / 9, 8 / 7, 4, 8 / 9, 16 / 7],
            "job_share": [2 / 2, 2 / 2, 1, 6 / 5, 3 / 5, 6 / 5, 1],
        },
    )
    _assert_columns(
        JOB,
        graph.nodes["job"],
        {"work": [2 / 9, 6 / 9, 5 / 9, 4 / 9], "operations": [2 / 3, 1 / 3, 1, 1 / 3]},
    )
    assert {name: pairs.tolist() for name, pairs in graph.edges.items()} == {
        "precedes": [[0, 3, 4], [1, 4, 5]],
        "follows": [[1, 4, 5], [0, 3, 4]],
        "runs_on": [[0, 1, 2, 3, 4, 5, 6], [0, 2, 2, 0, 1, 2, 0]],
        "hosts": [[0, 2, 2, 0, 1, 2, 0], [0, 1, 2, 3, 4, 5, 6]],
        "part_of": [[0, 1, 2, 3, 4, 5, 6], [0, 0, 1, 2, 2, 2, 3]],
        "has": [[0, 0, 1, 2, 2, 2, 3], [0, 1, 2, 3, 4, 5, 6]],
    }


def test_machines_of_the_static_graph():
    """Two jobs of 2+6 and 4+1; machine 0 comes before tails 6 and 1, machine 1 after 2 and 4."""
    shop = JobShopInstance.from_jobs("two", [[(0, 2), (1, 6)], [(0, 4), (1, 1)]], 3)
    _assert_columns(
        MACHINE,
        static_graph(shop).nodes["machine"],
        {
            "load": [6 / 8, 7 / 8, 0],
            "visits": [2 / 2, 2 / 2, 0],
            "least_head": [0, 2 / 8, 1],
            "least_tail": [1 / 8, 0, 1],
        },
    )


def test_an_arrival_comes_before_the_end():
    """Job 2 arrives at 2, when job 0 ends; it would wait for job 1, which ends at 3."""
    shop = JobShopInstance.from_jobs("arrival", [[(0, 2)], [(0, 3)], [(0, 1)]], 1, [0, 0, 2])
    sim = JobShopSim(1, JobShopOptions(delay_window=1.0, pilot_steps=0))
    sim.reset([0], [shop], [0])
    columns = {f.name: sim.observe()["candidate"][:, k] for k, f in enumerate(CANDIDATE)}
    # bound 6: the machine's work
    assert columns["arrivals"] == pytest.approx([0, log(2)])
    assert columns["arrival_push"] == pytest.approx([0, (3 + 1) / 6])
