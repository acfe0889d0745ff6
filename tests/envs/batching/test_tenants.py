"""The virtual token counter: who is served next, worked out by hand, and how far tenants drift apart."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from graphsched.envs.batching import DOMAIN
from graphsched.envs.batching.instance import (
    BatchingInstance,
    Replica,
    instance_from_json,
    make_requests,
)
from graphsched.envs.batching.options import Scheduler
from graphsched.envs.batching.physics.replay import serve
from graphsched.envs.batching.physics.timeline import timeline
from graphsched.envs.batching.solution import ENTRY
from graphsched.envs.core.errors import InputError
from tests.envs.batching.hand import shop

SERIAL = Scheduler(order="vtc", max_seqs=1)
# Tenant 0 sends 100 tokens and gets 10, which count 120; tenant 1 sends 40 and gets 5: 50.
PROMPTS, OUTPUTS, TENANTS = [100, 100, 100, 40, 40, 40], [10, 10, 10, 5, 5, 5], [0, 0, 0, 1, 1, 1]


def order(instance: BatchingInstance, scheduler: Scheduler = SERIAL) -> list[int]:
    """Requests as they are admitted."""
    solution = serve(instance, scheduler)
    assert DOMAIN.check(instance, solution) == []
    rows = solution.entry[np.argsort(solution.entry[:, ENTRY.iteration], kind="stable")]
    return rows[:, ENTRY.request].tolist()  # type: ignore[no-any-return]


def test_the_tenant_served_least_is_next() -> None:
    """After 0 the counters are 120 and 0, then 120 and 50, 120 and 100, 120 and 150."""
    assert order(shop(PROMPTS, OUTPUTS, tenant=TENANTS)) == [0, 3, 4, 5, 1, 2]


def test_shares_divide_what_was_served() -> None:
    """Tenant 0 has two thirds: 60 and 0, 60 and 50, 60 and 100, 120 and 100, 120 and 150."""
    instance = replace(shop(PROMPTS, OUTPUTS, tenant=TENANTS), shares=np.array([2.0, 1.0]))
    assert order(instance) == [0, 3, 4, 1, 5, 2]


def test_outputs_count_as_they_come_and_twice() -> None:
    """Tenant 1's 70 input tokens are less than 40 and 20 made, which count 80."""
    instance = shop([40, 40, 70, 70], [20, 20, 1, 1], tenant=[0, 0, 1, 1])
    assert order(instance) == [0, 2, 3, 1]  # 80 and 0; 80 and 72; 80 and 144


def _while_second_runs(alone: BatchingInstance) -> float:
    """A time at which the second request of a serial log has made some tokens but not all."""
    solution = serve(alone, SERIAL)
    second = solution.entry[solution.entry[:, ENTRY.request] == 1, ENTRY.iteration][0]
    return float(solution.begin_s[second + 5])


def test_a_tenant_that_comes_back_has_no_credit() -> None:
    """It comes while 1 is at its fifth token or so: lifted to about 230, 0 is at 240 by its end.

    Then it is served once (280), tenant 0's last one goes next, and the rest follow. With credit it
    would have had all three at once.
    """
    at = _while_second_runs(shop(PROMPTS[:3], OUTPUTS[:3]))
    instance = shop(PROMPTS, OUTPUTS, tenant=TENANTS, arrival_s=[0.0, 0.0, 0.0, at, at, at])
    assert order(instance) == [0, 1, 3, 2, 4, 5]


def test_to_an_empty_queue_it_comes_level_with_who_left_it_last() -> None:
    """Nothing is queued while 1 runs; tenant 0 comes back just after tenant 1 came."""
    at = _while_second_runs(shop(PROMPTS[:2], OUTPUTS[:2]))
    instance = shop(
        [100, 100, 40, 40, 100],
        [10, 10, 5, 5, 10],
        tenant=[0, 0, 1, 1, 0],
        arrival_s=[0.0, 0.0, at, at, at + 1e-6],
    )
    assert order(instance) == [0, 1, 2, 4, 3]


def test_a_tenant_counts_a_prompt_once_however_often_it_is_computed() -> None:
    """1 leaves when blocks run out and computes 49 tokens again, which count for nothing.

    Tenant 0 by then counts 32 + 40 and tenant 1 32 + 34; 2 is tenant 1's, 3 tenant 0's, and they go
    after 1, which is tenant 1's first: 72 and 66, 66 + 6 = 72 by its end, where the first come goes.
    """
    instance = shop(
        [32, 32, 70, 70],
        [20, 20, 1, 1],
        (6,),
        tenant=[0, 1, 1, 0],
        arrival_s=[0.0, 0.0, 0.01, 0.01],
    )
    assert order(instance, Scheduler(order="vtc")) == [0, 1, 1, 2, 3]


def _crowd(seed: int, shares: tuple[float, ...]) -> BatchingInstance:
    """Two tenants of unlike habits with all of their requests there at the start."""
    rng = np.random.default_rng(seed)
    n = 40
    tenant = np.repeat([0, 1], n)
    prompt = np.where(tenant == 0, rng.integers(100, 300, 2 * n), rng.integers(16, 80, 2 * n))
    output = np.where(tenant == 0, rng.integers(1, 40, 2 * n), rng.integers(30, 90, 2 * n))
    requests = make_requests(np.zeros(2 * n), prompt, output, tenant=tenant)
    none = np.zeros((2, 0), np.int64)
    fleet = (Replica(kv_blocks=40),)
    return BatchingInstance("crowd", requests, fleet, none, shares=np.array(shares))


def drift(instance: BatchingInstance, scheduler: Scheduler) -> float:
    """Most that two tenants' service over their shares differed while both had requests queued."""
    solution = serve(instance, scheduler)
    assert DOMAIN.check(instance, solution) == []
    requests = instance.requests
    tokens = timeline(instance, solution).tokens
    first = np.full(len(requests), np.inf)
    for i, _, iteration, *_ in solution.entry.tolist():
        first[i] = min(first[i], solution.begin_s[iteration])
    both = min(first[requests.tenant == t].max() for t in (0, 1))
    most = 0.0
    for at in solution.end_s[solution.end_s < both]:
        served = [0.0, 0.0]
        for i, t in enumerate(requests.tenant.tolist()):
            made = int(np.count_nonzero(tokens[i] <= at))
            served[t] += (requests.prompt[i] * (first[i] < at) + 2 * made) / instance.shares[t]
        most = max(most, abs(served[0] - served[1]))
    return most


@pytest.mark.compiled
@pytest.mark.parametrize("shares", [(1.0, 1.0), (3.0, 1.0)])
@pytest.mark.parametrize("seed", range(3))
def test_backlogged_tenants_drift_apart_by_a_batch_at_most(
    seed: int, shares: tuple[float, float]
) -> None:
    """Sheng et al. (2024): by the longest prompt or twice the tokens that memory holds, over a share.

    First come, first served, they drift further.
    """
    instance = _crowd(seed, shares)
    held = 16 * instance.replicas[0].kv_blocks
    bound = max(float(instance.requests.prompt.max()), 2.0 * held) / min(shares)
    found = drift(instance, Scheduler(order="vtc"))
    assert found <= bound
    assert drift(instance, Scheduler()) > 2 * found
    assert drift(instance, Scheduler()) > bound


def test_shares_survive_json_and_older_files_have_none() -> None:
    """Equal tenants then."""
    instance = replace(shop(PROMPTS, OUTPUTS, tenant=TENANTS), shares=np.array([2.0, 1.0]))
    document = json.loads(json.dumps(instance.to_json()))
    assert instance_from_json(document).shares.tolist() == [2.0, 1.0]
    del document["shares"]
    again = instance_from_json(document)
    assert len(again.shares) == 0
    assert order(again) == [0, 3, 4, 5, 1, 2]
    assert "shares" not in again.to_json()


@pytest.mark.parametrize(
    ("shares", "told"),
    [
        ([1.0], r"shares: expected one for each of 2 tenants"),
        ([1.0, 0.0], r"shares\[1\]: expected more than 0"),
        ([-1.0, 1.0], r"shares\[0\]: expected more than 0"),
        ([1.0, 1e7], r"shares\[1\]: expected more than 0 and at most"),
        ([1.0, "2"], r"shares\[1\]: expected a number"),
        ([1.0, None], r"shares\[1\]: expected a number"),
        ([[1.0], [2.0]], r"shares\[0\]: expected a number"),
        ({"0": 1.0}, r"shares: expected a list"),
        (2.0, r"shares: expected a list"),
    ],
)
def test_shares_that_are_none_are_named(shares: Any, told: str) -> None:
    """In a file."""
    document = shop(PROMPTS, OUTPUTS, tenant=TENANTS).to_json()
    with pytest.raises(InputError, match=told):
        instance_from_json({**document, "shares": shares})


@pytest.mark.parametrize("shares", [[1.0, np.nan], [1.0, np.inf], [[1.0, 1.0]], ["a", "b"]])
def test_shares_in_python_are_checked_too(shares: Any) -> None:
    """When the instance is made."""
    with pytest.raises(InputError, match="shares"):
        replace(shop(PROMPTS, OUTPUTS, tenant=TENANTS), shares=np.array(shares))
