"""Requests move between replicas as worked out by hand: pools, live migration, and what stops it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from graphsched.envs.batching import DOMAIN
from graphsched.envs.batching.bounds import lower_bound
from graphsched.envs.batching.generators import GENERATORS
from graphsched.envs.batching.instance import (
    BatchingInstance,
    Replica,
    instance_from_json,
    make_requests,
)
from graphsched.envs.batching.options import Scheduler
from graphsched.envs.batching.physics.replay import serve
from graphsched.envs.core.errors import InputError
from tests.envs.batching.test_timelines import NO_EDGES

BLOCK_S = 16 * 131072 / 25e9  # a block of Llama-3-8B over the usual link
COPIED, MOVED, ABORTED = range(3)
OVER_LINK, LINK = 2, 3
ALWAYS = Scheduler(migration=True, migrate_every=1, migrate_below=1e4, migrate_margin=0.0)


def fleet(prompts, outputs, roles, blocks, **facts):
    columns = {
        name: facts.pop(name)
        for name in ("priority", "group", "shared", "extends")
        if name in facts
    }
    requests = make_requests(np.zeros(len(prompts)), prompts, outputs, **columns)
    replicas = tuple(Replica(kv_blocks=n, role=role) for n, role in zip(blocks, roles, strict=True))
    facts = {"link_latency_s": 0.0, **facts}
    return BatchingInstance("moves", requests, replicas, NO_EDGES, **facts)


def served(instance, scheduler=None):
    solution = serve(instance, scheduler or Scheduler())
    assert DOMAIN.check(instance, solution) == []
    assert DOMAIN.cost(instance, solution) == pytest.approx(solution.cost)
    return solution


def ends(solution, replica):
    return solution.end_s[solution.replica == replica].tolist()


def test_requests_are_handed_over_one_after_the_other_and_decode_elsewhere():
    """Both prompts end with iteration 0: seven blocks of 0 are sent, then three of 1.

    0 decodes at once; 1 arrives in the middle of that, and joins the iteration after it.
    """
    solution = served(fleet([100, 40], [3, 2], ("prefill", "decode"), (600, 600)))
    assert solution.home.tolist() == [0, 0]
    first = ends(solution, 0)[0]
    assert solution.transfer.tolist() == [[0, 0, 1, 7, MOVED], [1, 0, 1, 3, MOVED]]
    sent = [[first, first + 7 * BLOCK_S], [first + 7 * BLOCK_S, first + 10 * BLOCK_S]]
    assert solution.sent_s == pytest.approx(np.array(sent))
    assert solution.leave.tolist() == [[0, 0, 1, LINK, 0], [1, 0, 1, LINK, 0]]
    assert solution.entry[:, [0, 1, 2, 3, 4]].tolist() == [
        [0, 0, 0, 0, 0],
        [1, 0, 0, 0, 0],
        [0, 1, 0, 100, OVER_LINK],
        [1, 1, 1, 40, OVER_LINK],
    ]
    rows = {tuple(row) for row in solution.span.tolist()}
    assert rows == {(0, 0, 0, 1, 100), (1, 0, 0, 1, 40), (0, 1, 0, 2, 1), (1, 1, 1, 1, 1)}
    begin = solution.begin_s[solution.replica == 1]
    assert begin[0] == pytest.approx(first + 7 * BLOCK_S)


def test_who_finds_no_room_waits_where_it_is():
    """Eight blocks there: 0 takes seven of them, 1 is sent when 0 is through."""
    solution = served(fleet([100, 40], [3, 2], ("prefill", "decode"), (600, 8)))
    assert solution.transfer.tolist() == [[0, 0, 1, 7, MOVED], [1, 0, 1, 3, MOVED]]
    assert solution.sent_s[1, 0] == pytest.approx(ends(solution, 1)[1])
    assert solution.span[-1].tolist() == [1, 1, 2, 1, 1]


def test_what_waits_holds_its_blocks():
    """Ten blocks for prompts: 1 waits with three of them, so 2, which needs eight, comes after it."""
    instance = fleet([100, 40, 120], [9, 2, 1], ("prefill", "decode"), (10, 8))
    solution = served(instance, Scheduler(watermark=0.0))
    entered = {int(i): k for i, r, k, *_ in solution.entry.tolist() if r == 0}
    begin = solution.begin_s[solution.replica == 0]
    arrived = solution.sent_s[1, 1]
    assert begin[entered[2]] == pytest.approx(arrived)


def test_the_least_loaded_takes_over():
    instance = fleet([64] * 4, [9] * 4, ("prefill", "decode", "both", "decode"), (600,) * 4)
    solution = served(replace(instance, requests=instance.requests), Scheduler(router="random"))
    moved = solution.transfer[solution.transfer[:, 1] == 0]
    assert len(set(moved[:, 2].tolist())) == len(moved)


def test_a_single_token_needs_nobody_to_go_on():
    solution = served(fleet([100], [1], ("prefill", "decode"), (600, 600)))
    assert len(solution.transfer) == 0


def test_where_nobody_computes_prompts_requests_are_swapped():
    """Four blocks there: both have two, and 1 needs a third when 0 has the last one... so it waits."""
    solution = served(fleet([32, 32], [9, 9], ("prefill", "decode"), (600, 5)))
    assert [row[3] for row in solution.leave.tolist() if row[1] == 1] == [1]
    assert solution.moved[:, 1].sum() == 2


def test_what_nobody_can_go_on_with_is_rejected():
    instance = fleet([100, 40], [2, 2], ("prefill", "decode"), (600, 6))
    solution = served(instance)
    assert solution.home.tolist() == [-1, 0]


def test_a_migration_in_two_stages():
    """Twenty blocks are copied while an iteration goes on, and one more when it is over.

    320 tokens fill twenty blocks; one more is computed meanwhile. The third comes from there.
    """
    solution = served(fleet([320], [3], ("both", "both"), (600, 600)), ALWAYS)
    assert solution.transfer.tolist() == [[0, 0, 1, 20, COPIED], [0, 0, 1, 1, MOVED]]
    first, second = ends(solution, 0)
    sent = [[first, first + 20 * BLOCK_S], [second, second + BLOCK_S]]
    assert solution.sent_s == pytest.approx(np.array(sent))
    assert solution.span.tolist() == [[0, 0, 0, 1, 320], [0, 0, 1, 1, 1], [0, 1, 0, 1, 1]]
    assert solution.leave.tolist() == [[0, 0, 2, LINK, 0]]
    assert solution.entry[1].tolist() == [0, 1, 0, 321, OVER_LINK, 0]


def test_few_blocks_are_moved_at_once():
    """256 tokens are sixteen blocks: it stops as soon as its prompt is through."""
    solution = served(fleet([256], [2], ("both", "both"), (600, 600)), ALWAYS)
    assert solution.transfer.tolist() == [[0, 0, 1, 16, MOVED]]
    assert solution.span.tolist() == [[0, 0, 0, 1, 256], [0, 1, 0, 1, 1]]


def test_over_a_slow_link_it_stops_after_three_rounds():
    instance = fleet([320], [2000], ("both", "both"), (600, 600), link_bandwidth=1e7)
    solution = served(instance, ALWAYS)
    rounds = solution.transfer[:4]
    assert rounds[:, 4].tolist() == [COPIED, COPIED, COPIED, MOVED]
    assert (rounds[1:, 3] > 16).all()
    left = solution.entry[1, 3]
    assert rounds[:, 3].sum() == -(-left // 16)


def test_a_migration_breaks_off_when_the_request_ends():
    """Twenty blocks take 42 ms by a link of 1 GB/s; the second token is out after 10 ms."""
    instance = fleet([320], [2], ("both", "both"), (600, 600), link_bandwidth=1e9)
    solution = served(instance, ALWAYS)
    assert solution.transfer.tolist() == [[0, 0, 1, 20, ABORTED]]
    assert solution.sent_s.tolist() == [ends(solution, 0)]
    assert len(solution.leave) == 0


def test_a_migration_breaks_off_where_there_is_no_room():
    """Ten blocks are more than the four that are left here, but fewer than it has."""
    solution = served(fleet([320], [3], ("both", "both"), (24, 10)), ALWAYS)
    assert len(solution.transfer) == 0
    assert solution.span[:, 1].tolist() == [0] * len(solution.span)


@pytest.mark.parametrize(
    ("prompts", "priority", "goes"), [([64, 48], [0, 0], 1), ([64, 48], [0, 1], 0)]
)
def test_the_least_priority_goes_and_of_these_the_fewest_tokens(prompts, priority, goes):
    """Both run on the first replica; the other one has a request that is longer."""
    instance = fleet(prompts, [20, 20], ("both", "both"), (600, 60), priority=priority)
    one = replace(ALWAYS, router="speed-weighted")
    alone = replace(instance, replicas=(Replica(kv_blocks=9), Replica(kv_blocks=60, role="decode")))
    solution = served(alone, one)
    assert solution.transfer[0, 0] == goes


@pytest.mark.compiled
def test_llumnix_evens_out_what_a_bad_router_did():
    """Half of the requests go where memory is short; migration brings the cost down."""
    instance = GENERATORS["random"](np.random.default_rng(3), "80@12")
    small = replace(instance, replicas=(Replica(kv_blocks=300), Replica(kv_blocks=4000)))
    base = Scheduler(router="round-robin")
    moves = served(small, replace(base, migration=True))
    assert (moves.transfer[:, 4] == MOVED).sum() > 5
    assert moves.cost < served(small, base).cost


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"link_bandwidth": 0}, r"link_bandwidth: expected a number in \[1, 1e15\], found 0"),
        ({"link_bandwidth": "x"}, "link_bandwidth"),
        ({"link_latency_s": -1}, "link_latency_s"),
        ({"replicas": [{"role": "decode"}]}, "replicas: .*computes prompts"),
        ({"replicas": [{"role": "prefill"}]}, "replicas: .*llama-3-8b that decodes"),
        (
            {"replicas": [{"role": "prefill"}, {"role": "decode", "model": "llama-2-7b"}]},
            "replicas: .*llama-3-8b that decodes, for replica 0",
        ),
        ({"replicas": [{"role": "x"}]}, "replica.role: not one of both, prefill, decode"),
    ],
)
def test_bad_pools_and_links_are_named(change, words):
    document = fleet([9], [1], ("both",), (600,)).to_json()
    assert instance_from_json(document).to_json() == document
    with pytest.raises(InputError, match=words):
        instance_from_json({**document, **change})


@pytest.mark.parametrize(
    ("field", "value"),
    [("migration", 1), ("migrate_every", 0), ("migrate_below", "x"), ("migrate_margin", -1.0)],
)
def test_bad_rules_of_migration_are_named(field, value):
    with pytest.raises(InputError, match=field):
        Scheduler(**{field: value})


def test_the_lower_bound_takes_the_best_of_both_pools(cards):
    """Of both replicas it is no more than of either, whatever their roles."""
    requests = make_requests([0.0], [80], [5], ttft_s=[0.02], tpot_s=[0.02])
    slow, fast = Replica(cards.slow, kv_blocks=400), Replica(cards.fast, kv_blocks=400)
    apart = [
        lower_bound(BatchingInstance("b", requests, replicas, NO_EDGES))
        for replicas in ((slow,), (fast,), (slow, fast))
    ]
    assert apart[2] == min(apart)
    pooled = (replace(slow, role="prefill"), replace(fast, role="decode"))
    assert lower_bound(BatchingInstance("b", requests, pooled, NO_EDGES)) <= min(apart)
