"""``cem-linear``: a linear rule over candidate features, found by the cross-entropy method."""

from __future__ import annotations

from importlib.resources import as_file, files
from typing import TYPE_CHECKING

from graphsched.envs.core.domain import Baseline, SolverOptions
from graphsched.envs.core.parts.linear import linear_solver, load_weights
from graphsched.envs.memory.features import SCHEMA
from graphsched.envs.memory.options import MemoryOptions
from graphsched.envs.memory.simulator import MemorySim

if TYPE_CHECKING:
    from collections.abc import Callable

    from graphsched.envs.memory.instance import MemoryInstance
    from graphsched.envs.memory.solution import MemorySolution


def cem_linear(options: SolverOptions) -> Callable[[MemoryInstance], MemorySolution]:
    """The shipped weights, under the simulator options that they were found with."""
    with as_file(files("graphsched.envs.memory.data") / "es_linear.json") as path:
        weights, document = load_weights(SCHEMA, path)
    simulator = options.simulator or MemoryOptions(**document["simulator"])
    return linear_solver(MemorySim, simulator, weights, options)


BASELINE = Baseline(
    make=cem_linear,
    summary="linear rule over the policy's features, by evolution",
    aliases=("es-linear",),
)
