"""``cem-linear``: linear rules over candidate features, found by the cross-entropy method."""

from __future__ import annotations

from importlib.resources import as_file, files
from typing import TYPE_CHECKING

from graphsched.envs.core.domain import Baseline, SolverOptions
from graphsched.envs.core.parts.linear import linear_solver, load_weights
from graphsched.envs.soc.features import SCHEMA
from graphsched.envs.soc.options import SocOptions
from graphsched.envs.soc.simulator import SocSim

if TYPE_CHECKING:
    from collections.abc import Callable

    from graphsched.envs.soc.instance import SocInstance
    from graphsched.envs.soc.solution import SocSolution

    Solver = Callable[[SocInstance], SocSolution]


def _solver(mode: str, options: SolverOptions) -> Solver:
    """The shipped weights of a mode, under the simulator options that they were found with."""
    with as_file(files("graphsched.envs.soc.data") / f"es_linear_{mode}.json") as path:
        weights, document = load_weights(SCHEMA, path)
    simulator = options.simulator or SocOptions(**document["simulator"])
    return linear_solver(SocSim, simulator, weights, options)


def cem_linear(options: SolverOptions) -> Solver:
    """A rule for each mode, chosen by the instance."""
    solvers = {True: _solver("streaming", options), False: _solver("static", options)}
    return lambda instance: solvers[instance.is_stream](instance)


BASELINE = Baseline(
    make=cem_linear,
    summary="linear rule over the policy's features, by evolution",
    aliases=("es-linear",),
)
