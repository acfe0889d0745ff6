"""Timelines worked out by hand: which request computes how many tokens in which iteration."""

from __future__ import annotations

import numpy as np
import pytest

from graphsched.envs.batching import DOMAIN
from graphsched.envs.batching.hardware.iteration_time import batch_s, coefficients, linear_table
from graphsched.envs.batching.instance import BatchingInstance, Replica, make_requests
from graphsched.envs.batching.options import Scheduler
from graphsched.envs.batching.physics.replay import serve

NO_EDGES = np.zeros((2, 0), np.int64)


def table(prompts, outputs, blocks, scheduler, **columns):
    """Tokens of each request (a row) in each iteration (a column), all arriving at once."""
    requests = make_requests(np.zeros(len(prompts)), prompts, outputs, **columns)
    instance = BatchingInstance("golden", requests, (Replica(kv_blocks=blocks),), NO_EDGES)
    solution = serve(instance, scheduler)
    assert DOMAIN.check(instance, solution) == []
    out = np.zeros((len(prompts), len(solution.begin_s)), np.int64)
    for i, _, first, count, tokens in solution.span.tolist():
        out[i, first : first + count] += tokens
    return out.tolist()


THREE = ([600, 100, 300], [3, 2, 2], 600)
GOLDEN = {
    "sarathi": (Scheduler(), [[512, 88, 1, 1], [0, 100, 1, 0], [0, 300, 1, 0]]),
    "sarathi 128": (
        Scheduler(budget=128),
        # one prompt after the other; decodes take their tokens out of the budget first
        [
            [128, 128, 128, 128, 88, 1, 1, 0, 0],
            [0, 0, 0, 0, 40, 60, 1, 0, 0],
            [0, 0, 0, 0, 0, 67, 126, 107, 1],
        ],
    ),
    "vllm-v1": (
        Scheduler(batching="vllm-v1", budget=2048),
        [[600, 1, 1], [100, 1, 0], [300, 1, 0]],
    ),
    "vllm-v0": (Scheduler(batching="vllm-v0"), [[600, 1, 1], [100, 1, 0], [300, 1, 0]]),
    # 4096 tokens are reserved for each: the third one has to wait for a place
    "orca": (Scheduler(batching="orca"), [[600, 1, 1, 0], [100, 1, 0, 0], [0, 0, 300, 1]]),
    "request-level": (
        Scheduler(batching="request-level", max_seqs=2),
        [[600, 1, 1, 0, 0], [100, 1, 0, 0, 0], [0, 0, 0, 300, 1]],
    ),
    "vllm-v0, one after the other": (
        Scheduler(batching="vllm-v0", max_seqs=1),
        [[600, 1, 1, 0, 0, 0, 0], [0, 0, 0, 100, 1, 0, 0], [0, 0, 0, 0, 0, 300, 1]],
    ),
    "sjf": (
        Scheduler(batching="orca", order="sjf", max_seqs=1),
        [[0, 0, 0, 0, 600, 1, 1], [100, 1, 0, 0, 0, 0, 0], [0, 0, 300, 1, 0, 0, 0]],
    ),
}


@pytest.mark.parametrize("name", list(GOLDEN))
def test_batches_are_formed_as_the_scheduler_does(name):
    scheduler, expected = GOLDEN[name]
    assert table(*THREE, scheduler) == expected


@pytest.mark.parametrize(
    ("order", "expected"),
    [("fcfs", [0, 1, 2]), ("ltr", [1, 2, 0]), ("priority", [2, 0, 1]), ("urgency", [1, 0, 2])],
)
def test_orders_admit_who_is_next(order, expected):
    rows = table(
        [64, 64, 64],
        [3, 3, 3],
        600,
        Scheduler(order=order, max_seqs=1),
        predicted=[9, 2, 5],
        priority=np.array([1, 0, 2]),
        ttft_s=np.array([2.0, 1.0, 3.0]),
    )
    assert np.argsort([row.index(64) for row in rows]).tolist() == expected


def test_aging_lets_a_long_wait_win():
    """By the key of SJF the old long request goes first once it has waited enough."""
    requests = make_requests([0.0, 0.01, 1.0], [64, 2000, 64], [100, 4, 4])
    instance = BatchingInstance("aging", requests, (Replica(kv_blocks=600),), NO_EDGES)
    for aging, first in ((0.0, 2), (10.0, 1)):
        scheduler = Scheduler(order="sjf", aging=aging, max_seqs=1)
        entry = serve(instance, scheduler).entry
        assert entry[1, 0] == first


TWO = ([32, 32], [20, 20], 6)


def test_the_last_request_computes_again_when_blocks_run_out():
    """Two blocks each for the prompts, three up to 48 tokens; the 49th finds none.

    The second request leaves with 17 tokens made: 49 tokens need four blocks, which are free when
    the first one is through.
    """
    first = [32] + [1] * 19 + [0] * 3
    second = [32] + [1] * 16 + [0] * 3 + [49, 1, 1]
    assert table(*TWO, Scheduler()) == [first, second]


def test_swapping_keeps_what_was_computed():
    first = [32] + [1] * 19 + [0] * 3
    second = [32] + [1] * 16 + [0] * 3 + [1, 1, 1]
    assert table(*TWO, Scheduler(preemption="swap")) == [first, second]


def test_a_swapped_prompt_comes_back_with_room_for_its_next_chunk():
    """Chunks of 16 tokens by vLLM v1: blocks are taken by the chunk, and by every return."""
    scheduler = Scheduler(batching="vllm-v1", budget=16, max_seqs=3, preemption="swap")
    rows = table([86, 70, 37, 42], [9, 7, 10, 6], 6, scheduler)
    assert [sum(row) for row in rows] == [86 + 8, 70 + 6, 37 + 9, 42 + 5]


def test_a_victim_of_vllm_v1_finds_its_blocks():
    """As above, but the second one's three full blocks stay in the cache when it leaves.

    The first one takes the last of them; 32 of 49 tokens are found when it is through.
    """
    first = [32] + [1] * 19 + [0] * 3
    second = [32] + [1] * 16 + [0] * 3 + [17, 1, 1]
    assert table(*TWO, Scheduler(batching="vllm-v1")) == [first, second]
    second = [32] + [1] * 16 + [0] * 3 + [49, 1, 1]
    without = Scheduler(batching="vllm-v1", prefix_cache=False)
    assert table(*TWO, without) == [first, second]


def test_a_victim_s_blocks_are_evicted_like_others():
    """Eight blocks: 2 leaves with three full ones of its own, and 1 with three after that.

    Prompts of 32 take two blocks each. In iteration 1 every request needs a third one: two are free,
    so 2 leaves, whose two full blocks stay; 0 and 1 have the third, and 2 needs three in all.
    """
    rows = table([32, 32, 32], [8, 4, 3], 8, Scheduler(batching="vllm-v1", watermark=0.0))
    # Two blocks are free or 2's until 1 is through after iteration 3; 2 computes one token again.
    assert rows == [
        [32, 1, 1, 1, 1, 1, 1, 1],
        [32, 1, 1, 1, 0, 0, 0, 0],
        [32, 0, 0, 0, 1, 1, 0, 0],
    ]


def test_vllm_v0_swaps_in_beside_decodes_and_before_prompts():
    """Eight blocks, three requests at most; prompts of 32 take two blocks each.

    In iteration 1 each needs a third block; two are free, so 2 goes to the host with both of its
    blocks. 3, a prompt of two blocks, could come into iteration 2, but 2 is first, for which three
    blocks are free when 1 is through. It joins the decode of iteration 4, and 3 comes after that.
    """
    scheduler = Scheduler(batching="vllm-v0", preemption="swap", watermark=0.0, max_seqs=3)
    requests = make_requests(np.zeros(4), [32, 32, 32, 20], [8, 4, 3, 2])
    instance = BatchingInstance("golden", requests, (Replica(kv_blocks=8),), NO_EDGES)
    solution = serve(instance, scheduler)
    assert table([32, 32, 32, 20], [8, 4, 3, 2], 8, scheduler) == [
        [32, 1, 1, 1, 1, 0, 1, 1, 1],
        [32, 1, 1, 1, 0, 0, 0, 0, 0],
        [32, 0, 0, 0, 1, 0, 1, 0, 0],
        [0, 0, 0, 0, 0, 20, 1, 0, 0],
    ]
    none = [0, 0]
    assert solution.moved.tolist() == [none, [2, 1], none, none, [2, 1], *[none] * 4]


def test_a_prefix_is_computed_once():
    shared = {"group": [0, 0], "shared": [64, 64], "extends": [64, 64]}
    one = Scheduler(max_seqs=1)
    assert table([100, 100], [1, 1], 600, one, **shared) == [[100, 0], [0, 36]]
    without = Scheduler(max_seqs=1, prefix_cache=False)
    assert table([100, 100], [1, 1], 600, without, **shared) == [[100, 0], [0, 100]]


def test_a_prompt_larger_than_memory_is_rejected_with_what_needs_it():
    requests = make_requests([0.0, 0.0, 0.0], [5000, 32, 32], [1, 2, 2])
    edges = np.array([[0], [2]])
    instance = BatchingInstance("large", requests, (Replica(kv_blocks=100),), edges)
    solution = serve(instance, Scheduler())
    assert solution.home.tolist() == [-1, 0, -1]
    assert DOMAIN.check(instance, solution) == []
    assert DOMAIN.metrics is not None
    assert DOMAIN.metrics(instance, solution)["rejected"] == 2


@pytest.mark.parametrize(
    ("router", "prompts", "expected"),
    [
        ("round-robin", [64, 64, 64, 64], [0, 1, 0, 1]),
        ("least-outstanding", [64, 64, 64, 64], [0, 1, 0, 1]),
        # (requests + 1) / speed: 1, 0.36; 1, 0.71; 1, 1.07; 2, 1.07
        ("speed-weighted", [64, 64, 64, 64], [1, 1, 0, 1]),
        # pending tokens / speed: 1000, 0; 1000, 71; then 1000, 143
        ("least-prefill", [1000, 200, 200], [0, 1, 1]),
        # blocks left by request: equal; 937, 1000; 937, 987 (nothing runs yet)
        ("llumnix", [1000, 200, 200], [0, 1, 1]),
    ],
)
def test_routers_choose_by_load(router, prompts, expected):
    """An A100 and an H100, 2.8 times as fast; all requests arrive at once."""
    fleet = (Replica("a100", kv_blocks=1000), Replica("h100", kv_blocks=1000))
    requests = make_requests(np.zeros(len(prompts)), prompts, [4] * len(prompts))
    instance = BatchingInstance("routes", requests, fleet, NO_EDGES)
    assert serve(instance, Scheduler(router=router)).home.tolist() == expected


def test_an_iteration_takes_what_its_parts_take():
    """Decode of 1 row with 100 KV tokens and a chunk of 500 after 512, by the published terms."""
    linear = linear_table("a100", "llama-3-8b")
    loads = coefficients("a100", "llama-3-8b")
    found = batch_s(linear, loads, 501, 1, 100, 500, 500 * (512 + 250.0))
    decode = 0.656e-3 + 2.37e-6 + 100 * 131072 / (2.039e12 * 0.712)
    prompt = 0.437e-3 + 500 * 1.30e-6 + 4 * 32 * 4096 * 500 * (512 + 250) / (312e12 * 0.563)
    assert found == pytest.approx(linear[63] + decode + prompt)
