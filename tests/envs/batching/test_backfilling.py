"""Backfilling admits what fits past what does not, but past the same request so often only."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from graphsched.envs.batching import DOMAIN
from graphsched.envs.batching.generators import GENERATORS
from graphsched.envs.batching.instance import BatchingInstance, Replica, make_requests
from graphsched.envs.batching.options import BATCHINGS, ORDERS, Scheduler
from graphsched.envs.batching.physics.replay import serve
from graphsched.envs.batching.solution import ENTRY
from tests.envs.batching.hand import shop

NAMES = [name for name in DOMAIN.baselines if name.startswith("backfill")]
LARGE, MIDDLE, SMALL = 60, 40, 30  # tokens that take 4, 3 and 2 of the replica's 6 blocks
slowly = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def starts(prompts, outputs, scheduler, **columns):
    """The iteration that admits each request on a replica of six blocks."""
    instance = shop(prompts, outputs, blocks=(6,), **columns)
    solution = serve(instance, scheduler)
    assert DOMAIN.check(instance, solution) == []
    assert len(solution.leave) == 0
    return solution.entry[np.argsort(solution.entry[:, 0]), 2].tolist()


def test_a_small_request_passes_the_one_that_does_not_fit():
    """The large one runs for three iterations; only then is there room for the middle one."""
    queue = ([LARGE, MIDDLE, SMALL], [3, 2, 2])
    assert starts(*queue, Scheduler()) == [0, 3, 3]
    assert starts(*queue, Scheduler(passes=1)) == [0, 3, 0]


@pytest.mark.parametrize(
    ("passes", "expected"),
    [
        (0, [0, 4, 4, 5, 5]),
        (1, [0, 4, 0, 4, 5]),
        (2, [0, 4, 0, 1, 4]),
        (3, [0, 4, 0, 1, 2]),
    ],
)
def test_a_request_is_passed_over_so_often_only(passes, expected):
    """Small ones are through in an iteration each; what may not pass waits for the middle one."""
    queue = ([LARGE, MIDDLE, SMALL, SMALL, SMALL], [4, 1, 1, 1, 1])
    assert starts(*queue, Scheduler(passes=passes)) == expected


@pytest.mark.parametrize(
    ("prompts", "outputs", "priority", "expected"),
    [
        # the one that does not fit is last in the queue but second in order: passed once, by 1
        ([LARGE, SMALL, SMALL, MIDDLE], [4, 1, 1, 1], [0, 2, 2, 1], [0, 0, 4, 4]),
        # second in the queue but after 2 and 3 in order, which do not pass it; 4 does, 5 may not
        (
            [LARGE, MIDDLE, SMALL, SMALL, SMALL, SMALL],
            [5, 1, 1, 1, 1, 1],
            [0, 2, 1, 1, 2, 2],
            [0, 5, 0, 1, 2, 5],
        ),
    ],
)
def test_who_passes_whom_is_a_matter_of_the_order(prompts, outputs, priority, expected):
    """Priorities: the highest goes first, so that these are their negatives."""
    scheduler = Scheduler(order="priority", passes=1)
    assert starts(prompts, outputs, scheduler, priority=-np.array(priority)) == expected


def test_decodes_do_not_run_on_past_an_arrival_that_may_pass():
    """One of 3 blocks decodes alone; one of 4 waits for it; one of 2 comes after that."""
    arrival = np.array([0.0, 0.001, 0.05])
    instance = shop([34, LARGE, SMALL], [14, 2, 2], blocks=(6,), arrival_s=arrival)
    begins = []
    for passes in (0, 1):
        solution = serve(instance, Scheduler(passes=passes))
        assert DOMAIN.check(instance, solution) == []
        entry = solution.entry[np.argsort(solution.entry[:, 0]), 2]
        begins.append(int(entry[2]))
        assert entry[1] == 14  # when the first one is through
    last_before = int(np.searchsorted(solution.begin_s, arrival[2])) - 1
    assert begins == [14, last_before + 1]
    assert last_before + 1 < 13


@pytest.mark.parametrize("passes", [0, 1, 64])
def test_nobody_is_passed_over_on_an_idle_replica(passes):
    """When 0 is through, the urgent one has to come, for whom 1 in host memory lets go of a prefix.

    0 and 1 share two blocks of five. When these run out 1 is swapped out, but still relies on the
    prefix, so that the urgent one (5 blocks) does not fit even once nothing runs. 1 itself would.
    """
    instance = shop(
        [40, 40, 70],
        [20, 20, 2],
        blocks=(5,),
        arrival_s=[0.0, 0.001, 0.08],
        group=[0, 0, -1],
        shared=[32, 32, 0],
        extends=[32, 32, 0],
        priority=[0, 0, 1],
    )
    scheduler = Scheduler(order="priority", preemption="swap", passes=passes)
    solution = serve(instance, scheduler)
    assert DOMAIN.check(instance, solution) == []
    assert solution.leave[:, 0].tolist() == [1]
    entry = solution.entry[np.argsort(solution.entry[:, ENTRY.iteration], kind="stable")]
    assert entry[:, ENTRY.request].tolist() == [0, 1, 2, 1]
    assert entry[:, ENTRY.found].tolist() == [0, 32, 0, 0]  # 1 begins anew


@st.composite
def queues(draw, blocks):
    """A few requests that come within a second to one replica."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    n = draw(st.integers(1, 12))
    output = rng.integers(1, 40, n)
    requests = make_requests(
        np.sort(rng.uniform(0, draw(st.sampled_from([0.0, 1.0])), n)),
        rng.integers(1, 300, n),
        output,
        rng.integers(1, 80, n),
        priority=rng.integers(0, 3, n),
    )
    return BatchingInstance("h", requests, (Replica(kv_blocks=blocks),), np.zeros((2, 0), np.int64))


@pytest.mark.compiled
@slowly
@given(
    queues(4000),
    st.builds(Scheduler, batching=st.sampled_from(BATCHINGS), order=st.sampled_from(ORDERS)),
    st.integers(1, 100),
)
def test_where_everything_fits_nothing_changes(instance, scheduler, passes):
    found = serve(instance, replace(scheduler, passes=passes))
    assert found.to_json() == serve(instance, scheduler).to_json()


@pytest.mark.compiled
@slowly
@given(queues(24), st.integers(0, 4))
def test_no_log_shows_more_passes_than_allowed(instance, passes):
    """First come, first served: counted from the admissions alone."""
    solution = serve(instance, Scheduler(passes=passes))
    assert DOMAIN.check(instance, solution) == []
    admitted = solution.entry[:, 0].tolist()
    for i in range(len(instance.requests)):
        before = admitted[: admitted.index(i)]
        assert sum(j > i for j in before) <= passes


@pytest.mark.compiled
@pytest.mark.parametrize("name", NAMES)
def test_it_is_a_rule_whose_logs_hold(name):
    assert DOMAIN.baselines[name].is_rule
    for kind in ("tight", "hetero"):
        instance = GENERATORS[kind](np.random.default_rng(4), "60@30")
        assert DOMAIN.check(instance, DOMAIN.baseline(name)(instance)) == []


@pytest.mark.compiled
def test_it_helps_where_memory_is_short():
    worlds = [GENERATORS["tight"](np.random.default_rng(k), "60") for k in range(24)]
    cost = {
        name: np.mean([DOMAIN.baseline(name)(world).cost for world in worlds])
        for name in ("sarathi", "sjf", "urgency", "backfill", "backfill-sjf", "backfill-urgency")
    }
    assert cost["backfill"] < cost["sarathi"]
    assert cost["backfill-sjf"] < cost["sjf"]
    assert cost["backfill-urgency"] < cost["urgency"]
