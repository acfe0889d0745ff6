"""The cost of a log, and a lower bound on the cost of any."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from graphsched.envs.batching.hardware.catalogue import BLOCK
from graphsched.envs.batching.hardware.iteration_time import (
    STEP,
    batch_s,
    coefficients,
    linear_table,
    product_s,
)
from graphsched.envs.batching.physics.slo import FULL, slo_penalty
from graphsched.envs.batching.physics.timeline import slo_penalties, timeline

if TYPE_CHECKING:
    from graphsched.envs.batching.instance import BatchingInstance, Replica
    from graphsched.envs.batching.solution import BatchingSolution


def cost(instance: BatchingInstance, solution: BatchingSolution) -> float:
    """Weighted mean of the requests' penalties, 0 to 100; see `slo`."""
    weight = instance.requests.weight
    return float(slo_penalties(instance, timeline(instance, solution)) @ weight / weight.sum())


def lower_bound(instance: BatchingInstance) -> float:
    """As if every request were alone, all of its prefix being cached.

    Its first token comes from the best replica for that, and the others from the best one of the same
    model for these: it may move between them.
    """
    requests = instance.requests
    total = 0.0
    for i in range(len(requests)):
        options = [_alone(instance, i, fleet) for fleet in _fleets(instance, i)]
        total += float(requests.weight[i]) * min(options, default=FULL)
    return total / float(requests.weight.sum())


def _fleets(instance: BatchingInstance, i: int) -> list[list[Replica]]:
    """Replicas that could hold a request, by their models."""
    out: dict[str, list[Replica]] = {}
    for replica in instance.replicas:
        if int(instance.requests.prompt[i]) + 1 <= replica.kv_blocks * BLOCK:
            out.setdefault(replica.model, []).append(replica)
    return list(out.values())


def _alone(instance: BatchingInstance, i: int, fleet: list[Replica]) -> float:
    """Penalty of a request alone on replicas of a model."""
    requests, output = instance.requests, int(instance.requests.output[i])
    prompt, shared = int(requests.prompt[i]), int(requests.shared[i])
    found = min(shared // BLOCK, (prompt - 1) // BLOCK) if requests.group[i] >= 0 else 0
    times = [_times(replica, prompt, BLOCK * found) for replica in fleet]
    first, pace = min(t[0] for t in times), min(t[1] for t in times)
    pace = pace if output > 1 else 0.0
    end = first + pace * (output - 1)
    ratio = max(first / requests.ttft_s[i], pace / requests.tpot_s[i], end / requests.deadline_s[i])
    return slo_penalty(float(ratio), float(first), instance.starvation_s)


def _times(replica: Replica, prompt: int, found: int) -> tuple[float, float]:
    """Least times of a prompt and of each further token, s, which reads the prompt's tokens only."""
    table = linear_table(replica.gpu, replica.model, replica.tp, float(replica.imbalance))
    loads = coefficients(replica.gpu, replica.model, replica.tp)
    tokens = prompt - found
    least = float(np.min(np.maximum(table[1:], 0.0)))  # tables need not rise everywhere
    rate = float(np.min(table[1:] / (STEP * np.arange(1, len(table)))))
    first = max(least, rate * tokens) + product_s(loads, found, tokens)
    pace = batch_s(table, loads, 1, 1, prompt, 0, 0.0) - float(table[1]) + least
    return first, pace
