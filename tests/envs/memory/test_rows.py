"""Every column of what a policy sees is the number that its name says, worked out by hand."""

from __future__ import annotations

from math import log, log1p, sqrt

import numpy as np
import pytest

from graphsched.envs.core.kernels.jit import kernel
from graphsched.envs.memory.features import (
    ACCESS,
    CANDIDATE,
    CONTEXT,
    FIRST_MOVE,
    FIRST_RUN,
    INSTRUCTION,
    STORAGE,
    static_graph,
)
from graphsched.envs.memory.improving.ejections import note_open
from graphsched.envs.memory.improving.episode import RUN, search_at
from graphsched.envs.memory.options import MemoryOptions
from graphsched.envs.memory.physics.orders import LISTS
from graphsched.envs.memory.physics.state import problem_at
from graphsched.envs.memory.simulator import MemorySim

X, A, W, B, O = range(5)  # noqa: E741
PILOTED = MemoryOptions(pilot_decisions=64)
HEADS = [f"heads_{name.replace('-', '_')}" for name in LISTS]
MOVES_ONLY = [f.name for f in CANDIDATE[FIRST_MOVE:]]
STEP_ONLY = ("stay", "copy", "slow", "writes_back", "further", "next", "price_until_next")


def _assert_columns(features, rows, expected):
    """Each column by name; a forgotten one is an error too."""
    names = [feature.name for feature in features]
    assert sorted(names) == sorted(expected)
    for k, name in enumerate(names):
        assert rows[:, k].tolist() == pytest.approx(expected[name], abs=1e-6), name


def _played(program, options, *choices):
    """A simulator after so many decisions, each a storage or a choice; all must be on offer."""
    sim = MemorySim(1, options)
    sim.reset([0], [program], [0])
    for choice in choices:
        on_offer = sim.state.candidate[0, : sim.state.num_candidates[0]].tolist()
        sim.step(np.array([on_offer.index(choice)]))
    return sim


@pytest.mark.usefixtures("priced")
def test_priority_candidates(program):
    """After o is placed at instruction 5 and written back beside 6: latency 1000 - 3.6 = 996.4.

    It takes 4 bytes at instructions 5 and 6. The heads are then a, x, w and b:

    * a stays from 0 to 5, 8 * 6 = 48 byte-instructions; it saves 7.2 + 7.2 + (8.4-3) = 19.8.
    * x can't be there at 0. Copied beside 3 (9 bytes) and 1 (1 byte), it stays from 1 to 4, 48
      byte-instructions, and saves 9.
    * w is copied beside 1 and stays till 2, 16 byte-instructions; it saves 4.5.
    * b stays from 3 to 4, 24 byte-instructions; it saves 9.9.

    Pilots place o, w, b, a, x. After a, w or b: all but x, 19.8 + 4.5 + 9.9 = 34.2. After x: w; b,
    which saves 12-4 = 8; a has no room, so 9 + 4.5 + 8 = 21.5.
    """
    obs = _played(program, PILOTED, O).observe()
    assert obs["candidate_node"].tolist() == [[A, 5 + 0], [X, 5 + 0], [W, 5 + 2], [B, 5 + 3]]
    heads = {  # which of a, x, w and b comes next in each order
        "heads_benefit_root_size": [1, 0, 0, 0],
        "heads_benefit_size": [1, 0, 0, 0],
        "heads_benefit": [1, 0, 0, 0],
        "heads_largest": [0, 1, 0, 0],
        "heads_smallest": [1, 0, 0, 0],
        "heads_first": [0, 1, 0, 0],
        "heads_byte_time": [0, 0, 1, 0],
        "heads_benefit_byte_time": [0, 0, 1, 0],
        "heads_traffic_byte_time": [0, 0, 0, 1],
        "heads_best": [0, 0, 1, 0],
        "heads_margin": [0, 0, 0, 1],
    }
    expected = {
        "heads": [4 / 11, 2 / 11, 3 / 11, 2 / 11],
        "saved": [log1p(19.8), log1p(9), log1p(4.5), log1p(9.9)],
        "saved_over_best": [1, 9 / 19.8, 4.5 / 19.8, 9.9 / 19.8],
        "density_over_best": [1, 0.1875 / 0.4125, 0.28125 / 0.4125, 1],
        "saved_per_byte_over_best": [1, 0.75 / 2.475, 0.5625 / 2.475, 0.825 / 2.475],
        "saved_per_root_byte_over_best": [
            1,
            9 / 19.8 * sqrt(8 / 12),
            4.5 / 19.8,
            9.9 / 19.8 * sqrt(8 / 12),
        ],
        "kept": [19.8 / 21.6, 9 / 18, 1, 1],
        "served": [3 / 3, 1 / 2, 1, 2 / 2],
        "held": [48 / 168, 48 / 168, 16 / 168, 24 / 168],  # of 24 bytes * 7 instructions
        "copied": [0, 10 / 12 / 2, 5 / 8 / 2, 0],
        "size": [8 / 24, 12 / 24, 8 / 24, 12 / 24],
        "length": [6 / 7, 5 / 7, 1 / 7, 2 / 7],
        "peak": [4 / 24, 0, 0, 0],
        "load": [4 / 6 / 24, 0, 0, 0],
        "room_after": [(24 - 4 - 8) / 24, 12 / 24, 16 / 24, 12 / 24],
        # mean prices over a lifetime: 0.6/6, 0.5/5, 0.2/1 and 0.15/2
        "margin": [1 - 4.8 / 19.8, 1 - 4.8 / 9, 1 - 3.2 / 4.5, 1 - 1.8 / 9.9],
        "margin_over_best": [
            1.8 / 9.9 - 4.8 / 19.8,
            1.8 / 9.9 - 4.8 / 9,
            1.8 / 9.9 - 3.2 / 4.5,
            0,
        ],
        "profit_share": [0.5, 0, 0.6, 0.8],
        "accesses": [log(3), log(2), 0, log(2)],
        "live_in": [0, 1, 1, 0],
        "live_out": [0, 0, 1, 0],
        "pilot_over_best": [0, 34.2 - 21.5, 0, 0],
        "pilot": [0.0342, 0.0215, 0.0342, 0.0342],
    }
    expected |= heads | {name: [0, 0, 0, 0] for name in (*STEP_ONLY, *MOVES_ONLY)}
    _assert_columns(CANDIDATE, obs["candidate"], expected)


@pytest.mark.usefixtures("priced")
def test_priority_context(program):
    """One of five storages is placed; they have 12 + 8 + 8 + 12 + 4 = 44 bytes."""
    obs = _played(program, PILOTED, O).observe()
    _assert_columns(
        CONTEXT,
        obs["context"],
        {
            "progress": [1 / 5],
            "saved": [0.0036],
            "possible": [1 - 0.9461],
            "load": [(4 + 4) / 7 / 24],
            "candidates": [log(4)],
            "storages": [log(5) / 8],
            "pressure": [log(44 / 24)],
        },
    )


@pytest.mark.usefixtures("priced")
def test_copies_count_both_ways(program):
    """Of a nothing is copied, of x 10 bytes in, and o's 4 are written back."""
    obs = _played(program, PILOTED).observe()
    assert obs["candidate_node"][:, 0].tolist() == [A, X, O]
    columns = {f.name: obs["candidate"][:, k] for k, f in enumerate(CANDIDATE)}
    assert columns["copied"] == pytest.approx([0, 10 / 12 / 2, 4 / 4 / 2])


@pytest.mark.usefixtures("priced")
def test_pilots_pass_over_what_is_placed(program):
    """With a in its place, the pilot's order is o, w, b, x.

    After x: o alone, which saves 4.8 - 3 = 1.8 beside a, so 9 + 1.8. After o: 1.8 + 4.5 + 9.9.
    """
    obs = _played(program, PILOTED, A).observe()
    assert obs["candidate_node"][:, 0].tolist() == [X, O]
    columns = {f.name: obs["candidate"][:, k] for k, f in enumerate(CANDIDATE)}
    assert columns["pilot"] == pytest.approx([0.0108, 0.0162], abs=1e-6)
    assert columns["pilot_over_best"] == pytest.approx([16.2 - 10.8, 0], abs=1e-4)


@pytest.mark.usefixtures("priced")
def test_pilots_look_only_at_the_first_decisions(program):
    obs = _played(program, MemoryOptions(pilot_decisions=1), O).observe()
    names = [feature.name for feature in CANDIDATE]
    assert not obs["candidate"][:, names.index("pilot")].any()
    obs = _played(program, MemoryOptions(pilot_decisions=1)).observe()
    assert obs["candidate"][:, names.index("pilot")].all()


@pytest.mark.usefixtures("priced")
@pytest.mark.parametrize(("placements", "looks"), [(11 * 5 * 2, True), (11 * 5 * 2 - 1, False)])
def test_pilots_look_as_often_as_their_placements_allow(program, placements, looks):
    """In the second decision only if twice the candidates of 11 orders place 5 storages each."""
    options = MemoryOptions(pilot_decisions=64, pilot_placements=placements)
    obs = _played(program, options, O).observe()
    names = [feature.name for feature in CANDIDATE]
    assert obs["candidate"][:, names.index("pilot")].any() == looks


@pytest.mark.usefixtures("priced")
@pytest.mark.parametrize("column", range(len(LISTS)))
def test_each_order_has_its_column(program, column):
    """With all other orders at their end, only this one's column and share are left."""
    sim = _played(program, PILOTED, O)
    sim.state.heads[0, np.arange(len(LISTS)) != column] = 5
    rows = sim.observe()["candidate"]
    names = [feature.name for feature in CANDIDATE]
    assert names[: len(LISTS)] == HEADS
    assert rows[:, : len(LISTS)].sum(axis=0).tolist() == [k == column for k in range(len(LISTS))]
    assert rows[:, names.index("heads")].sum() == pytest.approx(1 / 11)


@pytest.mark.usefixtures("priced")
def test_step_candidates_for_a_copy(program):
    """X can't be in time for instruction 0; a is made in fast memory there: 1000 - 7.2 = 992.8.

    Then w can be copied beside instruction 1, which saves 4.5. It is not used again, so that its 8
    bytes would be held from instruction 2 to the end, at a price of 0.2 + 0.15 + 0.1 each: 3.6.
    """
    obs = _played(program, MemoryOptions(actions="step"), 1).observe()
    assert obs["candidate_node"].tolist() == [[W, 5 + 2], [W, 5 + 2]]
    _assert_columns(
        CANDIDATE,
        obs["candidate"],
        {name: [0, 0] for name in (*HEADS, *MOVES_ONLY)}
        | {
            "heads": [0, 0],
            "saved": [log1p(4.5), 0],
            "saved_over_best": [1, 0],
            "density_over_best": [0, 0],
            "saved_per_byte_over_best": [0, 0],
            "saved_per_root_byte_over_best": [0, 0],
            "kept": [1, 0],
            "served": [0, 0],
            "held": [0, 0],
            "copied": [1, 0],
            "size": [8 / 24, 8 / 24],
            "length": [1 / 7, 1 / 7],
            "peak": [0, 0],
            "load": [0, 0],
            "room_after": [16 / 24, 16 / 24],
            "margin": [1 - 1.6 / 4.5, 1 - 1.6 / 4.5],  # 8 bytes at 0.2 in its only instruction
            "margin_over_best": [0, 0],
            "profit_share": [0.6, 0.6],
            "accesses": [0, 0],
            "live_in": [1, 1],
            "live_out": [1, 1],
            "pilot_over_best": [0, 0],
            "pilot": [0, 0],
            "stay": [0, 0],
            "copy": [1, 0],
            "slow": [0, 1],
            "writes_back": [0, 0],
            "further": [0, 0],
            "next": [5 / 7, 5 / 7],
            "price_until_next": [3.6 / 4.5, 3.6 / 4.5],
        },
    )


@pytest.mark.usefixtures("priced")
def test_step_candidates_for_a_stay(program):
    """With w in slow memory, a stays for instruction 2, or is written back beside 1.

    It saves 13 - (5+0.8) = 7.2 of the 21.6 at all of its accesses. Held from 2 until its next, at
    5, its 8 bytes cost 0.2 + 0 + 0.15 each: 2.8.
    """
    obs = _played(program, MemoryOptions(actions="step"), 1, 0).observe()
    assert obs["candidate_node"].tolist() == [[A, 5 + 2], [A, 5 + 2]]
    _assert_columns(
        CANDIDATE,
        obs["candidate"],
        {name: [0, 0] for name in (*HEADS, *MOVES_ONLY)}
        | {
            "heads": [0, 0],
            "saved": [log1p(7.2), 0],
            "saved_over_best": [1, 0],
            "density_over_best": [0, 0],
            "saved_per_byte_over_best": [0, 0],
            "saved_per_root_byte_over_best": [0, 0],
            "kept": [7.2 / 21.6, 0],
            "served": [0, 0],
            "held": [0, 0],
            "copied": [0, 0],
            "size": [8 / 24, 8 / 24],
            "length": [6 / 7, 6 / 7],
            "peak": [8 / 24, 8 / 24],
            "load": [8 / 6 / 24, 8 / 6 / 24],
            "room_after": [(24 - 8 - 8) / 24, (24 - 8 - 8) / 24],
            "margin": [1 - 4.8 / 21.6, 1 - 4.8 / 21.6],
            "margin_over_best": [0, 0],
            "profit_share": [0.5, 0.5],
            "accesses": [log(3), log(3)],
            "live_in": [0, 0],
            "live_out": [0, 0],
            "pilot_over_best": [0, 0],
            "pilot": [0, 0],
            "stay": [1, 0],
            "copy": [0, 0],
            "slow": [0, 1],
            "writes_back": [0, 1],
            "further": [1 / 8, 1 / 8],
            "next": [3 / 7, 3 / 7],
            "price_until_next": [2.8 / 7.2, 2.8 / 7.2],
        },
    )


@pytest.mark.usefixtures("priced")
def test_what_was_written_stays_to_be_written_back(program):
    """`a` was read at 2, where it stayed; b and x are slow. At 5, slow memory still lacks it."""
    obs = _played(program, MemoryOptions(actions="step"), 1, 0, 1, 0, 0).observe()
    assert obs["candidate_node"].tolist() == [[A, 5 + 5], [A, 5 + 5]]
    names = [feature.name for feature in CANDIDATE]
    assert obs["candidate"][:, names.index("writes_back")].tolist() == [0, 1]
    assert obs["candidate"][:, names.index("further")].tolist() == [0, 0]
    assert obs["candidate"][:, names.index("next")] == pytest.approx([2 / 7, 2 / 7])


@pytest.mark.usefixtures("priced")
def test_step_context(program):
    """Three of nine accesses are decided on: x and a at instruction 0, w at 2."""
    obs = _played(program, MemoryOptions(actions="step"), 1, 0).observe()
    _assert_columns(
        CONTEXT,
        obs["context"],
        {
            "progress": [3 / 9],
            "saved": [0.0072],
            "possible": [1 - 0.9461],
            "load": [8 / 7 / 24],
            "candidates": [log(2)],
            "storages": [log(5) / 8],
            "pressure": [log(44 / 24)],
        },
    )


@pytest.mark.usefixtures("priced")
def test_static_graph(program):
    """The mean instruction takes 1000/7 us with everything in slow memory."""
    graph = static_graph.__wrapped__(program)
    _assert_columns(
        STORAGE,
        graph.nodes["storage"],
        {
            "size": [log1p(size / 24) for size in (12, 8, 8, 12, 4)],
            "length": [5 / 7, 6 / 7, 1 / 7, 2 / 7, 1 / 7],
            "first": [0, 0, 2 / 7, 3 / 7, 5 / 7],
            "accesses": [log(3), log(4), log(2), log(3), log(2)],
            "benefit": [log1p(18), log1p(21.6), log1p(4.5), log1p(9.9), log1p(3.6)],
            "margin": [1 - 6 / 18, 1 - 4.8 / 21.6, 1 - 1.6 / 4.5, 1 - 1.8 / 9.9, 1 - 0.4 / 3.6],
            "profit_share": [0, 0.5, 0.6, 0.8, 0.9],
            "live_in": [1, 0, 1, 0, 0],
            "live_out": [0, 0, 1, 0, 1],
        },
    )
    mean = 1000 / 7
    _assert_columns(
        INSTRUCTION,
        graph.nodes["instruction"],
        {
            "duration": [log1p(us / mean) for us in (18, 30, 13, 20, 21, 12, 886)],
            "bound": [0, 1, 0, 1, 4 / 21, 3 / 12, 1],
            "price": [log1p(24 * us / mean) for us in (0.1, 0.05, 0.2, 0, 0.15, 0.1, 0)],
            "copies": [log1p(n / 24) for n in (0.9, 15, 0.65, 10, 2, 1.5, 443)],
            "pressure": [log1p(n / 24) for n in (20, 20, 28, 32, 32, 12, 0)],
            "at": [0, 1 / 7, 2 / 7, 3 / 7, 4 / 7, 5 / 7, 6 / 7],
        },
    )
    storages, times = [X, X, A, A, A, W, B, B, O], [0, 4, 0, 2, 5, 2, 3, 4, 5]
    assert graph.edges["used_by"].tolist() == [storages, times]
    assert graph.edges["uses"].tolist() == [times, storages]
    assert graph.edges["before"].tolist() == [[0, 1, 2, 3, 4, 5], [1, 2, 3, 4, 5, 6]]
    assert graph.edges["after"].tolist() == [[1, 2, 3, 4, 5, 6], [0, 1, 2, 3, 4, 5]]
    for rows in graph.edge_features.values():
        _assert_columns(
            ACCESS,
            rows,
            {
                "share": [10 / 18, 10 / 21, 8 / 18, 8 / 13, 8 / 12, 5 / 13, 1, 11 / 21, 4 / 12],
                "writes": [0, 0, 1, 0, 0, 0, 1, 0, 1],
            },
        )


@kernel
def _note_runs(s, b, room):
    """What is noted where the moves in the order end."""
    search = search_at(s, b, room)
    note_open(problem_at(s, b), search.best, search.ejection)


def _offering(program, **proposals):
    """The first decision of an episode that improves, with proposals of our own."""
    sim = _played(program, MemoryOptions(actions="improve", moves=10, offered=2))
    _note_runs(sim.state, 0, sim._searching())
    for name, value in proposals.items():
        getattr(sim.state.search, name)[0] = value
    assert sim.state.placed[0].tolist() == [O, W, B, A, X]
    return sim.observe()


def _in_logs(time_us):
    """A time against the latency, 1000 - 3.6 - 4.5 - 9.9 - 19.8 us."""
    return log1p(1e3 * time_us / 962.2)


@pytest.mark.usefixtures("priced")
def test_moves_in_the_order(program):
    """Storage x moves to the front over w, b and a, and w to the end over b, a and x.

    All but x is served. x would save (10+0.8) - 1.8 = 9 at 0 and 11.1 - 4 = 7.1 at 4. What the others
    save alone: w 4.5, b 21 - 11.1 = 9.9, a 7.2 + 7.2 + (8.4-3) = 19.8. In use are 8 bytes at 0, 16 at
    1 and 2, 20 at 3 and 4.
    """
    obs = _offering(program, moves=[[4, 1], [1, 4]])
    assert obs["candidate_node"].tolist() == [[X, 5 + 0], [W, 5 + 2]]
    expected = {
        "unmet": [_in_logs(16.1), 0],
        "gained": [0, _in_logs(4.5)],
        "passed_unmet": [0, _in_logs(16.1)],
        "passed_gained": [_in_logs(34.2), _in_logs(29.7)],
        "passed_needy": [0, 1 / 3],
        "passed_none": [0, 1 / 3],
        "passed_bytes": [log(28 / 12), log(32 / 8)],
        "earlier": [1, 0],
        "distance": [3 / 5, 3 / 5],
        "log_distance": [log(3), log(3)],
        "source": [4 / 5, 1 / 5],
        "target": [1 / 5, 4 / 5],
        "served": [0, 1],
        "absent": [1, 0],
        "size": [12 / 24, 8 / 24],
        "lifetime": [5 / 7, 1 / 7],
        "accesses": [log(2), 0],
        "live_in": [1, 1],
        "live_out": [0, 1],
        "peak": [20 / 24, 16 / 24],
        "mean": [16 / 24, 16 / 24],
        "tries": [0, 0],
        "since": [10, 10],
        "unmet_earlier": [_in_logs(16.1), 0],
        "passed_unmet_later": [0, _in_logs(16.1)],
    }
    other = [feature.name for feature in (*CANDIDATE[:FIRST_MOVE], *CANDIDATE[FIRST_RUN:])]
    expected = {f"move_{name}": values for name, values in expected.items()}
    _assert_columns(CANDIDATE, obs["candidate"], expected | {name: [0, 0] for name in other})


@pytest.mark.usefixtures("priced")
def test_runs_that_come_in(program):
    """Storage x is copied beside 3 for its access at 4, at offset 12, where a is, or at 0, where b is.

    It would hold 12 bytes for 2 instructions and save 7.1. a saves 19.8 and holds 8 bytes for 6
    instructions, b saves 9.9 and holds 12 bytes for 2.
    """
    runs = [[X, 1, 2, 3, 5, 12], [X, 1, 2, 3, 5, 0]]
    obs = _offering(program, kind=RUN, run=runs, run_tries=[3, 0, 0, 0, 0])
    assert obs["candidate_node"].tolist() == [[X, 5 + 4], [X, 5 + 4]]
    same = {
        "saved": _in_logs(7.1),
        "ejected": log1p(1),
        "accesses": 0,
        "length": 2 / 7,
        "size": 12 / 24,
        "copied_in": 1,
        "written_back": 0,
        "ejected_copies": 0,
        "load": 20 / 24,
        "all": 0,
        "absent": 1,
        "rest": 1 / 2,
        "place": 4 / 7,
        "free": 0,
        "tries": log1p(3),
    }
    expected = {name: [value, value] for name, value in same.items()} | {
        "lost": [_in_logs(19.8), _in_logs(9.9)],
        "whole": [_in_logs(19.8), _in_logs(9.9)],
        "net": [(7.1 - 19.8) / (7.1 + 19.8), (7.1 - 9.9) / (7.1 + 9.9)],
        "density": [log((7.1 / 24) / (19.8 / 48)), log(7.1 / 9.9)],
        "ejected_held": [log(48 / 24), 0],
    }
    other = [feature.name for feature in CANDIDATE[:FIRST_RUN]]
    expected = {f"run_{name}": values for name, values in expected.items()}
    _assert_columns(CANDIDATE, obs["candidate"], expected | {name: [0, 0] for name in other})
