"""Of hundreds of faults in honest mappings the checker accepts none that a plain count does not."""

from __future__ import annotations

from functools import lru_cache
from itertools import combinations
from typing import Any

import numpy as np
import pytest

from graphsched.envs.memory import DOMAIN
from tests.mutations import accepted

SLACK = 2e-6  # twice what the checker tolerates, relative
CASES = [
    ("toy", "toy", "best-of-orders"),
    ("chain", "", "best-of-orders"),
    ("chain-training", "2@1", "step-greedy"),
    ("residual", "2@1", "margin"),
]


def plain_latency(instance, solution):
    """The latency by comparing every residency with every other one; None if a rule is broken."""
    machine, size = instance.machine, instance.size.tolist()
    columns = (solution.storage, solution.start, solution.end, solution.offset)
    rows = list(zip(*(column.tolist() for column in columns), strict=True))
    for g, start, end, offset in rows:
        if not 0 <= start < end <= instance.num_instructions or offset % machine.alignment:
            return None
        if offset < 0 or offset + size[g] > machine.fast_capacity:
            return None
    for (g, s, e, at), (h, t, f, there) in combinations(rows, 2):
        together = max(s, t) < min(e, f)
        if together and (g == h or max(at, there) < min(at + size[g], there + size[h])):
            return None
    copies = []
    for row in rows:
        mine = _copies(instance, row)
        if mine is None:
            return None
        copies += mine
    seconds, spare = _work(instance, rows)
    return 1e6 * sum(seconds) if _fits(copies, spare) else None


@lru_cache(maxsize=1)
def _accesses(instance):
    """For each storage (instruction, bytes, whether it writes), in order."""
    out: list[list[Any]] = [[] for _ in range(instance.num_storages)]
    for t, g, read, written in zip(*(c.tolist() for c in instance.accesses), strict=True):
        out[g].append((t, read + written, written > 0))
    return out


def _copies(instance, row):
    """(first instruction, last, bytes) of what must be copied for a residency; None if it can't."""
    g, start, end, _ = row
    every = _accesses(instance)[g]
    inside = [a for a in every if start <= a[0] < end]
    if not inside:
        return None
    out = []
    if instance.live_in[g] or inside[0] != every[0]:
        out.append((start, inside[0][0] - 1, int(instance.size[g])))
    wanted = instance.live_out[g] or inside[-1] != every[-1]
    if wanted and any(writes for *_, writes in inside):
        out.append((inside[-1][0] + 1, end - 1, int(instance.size[g])))
    return None if any(first > last for first, last, _ in out) else out


def _work(instance, rows):
    """Seconds of every instruction, and bytes that can be copied meanwhile."""
    machine = instance.machine
    slow, fast = [0.0] * instance.num_instructions, [0.0] * instance.num_instructions
    for g in range(instance.num_storages):
        for t, touched, _ in _accesses(instance)[g]:
            hit = any(h == g and start <= t < end for h, start, end, _ in rows)
            (fast if hit else slow)[t] += touched
    seconds, spare = [], []
    for t, flops in enumerate(instance.flops.tolist()):
        compute = flops / machine.flops_per_s
        moving = slow[t] / machine.slow_bandwidth + fast[t] / machine.fast_bandwidth
        seconds.append(max(compute, moving))
        quickest = max(compute, (slow[t] + fast[t]) / machine.fast_bandwidth)
        left = seconds[-1] * machine.slow_bandwidth - slow[t]
        spare.append(min(left, quickest * machine.copy_bandwidth))
    return seconds, spare


def _fits(copies, spare):
    """No span of instructions has more to copy within it than can be copied meanwhile."""
    for low in {first for first, _, _ in copies}:
        for high in {last for _, last, _ in copies}:
            load = sum(size for first, last, size in copies if first >= low and last <= high)
            slack = 1 + SLACK * len(copies)
            if load > max(sum(spare[low : high + 1]), 0.0) * slack + SLACK * load:
                return False
    return True


@pytest.mark.parametrize(("kind", "size", "rule"), CASES)
def test_what_passes_is_a_mapping_of_its_latency(kind, size, rule):
    instance = DOMAIN.generators[kind](np.random.default_rng(5), size)
    honest = DOMAIN.baseline(rule)(instance)
    assert plain_latency(instance, honest) == pytest.approx(honest.cost)
    passed = 0
    for mutant, found in accepted(DOMAIN, instance, honest, 500, 5):
        latency = plain_latency(instance, found)
        assert latency is not None, mutant
        assert latency == pytest.approx(found.cost, rel=SLACK), mutant
        passed += 1
    assert passed < 250
