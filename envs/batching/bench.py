"""What ``graphsched bench`` measures of this domain beside its simulator's speed."""

from __future__ import annotations

import numpy as np

from graphsched.envs.batching.generators import GENERATORS, NO_EDGES, poisson
from graphsched.envs.batching.instance import BatchingInstance, Replica, make_requests
from graphsched.envs.batching.options import BatchingOptions
from graphsched.envs.batching.physics.kernel import replay
from graphsched.envs.batching.physics.loading import load_slot, needed_sizes
from graphsched.envs.batching.physics.log import empty_log
from graphsched.envs.batching.physics.state import State
from graphsched.envs.batching.sources.lengths import lognormal
from graphsched.envs.core.arrays import empty
from graphsched.envs.core.clock import cpu_s

REQUESTS, RATE = 2000, 4.0
SATURATED = "2000@6"  # more than that a second, and queues grow without end


def measure(seconds: float) -> dict[str, float]:
    """Iterations and requests by processor second of rules alone: Sarathi, two replicas.

    At half of what the replicas bear, and near saturation by conversations that branch, which find
    most of their prompts in the cache.

    Args:
        seconds: of processor time for each metric.
    """
    rng = np.random.default_rng(0)
    requests = make_requests(
        poisson(rng, REQUESTS, RATE),
        lognormal(rng, REQUESTS, 900.0, 0.9, 16, 3072),
        lognormal(rng, REQUESTS, 160.0, 0.8, 2, 1000),
    )
    usual = BatchingInstance("bench", requests, (Replica(), Replica()), NO_EDGES)
    full = GENERATORS["tree"](np.random.default_rng(0), SATURATED)
    iterations, served = _paces(usual, seconds)
    return {
        "iterations_per_cpu_s": round(iterations, 1),
        "requests_per_cpu_s": round(served, 1),
        "iterations_per_cpu_s_near_saturation": round(_paces(full, seconds)[0], 1),
    }


def _paces(instance: BatchingInstance, seconds: float) -> tuple[float, float]:
    """Iterations and requests by processor second."""
    options = BatchingOptions(agent="none")
    sizes = {"B": 1, **needed_sizes([instance], options), "D": 1}
    state, log, none = empty(State, sizes), empty_log(0, 0, 0), np.zeros(0, np.int64)
    iterations, rounds, spent = 0, 0, 0.0
    while spent < seconds or rounds < 2:
        load_slot(state, 0, instance, options)
        began = cpu_s()
        replay(state, none, options.window, options.budget_every, log)
        if rounds:  # the first one compiles
            spent += cpu_s() - began
            iterations += int(state.rep["iteration"][0].sum())
        rounds += 1
    return iterations / spent, (rounds - 1) * len(instance.requests) / spent
