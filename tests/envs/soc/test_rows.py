"""Every column of every row, by name, is what a small situation worked out by hand says."""

from __future__ import annotations

from math import log
from typing import Any

import numpy as np
import pytest

from graphsched.envs.soc.features import CAND, CTX, NODE, RES, ROLE, SCHEMA, static_graph
from graphsched.envs.soc.instance import Job, Noise, Platform, SocInstance, Stream
from graphsched.envs.soc.options import SocOptions
from graphsched.envs.soc.simulator import SocSim

CLOSE: dict[str, Any] = {"rel": 1e-6, "abs": 1e-6}  # rows are float32


def named(columns, rows):
    """Values (rows,) by the name of their column."""
    assert rows.shape[1] == len(columns)
    return {name: rows[:, at].tolist() for name, at in columns._asdict().items()}


def check(columns, rows, expected):
    """Every column, and no other, holds the expected values."""
    found = named(columns, rows)
    assert found.keys() == expected.keys()
    wrong = {
        n: (v, expected[n]) for n, v in found.items() if v != pytest.approx(expected[n], **CLOSE)
    }
    assert not wrong


def numbers(group):
    """Column numbers of a feature group, from the schema alone."""
    from graphsched.envs.core.graph import columns

    return columns(group)


def pair():
    """Data takes half a unit of time per volume from x to y and a whole one back."""
    return np.array([[1.0, 2.0], [1.0, 1.0]])


# ---- a plan -------------------------------------------------------------------------------------
#
#              a  b  c  d  e  f  g     a-c 3   b-d 16  c-e 12  d-e 7    d   a   b
#   on x       2  6  7  3  2  -  1     d-f 8   b-f 2   c-g 28  f-g 4   / \  |  / \
#   on y       4  4  3  7  4  3  7                                    e   f-c    d ...
#   least      2  4  3  3  2  3  1     mean of all: unit = 18 / 7
#
# Slowness is [[0, .5], [1, 0]]: .375 on average, .25 in ranks (of 0, .75, 0).
# Upward ranks, by means (3 5 5 5 3 3 4), order the tasks of a plan:
#   g 4; e 3; f 3 + 1 + 4 = 8; d 5 + max(1.75 + 3, 2 + 8) = 15;
#   c 5 + max(3 + 3, 7 + 4) = 16; b 5 + max(4 + 15, .5 + 8) = 24; a 3 + .75 + 16 = 19.75.
# Rest, on x and on y: e 0, 0; g 0, 0; f -, min(7, 4 + 1) = 5;
#   c max(2, 1) = 2, max(min(4, 12 + 2), min(7, 28 + 1)) = 7;
#   d max(2, 4 + 3 + 5) = 12, max(min(4, 7 + 2), 3 + 5) = 8;
#   b max(min(3 + 12, 8 + 7 + 8), 1 + 3 + 5) = 15, max(min(7 + 8, 16 + 3 + 12), 3 + 5) = 15;
#   a min(7 + 2, 1.5 + 3 + 7) = 9, min(3 + 7, 3 + 7 + 2) = 10.
# Path: a min(2 + 9, 4 + 10) = 11; b min(6 + 15, 4 + 15) = 19 = scale; c min(7 + 2, 3 + 7) = 9;
#   d min(3 + 12, 7 + 8) = 15; e 2; f 3 + 5 = 8; g 1.
# Data is there, on x and on y: c 2, min(4, 2 + 1.5) = 3.5; d 6, 4;
#   e max(2 + 7, 6 + 3) = 9, max(3.5 + 3, min(4 + 7, 6 + 3 + 3.5)) = 11; f -, max(4 + 7, 4) = 11;
#   g max(2 + 7, 11 + 3 + 4) = 18, max(3.5 + 3, 11 + 3) = 14.
# Head: a 0; b 0; c 2; d 4; e 9; f 11; g 14.
UNIT, SCALE = 18 / 7, 19


def plan_instance():
    times = [[2, 4], [6, 4], [7, 3], [3, 7], [2, 4], [np.inf, 3], [1, 7]]
    edges = {"ac": 3, "bd": 16, "ce": 12, "de": 7, "df": 8, "bf": 2, "cg": 28, "fg": 4}
    job = Job(
        "plan",
        tuple("abcdefg"),
        np.array(times, float),
        np.array([["abcdefg".index(end) for end in edge] for edge in edges]).T,
        np.array(list(edges.values()), float),
    )
    return SocInstance(
        "plan", Platform("two", ("x", "y"), pair()), (job,), noise=Noise("lognormal", 0.25)
    )


def planned(pilot_steps, moves):
    """Two slots with the same plan, so that the second one's rows stand behind the first one's."""
    sim = SocSim(2, SocOptions(max_ready=2, max_lanes=2, pilot_steps=pilot_steps))
    sim.reset([0, 1], [plan_instance(), plan_instance()], [0, 0])
    for count, action in moves:
        assert np.diff(sim.observe()["candidate_ptr"]).tolist() == [count, count]
        sim.step(np.array([action, action]))
    return sim.observe()


# b on y [0, 4], then d on x: 16 later, [20, 23], then a before it: [0, 2]. Ready: c and f.
# c on y: its data is there at 2 + 1.5, but y is free at 4: [4, 7]. c on x in the gap: [2, 9].
# f on y alone: d's data is there at 23 + 4 = 27: [27, 30]. So now = 2.
MOVES = [(4, 0), (4, 3), (3, 0)]
PLAN = {
    "duration": [0, log(7 / 3), 0],
    "duration_share": [3 / UNIT, 7 / UNIT, 3 / UNIT],
    "eft_over_best": [0, (9 - 7) / UNIT, (30 - 7) / UNIT],
    "eft_over_task_best": [0, (9 - 7) / UNIT, 0],
    "lane_wait": [(4 - 3.5) / UNIT, 0, 0],
    "data_wait": [(3.5 - 2) / UNIT, 0, (27 - 2) / UNIT],
    "path": [9 / SCALE, 9 / SCALE, 8 / SCALE],
    "path_below_best": [0, 0, (9 - 8) / UNIT],
    "criticality": [(7 + 7 - 2) / SCALE, (9 + 2 - 2) / SCALE, (30 + 5 - 2) / SCALE],
    "straight_over_best": [(14 - 11) / UNIT, 0, (35 - 11) / UNIT],  # 7 + 7, 9 + 2, 30 + 5
    "straight_over_task_best": [(14 - 11) / UNIT, 0, 0],
    "head": [2 / SCALE, 2 / SCALE, 11 / SCALE],
    "idle": [0, 0, (27 - 4) / UNIT],
    "inserted": [0, 1, 0],
    "lane_load": [4 / SCALE, 5 / SCALE, 4 / SCALE],
    "slowness": [0, 7 / 3 - 1, 0],
    "local_inputs": [0, 1, 2 / 10],
    "output": [(7 - 2) / UNIT, (2 - 2) / UNIT, (5 - 1) / UNIT],  # e's path is 2, g's 1
    "children": [log(3), log(3), log(2)],
    "opens": [log(2), log(2), 0],  # e waits for c alone, g for c and f
    "sufferage": [(9 - 7) / UNIT, (9 - 7) / UNIT, 20],  # f has one lane
    # Two tasks more, then paths. f comes on y at 27 to 30 in any case, e by its path at 25 at most.
    # c on y: g's data on x at 7 + 28, so 36, and 37 on y. c on x: f's data at 34, so 35.
    # f: c goes to y by its finish (7 < 9), to x by the rest (11 < 14), and to y to stay, g too.
    # c on x: f can't stay there.
    "pilot_eft_over_best": [(36 - 35) / UNIT, 0, (36 - 35) / UNIT],
    "pilot_straight_over_best": [(36 - 35) / UNIT, 0, 0],
    "pilot_second_over_best": [(37 - 35) / UNIT, 0, (37 - 35) / UNIT],
    "pilot_over_best": [(36 - 35) / UNIT, 0, 0],
    "pilot_mean_over_best": [(109 / 3 - 35) / UNIT, 0, (36 - 35) / UNIT],  # 36 36 37, 36 35 37
    "pilot_wins": [0, 1, 1 / 3],
    "pilot": [(36 - 2) / SCALE, (35 - 2) / SCALE, (35 - 2) / SCALE],
    **{
        name: [0, 0, 0]
        for name in (
            "harm",
            "pilot_oldest_over_best",
            "job_age",
            "job_left",
            "job_elders",
            "job_latency",
            "job_rest",
            "job_work",
            "job_slack",
            "demand",
            "starts",
            "next_end",
            "queue",
            "defer",
        )
    },
}
PILOTS = [name for name in PLAN if name.startswith("pilot")]


def test_candidates_of_a_plan():
    obs = planned(2, MOVES)
    assert obs["candidate_ptr"].tolist() == [0, 3, 6]
    check(CAND, obs["candidate"][:3], PLAN)
    check(CAND, obs["candidate"][3:], PLAN)
    # c, c, f among seven tasks, two lanes and a job: ten rows of the node table for each slot
    assert obs["candidate_node"][:, NODE.task].tolist() == [2, 2, 5, 12, 12, 15]
    assert obs["candidate_node"][:, NODE.pe].tolist() == [8, 7, 8, 18, 17, 18]
    assert obs["candidate_resource"][:, ROLE.lane].tolist() == [1, 0, 1] * 2


@pytest.mark.parametrize(
    ("steps", "outcome"),
    [
        # f on y [27, 30] and g's path after it: 31, where c comes first as well
        (1, [31, 31, 31]),
        # f, g and e as above; e ends at 23 + 7 + 2 = 32 at most
        (3, [36, 35, 35]),
    ],
)
def test_pilots_of_a_plan_look_as_far_as_they_may(steps, outcome):
    rows = named(CAND, planned(steps, MOVES)["candidate"][:3])
    least = min(outcome)
    assert rows["pilot"] == pytest.approx([(t - 2) / SCALE for t in outcome], **CLOSE)
    assert rows["pilot_over_best"] == pytest.approx([(t - least) / UNIT for t in outcome], **CLOSE)


def test_without_pilots_their_columns_are_0_and_the_others_as_before():
    for rows, expected in (
        (planned(0, MOVES)["candidate"][:3], PLAN),
        (streamed(0, STREAM_MOVES)["candidate"][:5], STREAM),
    ):
        check(CAND, rows, expected | {name: [0] * len(rows) for name in PILOTS})


def test_a_pilot_of_a_plan_takes_the_path_that_is_left():
    """At first, b on y or x, or a on x or y; the other of the two is planned, then paths count.

    b on y ends at 4 and a then on x at 2 (on y at 8 to stay): d's path of 15 after 4, in any case.
    b on x ends at 6: 15 after that. a on x ends at 2, b goes to y by its finish: 4 + 15 again.
    a on y ends at 4, b goes to x, 6 < 4 + 4; it would stay behind a until 8.
    """
    rows = named(CAND, planned(1, [])["candidate"][:4])
    outcome = {
        "pilot_eft_over_best": [19, 21, 19, 21],
        "pilot_straight_over_best": [19, 21, 19, 21],  # b: 4 + 15 < 8 + 15, 6 + 15 < 8 + 15
        "pilot_second_over_best": [19, 21, 8 + 15, 8 + 15],
    }
    for name, ends in outcome.items():
        assert rows[name] == pytest.approx([(t - 19) / UNIT for t in ends], **CLOSE)
    assert rows["pilot"] == pytest.approx([t / SCALE for t in (19, 21, 19, 21)], **CLOSE)


# Means of log(duration / least): on x b's and c's are not 0, on y those of a, d, e and g.
SLOWNESS = [(log(6 / 4) + log(7 / 3)) / 6, (log(2) + log(7 / 3) + log(2) + log(7)) / 7]


def test_lanes_and_context_of_a_plan():
    obs = planned(2, MOVES)
    lanes = {
        "free": [(23 - 2) / UNIT, (4 - 2) / UNIT],
        "load": [5 / SCALE, 4 / SCALE],
        "idle": [1 - 5 / 23, 0],
        "slowness": SLOWNESS,
        "support": [6 / 7, 1],
        "queue": [0, 0],
    }
    context = {
        "candidates": [log(3)],
        "ready": [log(3)],
        "progress": [3 / 7],
        "tasks_per_lane": [log(7 / 2)],
        "lanes": [log(2) / 4],
        "ccr": [log(1 + 10 * 0.75 / UNIT)],  # volume 80 / 8 edges, between lanes that differ
        "spread": [(6 * SLOWNESS[0] + 7 * SLOWNESS[1]) / 13],
        "stream": [0],
        "jobs": [1],
        "noise": [0.25],
        "work": [0],
        "gap": [0],
        "turned_away": [0],
    }
    for slot in range(2):
        check(RES, obs["resource"][2 * slot : 2 * slot + 2], lanes)
        check(CTX, obs["context"][slot : slot + 1], context)
    assert obs["resource_node"].tolist() == [7, 8, 17, 18]
    # At first: a and b, on two lanes each.
    first = context | {"candidates": [log(4)], "progress": [0]}
    check(CTX, planned(2, [])["context"][:1], first)


def test_the_static_graph_of_a_job():
    instance = plan_instance()
    graph = static_graph(instance.jobs[0], instance.platform)
    groups = {node.name: numbers(node.features) for node in SCHEMA.nodes}
    tasks = {
        "duration": [least / UNIT for least in (2, 4, 3, 3, 2, 3, 1)],
        "spread": [log(t) / 2 for t in (2, 6 / 4, 7 / 3, 7 / 3, 2, 1, 7)],
        "path": [t / SCALE for t in (11, 19, 9, 15, 2, 8, 1)],
        "head": [t / SCALE for t in (0, 0, 2, 4, 9, 11, 14)],
        "inputs": [0, 0, log(2), log(2), log(3), log(3), log(3)],
        "outputs": [log(2), log(3), log(3), log(3), 0, log(2), 0],
    }
    pes = {
        "slowness": SLOWNESS,
        "support": [6 / 7, 1],
        "transfer": [0.25 / 0.375, 0.5 / 0.375],  # from a lane to all, itself included
    }
    job = {
        "tasks": [log(7)],
        "ccr": [log(1 + 10 * 0.75 / UNIT)],
        "parallelism": [log(18 / 19 + 1e-3)],
    }
    check(groups["task"], graph.nodes["task"], tasks)
    check(groups["pe"], graph.nodes["pe"], pes)
    check(groups["job"], graph.nodes["job"], job)
    moves = {"transfer": [log(1 + v * 0.375 / UNIT) for v in (3, 16, 12, 7, 8, 2, 28, 4)]}
    feeds = [[0, 1, 2, 3, 3, 1, 2, 5], [2, 3, 4, 4, 5, 5, 6, 6]]
    ran = [[0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 6, 6], [0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 1, 0, 1]]
    slower = [log(t) for t in (1, 2, 6 / 4, 1, 7 / 3, 1, 1, 7 / 3, 1, 2, 1, 1, 7)]
    edges = {
        "feeds": (feeds, moves),
        "fed_by": (feeds[::-1], moves),
        "can_run_on": (ran, {"duration": slower}),
        "can_run": (ran[::-1], {"duration": slower}),
        "part_of": ([list(range(7)), [0] * 7], None),
        "has": ([[0] * 7, list(range(7))], None),
    }
    assert graph.edges.keys() == edges.keys() == {edge.name for edge in SCHEMA.edges}
    for edge in SCHEMA.edges:
        ends, values = edges[edge.name]
        assert graph.edges[edge.name].tolist() == ends
        if values is None:
            assert edge.name not in graph.edge_features
        else:
            check(numbers(edge.features), graph.edge_features[edge.name], values)


def test_lanes_that_have_done_nothing_are_idle():
    """So it is before the first move of a plan, and at time 0 of a stream."""
    for obs in (planned(0, []), streamed(0, [])):
        lanes, rows = named(RES, obs["resource"]), named(CAND, obs["candidate"])
        assert lanes["free"] == lanes["load"] == lanes["queue"] == [0] * len(lanes["free"])
        assert lanes["idle"] == [1] * len(lanes["idle"])
        entry = [1 - out for out in rows["defer"]]
        assert rows["local_inputs"] == entry  # nothing has to travel
        assert rows["lane_load"] == rows["idle"] == rows["inserted"] == [0] * len(entry)
    # Whoever has run b need not move its data, to be through in d's path of 15; so it is with a on x
    # and c's path of 9, while a on y has a rest of 10.
    output = named(CAND, planned(0, [])["candidate"][:4])["output"]
    assert output == pytest.approx([0, 0, 0, 1 / UNIT], **CLOSE)


def test_tasks_of_a_pilot_never_share_a_lane():
    """On one PE the end is the work of all, whatever comes first."""
    times = np.array([[2.0], [3.0], [5.0]])
    job = Job("three", tuple("abc"), times, np.zeros((2, 0), np.int64), np.zeros(0))
    sim = SocSim(1, SocOptions(pilot_steps=9))
    sim.reset([0], [SocInstance("three", Platform("one", ("x",), np.ones((1, 1))), (job,))], [0])
    for last in (2, 0):  # the shortest task first; then those that are left
        rows = named(CAND, sim.observe()["candidate"])
        now = sim.state.plan.now[0]
        assert rows["pilot"] == pytest.approx([(10 - now) / 5] * len(rows["pilot"]), **CLOSE)
        sim.step(np.array([last]))


# ---- a stream -----------------------------------------------------------------------------------
#
# x has lanes 0 and 1, y is lane 2. Kind S, a fifth of the jobs: u and v. Kind P: p, q, r.
#
#              u  v    p  q  r     p-q 7, p-r 5, q-r 11; transfers are cut to whole units
#   on x      15  3    2  -  1
#   on y      12  6    8  6  4
#   least     12  3    2  6  1     unit = 7.5 / 5 + 3 * 4 / 5 = 3.9
#
# Slowness is .5 from lanes 0 and 1 to 2, and 1 back; .5 between lanes that differ (3 / 6).
# Rest, on x and on y: r 0, 0; q -, min(4, 11 + 1) = 4; p max(3 + 6 + 4, 1) = 13,
#   max(6 + 4, min(4, 5 + 1)) = 10; u and v 0.
# Path: u 12; v 3; r 1; q 6 + 4 = 10; p min(2 + 13, 8 + 10) = 15; scale = 12 / 5 + 15 * 4 / 5 = 14.4.
# Head: u, v and p 0; q min(2 + 3, 8) = 5; r on y 5 + 6 = 11.
WIDE, LONG = 3.9, 14.4  # unit and scale


def stream_instance():
    single = Job(
        "S", ("u", "v"), np.array([[15.0, 12], [3, 6]]), np.zeros((2, 0), np.int64), np.zeros(0)
    )
    chain = Job(
        "P",
        ("p", "q", "r"),
        np.array([[2.0, 8], [np.inf, 6], [1, 4]]),
        np.array([[0, 0, 1], [1, 2, 2]]),
        np.array([7.0, 5, 11]),
    )
    # This seed's world sends S, P and P, at 0, at 0 and at 7, and its noise is below half a unit.
    stream = Stream(44.0, max_in_system=4, mean_gap=20.0, mix=(0.2, 0.8), fill=1)
    return SocInstance(
        "stream",
        Platform("two", ("x", "y"), pair(), capacity=np.array([2, 1])),
        (single, chain),
        stream,
        Noise("gaussian", 0.01),
        ticks=True,
        seed=1484,
    )


# At 0: u on lane 0 [0, 15]; p on lane 1 [0, 2]; v waits. At 2: q on y, its data is there at 5; v
# waits. At 5: v waits, q [5, 11]. At 7 a P comes: v and its p wait. At 11: v on lane 1 [11, 14].
# Now r of the second job and p of the third are ready, and lane 1 is the sooner one of x.
# r on y: 11 to 15. r on x: q's data is there at 22, to 23. p on x: 14 to 16. p on y: 11 to 19.
STREAM_MOVES = [(6, 1), (5, 2), (3, 2), (4, 2), (3, 2), (3, 2), (5, 4), (7, 0)]
STREAM = {
    "duration": [log(4), 0, 0, log(4), 0],
    "duration_share": [4 / WIDE, 1 / WIDE, 2 / WIDE, 8 / WIDE, 0],
    "eft_over_best": [0, (23 - 15) / WIDE, (16 - 15) / WIDE, (19 - 15) / WIDE, 0],
    "eft_over_task_best": [0, (23 - 15) / WIDE, 0, (19 - 16) / WIDE, 0],
    "lane_wait": [0, 0, (14 - 11) / WIDE, 0, 0],
    "data_wait": [0, (22 - 11) / WIDE, 0, 0, 0],
    "path": [1 / LONG, 1 / LONG, 15 / LONG, 15 / LONG, 0],
    "path_below_best": [14 / WIDE, 14 / WIDE, 0, 0, 0],
    "criticality": [4 / LONG, 12 / LONG, (16 + 13 - 11) / LONG, (19 + 10 - 11) / LONG, 0],
    "straight_over_best": [0, (23 - 15) / WIDE, (29 - 15) / WIDE, (29 - 15) / WIDE, 0],
    "straight_over_task_best": [0, (23 - 15) / WIDE, 0, 0, 0],
    "head": [11 / LONG, 11 / LONG, 0, 0, 0],
    "idle": [0, (22 - 14) / WIDE, 0, 0, 0],
    "inserted": [0, 0, 0, 0, 0],
    "lane_load": [0, 3 / LONG, 3 / LONG, 0, 0],
    "slowness": [4 / 1 - 1, 0, 0, 8 / 2 - 1, 0],
    "local_inputs": [11 / 16, 5 / 16, 1, 1, 0],
    "output": [0, 0, (13 - 10) / WIDE, 0, 0],  # q's path is 10, r's 1
    "children": [0, 0, log(3), log(3), 0],
    "opens": [0, 0, log(2), log(2), 0],  # q waits for p alone, r for q as well
    "sufferage": [(23 - 15) / WIDE, (23 - 15) / WIDE, (19 - 16) / WIDE, (19 - 16) / WIDE, 0],
    # r on x makes p wait for lane 0: to 17. p on y makes r wait, or fetch its data: to 23 either way.
    "harm": [0, (17 - 16) / WIDE, 0, (23 - 15) / WIDE, 0],
    # Sums of the jobs' ends after one task more; the first job ends with u at 15.
    # r on y, then p on x, 16; q's data is on y at 19, so 25, and its rest is 4:
    #   15 + 15 + 29 = 59 by any rule.
    # r on x, then p on lane 0, 17; q 20 to 26: 15 + 23 + 30 = 68. By finish + rest p on y,
    #   19 + 10 < 17 + 13; q 19 to 25: 15 + 23 + 29 = 67.
    # p on x, then r on y, which is sooner, straighter and older: 15 + 15 + 29 = 59; by path q on y,
    #   25, r then sooner on x, 23, and the other r on y, 29: 15 + 23 + 29 = 67.
    # p on y, then r on x, 23 (as soon as on y): 15 + 23 + 29 = 67; by path q on y, 25, r on x, 23,
    #   and the other r on y, 29: 15 + 23 + 29 = 67.
    # Waiting, then r on y: 15 + 15 + (16 + 13) = 59; by path p on x: 15 + 15 + 29 = 59.
    "pilot_eft_over_best": [0, 9 / WIDE, 0, 8 / WIDE, 0],
    "pilot_second_over_best": [0, 9 / WIDE, 8 / WIDE, 8 / WIDE, 0],
    "pilot_straight_over_best": [0, 8 / WIDE, 0, 8 / WIDE, 0],
    "pilot_oldest_over_best": [0, 9 / WIDE, 0, 8 / WIDE, 0],
    "pilot_over_best": [0, 8 / WIDE, 0, 8 / WIDE, 0],
    "pilot_mean_over_best": [0, (9 + 9 + 8 + 9) / 4 / WIDE, 8 / 4 / WIDE, 8 / WIDE, 0],
    "pilot_wins": [1, 0, 3 / 4, 0, 1],
    "pilot": [(total / 3 - 11) / LONG for total in (59, 67, 59, 67, 59)],
    "job_age": [11 / LONG, 11 / LONG, 4 / LONG, 4 / LONG, 0],
    "job_left": [1 / 3, 1 / 3, 1, 1, 0],
    "job_elders": [log(2), log(2), log(3), log(3), 0],
    # Least ends: 15, as u has begun; 15, by r on y; 29, by p on either PE.
    "job_latency": [15 / LONG, 15 / LONG, (29 - 7) / LONG, (29 - 7) / LONG, 0],
    "job_rest": [0, 0, (29 - 15) / LONG, (29 - 15) / LONG, 0],
    "job_work": [log(1 + 1 / WIDE)] * 2 + [log(1 + 9 / WIDE)] * 2 + [0],
    "job_slack": [0, (15 - 23) / WIDE, 0, 0, 0],
    # r, p and the other r, 4 in sum, run quickest on x, which has two lanes, and q on y
    "demand": [log(1 + 6 / WIDE), log(1 + 2 / WIDE), log(1 + 2 / WIDE), log(1 + 6 / WIDE), 0],
    "starts": [1, 0, 0, 1, 0],
    "next_end": [0, 0, 0, 0, (15 - 11) / WIDE],  # u's; v has not begun
    "queue": [0, log(2), log(2), 0, 0],
    "defer": [0, 0, 0, 0, 1],
}


def streamed(pilot_steps, moves):
    sim = SocSim(2, SocOptions(max_lanes=2, pilot_steps=pilot_steps, defer=True))
    sim.reset([0, 1], [stream_instance(), stream_instance()], [0, 0])
    for count, action in moves:
        assert np.diff(sim.observe()["candidate_ptr"]).tolist() == [count, count]
        sim.step(np.array([action, action]))
    return sim.observe()


def test_candidates_of_a_stream():
    obs = streamed(1, STREAM_MOVES)
    assert obs["candidate_ptr"].tolist() == [0, 5, 10]
    check(CAND, obs["candidate"][:5], STREAM)
    check(CAND, obs["candidate"][5:], STREAM)
    # Node rows: u, v, three lanes, a job; p, q, r, three lanes, a job; then those of the other slot.
    assert obs["candidate_node"][:, NODE.task].tolist() == [8, 8, 6, 6, -1, 21, 21, 19, 19, -1]
    assert obs["candidate_node"][:, NODE.pe].tolist() == [11, 10, 10, 11, -1, 24, 23, 23, 24, -1]
    assert obs["candidate_resource"][:, ROLE.lane].tolist() == [2, 1, 1, 2, -1] * 2


def test_pilots_of_a_stream_look_as_far_as_they_may():
    """To the end: r, p and q as above, then the last r on y right after q.

    By path the second job's r comes after q, so on x at 23, unless it was the candidate.
    """
    rows = named(CAND, streamed(64, STREAM_MOVES)["candidate"][:5])
    late = 15 + 23 + 30, 15 + 23 + 29  # of r on x, where p comes on x and on y
    outcome = {
        "pilot_eft_over_best": [59, late[0], 59, 67, 59],
        "pilot_second_over_best": [59, late[0], 67, 67, 67],
        "pilot_straight_over_best": [59, late[1], 59, 67, 59],
        "pilot_oldest_over_best": [59, late[0], 59, 67, 59],
        "pilot_over_best": [59, late[1], 59, 67, 59],
    }
    for name, ends in outcome.items():
        assert rows[name] == pytest.approx([(t - 59) / WIDE for t in ends], **CLOSE)
    best = outcome["pilot_over_best"]
    assert rows["pilot"] == pytest.approx([(t / 3 - 11) / LONG for t in best], **CLOSE)


def test_lanes_and_context_of_a_stream():
    obs = streamed(1, STREAM_MOVES)
    # Logs of S: x 15/12 and 1, y 1 and 2; of P: x 1 and 1, y 4, 1 and 4
    slow = [log(5 / 4) / 2 / 5] * 2 + [log(2) / 2 / 5 + 2 * log(4) / 3 * 4 / 5]
    lanes = {
        "free": [4 / WIDE, 3 / WIDE, 0],
        "load": [4 / LONG, 3 / LONG, 0],
        "idle": [1, 1 - 2 / 11, 1 - 6 / 11],  # u runs still, p and q ended
        "slowness": slow,
        "support": [1 / 5 + 2 / 3 * 4 / 5] * 2 + [1],
        "queue": [0, log(2), 0],
    }
    context = {
        "candidates": [log(5)],
        "ready": [log(3)],
        "progress": [11 / 44],
        "tasks_per_lane": [log(2.5 / 3)],
        "lanes": [log(3) / 4],
        "ccr": [4 / 5 * log(1 + 23 / 3 * 0.5 / 3)],  # S has no edges
        "spread": [(2 * log(5 / 4) + log(2)) / 6 / 5 + 2 * log(4) / 7 * 4 / 5],  # x counts twice
        "stream": [1],
        "jobs": [3 / 4],
        "noise": [0.01],
        "work": [log(1 + (1 + 9) / 3 / WIDE)],
        "gap": [log(20 / LONG)],
        "turned_away": [1],
    }
    for slot in range(2):
        check(RES, obs["resource"][3 * slot : 3 * slot + 3], lanes)
        check(CTX, obs["context"][slot : slot + 1], context)
    assert obs["resource_node"].tolist() == [-1] * 6


def test_candidates_are_compared_with_those_of_the_same_job():
    """Tasks of two jobs have the same number: each one's best lane is its own."""
    jobs = [
        Job(name, ("a",), np.array([times]), np.zeros((2, 0), np.int64), np.zeros(0))
        for name, times in (("short", (3.0, 6.0)), ("long", (10.0, 16.0)))
    ]
    stream = Stream(99.0, max_in_system=2, mean_gap=1e5, mix=(0.5, 0.5), fill=2)
    # This seed's world sends the short one first.
    world = SocInstance("world", Platform("two", ("x", "y"), pair()), tuple(jobs), stream, seed=6)
    sim = SocSim(1, SocOptions(pilot_steps=0))
    sim.reset([0], [world], [0])
    rows = named(CAND, sim.observe()["candidate"])
    unit = (3 + 10) / 2
    assert rows["eft_over_best"] == pytest.approx([0, 3 / unit, 7 / unit, 13 / unit], **CLOSE)
    assert rows["eft_over_task_best"] == pytest.approx([0, 3 / unit, 0, 6 / unit], **CLOSE)
    assert rows["sufferage"] == pytest.approx([3 / unit, 3 / unit, 6 / unit, 6 / unit], **CLOSE)


def test_rows_after_jobs_have_left():
    """From the situation above on: r on y [11, 15], p waits at 11 and at 14; u and r end at 15."""
    obs = streamed(1, [*STREAM_MOVES, (5, 0), (3, 2), (3, 2)])
    rows = named(CAND, obs["candidate"][:2])
    expected = {
        "job_age": [8 / LONG, 8 / LONG],
        "job_left": [1, 1],
        "job_elders": [0, 0],
        "duration": [0, log(8 / 2)],  # p on lane 0, [15, 17], and on y, [15, 23]
        # then q at 20 to 26 or at 23 to 29, and r 4 after it
        "pilot": [(30 - 15) / LONG, (33 - 15) / LONG],
        "pilot_over_best": [0, 3 / WIDE],
        "job_latency": [(30 - 7) / LONG] * 2,
        "job_rest": [0, 0],
        "job_slack": [0, (30 - 33) / WIDE],
    }
    assert {name: rows[name] for name in expected} == {
        name: pytest.approx(values, **CLOSE) for name, values in expected.items()
    }
    assert named(RES, obs["resource"][:3])["idle"] == pytest.approx([0, 10 / 15, 5 / 15], **CLOSE)
    context = named(CTX, obs["context"][:1])
    assert context["jobs"] == [1 / 4]
    assert context["progress"] == pytest.approx([15 / 44])
    assert obs["graph_ptr"].tolist() == [0, 1, 2]  # P alone


def test_pilots_of_a_stream_wait_for_what_is_queued():
    """Three jobs of 10 on one PE: two are assigned and taken to end together at 20, one is left."""
    job = Job("one", ("a",), np.array([[10.0]]), np.zeros((2, 0), np.int64), np.zeros(0))
    stream = Stream(99.0, max_in_system=3, mean_gap=1e5, fill=3)
    world = SocInstance("world", Platform("one", ("x",), np.ones((1, 1))), (job,), stream, seed=1)
    sim = SocSim(1, SocOptions(pilot_steps=9, defer=True))
    sim.reset([0], [world], [0])
    for count in (3, 3):  # three jobs; two and to wait
        assert sim.observe()["candidate_ptr"].tolist() == [0, count]
        sim.step(np.array([0]))
    rows = named(CAND, sim.observe()["candidate"])
    assert rows["pilot"] == pytest.approx([(20 + 20 + 30) / 3 / 10] * 2, **CLOSE)
    assert rows["queue"] == pytest.approx([log(3), 0], **CLOSE)
