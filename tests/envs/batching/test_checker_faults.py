"""Each rule of the checker is applied exactly: logs by hand on either side of every limit."""

from __future__ import annotations

import warnings
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest

from graphsched.envs.batching.checker import check
from graphsched.envs.batching.hardware.iteration_time import (
    batch_s,
    coefficients,
    linear_table,
    swap_block_s,
)
from graphsched.envs.batching.instance import Replica, make_requests
from tests.envs.batching.hand import log, shop

LEAVES_TO_COMPUTE, LEAVES_BY_SWAP, FAILS = 0, 1, 2


def kinds(instance, solution):
    return {violation.kind for violation in check(instance, solution)}


def structure(instance, solution):
    """Kinds of violations apart from times and the cost, which logs by hand do not care for."""
    return kinds(instance, solution) - {"duration", "cost"}


ONE = shop([40], [3])
WHOLE: dict[str, list[Any]] = {
    "home": [0],
    "spans": [(0, 0, 1, 40), (0, 1, 2, 1)],
    "entries": [(0, 0, 0, 0)],
}


def test_a_log_by_hand_is_in_order():
    assert structure(ONE, log(**WHOLE)) == set()


@pytest.mark.parametrize(("shift", "kind"), [(-2e-6, {"overlap"}), (-0.5e-6, set()), (0.5, set())])
def test_iterations_may_not_overlap(shift, kind):
    solution = log(**WHOLE)
    begin = solution.begin_s.copy()
    begin[1] += shift
    assert structure(ONE, replace(solution, begin_s=begin)) == kind


def test_the_iteration_that_overlaps_is_named():
    solution = log(**WHOLE)
    begin = solution.begin_s.copy()
    begin[2] -= 0.5
    (found,) = check(ONE, replace(solution, begin_s=begin))
    assert found.message == "iteration 2 of replica 0 begins at 1.5, before 2.0"


def test_iterations_of_two_replicas_may_overlap():
    instance = shop([40, 40], [1, 1], (600, 600))
    solution = log(
        [0, 1],
        [(0, 0, 1, 40), (1, 0, 1, 40)],
        [(0, 0, 0, 0), (1, 0, 0, 0)],
        replica=[0, 1],
        times=[1.0, 1.0],
    )
    solution = replace(solution, begin_s=np.zeros(2))
    assert structure(instance, solution) == set()


def test_time_does_not_run_back():
    solution = log(**WHOLE)
    for k, start in ((0, -0.1), (2, 3.5)):
        begin = solution.begin_s.copy()
        begin[k] = start
        assert kinds(ONE, replace(solution, begin_s=begin)) == {"time"}


@pytest.mark.parametrize(
    ("name", "row", "wrong"),
    [
        ("spans", (0, 1, 3, 1), True),  # one more iteration than there are
        ("spans", (0, 3, 1, 1), True),
        ("spans", (0, -1, 1, 1), True),
        ("spans", (0, 1, 0, 1), True),
        ("spans", (0, 1, -1, 0), True),
        ("spans", (0, 1, 1, 0), True),
        ("entries", (0, 3, 0, 0), True),
        ("entries", (0, -1, 0, 0), True),
        ("leaves", (0, 4, 0), True),
        ("leaves", (0, -1, 0), True),
        ("leaves", (0, 3, 0), False),  # when nothing else goes on
    ],
)
def test_everything_happens_in_iterations_that_there_are(name, row, wrong):
    rows = {"leaves": [], **WHOLE}
    rows[name] = [*rows[name], row]
    found = kinds(ONE, log(**rows, replica=[0, 0, 0]))
    assert (found == {"place"}) == wrong


def test_iterations_are_counted_by_replica():
    """The second replica has one iteration, so its second one is none."""
    instance = shop([40, 40], [1, 2], (600, 600))
    solution = log(
        [0, 1],
        [(0, 0, 1, 40), (1, 0, 1, 40), (1, 1, 1, 1)],
        [(0, 0, 0, 0), (1, 0, 0, 0)],
        replica=[0, 0, 0, 1],
    )
    assert kinds(instance, solution) == {"place"}


@pytest.mark.parametrize(
    ("rows", "kind"),
    [
        # admitted twice, by the same iteration and later
        ({"entries": [(0, 0, 0, 0), (0, 1, 40, 0)]}, "entry"),
        # back from the host without having left, after leaving to compute again, after failing
        ({"entries": [(0, 0, 40, 1)]}, "entry"),
        ({"leaves": [(0, 1, 0)], "entries": [(0, 0, 0, 0), (0, 1, 40, 1)]}, "entry"),
        ({"leaves": [(0, 1, 2)], "entries": [(0, 0, 0, 0), (0, 1, 40, 1)]}, "entry"),
        # with more and with fewer tokens than it left with
        ({"leaves": [(0, 1, 1, 3)], "entries": [(0, 0, 0, 0), (0, 1, 41, 1, 3)]}, "entry"),
        ({"leaves": [(0, 1, 1, 3)], "entries": [(0, 0, 0, 0), (0, 1, 39, 1, 3)]}, "entry"),
        # with fewer and with more blocks than 40 tokens have, and back with others
        ({"leaves": [(0, 1, 1, 2)], "entries": [(0, 0, 0, 0), (0, 1, 40, 1, 2)]}, "swap"),
        ({"leaves": [(0, 1, 1, 4)], "entries": [(0, 0, 0, 0), (0, 1, 40, 1, 4)]}, "swap"),
        ({"leaves": [(0, 1, 1, 3)], "entries": [(0, 0, 0, 0), (0, 1, 40, 1, 2)]}, "swap"),
        # blocks of one that does not swap, and of one that comes back by computing
        ({"leaves": [(0, 1, 0, 3)], "entries": [(0, 0, 0, 0), (0, 1, 0, 0)]}, "swap"),
        ({"leaves": [(0, 1, 0)], "entries": [(0, 0, 0, 0), (0, 1, 0, 0, 3)]}, "swap"),
        # after the last token
        ({"leaves": [(0, 3, 0)], "entries": [(0, 0, 0, 0), (0, 3, 0, 0)]}, "entry"),
        # takes part before, and without, being admitted
        ({"entries": [(0, 1, 0, 0)]}, "entry"),
        ({"leaves": [(0, 1, 0)]}, "entry"),
        ({"leaves": [(0, 0, 0)], "entries": []}, "entry"),
        # twice in an iteration; gone in the middle of a span
        ({"spans": [(0, 0, 2, 20), (0, 1, 2, 1)]}, "entry"),
        ({"spans": [(0, 0, 1, 40), (0, 1, 2, 1)], "leaves": [(0, 2, 0)]}, "entry"),
        # more tokens than there are: beyond the prompt, after the last, in one span
        ({"spans": [(0, 0, 1, 41), (0, 1, 2, 1)]}, "tokens"),
        ({"spans": [(0, 0, 1, 40), (0, 1, 3, 1)]}, "tokens"),
        ({"spans": [(0, 0, 1, 40), (0, 1, 2, 2)]}, "tokens"),
        ({"spans": [(0, 0, 1, 40), (0, 1, 1, 1)]}, "lost"),
        ({"spans": [(0, 0, 1, 39), (0, 1, 2, 1)]}, "lost"),
    ],
)
def test_a_story_that_can_not_be_is_found(rows, kind):
    solution = log(**{**WHOLE, **rows}, replica=[0] * 4)
    assert kind in kinds(ONE, solution)


def test_a_request_may_leave_and_come_back():
    """By swapping with all of its tokens, or with none of them, which are then computed again."""
    swapped = {**WHOLE, "leaves": [(0, 1, 1, 3)], "entries": [(0, 0, 0, 0), (0, 1, 40, 1, 3)]}
    assert structure(ONE, log(**swapped, moved=[(0, 0), (6, 2), (0, 0)])) == set()
    again = {
        "home": [0],
        "spans": [(0, 0, 1, 40), (0, 1, 1, 41), (0, 2, 1, 1)],
        "leaves": [(0, 1, 0)],
        "entries": [(0, 0, 0, 0), (0, 1, 0, 0)],
    }
    assert structure(ONE, log(**again)) == set()


def test_blocks_and_copies_are_counted_by_iteration_and_replica():
    swapped = {**WHOLE, "leaves": [(0, 1, 1, 3)], "entries": [(0, 0, 0, 0), (0, 2, 40, 1, 3)]}
    swapped["spans"] = [(0, 0, 1, 40), (0, 2, 2, 1)]
    instance = shop([40, 9], [3, 1], (600, 600))
    home = [0, 1]
    spans = [*swapped["spans"], (1, 0, 1, 9)]
    entries = [*swapped["entries"], (1, 0, 0, 0)]
    rows = {"home": home, "spans": spans, "entries": entries, "leaves": swapped["leaves"]}
    none = (0, 0)
    right = [none, (3, 1), (3, 1), none, none]
    # iteration 1 has nothing but the copy: that it is empty is another matter
    assert structure(instance, log(**rows, replica=[0, 0, 0, 0, 1], moved=right)) == {"empty"}
    for row, column, change in product(range(5), range(2), (-1, 1)):
        moved = np.array(right)
        moved[row, column] += change
        solution = log(**rows, replica=[0, 0, 0, 0, 1], moved=moved)
        assert "swap" in structure(instance, solution)


def test_an_iteration_without_tokens_is_found():
    gap = {**WHOLE, "spans": [(0, 0, 1, 40), (0, 2, 2, 1)]}
    assert structure(ONE, log(**gap)) == {"empty"}


@pytest.mark.parametrize(("prompt", "wrong"), [(94, True), (95, True), (96, False), (97, False)])
def test_only_what_fits_nowhere_may_be_rejected(prompt, wrong):
    """Six blocks hold 96 tokens, one of which is the first that comes out."""
    instance = shop([prompt, 9], [1, 1], (6, 2))
    solution = log([-1, 0], [(1, 0, 1, 9)], [(1, 0, 0, 0)])
    assert ("lost" in kinds(instance, solution)) == wrong


def test_the_largest_replica_counts():
    instance = shop([60, 9], [1, 1], (2, 6))
    solution = log([-1, 0], [(1, 0, 1, 9)], [(1, 0, 0, 0)])
    assert "lost" in kinds(instance, solution)


def test_what_waits_for_a_rejected_request_is_rejected():
    for edges, wrong in ([(0, 2)], False), ([(1, 2)], True), ([(0, 2), (1, 2)], False):
        instance = shop([200, 9, 9], [1, 1, 1], (6,), edges)
        solution = log([-1, 0, -1], [(1, 0, 1, 9)], [(1, 0, 0, 0)])
        assert ("lost" in kinds(instance, solution)) == wrong


@pytest.mark.parametrize(
    ("decodes", "reason", "wrong"),
    [
        (5, FAILS, True),  # 90 + 6 tokens: they would still fit
        (6, FAILS, False),  # 90 + 7 tokens in six blocks
        (6, LEAVES_TO_COMPUTE, True),
        (6, None, True),
    ],
)
def test_a_request_fails_where_it_grows_out_of_memory_only(decodes, reason, wrong):
    instance = shop([90], [20], (6,))
    leaves = [] if reason is None else [(0, 1 + decodes, reason)]
    spans = [(0, 0, 1, 90), (0, 1, decodes, 1)]
    assert ("lost" in kinds(instance, log([0], spans, [(0, 0, 0, 0)], leaves))) == wrong


def test_a_request_that_nobody_tried_is_lost():
    """It has a replica, but never got in, whatever its size."""
    for prompt in (20, 200):
        instance = shop([prompt, 9], [1, 1], (6,))
        solution = log([0, 0], [(1, 0, 1, 9)], [(1, 0, 0, 0)])
        assert "lost" in kinds(instance, solution)


@pytest.mark.parametrize(
    ("arrival", "wrong"), [(1.0, False), (1.0 + 5e-7, False), (1.0 + 5e-6, True), (1.5, True)]
)
def test_nothing_is_admitted_before_it_comes(arrival, wrong):
    instance = shop([40, 9], [2, 1], arrival_s=[0.0, arrival])
    spans = [(0, 0, 1, 40), (0, 1, 1, 1), (1, 1, 1, 9)]
    solution = log([0, 0], spans, [(0, 0, 0, 0), (1, 1, 0, 0)])
    assert (structure(instance, solution) == {"early"}) == wrong


def test_the_first_admission_is_the_one_that_may_be_early():
    instance = shop([40, 9], [3, 2], arrival_s=[0.0, 1.5])
    spans = [(0, 0, 1, 40), (0, 1, 2, 1), (1, 1, 1, 9), (1, 2, 1, 10)]
    entries = [(0, 0, 0, 0), (1, 1, 0, 0), (1, 2, 0, 0)]
    solution = log([0, 0], spans, entries, [(1, 2, LEAVES_TO_COMPUTE)])
    assert structure(instance, solution) == {"early"}


def test_a_stage_comes_with_the_last_token_of_the_stages_before():
    """Of both stages before it, and with their last tokens, not their first."""
    spans = [(0, 0, 1, 9), (1, 0, 1, 9), (1, 1, 1, 1), (2, 2, 1, 9)]
    entries = [(0, 0, 0, 0), (1, 0, 0, 0), (2, 2, 0, 0)]
    for outputs, edges, begin, wrong in (
        ([1, 2, 1], [(0, 2), (1, 2)], 2, False),
        ([1, 2, 1], [(0, 2), (1, 2)], 1, True),
        ([1, 2, 1], [(1, 2)], 1, True),
        ([1, 2, 1], [(0, 2)], 1, False),
    ):
        instance = shop([9, 9, 9], outputs, edges=edges)
        spans[3], entries[2] = (2, begin, 1, 9), (2, begin, 0, 0)
        solution = log([0, 0, 0], spans, entries)
        assert (structure(instance, solution) == {"early"}) == wrong, (edges, begin)


SHARED = {"group": [0, 0], "shared": [48, 48], "extends": [48, 48]}


def second_finds(found, at=1, home=(0, 0), spans=None, blocks=(600,), **columns):
    """Two requests of a group; the first is computed by iteration 0, the second finds tokens."""
    instance = shop([60, 60], [2, 1], blocks, **{**SHARED, **columns})
    if home[0] == home[1]:
        spans = spans or [(0, 0, 1, 60), (0, 1, 1, 1), (1, at, 1, 60 - found)]
        return instance, log(list(home), spans, [(0, 0, 0, 0), (1, at, found, 0)])
    spans = [(0, 0, 1, 60), (0, 1, 1, 1), (1, 0, 1, 60 - found)]
    entries = [(0, 0, 0, 0), (1, 0, found, 0)]
    return instance, log(list(home), spans, entries, replica=[0, 0, 1])


@pytest.mark.parametrize(
    ("facts", "wrong"),
    [
        ({"found": 48}, False),
        ({"found": 16}, False),
        ({"found": 48, "group": [3, 3]}, False),
        ({"found": 40}, True),  # no whole blocks
        ({"found": 48, "shared": [48, 32]}, True),  # more than its own share of the prefix
        ({"found": 48, "shared": [32, 48], "extends": [32, 48]}, True),  # the peer has less of it
        ({"found": 48, "shared": [0, 48], "extends": [48, 48]}, False),
        ({"found": 48, "group": [-1, -1]}, True),
        ({"found": 48, "group": [0, 1]}, True),
        ({"found": 48, "at": 0}, True),  # computed by the same iteration, not before it
        ({"found": 48, "home": (0, 1), "blocks": (600, 600)}, True),  # computed elsewhere
    ],
)
def test_a_prefix_is_found_where_it_was_computed(facts, wrong):
    instance, solution = second_finds(**facts)
    assert structure(instance, solution) == ({"prefix"} if wrong else set())


def test_every_find_is_judged():
    """Those after one that is wrong, and after one that needs none, as well."""
    three = {"group": [0, 0, 0], "shared": [48] * 3, "extends": [48] * 3}
    instance = shop([60, 60, 60], [3, 1, 1], **three)
    for finds in ((0, 40, 40), (0, 0, 40), (0, 40, 0)):
        spans = [(0, 0, 1, 60), (0, 1, 2, 1), (1, 1, 1, 60 - finds[1]), (2, 2, 1, 60 - finds[2])]
        entries = [(0, 0, 0, 0), (1, 1, finds[1], 0), (2, 2, finds[2], 0)]
        found = [v for v in check(instance, log([0, 0, 0], spans, entries)) if v.kind == "prefix"]
        assert len(found) == sum(f > 0 for f in finds)


def test_finds_of_a_later_stay_are_judged():
    """It found nothing at first, left, and found 40 tokens, which are no whole blocks."""
    instance = shop([60], [2], group=[0], shared=[48], extends=[48])
    spans = [(0, 0, 1, 60), (0, 1, 1, 21)]
    entries = [(0, 0, 0, 0), (0, 1, 40, 0)]
    solution = log([0], spans, entries, [(0, 1, LEAVES_TO_COMPUTE)])
    assert structure(instance, solution) == {"prefix"}


def test_a_prefix_in_parts_is_known_once_it_is_whole():
    """Chunks of 24 and 36 tokens: 48 are there after the second one, 16 after the first."""
    for found, at, wrong in ((48, 1, True), (48, 2, False), (16, 1, False), (32, 1, True)):
        spans = [(0, 0, 1, 24), (0, 1, 1, 36), (0, 2, 1, 1), (1, at, 1, 60 - found)]
        instance, solution = second_finds(found, at, spans=spans)
        assert (structure(instance, solution) == {"prefix"}) == wrong, (found, at)


def test_iterations_take_what_their_parts_take():
    """A prompt's last chunk of one token is no decode; the last iteration swaps three blocks."""
    instance = shop([17, 100], [2, 3])
    replica = instance.replicas[0]
    table = linear_table(replica.gpu, replica.model)
    loads = coefficients(replica.gpu, replica.model)
    taken = [
        batch_s(table, loads, 116, 0, 0, 116, 16 * 8 + 100 * 50.0),
        batch_s(table, loads, 2, 1, 100, 1, 16.5),
        batch_s(table, loads, 2, 2, 17 + 101, 0, 0.0)
        + 3 * swap_block_s(replica.gpu, replica.model),
    ]
    spans = [(0, 0, 1, 16), (0, 1, 2, 1), (1, 0, 1, 100), (1, 1, 2, 1)]
    solution = log(
        [0, 0],
        spans,
        [(0, 0, 0, 0), (1, 0, 0, 0)],
        times=np.cumsum(taken),
        moved=[(0, 0), (0, 0), (3, 0)],
    )
    assert kinds(instance, solution) == {"cost", "swap"}  # nobody's blocks
    for k in range(3):
        for change in (-3e-6, 3e-6):
            end = solution.end_s.copy()
            end[k:] += change
            begin = np.concatenate([[0.0], end[:-1]])
            wrong = replace(solution, begin_s=begin, end_s=end)
            (found, *_) = check(instance, wrong)
            assert found.kind == "duration"
            assert found.message.startswith(f"iteration {k} of replica 0")
    moved = np.array([(0, 0), (0, 0), (2, 0)])
    assert "duration" in kinds(instance, replace(solution, moved=moved))


@pytest.mark.parametrize(
    ("blocks", "facts"),
    [
        # 60 tokens need 4 blocks, 61 as well, 60 of the second one 4 more
        (8, {"found": 0, "group": [-1, -1]}),
        # three blocks are common, one is the own of each
        (5, {"found": 48}),
        (5, {"found": 0}),
        (6, {"found": 0, "extends": [32, 48], "shared": [0, 0]}),
        (7, {"found": 0, "extends": [31, 31], "shared": [0, 0]}),
        (8, {"found": 0, "extends": [15, 15], "shared": [0, 0]}),
        (8, {"found": 0, "group": [0, 1]}),
        # computed beside each other
        (5, {"found": 0, "at": 0}),
    ],
)
def test_blocks_are_counted_exactly(blocks, facts):
    """`blocks` are enough, one less is not; what is in a prefix counts once."""
    for count, expected in ((blocks, set()), (blocks - 1, {"memory"})):
        instance, solution = second_finds(**facts, blocks=(count,))
        assert structure(instance, solution) == expected, count


def test_blocks_grow_with_tokens_and_end_with_a_stay():
    """32 tokens are two blocks, the 33rd takes a third; nothing is held after the last token."""
    instance = shop([32, 32], [2, 1], (3,))
    spans = [(0, 0, 1, 32), (0, 1, 1, 1), (1, 2, 1, 32)]
    entries = [(0, 0, 0, 0), (1, 2, 0, 0)]
    assert structure(instance, log([0, 0], spans, entries)) == set()
    small = replace(instance, replicas=(Replica(kv_blocks=2),))
    assert structure(small, log([0, 0], spans, entries)) >= {"memory"}


def test_a_request_that_waits_holds_its_blocks():
    """It has two blocks while it takes no part; another's three are too many for four."""
    instance = shop([32, 48], [2, 1], (4,))
    spans = [(0, 0, 1, 32), (1, 1, 1, 48), (0, 2, 1, 1)]
    entries = [(0, 0, 0, 0), (1, 1, 0, 0)]
    (found,) = [v for v in check(instance, log([0, 0], spans, entries)) if v.kind == "memory"]
    assert found.message == "iteration 1 of replica 0 holds 5 KV blocks of 4"
    gone = log(
        [0, 0],
        [(0, 0, 1, 32), (1, 1, 1, 48), (0, 2, 1, 33)],
        [*entries, (0, 2, 0, 0)],
        [(0, 1, LEAVES_TO_COMPUTE)],
    )
    one_more = replace(instance, requests=make_requests(np.zeros(2), [32, 48], [2, 1]))
    assert "memory" not in kinds(one_more, gone)


def test_replicas_hold_their_own_requests_only():
    instance = shop([32, 32], [1, 1], (2, 2))
    spans = [(0, 0, 1, 32), (1, 0, 1, 32)]
    solution = log([0, 1], spans, [(0, 0, 0, 0), (1, 0, 0, 0)], replica=[0, 1])
    assert structure(instance, solution) == set()
    small = replace(instance, replicas=(Replica(kv_blocks=3), Replica(kv_blocks=1)))
    assert structure(small, solution) == {"memory"}


# Tokens of the request at 1, 2 and 3 s: it waits for 1 s, and has a pace of 1 s.
COSTS = [
    # worst ratio, by TTFT, by TPOT, by deadline; missed above one only
    ({"ttft_s": [2.0], "tpot_s": [4.0]}, 10 * 0.5 / 1.5),
    ({"ttft_s": [4.0], "tpot_s": [2.0]}, 10 * 0.5 / 1.5),
    ({"ttft_s": [9.0], "tpot_s": [9.0], "deadline_s": [4.0]}, 10 * 0.75 / 1.75),
    ({"ttft_s": [1.0], "tpot_s": [4.0]}, 5.0),
    ({"ttft_s": [0.5], "tpot_s": [4.0]}, 70 + 10 * 2 / 3),
    ({"ttft_s": [2.0], "tpot_s": [0.25]}, 70 + 10 * 4 / 5),
    ({"ttft_s": [9.0], "tpot_s": [9.0], "deadline_s": [1.5]}, 70 + 10 * 2 / 3),
    ({"ttft_s": [2.0], "tpot_s": [4.0], "starvation": 1.0}, 10 * 0.5 / 1.5),
    ({"ttft_s": [2.0], "tpot_s": [4.0], "starvation": 0.9}, 20 + 10 * 0.5 / 1.5),
]


@pytest.mark.parametrize(("targets", "points"), COSTS)
def test_points_by_hand(targets, points):
    instance = shop([40], [3], **targets)
    assert structure(instance, log(**WHOLE)) == set()
    assert "cost" not in kinds(instance, log(**WHOLE, cost=points))
    assert "cost" not in kinds(instance, log(**WHOLE, cost=points * (1 + 5e-7)))
    for factor in (1 - 5e-6, 1 + 5e-6):
        assert "cost" in kinds(instance, log(**WHOLE, cost=points * factor))


def test_small_costs_are_held_to_an_absolute_tolerance():
    instance = shop([40], [3], ttft_s=[1e5], tpot_s=[1e5])
    cost = 10 * 1e-5 / (1 + 1e-5)
    assert "cost" not in kinds(instance, log(**WHOLE, cost=cost + 5e-7))
    assert "cost" in kinds(instance, log(**WHOLE, cost=cost + 2e-6))


def test_the_cost_is_a_mean_by_weight_and_a_rejected_request_costs_all():
    targets = {"ttft_s": [2.0] * 2, "tpot_s": [4.0] * 2, "weight": [3.0, 2.0]}
    instance = shop([40, 99], [3, 1], (6,), **targets)
    rows = {**WHOLE, "home": [0, -1]}
    expected = (3 * 10 * 0.5 / 1.5 + 2 * 100) / 5
    assert "cost" not in kinds(instance, log(**rows, cost=expected))
    assert "cost" in kinds(instance, log(**rows, cost=expected + 0.01))


def test_waiting_counts_from_when_a_stage_could_begin():
    """The second stage comes at 1 s and has its only token at 3 s, its workflow began at 0."""
    targets = {"ttft_s": [8.0, 4.0], "tpot_s": [9.0, 9.0], "deadline_s": [9.0, np.inf]}
    spans = [(0, 0, 1, 9), (1, 1, 1, 5), (1, 2, 1, 4)]
    rows = {"home": [0, 0], "spans": spans, "entries": [(0, 0, 0, 0), (1, 1, 0, 0)]}
    instance = shop([9, 9], [1, 1], edges=[(0, 1)], **targets)
    expected = (10 * 0.125 / 1.125 + 10 * 0.5 / 1.5) / 2
    assert "cost" not in kinds(instance, log(**rows, cost=expected))
    late = shop([9, 9], [1, 1], edges=[(0, 1)], **{**targets, "deadline_s": [9.0, 4.0]})
    expected = (10 * 0.125 / 1.125 + 10 * 0.75 / 1.75) / 2
    assert "cost" not in kinds(late, log(**rows, cost=expected))


def test_a_request_within_its_prefix_has_no_blocks_of_its_own():
    """Both compute the same 48 tokens at once: three blocks."""
    for blocks, expected in ((3, set()), (2, {"memory"})):
        instance = shop([48, 48], [1, 1], (blocks,), **SHARED)
        solution = log([0, 0], [(0, 0, 1, 48), (1, 0, 1, 48)], [(0, 0, 0, 0), (1, 0, 0, 0)])
        assert structure(instance, solution) == expected


@pytest.mark.parametrize(("reason", "broken"), [(LEAVES_TO_COMPUTE, set()), (FAILS, {"entry"})])
def test_a_request_that_was_given_up_does_not_come_back(reason, broken):
    spans = [(0, 0, 1, 40), (0, 1, 1, 41), (0, 2, 1, 1)]
    solution = log([0], spans, [(0, 0, 0, 0), (0, 1, 0, 0)], [(0, 1, reason)])
    assert structure(ONE, solution) == broken


@pytest.mark.parametrize(("blocks", "broken"), [(6, set()), (5, {"memory"})])
def test_a_request_that_comes_back_holds_its_blocks_before_it_goes_on(blocks, broken):
    """Its 48 tokens are three blocks again at 2, where the other has three, too."""
    instance = shop([48, 33], [2, 3], (blocks,))
    spans = [(0, 0, 1, 48), (1, 1, 1, 33), (1, 2, 1, 1), (0, 3, 1, 1), (1, 4, 1, 1)]
    entries = [(0, 0, 0, 0), (1, 1, 0, 0), (0, 2, 48, 1, 3)]
    moved = [(0, 0), (3, 1), (3, 1), (0, 0), (0, 0)]
    away = [(0, 1, LEAVES_BY_SWAP, 3), (1, 3, LEAVES_TO_COMPUTE)]
    entries += [(1, 4, 0, 0)]
    spans[-1] = (1, 4, 1, 35)
    solution = log([0, 0], spans, entries, away, moved=moved)
    assert structure(instance, solution) == broken


def test_a_stage_of_what_was_lost_is_early_and_costs_all():
    """The first request fits nowhere; the second, which waits for it, is served all the same."""
    instance = shop([99, 9], [1, 1], (6,), edges=[(0, 1)], ttft_s=[np.inf] * 2)
    solution = log([-1, 0], [(1, 0, 1, 9)], [(1, 0, 0, 0)], cost=100.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert kinds(instance, solution) - {"duration"} == {"early"}
