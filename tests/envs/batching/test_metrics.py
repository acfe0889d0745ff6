"""Costs, bounds and measures are what can be worked out by hand for a short log."""

from __future__ import annotations

from dataclasses import replace
from math import inf

import numpy as np
import pytest

from graphsched.envs.batching import DOMAIN
from graphsched.envs.batching.bounds import lower_bound
from graphsched.envs.batching.instance import BatchingInstance, Replica, make_requests
from graphsched.envs.batching.metrics import in_time
from graphsched.envs.batching.options import Scheduler
from graphsched.envs.batching.physics.replay import serve
from graphsched.envs.batching.physics.slo import slo_penalty
from graphsched.envs.batching.physics.timeline import slo_penalties, timeline
from graphsched.envs.batching.solution import BatchingSolution


@pytest.mark.parametrize(
    ("ratio", "waited", "expected"),
    [
        (0.0, 0.0, 0.0),
        (0.25, 1.0, 2.0),  # 10 x 0.25 / 1.25
        (1.0, 1.0, 5.0),  # just in time
        (1.0 + 1e-10, 1.0, 5.0),  # within the margin for rounding
        (1.5, 1.0, 76.0),  # 70 + 10 x 1.5 / 2.5
        (0.25, 8.0, 2.0),  # just not starving
        (0.25, 8.001, 22.0),
        (4.0, 9.0, 98.0),  # 70 + 8 + 20
        (1.0 + 1e-6, 1.0, 75.0),
    ],
)
def test_penalties_by_hand(ratio, waited, expected):
    assert slo_penalty(ratio, waited, 8.0) == pytest.approx(expected, abs=1e-5)


@pytest.fixture
def log():
    """Five requests; no simulator made it, so iterations may last as long as is convenient.

    Request 1 needs the output of 0; 2 finds 16 tokens, has to begin again, and starves; 3 is alone
    on the second replica; 4 is rejected.
    """
    requests = make_requests(
        [0.0, 0.0, 1.0, 1.0, 2.0],
        [20, 10, 40, 30, 9],
        [3, 2, 2, 1, 5],
        group=[-1, -1, 0, -1, -1],
        shared=[0, 0, 16, 0, 0],
        extends=[0, 0, 16, 0, 0],
        tenant=np.array([0, 1, 1, 2, 1]),
        weight=np.array([1.0, 2.0, 3.0, 2.5, 4.0]),
        ttft_s=np.full(5, 2.0),
        tpot_s=np.array([1.5, 3.0, 1.0, 0.1, 1.0]),
        deadline_s=np.array([inf, 9.0, inf, 3.0, inf]),
    )
    fleet = (Replica(kv_blocks=10), Replica(kv_blocks=30))
    instance = BatchingInstance("log", requests, fleet, np.array([[0], [1]]), starvation_s=2.5)
    solution = BatchingSolution(
        home=np.array([0, 0, 0, 1, -1]),
        replica=np.array([0, 0, 1, 0, 0, 0]),
        begin_s=np.array([0.0, 1.0, 1.5, 2.0, 5.0, 6.0]),
        end_s=np.array([1.0, 2.0, 2.5, 4.0, 6.0, 9.0]),
        moved=np.zeros((6, 2), np.int64),
        span=np.array(
            [  # request, replica, iteration, length, tokens
                [0, 0, 0, 1, 20],
                [0, 0, 1, 2, 1],
                [2, 0, 1, 1, 14],
                [2, 0, 2, 1, 24],
                [2, 0, 3, 1, 1],
                [3, 1, 0, 1, 30],
                [1, 0, 3, 1, 10],
                [1, 0, 4, 1, 1],
            ]
        ),
        entry=np.array(
            [
                [0, 0, 0, 0, 0, 0],
                [2, 0, 1, 16, 0, 0],
                [3, 1, 0, 0, 0, 0],
                [2, 0, 2, 16, 0, 0],
                [1, 0, 3, 0, 0, 0],
            ]
        ),
        leave=np.array([[2, 0, 2, 0, 0]]),
        cost=57.257142857,
    )
    return instance, solution


def test_token_times_by_hand(log):
    times = timeline(*log)
    assert times.visible.tolist() == [0, 4, 1, 1, 2]
    assert times.first.tolist() == [1, 6, 4, 2.5, inf]
    assert times.last.tolist() == [4, 9, 6, 2.5, inf]
    assert [t.tolist() for t in times.tokens] == [[1, 2, 4], [6, 9], [4, 6], [2.5], []]
    assert times.gaps.tolist() == [1, 2, 3, 2]


def test_penalties_and_cost_of_a_log_by_hand(log):
    instance, solution = log
    # Worst ratios: 3 / 2 s a token of 1.5; 2 s of 2, 3 s a token of 3 and 9 s of 9; 3 s of 2, 2 s a
    # token of 1, and 3 s are starving; 1.5 s of 2, and 1.5 s of 3.
    expected = [5.0, 5.0, 70 + 20 / 3 + 20, 30 / 7, 100.0]
    assert slo_penalties(instance, timeline(instance, solution)) == pytest.approx(expected)
    # (5 + 2 x 5 + 3 x 96.666667 + 2.5 x 4.2857143 + 4 x 100) / 12.5
    assert DOMAIN.cost(instance, solution) == pytest.approx(57.257142857)
    found = {v.kind for v in DOMAIN.check(instance, solution)}
    assert "cost" not in found
    other = replace(solution, cost=57.2573)
    assert "cost" in {v.kind for v in DOMAIN.check(instance, other)}


def test_targets_that_are_just_met_are_met(log):
    instance, solution = log
    assert in_time(instance, timeline(instance, solution)).tolist() == [
        True,
        True,
        False,
        True,
        False,
    ]
    for name in ("ttft_s", "tpot_s", "deadline_s"):
        tighter = getattr(instance.requests, name).copy()
        tighter[1] -= 0.001
        requests = replace(instance.requests, **{name: tighter})
        less = replace(instance, requests=requests)
        assert not in_time(less, timeline(less, solution))[1]


def test_metrics_by_hand(log):
    expected = {
        "SLO %": 44.0,  # 1 + 2 + 2.5 of 12.5
        "goodput /s": 3 / 9,
        "requests /s": 4 / 9,
        "tokens /s": 8 / 9,
        # 1, 1.5, 2, 3
        "TTFT p50": 1.75,
        "TTFT p90": 2.7,
        "TTFT p99": 2.97,
        "TTFT max": 3,
        # 1.5, 2, 3; a single token has none
        "TPOT p50": 2,
        "TPOT p90": 2.8,
        "TPOT p99": 2.98,
        "TPOT max": 3,
        # 1, 2, 2, 3
        "TBT p50": 2,
        "TBT p90": 2.7,
        "TBT p99": 2.97,
        "TBT max": 3,
        "normalised latency": 1.9583333,  # mean of 4 / 3, 5 / 2, 5 / 2, 1.5 / 1
        # 23 tokens in 4 s, 54 in 5 + 5 and 31 in 1.5: 31.816667^2 / (3 (5.75^2 + 5.4^2 + 20.666667^2))
        "fairness": 0.68957745,
        "max slowdown": 1.875,  # 2.5 / 1.3333333
        # Mean tokens x s. Request 0: 10 x 1 + 21 x 3; 1: 5 x 1 + 10.5 x 3;
        # 2: 23 x 1 + 28 x 2 + 40.5 x 1; 3: 15 x 1. 244 of 16 x 40 x 9 = 5760.
        "KV use %": 4.2361111,
        "preemptions": 1,
        "moves": 0,
        "rejected": 1,
    }
    assert DOMAIN.metrics is not None
    assert DOMAIN.metrics(*log) == pytest.approx(expected)


def test_metrics_where_nobody_is_served():
    requests = make_requests([0.0], [90], [2])
    instance = BatchingInstance("none", requests, (Replica(kv_blocks=5),), np.zeros((2, 0), int))
    assert DOMAIN.metrics is not None
    found = DOMAIN.metrics(instance, serve(instance, Scheduler()))
    assert {name for name, value in found.items() if value} == {"fairness", "rejected"}
    assert (found["fairness"], found["rejected"]) == (1, 1)


def alone(cards, prompt, output, fast_blocks, **columns):
    requests = make_requests([0.0], [prompt], [output], ttft_s=np.array([0.02]), **columns)
    fleet = (Replica(cards.slow, kv_blocks=400), Replica(cards.fast, kv_blocks=fast_blocks))
    return lower_bound(BatchingInstance("b", requests, fleet, np.zeros((2, 0), np.int64)))


def test_a_lower_bound_by_hand(cards):
    """5 tokens; 64 of 80 prompt tokens are in the cache at best, and 1 is the least to compute."""
    chain = {"group": [0], "shared": [72], "extends": [80]}
    # Slow: max(10.4, 16 x 0.0512) + 16 x (64 + 8) x 1e-5 = 10.41152, of 20.
    assert alone(cards, 80, 5, 5, **chain) == pytest.approx(10 * 0.520576 / 1.520576)
    # Fast, if 81 tokens fit: 1.08 + 0.01152 = 1.09152, of 20.
    assert alone(cards, 80, 5, 6, **chain) == pytest.approx(10 * 0.054576 / 1.054576)
    # Without the chain: 80 tokens at 419.6 / 8192 each are less than 10.4; 80 x 40 x 1e-5 = 0.032.
    assert alone(cards, 80, 5, 5) == pytest.approx(10 * 0.5216 / 1.5216)
    # 4096 tokens: 209.8 + 4096 x 2048 x 1e-5 = 293.68608, of 20.
    assert alone(cards, 4096, 5, 5) == pytest.approx(70 + 10 * 14.684304 / 15.684304)


def test_a_lower_bound_counts_what_further_tokens_take(cards):
    """Each takes 10.4 + 1 + 0.2 + 0.08 = 11.68 on the slow replica, next to 10.432 of the prompt."""
    tight = {"tpot_s": np.array([0.01])}
    assert alone(cards, 80, 5, 5, **tight) == pytest.approx(70 + 10 * 1.168 / 2.168)
    assert alone(cards, 80, 1, 5, **tight) == pytest.approx(10 * 0.5216 / 1.5216)
    late = {"deadline_s": np.array([0.05])}  # 10.432 + 4 x 11.68 = 57.152
    assert alone(cards, 80, 5, 5, **late) == pytest.approx(70 + 10 * 1.14304 / 2.14304)
