"""The checker rejects logs that break a rule, each in its own way."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from graphsched.envs.batching import DOMAIN
from graphsched.envs.batching.instance import BatchingInstance, Replica, make_requests
from graphsched.envs.batching.playback import serve
from graphsched.envs.batching.schedulers import Scheduler


@pytest.fixture
def case():
    """Three requests of one prefix on two replicas, memory being short."""
    requests = make_requests(
        [0.0, 0.1, 5.0],
        [300, 500, 300],
        [40, 60, 9],
        group=[0, 0, 0],
        shared=[160, 160, 160],
        extends=[160, 160, 160],
    )
    fleet = (Replica(kv_blocks=52), Replica(kv_blocks=52))
    edges = np.array([[0], [2]])
    instance = BatchingInstance("case", requests, fleet, edges)
    solution = serve(instance, Scheduler(router="prefix-affinity", preemption="swap"))
    assert DOMAIN.check(instance, solution) == []
    assert solution.entry[:, 3].any(), "somebody finds a prefix"
    return instance, solution


def changed(array, row, column, value):
    out = array.copy()
    out[row, column] = value
    return out


def kinds(instance, solution):
    return {violation.kind for violation in DOMAIN.check(instance, solution)}


def test_a_wrong_cost_is_found(case):
    instance, solution = case
    assert kinds(instance, replace(solution, cost=solution.cost - 0.1)) == {"cost"}


def test_a_hurried_iteration_is_found(case):
    instance, solution = case
    end = solution.end_s.copy()
    end[3] -= 1e-3
    assert "duration" in kinds(instance, replace(solution, end_s=end))


def test_iterations_that_overlap_are_found(case):
    instance, solution = case
    mine = np.flatnonzero(solution.replica == solution.replica[0])
    begin = solution.begin_s.copy()
    begin[mine[1]] -= 5e-3
    assert "overlap" in kinds(instance, replace(solution, begin_s=begin))


def test_lost_and_doubled_tokens_are_found(case):
    instance, solution = case
    last = int(np.argmax(solution.span[:, 3]))
    for tokens in (-1, 1):
        span = changed(solution.span, last, 3, solution.span[last, 3] + tokens)
        assert kinds(instance, replace(solution, span=span)) & {
            "lost",
            "tokens",
            "place",
            "duration",
        }


def test_a_prefix_out_of_nowhere_is_found(case):
    instance, solution = case
    entry = changed(solution.entry, 0, 3, 160)
    assert kinds(instance, replace(solution, entry=entry))
    entry = changed(solution.entry, len(solution.entry) - 1, 3, 152)
    assert kinds(instance, replace(solution, entry=entry))


def test_a_missing_admission_is_found(case):
    instance, solution = case
    assert kinds(instance, replace(solution, entry=solution.entry[1:])) == {"entry"}


def test_another_replica_is_found(case):
    instance, solution = case
    home = solution.home.copy()
    home[0] = 1 - home[0]
    assert kinds(instance, replace(solution, home=home)) == {"place"}


def test_a_stage_before_its_time_is_found(case):
    instance, solution = case
    more = BatchingInstance(
        "late", instance.requests, instance.replicas, np.array([[0, 1], [2, 2]]), 60.0
    )
    late = replace(
        more,
        requests=replace(instance.requests, arrival_s=np.array([0.0, 0.1, 9.0])),
    )
    assert "early" in kinds(late, solution)


def test_memory_that_is_not_there_is_found(case):
    instance, solution = case
    small = replace(instance, replicas=(Replica(kv_blocks=30), Replica(kv_blocks=30)))
    assert "memory" in kinds(small, solution)


def test_a_request_that_could_be_served_may_not_be_rejected(case):
    instance, solution = case
    keep = {name: getattr(solution, name) for name in ("span", "entry", "leave")}
    without = {name: rows[rows[:, 0] != 2] for name, rows in keep.items()}
    home = solution.home.copy()
    home[2] = -1
    assert "lost" in kinds(instance, replace(solution, home=home, **without))


def test_swaps_that_were_not_made_are_found(case):
    instance, solution = case
    moved = solution.moved.copy()
    moved[2, 1] += 1
    assert "swap" in kinds(instance, replace(solution, moved=moved))
