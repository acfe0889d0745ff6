"""Logs that would pay off if they passed: hits on what was evicted, swaps that move nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from graphsched.envs.batching import DOMAIN
from graphsched.envs.batching.checker import check
from graphsched.envs.batching.generators import GENERATORS
from graphsched.envs.batching.hardware.iteration_time import swap_block_s
from graphsched.envs.batching.instance import Prefixes, Replica
from graphsched.envs.batching.options import Scheduler
from graphsched.envs.batching.physics.replay import serve
from tests.envs.batching.hand import log, shop
from tests.mutations import accepted


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


MOVES = {
    "pools": Scheduler(batching="vllm-v0"),
    "migration": Scheduler(
        migration=True, router="random", migrate_every=4, migrate_below=20.0, migrate_margin=0.0
    ),
}


def moving(name):
    """A log with transfers; those of migrations in rounds."""
    instance = GENERATORS["pools"](np.random.default_rng(2), "14@30")
    if name == "migration":
        fleet = (Replica(kv_blocks=260), Replica(kv_blocks=260), Replica(kv_blocks=500))
        instance = replace(instance, replicas=fleet, link_bandwidth=2e9)
    solution = serve(instance, MOVES[name])
    assert check(instance, solution) == []
    assert len(solution.transfer) > 5
    return instance, solution


def plain(solution):
    """What a log says, whatever the order of its rows, and up to what the checker tolerates."""
    document = solution.to_json()
    for name in ("span", "entry", "leave"):
        document[name] = sorted(document[name])
    pairs = zip(document["transfer"], np.round(document["sent_s"], 5).tolist(), strict=True)
    document["transfer"] = sorted([*row, *times] for row, times in pairs)
    del document["sent_s"], document["cost"]
    times = {name: np.round(document.pop(name), 5).tolist() for name in ("begin_s", "end_s")}
    rows = zip(
        document["replica"], times["begin_s"], times["end_s"], document["moved"], strict=True
    )
    del document["replica"], document["moved"]
    return {**document, "iterations": sorted(rows)}


@pytest.mark.compiled
@pytest.mark.parametrize("name", list(MOVES))
def test_no_mutant_of_a_log_with_transfers_passes(name):
    """But for those that say the same, and those that send a request later while nobody waits."""
    instance, solution = moving(name)
    for mutant, found in accepted(DOMAIN, instance, solution, 300, 5):
        same = plain(found) == plain(solution)
        assert same or mutant.place.startswith("sent_s["), f"{mutant.place} {mutant.fault}"


@pytest.mark.parametrize("name", list(MOVES))
def test_forged_transfers_are_found(name):
    """Fewer blocks in less time; sent earlier than they were there; to another; or not at all."""
    instance, solution = moving(name)
    row = int(np.flatnonzero(solution.transfer[:, 3] > 2)[1])
    fewer, sent = solution.transfer.copy(), solution.sent_s.copy()
    fewer[row, 3] -= 2
    sent[row, 1] -= 2 * 16 * 131072 / instance.link_bandwidth
    assert kinds(instance, replace(solution, transfer=fewer, sent_s=sent)) == {"transfer"}
    early = solution.sent_s.copy()
    early[row] -= 0.5
    assert "transfer" in kinds(instance, replace(solution, sent_s=early))
    late = solution.sent_s.copy()
    late[row] += 5.0
    assert "transfer" in kinds(instance, replace(solution, sent_s=late))
    other = solution.transfer.copy()
    other[row, 2] = other[row, 1]
    assert kinds(instance, replace(solution, transfer=other)) & {"transfer", "place"}
    keep = np.arange(len(solution.transfer)) != row
    gone = {"transfer": solution.transfer[keep], "sent_s": solution.sent_s[keep]}
    assert kinds(instance, replace(solution, **gone))


def test_replicas_compute_what_their_pool_does():
    """A log of replicas that do both is none of pools, even if nobody moves."""
    instance = shop([40, 40], [2, 2], (600, 600))
    spans = [(0, 0, 1, 40), (0, 1, 1, 1), (1, 0, 1, 40), (1, 1, 1, 1)]
    entries = [(0, 0, 0, 0), (1, 0, 0, 0)]
    solution = log([0, 1], spans, entries, replica=[0, 0, 1, 1], times=[1, 2, 1, 2])
    solution = replace(solution, begin_s=np.array([0.0, 1.0, 0.0, 1.0]))
    assert kinds(instance, solution) == set()
    pooled = tuple(
        replace(one, role=role)
        for one, role in zip(instance.replicas, ("prefill", "decode"), strict=True)
    )
    assert kinds(replace(instance, replicas=pooled), solution) == {"role"}


def test_blocks_count_at_both_ends_while_they_are_sent():
    """40 tokens have three blocks, here until they have arrived, and there from the beginning."""
    instance = shop([40, 30, 30], [2, 2, 1], (600, 600))
    pooled = tuple(
        replace(one, role=role)
        for one, role in zip(instance.replicas, ("both", "decode"), strict=True)
    )
    instance = replace(instance, replicas=pooled, link_latency_s=1.0, link_bandwidth=1e15)
    spans = [(0, 0, 0, 1, 40), (1, 0, 0, 1, 30), (2, 0, 1, 1, 30), (0, 1, 0, 1, 1), (1, 0, 2, 1, 1)]
    entries = [(0, 0, 0, 0, 0, 0), (1, 0, 0, 0, 0, 0), (2, 0, 1, 0, 0, 0), (0, 1, 0, 40, 2, 0)]
    solution = replace(
        log([0, 0, 0], [], [], replica=[0, 0, 0, 1], times=[1, 2, 3, 4]),
        span=np.array(spans),
        entry=np.array(entries),
        leave=np.array([[0, 0, 1, 3, 0]]),
        transfer=np.array([[0, 0, 1, 3, 1]]),
        sent_s=np.array([[1.0, 2.0]]),
    )
    assert kinds(instance, solution) == set()
    for blocks, wrong in (((7, 3), set()), ((6, 3), {"memory"}), ((7, 2), {"memory"})):
        fleet = tuple(replace(one, kv_blocks=n) for one, n in zip(pooled, blocks, strict=True))
        assert kinds(replace(instance, replicas=fleet), solution) == wrong, blocks
