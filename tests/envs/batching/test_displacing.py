"""Requests with time to spare make room for those without: timelines worked out by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from graphsched.envs.batching import DOMAIN
from graphsched.envs.batching.features import CANDIDATE, CONTEXT
from graphsched.envs.batching.generators import GENERATORS
from graphsched.envs.batching.instance import BatchingInstance, Replica, make_requests
from graphsched.envs.batching.options import BatchingOptions, Scheduler
from graphsched.envs.batching.physics.replay import serve
from graphsched.envs.batching.physics.state import PREEMPT
from graphsched.envs.batching.render import PHASES, _chart
from graphsched.envs.batching.simulator import BatchingSim

NO_EDGES = np.zeros((2, 0), np.int64)
CAND = [feature.name for feature in CANDIDATE]
CTX = [feature.name for feature in CONTEXT]
RULES: dict[str, Any] = {"order": "urgency", "displace": 2.0, "preemption": "swap"}


def two(cards, pace=1.0, first=0.5, blocks=17):
    """A prompt of ten blocks decodes when one of eight comes, at 50 ms.

    The first iteration takes 10 + 0.05 x 160 + 2.8 + 0.05 x 160 + 0.128 = 28.928 ms; decodes of
    request 0 take 10.4 + 1 + 0.2 + 0.16 = 11.76 and a bit, so that iterations end at 28.9, 40.7 and
    52.5: request 1 is there when iteration 3 is put together.
    """
    requests = make_requests(
        [0.0, 0.05],
        [160, 128],
        [6, 4],
        tpot_s=np.array([pace, 1.0]),
        ttft_s=np.array([2.0, first]),
    )
    fleet = (Replica(cards.slow, kv_blocks=blocks),)
    return BatchingInstance("two", requests, fleet, NO_EDGES)


def tokens(instance, **rules):
    solution = serve(instance, Scheduler(**RULES | rules))
    faults = {violation.kind for violation in DOMAIN.check(instance, solution)}
    assert faults <= {"duration"}  # only the simulator has the round numbers of `cards`
    out = np.zeros((2, len(solution.begin_s)), np.int64)
    for i, _, first, count, each in solution.span.tolist():
        out[i, first : first + count] += each
    return out.tolist()


MAKES_ROOM = [[160, 1, 1, 0, 0, 0, 0, 1, 1, 1], [0, 0, 0, 128, 1, 1, 1, 0, 0, 0]]
WAITS = [[160, 1, 1, 1, 1, 1, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0, 128, 1, 1, 1]]


def test_a_request_with_time_to_spare_makes_room(cards):
    # Request 0 has three tokens, of a second each on average, to go: slack near 5 s. Request 1 has
    # to have its first token half a second after it came: slack 0.48 s.
    assert tokens(two(cards)) == MAKES_ROOM


def test_its_tokens_are_computed_again_where_nothing_is_swapped(cards):
    again = [[160, 1, 1, 0, 0, 0, 0, 163, 1, 1], MAKES_ROOM[1]]
    assert tokens(two(cards), preemption="recompute") == again


@pytest.mark.parametrize(
    ("changes", "rules"),
    [
        (
            {"pace": 0.02},
            {},
        ),  # it has no time to spare itself: 28.9 + 5 x 20 - 52.5 - 3 x 12.6 = 39
        ({"first": 0.01}, {}),  # the other is too late anyway
        ({"first": 1.9}, {}),  # it claims nothing while it has more than a second
        ({}, {"displace": 4.6}),  # the margin is larger than the difference
        ({}, {"displace": 0.0}),
    ],
)
def test_nobody_leaves_otherwise(cards, changes, rules):
    assert tokens(two(cards, **changes), **rules) == WAITS


def test_a_claim_may_come_sooner(cards):
    assert tokens(two(cards, first=1.9), claim=2.0) == MAKES_ROOM


def test_where_there_is_room_nobody_leaves(cards):
    side_by_side = [[160, 1, 1, 1, 1, 1, 0], [0, 0, 0, 128, 1, 1, 1]]
    assert tokens(two(cards, blocks=20)) == side_by_side


def test_who_leaves_is_a_decision(cards):
    sim = BatchingSim(1, BatchingOptions(**RULES, agent="preempt"))
    sim.reset([0], [two(cards)], [0])
    obs = sim.observe()
    slot = sim.state.slot[0]
    assert (slot["kind"], slot["subject"], slot["clock"]) == (
        PREEMPT,
        1,
        pytest.approx(0.0525, abs=1e-4),
    )
    stays, nobody = (dict(zip(CAND, row, strict=True)) for row in obs["candidate"].tolist())
    # 28.928 + 1000 x 5 - 52.46 less 3 x 12.6 and a token to compute; 50 + 500 - 52.46 - 128 / 8.
    spare, slack = 5028.9 - 52.5 - 37.8 - 0.1, 550 - 52.5 - 16
    assert stays["spare"] == pytest.approx(spare / 1e4, abs=1e-4)
    assert stays["spare_over"] == pytest.approx((spare - slack) / 1e4, abs=1e-4)
    # It holds 11 blocks, 163 tokens with the one it is about to compute; 128 tokens take 8 of which
    # 6 are free.
    found = [stays[name] for name in ("rule", "frees", "enough", "progress", "displaced", "stake")]
    assert found == [1.0, 4.0, 1.0, 0.5, 0.0, 1.0]
    assert stays["again"] == pytest.approx(11 * sim.state.rep["swap_block"][0, 0])
    assert {name for name in CAND if nobody[name] != 0.0} == {"hold"}
    context = dict(zip(CTX, obs["context"][0].tolist(), strict=True))
    assert context["slack"] == pytest.approx(slack / 500, abs=1e-3)
    assert context["short"] == pytest.approx(2 / 17)
    sim.step(np.array([0]))
    assert sim.solution(0).leave[:, [0, 2]].tolist() == [[0, 3]]


def test_who_is_told_no_is_asked_again_after_a_while(cards):
    sim = BatchingSim(1, BatchingOptions(**RULES, agent="preempt"))
    requests = make_requests(
        [0.0, 0.05], [160, 128], [60, 4], tpot_s=np.ones(2), ttft_s=np.full(2, 0.9)
    )
    fleet = (Replica(cards.slow, kv_blocks=17),)
    sim.reset([0], [BatchingInstance("long", requests, fleet, NO_EDGES)], [0])
    asked = []
    while len(obs := sim.observe()["slot"]):
        asked.append(float(sim.state.slot["clock"][0]))
        sim.step(np.array([1] * len(obs)))
    gaps = np.diff(asked)
    assert len(asked) == 6  # until request 0 is through, 60 tokens and 0.74 s later
    assert (gaps >= 0.1).all()
    assert (gaps < 0.2).all()


def test_bug_one_that_outgrew_the_memory_was_displaced_and_never_settled():
    requests = make_requests(
        [0.0, 0.0, 0.0], [115, 86, 70], [33, 37, 5], [79, 171, 111], ttft_s=np.full(3, 0.3)
    )
    instance = BatchingInstance("full", requests, (Replica(kv_blocks=6),), NO_EDGES)
    rules = {"batching": "vllm-v0", "preemption": "swap", "displace": 0.01, "claim": 9.0}
    solution = serve(instance, Scheduler(**rules, max_seqs=3, prefix_cache=False))  # type: ignore[arg-type]
    assert DOMAIN.check(instance, solution) == []


def test_the_picture_shows_when_a_request_made_room(cards):
    # The output of request 0 was one bar across the pause; see `MAKES_ROOM` for the iterations.
    solution = serve(two(cards), Scheduler(**RULES))
    begin, end = solution.begin_s.tolist(), solution.end_s.tolist()
    bars = [
        (b.row, PHASES[b.group].name, b.begin, b.end) for b in _chart(two(cards), solution).bars
    ]
    assert bars[1:5] == [
        (0, "prompt", begin[0], end[0]),
        (0, "output", end[0], begin[3]),
        (0, "paused", begin[3], begin[7]),
        (0, "output", begin[7], end[9]),
    ]


@pytest.mark.compiled
def test_who_waits_in_the_host_s_memory_does_not_keep_long_prefixes_there_for_itself():
    # They were pinned until it came back: conversations near saturation cost three times as much
    # as where nobody made room.
    rules: dict[str, Any] = {"router": "hexgen", "order": "edf", "doomed": True, "budget": 0}
    rules |= {"passes": 64, "preemption": "swap"}
    instances = [GENERATORS["tree"](np.random.default_rng((3, k)), "300@8") for k in range(4)]
    makes_room = [serve(i, Scheduler(**rules, displace=2.0)).cost for i in instances]
    waits = [serve(i, Scheduler(**rules)).cost for i in instances]
    assert np.mean(makes_room) < np.mean(waits)
