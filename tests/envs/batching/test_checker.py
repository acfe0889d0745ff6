"""The checker rejects logs that break a rule, each in its own way."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from graphsched.envs.batching import DOMAIN
from graphsched.envs.batching.instance import BatchingInstance, Replica, make_requests
from graphsched.envs.batching.options import Scheduler
from graphsched.envs.batching.physics.replay import serve


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


def served(prompts, outputs, blocks, scheduler=None, arrivals=None, **columns):
    """Requests on a single replica of that many blocks, and the log of a scheduler."""
    arrivals = np.zeros(len(prompts)) if arrivals is None else arrivals
    requests = make_requests(arrivals, prompts, outputs, **columns)
    instance = BatchingInstance(
        "exact", requests, (Replica(kv_blocks=blocks),), np.zeros((2, 0), np.int64)
    )
    solution = serve(instance, scheduler or Scheduler())
    assert DOMAIN.check(instance, solution) == []
    return instance, solution


def with_blocks(instance, blocks):
    return replace(instance, replicas=(Replica(kv_blocks=blocks),))


def test_memory_is_counted_to_the_block():
    """Requests of 32 and 20 tokens end with 36 and 32: 3 and 2 blocks; 33 make a third one."""
    instance, solution = served([32, 20], [5, 13], 100)
    assert DOMAIN.check(with_blocks(instance, 5), solution) == []
    assert kinds(with_blocks(instance, 4), solution) == {"memory"}
    instance, solution = served([32, 20], [5, 14], 100)
    assert DOMAIN.check(with_blocks(instance, 6), solution) == DOMAIN.check(
        with_blocks(instance, 5), solution
    )  # the first one is through by then
    instance, solution = served([32, 31], [5, 5], 100)
    assert DOMAIN.check(with_blocks(instance, 6), solution) == []
    assert kinds(with_blocks(instance, 5), solution) == {"memory"}


def test_a_shared_prefix_is_counted_once():
    """Both have 80 tokens, 64 of them shared, and 91 in the end: 4 blocks and 2 each."""
    instance, solution = served(
        [80, 80],
        [12, 12],
        100,
        arrivals=[0.0, 0.001],
        group=[0, 0],
        shared=[64, 64],
        extends=[64, 64],
    )
    assert solution.entry[:, 3].tolist() == [0, 64]
    assert DOMAIN.check(with_blocks(instance, 8), solution) == []
    assert kinds(with_blocks(instance, 7), solution) == {"memory"}


def test_a_prefix_is_found_only_after_it_is_computed():
    instance, solution = served(
        [80, 80],
        [12, 12],
        100,
        arrivals=[0.0, 0.001],
        group=[0, 0],
        shared=[64, 64],
        extends=[64, 64],
    )
    requests = instance.requests
    for change in (
        {"shared": np.array([64, 63])},  # a token less than was found
        {"extends": np.array([63, 64]), "shared": np.array([0, 64])},  # nobody has kept it
        {"group": np.array([0, -1])},
        {"group": np.array([0, 1])},
    ):
        other = replace(instance, requests=replace(requests, **change), prefixes=None)
        assert "prefix" in kinds(other, solution)
    # both at once: the first one's prompt is only being computed
    entry = changed(solution.entry, 1, 2, solution.entry[0, 2])
    span = solution.span.copy()
    span[span[:, 0] == 1, 2] -= solution.entry[1, 2] - solution.entry[0, 2]
    early = replace(instance, requests=replace(requests, arrival_s=np.zeros(2)))
    assert "prefix" in kinds(early, replace(solution, entry=entry, span=span))


def test_a_request_may_be_given_up_only_if_it_outgrows_all_memory():
    """60 tokens and 21 more in 5 blocks of 16: with the 80th the memory is full."""
    instance, solution = served([60], [40], 5)
    assert solution.leave[:, 3].tolist() == [2]
    assert kinds(with_blocks(instance, 6), solution) == {"lost"}
    # a token earlier the 80 tokens just fit
    end = len(solution.begin_s) - 1
    last = len(solution.span) - 1
    earlier = {name: getattr(solution, name)[:end] for name in ("replica", "begin_s", "end_s")}
    span = changed(solution.span, last, 3, solution.span[last, 3] - 1)
    leave = changed(solution.leave, 0, 2, solution.leave[0, 2] - 1)
    hasty = replace(solution, span=span, leave=leave, moved=solution.moved[:end], **earlier)
    assert kinds(instance, hasty) == {"lost"}


def test_the_last_token_of_a_prompt_is_no_decode():
    """Its 513th token is alone in the second iteration, and has the attention of a prompt."""
    _, solution = served([513], [2], 100)
    assert solution.span[:, 4].tolist() == [512, 1]  # the decode goes on with the same span


@pytest.mark.parametrize(("prompt", "expected"), [(80, set()), (79, {"lost"})])
def test_a_prompt_may_be_refused_only_if_it_leaves_no_room_for_a_token(prompt, expected):
    instance, solution = served([80, 16], [1, 1], 5)
    assert solution.home.tolist() == [-1, 0]
    requests = replace(instance.requests, prompt=np.array([prompt, 16]))
    assert kinds(replace(instance, requests=requests), solution) == expected


def test_times_are_checked_to_a_microsecond(case):
    instance, solution = case
    for shift, expected in ((5e-7, False), (3e-6, True)):
        end = solution.end_s.copy()
        end[-1] -= shift
        assert ("duration" in kinds(instance, replace(solution, end_s=end))) == expected


def test_time_does_not_run_back_or_begin_before_zero(case):
    instance, solution = case
    whole = replace(solution, begin_s=solution.begin_s - 1e-3, end_s=solution.end_s - 1e-3)
    assert kinds(instance, whole) == {"time"}
    end = solution.end_s.copy()
    end[-1] = solution.begin_s[-1] - 1e-3
    assert "time" in kinds(instance, replace(solution, end_s=end))


def test_an_iteration_in_which_nothing_happens_is_found():
    instance, solution = served([32], [2], 100)
    longer = {
        "replica": np.append(solution.replica, 0),
        "begin_s": np.append(solution.begin_s, 9.0),
        "end_s": np.append(solution.end_s, 9.0),
        "moved": np.append(solution.moved, [[0, 0]], axis=0),
    }
    assert "empty" in kinds(instance, replace(solution, **longer))


def test_a_span_ends_with_the_last_iteration_at_the_latest():
    instance, solution = served([32], [4], 100)
    last = len(solution.span) - 1
    for column, value in ((3, solution.span[last, 3] + 1), (2, -1), (3, 0), (4, 0)):
        span = changed(solution.span, last, column, value)
        assert kinds(instance, replace(solution, span=span)) == {"place"}


def test_a_request_that_was_swapped_out_comes_back_with_all_it_had():
    instance, solution = served([32, 32], [20, 20], 6, Scheduler(preemption="swap"))
    (back,) = np.flatnonzero(solution.entry[:, 4])
    for column, value in ((3, solution.entry[back, 3] - 1), (3, 0), (4, 0)):
        entry = changed(solution.entry, int(back), column, value)
        assert kinds(instance, replace(solution, entry=entry))
    leave = changed(changed(solution.leave, 0, 3, 0), 0, 4, 0)
    assert "entry" in kinds(instance, replace(solution, leave=leave))
    fewer = solution.moved.copy()
    fewer[fewer[:, 0] > 0, 0] -= 1
    assert kinds(instance, replace(solution, moved=fewer)) == {"duration", "swap"}
