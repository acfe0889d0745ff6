"""Orders of admission worked out by hand: deadlines, what comes too late, tenants, prefix groups."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from graphsched.envs.batching import DOMAIN
from graphsched.envs.batching.generators import GENERATORS
from graphsched.envs.batching.hardware.iteration_time import (
    USUAL_TOKENS,
    coefficients,
    linear_table,
    usual_prefill_s,
)
from graphsched.envs.batching.instance import BatchingInstance, Replica, make_requests
from graphsched.envs.batching.options import BATCHINGS, ORDERS, Scheduler
from graphsched.envs.batching.physics.replay import serve
from graphsched.envs.batching.solution import ENTRY, BatchingSolution
from tests.envs.batching.hand import shop

ONE = {"max_seqs": 1}
slowly = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def played(instance: BatchingInstance, **rules: Any) -> BatchingSolution:
    """By rules, checked."""
    solution = serve(instance, Scheduler(**rules))
    assert DOMAIN.check(instance, solution) == []
    return solution


def admitted(instance: BatchingInstance, **rules: Any) -> list[int]:
    """Requests in the order of admission."""
    entry = played(instance, **rules).entry
    order = np.argsort(entry[:, ENTRY.iteration], kind="stable")
    return entry[order, ENTRY.request].tolist()  # type: ignore[no-any-return]


def test_edf_takes_the_nearest_of_first_token_and_deadline() -> None:
    """Due at 2 s, 1 s, and 0.5 s by the deadline; no target at all comes last."""
    instance = shop(
        [64] * 4,
        [3] * 4,
        ttft_s=[np.inf, 2.0, 1.0, 3.0],
        deadline_s=[np.inf, np.inf, np.inf, 0.5],
    )
    assert admitted(instance, order="edf", **ONE) == [3, 2, 1, 0]


@pytest.mark.parametrize(("ttft", "expected"), [(3.0, [0, 1, 1, 2]), (1.0, [0, 1, 2, 1])])
def test_edf_counts_the_pace_of_who_has_its_first_token(ttft: float, expected: list[int]) -> None:
    """Request 1 leaves when blocks run out; its 20 tokens at 0.1 s each are due at about 1.9 s.

    Request 2 comes at 0.05 s, due its time to first token later; there is room for one of them.
    """
    instance = shop(
        [32, 32, 40],
        [20, 20, 2],
        blocks=(6,),
        arrival_s=[0.0, 0.0, 0.05],
        ttft_s=[2.0, 2.0, ttft],
    )
    assert admitted(instance, order="edf") == expected


@pytest.mark.parametrize("order", ORDERS)
def test_what_cant_be_in_time_goes_last_in_any_order(order: str) -> None:
    """The one that every order but the queue's likes best has a target that nobody could meet."""
    instance = shop(
        [64, 32, 64],
        [4, 2, 4],
        priority=[0, 1, 0],
        ttft_s=[2.0, 1e-4, 2.0],
        tenant=[0, 1, 0],
    )
    assert admitted(instance, order=order, doomed=True, **ONE)[-1] == 1
    first = "fcfs", "vtc", "batchllm"
    assert order in first or admitted(instance, order=order, **ONE)[0] == 1


@pytest.mark.parametrize(("spare", "expected"), [(1e-6, [0, 1, 2]), (-1e-6, [0, 2, 1])])
def test_too_late_is_what_would_be_if_it_began_now(spare: float, expected: list[int]) -> None:
    """The second request is due just before or after it can be there, once the first is through."""
    prompts, outputs, arrival = [64, 512, 64], [9, 4, 4], [0.0, 0.001, 0.001]
    alone = played(shop(prompts[:1], outputs[:1]))
    table, loads = linear_table("a100", "llama-3-8b"), coefficients("a100", "llama-3-8b")
    speed = USUAL_TOKENS / usual_prefill_s(table, loads)
    due = float(alone.end_s[-1]) + prompts[1] / speed - arrival[1]
    instance = shop(prompts, outputs, arrival_s=arrival, ttft_s=[9.0, due + spare, 9.0])
    assert admitted(instance, doomed=True, **ONE) == expected


@pytest.mark.parametrize(
    ("target", "late"),
    [("ttft_s", 1e-3), ("tpot_s", 1e-3), ("deadline_s", 0.05)],
)
def test_who_was_preempted_and_missed_a_target_goes_last(target: str, late: float) -> None:
    """First token, pace or end are past saving; request 2, which came later, goes before it."""
    told = {target: [9.0, late, 9.0]}
    instance = shop([32, 32, 40], [20, 20, 2], (6,), arrival_s=[0.0, 0.0, 0.05], **told)
    assert admitted(instance) == [0, 1, 1, 2]
    assert admitted(instance, doomed=True) == [0, 1, 2, 1]


def test_a_blocking_request_lets_others_pass_the_moment_that_it_is_too_late() -> None:
    """While the first one decodes: 1 does not fit, 2 does; decodes don't run past the moment."""
    arrival = [0.0, 0.001, 0.002]
    instance = shop([34, 60, 30], [14, 2, 2], (6,), arrival_s=arrival, ttft_s=[9.0, 0.06, 9.0])
    waiting, doomed = played(instance), played(instance, doomed=True)
    entry = doomed.entry[np.argsort(doomed.entry[:, ENTRY.request]), ENTRY.iteration]
    before = waiting.entry[np.argsort(waiting.entry[:, ENTRY.request]), ENTRY.iteration]
    assert before.tolist() == [0, 14, 14]
    table, loads = linear_table("a100", "llama-3-8b"), coefficients("a100", "llama-3-8b")
    moment = 0.061 - 60 / (USUAL_TOKENS / usual_prefill_s(table, loads))
    begins = waiting.begin_s  # the same until then
    assert entry[2] == int(np.searchsorted(begins, moment))
    assert 0 < entry[2] < 14


@st.composite
def crowds(draw: Any) -> BatchingInstance:
    """Requests without targets, of three tenants and a few groups, that come to little memory."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    n = draw(st.integers(1, 14))
    group = rng.integers(-1, 3, n)
    own, shared = rng.integers(1, 200, n), np.where(group >= 0, 48, 0)
    output = rng.integers(1, 40, n)
    requests = make_requests(
        np.sort(rng.uniform(0, draw(st.sampled_from([0.0, 1.0])), n)),
        own + shared,
        output,
        rng.integers(1, 80, n),
        group=group,
        shared=shared,
        extends=shared,
        tenant=rng.integers(0, 3, n),
        ttft_s=np.full(n, np.inf),
        tpot_s=np.full(n, np.inf),
    )
    none = np.zeros((2, 0), np.int64)
    return BatchingInstance("h", requests, (Replica(kv_blocks=30),), none)


@pytest.mark.compiled
@slowly
@given(
    crowds(),
    st.builds(
        Scheduler,
        batching=st.sampled_from(BATCHINGS),
        order=st.sampled_from(ORDERS),
        passes=st.sampled_from([0, 3]),
        preemption=st.sampled_from(["recompute", "swap"]),
    ),
)
def test_where_nothing_has_a_target_nothing_is_too_late(
    instance: BatchingInstance, scheduler: Scheduler
) -> None:
    """And logs hold, whatever the order and the batches."""
    found, plain = serve(instance, replace(scheduler, doomed=True)), serve(instance, scheduler)
    assert DOMAIN.check(instance, found) == []
    for name in ("home", "span", "entry", "leave"):
        assert getattr(found, name).tolist() == getattr(plain, name).tolist()
    assert found.end_s == pytest.approx(plain.end_s)  # runs of decodes add up in another order


# Prompts of 64 and 160 tokens, and groups whose first 256 and 128 tokens are shared. Of prompts
# (a prefix once) and predicted tokens: group 0 384 and 20, group 1 192 and 80, 3 alone 64 and 64, 5
# alone 64 and 2: so 3 first, then group 1, group 0 and 5.
GROUPS: dict[str, Any] = {
    "predicted": [10, 40, 10, 64, 40, 2],
    "group": [0, 1, 0, -1, 1, -1],
    "shared": [256, 128, 256, 0, 128, 0],
    "extends": [256, 128, 256, 0, 128, 0],
}
PROMPTS = [320, 160, 320, 64, 160, 64]


def test_batchllm_serves_groups_together_by_output_for_prompts() -> None:
    """One after the other."""
    instance = shop(PROMPTS, [3] * 6, **GROUPS)
    assert admitted(instance, order="batchllm", **ONE) == [3, 1, 4, 0, 2, 5]
    assert admitted(instance, **ONE) == [0, 1, 2, 3, 4, 5]


def test_batchllm_fills_batches_by_memory_and_computes_a_prefix_once() -> None:
    """26 blocks, 256 tokens an iteration.

    0: 3 and 1 (14 blocks); 4 waits for the prefix that 1 computes, 0 finds no 20 blocks.
    1: the others decode, 4 computes what is its own. 0 has to wait until all are through.
    4: 0 begins, two blocks of group 1's prefix go. 5: its rest; 2 waits for the prefix, 5 does not.
    8: 2, for whose last 64 tokens there is room now that 0 and 5 are through.
    """
    instance = shop(PROMPTS, [3] * 6, (26,), **GROUPS)
    solution = played(instance, order="batchllm", budget=256)
    rows = np.zeros((6, len(solution.begin_s)), np.int64)
    for i, _, first, count, tokens in solution.span.tolist():
        rows[i, first : first + count] += tokens
    assert rows.tolist() == [
        [0, 0, 0, 0, 256, 64, 1, 1, 0, 0, 0],
        [160, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 0, 0, 0, 64, 1, 1],
        [64, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0],
        [0, 32, 1, 1, 0, 0, 0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 64, 1, 1, 0, 0, 0],
    ]


def test_batchllm_waits_for_no_prefix_that_is_not_kept() -> None:
    """Without a cache both of a group begin at once."""
    columns: dict[str, Any] = {"group": [0, 0], "shared": [64, 64], "extends": [64, 64]}
    instance = shop([100, 100], [2, 2], **columns)
    for kept, second in ((True, 1), (False, 0)):
        solution = played(instance, order="batchllm", prefix_cache=kept)
        entry = solution.entry[np.argsort(solution.entry[:, ENTRY.request])]
        assert entry[:, ENTRY.iteration].tolist() == [0, second]
        assert entry[1, ENTRY.found] == 64 * kept


@pytest.mark.compiled
@pytest.mark.parametrize("seed", range(4))
def test_batchllm_computes_every_prefix_just_once(seed: int) -> None:
    """Counted from the instance: whole prompts of the first of each group, of others what is own."""
    instance = GENERATORS["offline"](np.random.default_rng(seed), "64")
    requests = instance.requests
    least = int((requests.prompt + requests.output - 1).sum())
    _, first = np.unique(requests.group, return_index=True)
    least -= int((16 * (requests.shared // 16)).sum())
    least += int((16 * (requests.shared[first] // 16)).sum())

    def tokens(name: str) -> int:
        span = DOMAIN.baseline(name)(instance).span
        return int((span[:, 3] * span[:, 4]).sum())

    assert tokens("batchllm") == least
    assert tokens("sarathi") >= least
