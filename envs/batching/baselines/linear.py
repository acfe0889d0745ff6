"""``cem-linear``: linear rules over candidate features, found by the cross-entropy method."""

from __future__ import annotations

from importlib.resources import as_file, files
from typing import TYPE_CHECKING

from graphsched.envs.batching.features import SCHEMA
from graphsched.envs.batching.options import BatchingOptions
from graphsched.envs.batching.simulator import BatchingSim
from graphsched.envs.core.domain import Baseline, SolverOptions
from graphsched.envs.core.parts.linear import linear_solver, load_weights

if TYPE_CHECKING:
    from collections.abc import Callable

    from graphsched.envs.batching.instance import BatchingInstance
    from graphsched.envs.batching.solution import BatchingSolution

    Solver = Callable[[BatchingInstance], BatchingSolution]

ROUTES, ONE_REPLICA = "routing", "tight_kv"


def _solver(setting: str, options: SolverOptions) -> Solver:
    """The shipped weights of a setting, under the simulator options that they were found with."""
    with as_file(files("graphsched.envs.batching.data") / f"linear_{setting}.json") as path:
        weights, document = load_weights(SCHEMA, path)
    simulator = options.simulator or BatchingOptions(**document["simulator"])
    return linear_solver(BatchingSim, simulator, weights, options)


def linear(options: SolverOptions) -> Solver:
    """Routes where there are several replicas, admission and budgets where there is one."""
    several, one = _solver(ROUTES, options), _solver(ONE_REPLICA, options)
    return lambda instance: (several if len(instance.replicas) > 1 else one)(instance)


BASELINE = Baseline(
    make=linear, summary="linear rule over the policy's features, by evolution", aliases=("linear",)
)
