"""Logs that would pay off if they passed: hits on what was evicted, swaps that move nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from graphsched.envs.batching.checker import check
from graphsched.envs.batching.hardware.iteration_time import swap_block_s
from graphsched.envs.batching.instance import Prefixes
from graphsched.envs.batching.options import Scheduler
from graphsched.envs.batching.physics.replay import serve
from tests.envs.batching.hand import log, shop


def kinds(instance, solution):
    return {violation.kind for violation in check(instance, solution)} - {"duration", "cost"}


@pytest.mark.parametrize(
    ("blocks", "found", "wrong"),
    [
        # 0 leaves four blocks; 1 has 80 tokens in five; 2 finds some of the four
        (9, 64, set()),
        (8, 64, {"memory"}),
        (8, 48, set()),
        (7, 48, {"memory"}),
        (6, 16, set()),
        (5, 16, {"memory"}),
        (5, 0, set()),
    ],
)
def test_what_had_to_be_evicted_is_not_found(blocks, found, wrong):
    columns = {"group": [0, -1, 0], "shared": [64, 0, 64], "extends": [64, 0, 64]}
    instance = shop([64, 80, 65], [1, 1, 1], (blocks,), **columns)
    spans = [(0, 0, 1, 64), (1, 1, 1, 80), (2, 2, 1, 65 - found)]
    solution = log([0, 0, 0], spans, [(0, 0, 0, 0), (1, 1, 0, 0), (2, 2, found, 0)])
    assert kinds(instance, solution) == wrong


def test_blocks_are_kept_from_the_last_one_who_had_them():
    """Two finds of two and four blocks: only what the later one finds is kept beside 1."""
    columns = {"group": [0, 0, -1, 0], "shared": [64, 64, 0, 64], "extends": [64, 64, 0, 64]}
    spans = [(0, 0, 1, 64), (1, 1, 1, 1), (2, 2, 1, 80), (3, 3, 1, 33)]
    entries = [(0, 0, 0, 0), (1, 1, 64, 0), (2, 2, 0, 0), (3, 3, 32, 0)]
    for blocks, wrong in ((7, set()), (6, {"memory"})):
        instance = shop([64, 65, 80, 65], [1, 1, 1, 1], (blocks,), **columns)
        assert kinds(instance, log([0] * 4, spans, entries)) == wrong


@pytest.mark.parametrize(("blocks", "wrong"), [(8, set()), (7, {"memory"})])
def test_what_branches_share_counts_once(blocks, wrong):
    """Two segments of two blocks behind two blocks of a third, and a block for each one's last token."""
    columns = {"group": [1, 2], "shared": [32, 32], "extends": [64, 64]}
    instance = shop([65, 65], [1, 1], (blocks,), **columns)
    tree = Prefixes(np.array([-1, 0, 0]), np.array([0, 32, 32]))
    solution = log([0, 0], [(0, 0, 1, 65), (1, 0, 1, 65)], [(0, 0, 0, 0), (1, 0, 0, 0)])
    assert kinds(replace(instance, prefixes=tree), solution) == wrong


def test_a_branch_is_not_found_by_the_other():
    """48 tokens are common; the 64 of segment 1 are not segment 2's."""
    columns = {"group": [1, 2], "shared": [0, 64], "extends": [64, 64]}
    instance = shop([65, 65], [1, 1], (90,), **columns)
    tree = Prefixes(np.array([-1, 0, 0]), np.array([0, 48, 48]))
    for found, wrong in ((48, set()), (64, {"prefix"})):
        spans = [(0, 0, 1, 65), (1, 1, 1, 65 - found)]
        solution = log([0, 0], spans, [(0, 0, 0, 0), (1, 1, found, 0)])
        assert kinds(replace(instance, prefixes=tree), solution) == wrong


@pytest.mark.parametrize(
    ("found", "wrong"), [(0, set()), (32, set()), (48, {"prefix"}), (40, {"prefix"})]
)
def test_a_victim_finds_what_it_had_computed_there_and_no_more(found, wrong):
    """It left with 40 of 64 tokens, and is of no group."""
    instance = shop([64], [1], (9,))
    spans = [(0, 0, 1, 40), (0, 1, 1, 64 - found)]
    solution = log([0], spans, [(0, 0, 0, 0), (0, 1, found, 0)], [(0, 1, 0)])
    assert kinds(instance, solution) == wrong


def test_a_victim_s_blocks_count_while_it_is_out():
    """Its two blocks are kept beside another's four, or are not found."""
    spans = [(0, 0, 1, 40), (1, 1, 1, 64), (0, 2, 1, 32)]
    entries = [(0, 0, 0, 0), (1, 1, 0, 0), (0, 2, 32, 0)]
    for blocks, wrong in ((6, set()), (5, {"memory"})):
        instance = shop([64, 64], [1, 1], (blocks,))
        assert kinds(instance, log([0, 0], spans, entries, [(0, 1, 0)])) == wrong


@pytest.mark.parametrize("moves", [2, 3])
def test_what_stays_on_the_gpu_counts_while_the_rest_is_out(moves):
    """Of three blocks one is the group's and may stay; another request has five meanwhile."""
    columns = {"group": [0, -1], "shared": [0, 0], "extends": [16, 0]}
    spans = [(0, 0, 1, 48), (1, 1, 1, 80), (0, 2, 1, 1)]
    entries = [(0, 0, 0, 0), (1, 1, 0, 0), (0, 2, 48, 1, moves)]
    away, moved = [(0, 1, 1, moves)], [(0, 0), (moves, 1), (moves, 1)]
    for blocks in (5, 6):
        instance = shop([48, 80], [2, 1], (blocks,), **columns)
        solution = log([0, 0], spans, entries, away, moved=moved)
        assert kinds(instance, solution) == ({"memory"} if blocks + moves < 8 else set())


def test_swaps_of_nothing_in_no_time_are_found():
    """The volume set to zero everywhere, or in `moved` alone, and iterations shortened by it."""
    instance = shop([32, 32], [20, 20], (6,))
    solution = serve(instance, Scheduler(preemption="swap"))
    assert check(instance, solution) == []
    taken = swap_block_s("a100", "llama-3-8b") * solution.moved[:, 0]
    assert taken.sum() > 0
    shift = np.cumsum(taken)
    moved, entry, leave = (x.copy() for x in (solution.moved, solution.entry, solution.leave))
    moved[:, 0] = entry[:, 5] = leave[:, 4] = 0
    begin, end = solution.begin_s - shift + taken, solution.end_s - shift
    forged = replace(solution, begin_s=begin, end_s=end, moved=moved)
    assert "swap" in {v.kind for v in check(instance, forged)}
    forged = replace(forged, entry=entry, leave=leave)
    assert {v.kind for v in check(instance, forged)} == {"swap"}
