"""Of hundreds of faults in honest logs the checker accepts none that a plain count does not.

Two kinds of forgery are known to pass, here as there: tokens found in a prefix that the replica has
given up meanwhile, and fewer blocks swapped than there were, with less time for it.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np
import pytest

from graphsched.envs.batching import DOMAIN
from graphsched.envs.batching.hardware.iteration_time import (
    STEP,
    TABLE,
    coefficients,
    linear_table,
    swap_block_s,
)
from graphsched.envs.batching.instance import BatchingInstance, Replica, make_requests
from graphsched.envs.batching.options import Scheduler
from graphsched.envs.batching.physics.replay import serve
from tests.mutations import accepted

BLOCK = 16
SLACK = 3e-6  # more than the checker tolerates
SWAPPED, FAILED = 1, 2
RULES = {
    "recompute": Scheduler(budget=64),
    "swap": Scheduler(batching="vllm-v0", preemption="swap", watermark=0.0),
    "alone": Scheduler(batching="vllm-v1", prefix_cache=False),
}


def near(a, b):
    return abs(a - b) <= SLACK * max(1.0, abs(a), abs(b))


class Broken(Exception):
    """A rule is broken."""


def need(good: Any, what: str) -> None:
    if not good:
        raise Broken(what)


def plain_cost(instance, log):
    """The cost by following every replica iteration by iteration; raises `Broken`."""
    first: dict[int, float] = {}
    last: dict[int, float] = {}
    enters: dict[int, float] = {}
    for r in range(len(instance.replicas)):
        _follow(instance, log, r, first, last, enters)
    total, requests = 0.0, instance.requests
    comes = requests.arrival_s.tolist()
    for z in np.unique(instance.precedes[1]).tolist():
        before = instance.precedes[0][instance.precedes[1] == z].tolist()
        comes[z] = max(last.get(a, np.inf) for a in before)
    for i, weight in enumerate(requests.weight.tolist()):
        if i in enters:
            need(enters[i] >= comes[i] - SLACK * max(1.0, enters[i]), f"{i} comes too early")
        if i not in last:
            _hopeless(instance, log, i, last)
            total += 100.0 * weight
            continue
        waited = first[i] - comes[i]
        pace = (last[i] - first[i]) / max(int(requests.output[i]) - 1, 1)
        ratio = max(waited / requests.ttft_s[i], pace / requests.tpot_s[i])
        ratio = max(ratio, (last[i] - float(requests.arrival_s[i])) / requests.deadline_s[i])
        points = 10 * ratio / (1 + ratio) + 70 * (ratio > 1 + 1e-9)
        total += weight * (points + 20 * (waited > instance.starvation_s * (1 + 1e-9)))
    return total / float(requests.weight.sum())


def _hopeless(instance, log, i, last):
    """A request that is not served could not be: for itself, or for what it waits for."""
    most = max(replica.kv_blocks for replica in instance.replicas)
    stages = instance.precedes[0][instance.precedes[1] == i].tolist()
    lost = any(a not in last for a in stages)
    if log.home[i] < 0 and (int(instance.requests.prompt[i]) + 1 > BLOCK * most or lost):
        return
    gave_up = any(row[0] == i and row[3] == FAILED for row in log.leave.tolist())
    need(gave_up, f"{i} is not served")


def _follow(instance, log, r, first, last, enters):
    requests, mine = instance.requests, np.flatnonzero(log.replica == r)
    size = len(mine)
    steps: list[dict[int, int]] = [{} for _ in range(size)]
    for i, q, k, length, tokens in log.span.tolist():
        for j in range(k, k + length) if q == r else ():
            need(log.home[i] == r and 0 <= j < size and tokens > 0, f"{i} computes nowhere")
            need(i not in steps[j], f"{i} computes twice in {j}")
            steps[j][i] = tokens
    entries, leaves = defaultdict(list), defaultdict(list)
    for i, q, k, found, swapped in log.entry.tolist():
        if q == r:
            need(log.home[i] == r and 0 <= k < size, f"{i} enters nowhere")
            entries[k].append((i, found, swapped))
    for i, q, k, why in log.leave.tolist():
        if q == r:
            need(log.home[i] == r and 0 <= k <= size, f"{i} leaves nowhere")
            leaves[k].append((i, why))
    kv: dict[int, int] = {}  # of those inside
    away: dict[int, int] = {}  # of those swapped out
    made: dict[int, int] = defaultdict(int)
    sequence: dict[int, int] = defaultdict(int)  # tokens of each group's that are known
    given_up, common = set(), {}
    before = 0.0
    for k in range(size + 1):
        calls = 0
        for i, why in leaves[k]:
            need(i in kv, f"{i} leaves {k} without being there")
            if why == SWAPPED:
                away[i] = kv[i]
                calls += 1
            elif why == FAILED:
                given_up.add(i)
            del kv[i]
        if k == size:
            break
        begin, end = float(log.begin_s[mine[k]]), float(log.end_s[mine[k]])
        need(begin >= before - SLACK, f"iteration {k} overlaps")
        for i, found, swapped in entries[k]:
            need(i not in kv and i not in given_up, f"{i} enters {k} twice")
            need(made[i] < requests.output[i], f"{i} is done")
            enters.setdefault(i, begin)
            if swapped:
                need(away.pop(i, None) == found, f"{i} comes back with other tokens")
                common[i] = 0
                calls += 1
            else:
                need(i not in away, f"{i} is swapped out")
                group = int(requests.group[i])
                limit = int(requests.shared[i]) if group >= 0 else 0
                known = sequence[group] if group >= 0 else 0
                need(0 <= found <= min(limit, known) and found % BLOCK == 0, f"{i} finds {found}")
                common[i] = found
            kv[i] = found
        _iteration(instance, log, r, int(mine[k]), steps[k], (kv, made, calls))
        for i, tokens in steps[k].items():
            kv[i] += tokens
            prompt = int(requests.prompt[i])
            need(kv[i] <= prompt + made[i] and made[i] < requests.output[i], f"{i} has too many")
            if kv[i] == prompt + made[i]:
                made[i] += 1
                first.setdefault(i, end)
                if made[i] == requests.output[i]:
                    last[i] = end
        _memory(instance, r, k, kv, common)
        for i in steps[k]:
            if requests.group[i] >= 0:
                known = min(int(requests.extends[i]), kv[i])
                group = int(requests.group[i])
                sequence[group] = max(sequence[group], known)
            if made[i] == requests.output[i]:
                del kv[i]
        before = end


def _iteration(instance, log, r, row, steps, inside):
    """An iteration takes as long as its batch, and copies as often as requests are swapped."""
    kv, made, calls = inside
    replica = instance.replicas[r]
    need(steps, "an iteration is empty")
    table = linear_table(replica.gpu, replica.model, replica.tp, float(replica.imbalance))
    each = coefficients(replica.gpu, replica.model, replica.tp).tolist()
    total, decodes, read, prompts, products = sum(steps.values()), 0, 0, 0, 0.0
    for i, tokens in steps.items():
        need(i in kv, f"{i} computes without being there")
        at = kv[i]
        if made[i] > 0 and tokens == 1 and at == instance.requests.prompt[i] + made[i] - 1:
            decodes, read = decodes + 1, read + at
        else:
            prompts, products = prompts + tokens, products + tokens * (at + 0.5 * tokens)
    place = -(-total // STEP)
    assert place < TABLE
    time = float(table[place])
    time += (each[0] + each[1] * decodes + each[2] * read) if decodes else 0.0
    time += (each[3] + each[4] * prompts + each[5] * products) if prompts else 0.0
    blocks, copies = log.moved[row].tolist()
    time += blocks * swap_block_s(replica.gpu, replica.model, replica.tp)
    need(copies == calls, f"{copies} copies, not {calls}")
    need(near(float(log.end_s[row] - log.begin_s[row]), time), "an iteration takes another time")


def _memory(instance, r, k, kv, common):
    """What all hold once they have computed, what belongs to a prefix counted once."""
    requests, own = instance.requests, 0
    shared: dict[int, int] = defaultdict(int)
    for i, tokens in kv.items():
        group = int(requests.group[i])
        prefix = min(int(requests.extends[i]), tokens) // BLOCK if group >= 0 else 0
        prefix = max(prefix, common[i] // BLOCK)
        own += -(-tokens // BLOCK) - prefix
        shared[group] = max(shared[group], prefix)
    need(own + sum(shared.values()) <= instance.replicas[r].kv_blocks, f"{k} holds too much")


def crowd(seed, cards=1):
    """Ten requests for too little memory: some share a prefix, some wait for others."""
    rng = np.random.default_rng(seed)
    n, blocks = 10, 16
    prompt, output = rng.integers(20, 120, n), rng.integers(2, 50, n)
    prompt[-1] = 16 * blocks + 40  # fits nowhere
    group = rng.integers(-1, 2, n)
    shared = np.where(group >= 0, rng.integers(0, prompt + 1), 0)
    requests = make_requests(
        np.sort(rng.uniform(0, 0.3, n)),
        prompt,
        output,
        output,
        group=group,
        shared=shared,
        extends=np.where(group >= 0, prompt, shared),
        ttft_s=np.full(n, 0.2),
        weight=rng.uniform(0.5, 2.0, n),
    )
    fleet = tuple(Replica(card, kv_blocks=blocks) for card in ("a100", "h100")[:cards])
    return BatchingInstance("h", requests, fleet, np.array([[0, 1], [4, 6]]))


@pytest.mark.parametrize("cards", [1, 2])
@pytest.mark.parametrize("rule", list(RULES))
def test_what_passes_is_a_log_of_its_cost(rule, cards):
    instance = crowd(6, cards)
    honest = serve(instance, RULES[rule])
    assert near(plain_cost(instance, honest), honest.cost)
    for mutant, found in accepted(DOMAIN, instance, honest, 300, 11):
        try:
            assert near(plain_cost(instance, found), found.cost), mutant
        except Broken as broken:
            raise AssertionError(f"{broken}: {mutant.place} {mutant.fault}") from None
