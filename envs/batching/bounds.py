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
    """As if every request were alone on the best replica for it, all of its prefix being cached."""
    requests = instance.requests
    total = 0.0
    for i in range(len(requests)):
        found = min(int(requests.shared[i]) // BLOCK, (int(requests.prompt[i]) - 1) // BLOCK)
        options = [
            _alone(instance, replica, i, found * BLOCK if requests.group[i] >= 0 else 0)
            for replica in instance.replicas
            if int(requests.prompt[i]) + 1 <= replica.kv_blocks * BLOCK
        ]
        total += float(requests.weight[i]) * min(options, default=FULL)
    return total / float(requests.weight.sum())


def _alone(instance: BatchingInstance, replica: Replica, i: int, found: int) -> float:
    """Penalty of a request alone; decodes are taken to read the prompt's keys and values only."""
    requests = instance.requests
    table = linear_table(replica.gpu, replica.model, replica.tp, float(replica.imbalance))
    loads = coefficients(replica.gpu, replica.model, replica.tp)
    prompt, output = int(requests.prompt[i]), int(requests.output[i])
    tokens = prompt - found
    least = float(np.min(np.maximum(table[1:], 0.0)))  # tables need not rise everywhere
    rate = float(np.min(table[1:] / (STEP * np.arange(1, len(table)))))
    first = max(least, rate * tokens) + product_s(loads, found, tokens)
    pace = batch_s(table, loads, 1, 1, prompt, 0, 0.0) - float(table[1]) + least
    pace = pace if output > 1 else 0.0
    end = first + pace * (output - 1)
    ratio = max(first / requests.ttft_s[i], pace / requests.tpot_s[i], end / requests.deadline_s[i])
    return slo_penalty(float(ratio), float(first), instance.starvation_s)
