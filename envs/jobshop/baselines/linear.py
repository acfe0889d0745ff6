"""``cem-linear``: the linear rule over candidate features that the cross-entropy method found."""

from __future__ import annotations

from importlib.resources import as_file, files
from typing import TYPE_CHECKING

from graphsched.envs.core.domain import Baseline, SolverOptions
from graphsched.envs.core.parts.linear import linear_solver, load_weights
from graphsched.envs.jobshop.features import SCHEMA
from graphsched.envs.jobshop.options import JobShopOptions
from graphsched.envs.jobshop.simulator import JobShopSim

if TYPE_CHECKING:
    from collections.abc import Callable

    from graphsched.envs.jobshop.instance import JobShopInstance
    from graphsched.envs.jobshop.solution import JobShopSolution


def cem_linear(options: SolverOptions) -> Callable[[JobShopInstance], JobShopSolution]:
    """The shipped weights, under the simulator options that they were trained with."""
    with as_file(files("graphsched.envs.jobshop.data") / "cem_linear.json") as path:
        weights, document = load_weights(SCHEMA, path)
    simulator = options.simulator or JobShopOptions(**document["simulator"])
    return linear_solver(JobShopSim, simulator, weights, options)


BASELINE = Baseline(
    make=cem_linear, summary="linear rule over the policy's features, by cross-entropy method"
)
