"""Of thousands of faults in honest logs the checker accepts none that a plain count does not."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from graphsched.envs.batching import DOMAIN
from graphsched.envs.batching.generators import GENERATORS
from graphsched.envs.batching.hardware.iteration_time import (
    STEP,
    TABLE,
    coefficients,
    linear_table,
    swap_block_s,
)
from graphsched.envs.batching.instance import BatchingInstance, Prefixes, Replica, make_requests
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
    "victims kept": Scheduler(batching="vllm-v1", budget=64),
    "all swap": Scheduler(batching="vllm-v1", budget=64, preemption="swap"),
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
    mine = np.flatnonzero(log.replica == r)
    size = len(mine)
    steps, entries, leaves = _rows(log, r, size)
    inside = Inside(instance, size)
    before = 0.0
    for k in range(size + 1):
        moved = [0, 0]  # blocks and copies
        for i, why, blocks in leaves[k]:
            moved[0] += inside.leave(i, k, why, blocks)
            moved[1] += why == SWAPPED
        if k == size:
            break
        begin, end = float(log.begin_s[mine[k]]), float(log.end_s[mine[k]])
        need(begin >= before - SLACK, f"iteration {k} overlaps")
        for i, found, swapped, blocks in entries[k]:
            enters.setdefault(i, begin)
            moved[0] += inside.enter(i, k, found, swapped, blocks)
            moved[1] += swapped
        _iteration(instance, log, r, int(mine[k]), steps[k], (inside.kv, inside.made, moved))
        for i in inside.compute(steps[k]):
            first.setdefault(i, end)
            if inside.made[i] == instance.requests.output[i]:
                last[i] = end
        inside.count(k)
        for i in steps[k]:
            if inside.made[i] == instance.requests.output[i]:
                del inside.kv[i]
        before = end
    for k in range(size):
        held = len(inside.have[k]) + inside.parts[k]
        need(held <= instance.replicas[r].kv_blocks, f"{k} holds too much")


def _rows(log, r, size):
    """Of a replica by iteration: tokens of requests, who enters, who leaves."""
    steps: list[dict[int, int]] = [{} for _ in range(size)]
    for i, q, k, length, tokens in log.span.tolist():
        for j in range(k, k + length) if q == r else ():
            need(log.home[i] == r and 0 <= j < size and tokens > 0, f"{i} computes nowhere")
            need(i not in steps[j], f"{i} computes twice in {j}")
            steps[j][i] = tokens
    entries, leaves = defaultdict(list), defaultdict(list)
    for i, q, k, *rest in log.entry.tolist():
        if q == r:
            need(log.home[i] == r and 0 <= k < size, f"{i} enters nowhere")
            entries[k].append((i, *rest))
    for i, q, k, *rest in log.leave.tolist():
        if q == r:
            need(log.home[i] == r and 0 <= k <= size, f"{i} leaves nowhere")
            leaves[k].append((i, *rest))
    return steps, entries, leaves


class Inside:
    """Who is in a replica's batch with how many tokens, and which blocks are there, by iteration.

    Blocks have names, by segment and place in the path, or by request beyond what is its path's;
    those with less than 16 tokens have none and are counted.
    """

    def __init__(self, instance, size):
        self.instance, self.requests = instance, instance.requests
        self.kv: dict[int, int] = {}  # of those inside
        self.away: dict[int, tuple[int, int, int]] = {}  # tokens, blocks, since when
        self.made: dict[int, int] = defaultdict(int)
        self.most: dict[int, int] = defaultdict(int)  # tokens ever computed
        self.base: dict[int, int] = {}  # blocks that are not its alone at least
        self.given_up: set[int] = set()
        self.have: list[set[Any]] = [set() for _ in range(size)]
        self.parts = [0] * size

    def path(self, i):
        """Blocks of a request that are its path's once they are full."""
        return int(self.requests.extends[i]) // BLOCK if self.requests.group[i] >= 0 else 0

    def name(self, i, m):
        if m >= self.path(i):
            return "own", i, m
        segment, tree = int(self.requests.group[i]), self.instance.prefixes
        while tree.start[segment] > BLOCK * m:
            segment = int(tree.parent[segment])
        return "path", segment, m

    def leave(self, i, k, why, blocks):
        need(i in self.kv, f"{i} leaves {k} without being there")
        tokens = self.kv.pop(i)
        if why != SWAPPED:
            need(blocks == 0, f"{i} moves blocks")
        if why == SWAPPED:
            whole = -(-tokens // BLOCK)
            common = max(min(self.path(i), tokens // BLOCK), self.base[i])
            need(whole - common <= blocks <= whole - self.base[i], f"{i} moves {blocks}")
            self.away[i] = (tokens, blocks, k)
            self.base[i] = whole - blocks
        elif why == FAILED:
            self.given_up.add(i)
        return blocks

    def enter(self, i, k, found, swapped, blocks):
        need(i not in self.kv and i not in self.given_up, f"{i} enters {k} twice")
        need(self.made[i] < self.requests.output[i], f"{i} is done")
        if swapped:
            need(self.away.get(i, (0, 0, 0))[:2] == (found, blocks), f"{i} comes back otherwise")
            for j in range(self.away.pop(i)[2], k):
                self.have[j] |= {self.name(i, m) for m in range(self.base[i])}
        else:
            need(blocks == 0, f"{i} brings blocks")
            self.away.pop(i, None)
            shared = int(self.requests.shared[i]) if self.requests.group[i] >= 0 else 0
            most = max(shared, self.most[i])
            need(0 <= found <= most and found % BLOCK == 0, f"{i} finds {found}")
            self.base[i] = found // BLOCK
            for m in range(found // BLOCK):
                self.find(self.name(i, m), k)
        self.kv[i] = found
        return blocks

    def find(self, name, k):
        """It was there once, and has been kept since."""
        there = [j for j in range(k) if name in self.have[j]]
        need(there, f"{name} was never there")
        for j in range(there[-1] + 1, k):
            self.have[j].add(name)

    def compute(self, steps):
        """Who has another token."""
        out = []
        for i, tokens in steps.items():
            need(i in self.kv, f"{i} computes without being there")
            self.kv[i] += tokens
            self.most[i] = max(self.most[i], self.kv[i])
            whole = int(self.requests.prompt[i]) + self.made[i]
            need(self.kv[i] <= whole and self.made[i] < self.requests.output[i], f"{i} has many")
            if self.kv[i] == whole:
                self.made[i] += 1
                out.append(i)
        return out

    def count(self, k):
        """What all hold once they have computed."""
        for i, tokens in self.kv.items():
            self.have[k] |= {self.name(i, m) for m in range(tokens // BLOCK)}
            self.parts[k] += tokens % BLOCK > 0


def _iteration(instance, log, r, row, steps, inside):
    """An iteration takes as long as its batch, and copies as often as requests are swapped."""
    kv, made, moves = inside
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
    need(log.moved[row].tolist() == moves, f"{log.moved[row]} moved, not {moves}")
    time += moves[0] * swap_block_s(replica.gpu, replica.model, replica.tp)
    need(near(float(log.end_s[row] - log.begin_s[row]), time), "an iteration takes another time")


def crowd(seed, cards=1):
    """Ten requests for too little memory: some share branches of a prefix, some wait for others."""
    rng = np.random.default_rng(seed)
    n, blocks = 10, 16
    prompt, output = rng.integers(20, 120, n), rng.integers(2, 50, n)
    prompt[-1] = 16 * blocks + 40  # fits nowhere
    group = rng.integers(-1, 4, n)
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
    tree = Prefixes(np.array([-1, -1, 0, 2]), np.array([0, 0, 32, 48]))
    return BatchingInstance("h", requests, fleet, np.array([[0, 1], [4, 6]]), prefixes=tree)


def judge(instance, honest, count, seed):
    """Mutants that pass are logs all the same, of their cost; returns how many pass."""
    assert near(plain_cost(instance, honest), honest.cost)
    passed = 0
    for mutant, found in accepted(DOMAIN, instance, honest, count, seed):
        passed += 1
        try:
            assert near(plain_cost(instance, found), found.cost), mutant
        except Broken as broken:
            raise AssertionError(f"{broken}: {mutant.place} {mutant.fault}") from None
    return passed


@pytest.mark.parametrize("cards", [1, pytest.param(2, marks=pytest.mark.compiled)])
@pytest.mark.parametrize("rule", list(RULES))
def test_what_passes_is_a_log_of_its_cost(rule, cards):
    instance = crowd(6, cards)
    judge(instance, serve(instance, RULES[rule]), 300, 11)


@pytest.mark.compiled
@pytest.mark.parametrize(("turn", "kind"), enumerate(sorted(set(GENERATORS) - {"toy", "pools"})))
def test_no_scheduler_s_log_of_any_instance_can_be_forged(turn, kind):
    """Every third rule in turn, so that each meets several kinds of instances.

    With a third of the memory, so that blocks are evicted.
    """
    made = GENERATORS[kind](np.random.default_rng(8), "10@40")
    most = int((made.requests.prompt + made.requests.output).max()) // BLOCK + 2
    small = tuple(replace(one, kv_blocks=max(one.kv_blocks // 3, most)) for one in made.replicas)
    instance = replace(made, replicas=small)
    rules = [name for name, each in DOMAIN.baselines.items() if each.is_rule]
    for seed, name in list(enumerate(rules))[turn % 3 :: 3]:
        honest = DOMAIN.baseline(name)(instance)
        if not len(honest.transfer):  # those with moves have a test of their own
            judge(instance, honest, 3, seed)
