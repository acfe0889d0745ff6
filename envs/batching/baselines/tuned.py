"""``tuned``: the scheduler and settings that did best on validation instances, by kind of instance."""

from __future__ import annotations

from importlib.resources import as_file, files
from typing import TYPE_CHECKING

from graphsched.envs.batching.baselines.rules import BASELINES
from graphsched.envs.core.domain import Baseline, SolverOptions
from graphsched.envs.core.knobs import read_settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from graphsched.envs.batching.instance import BatchingInstance
    from graphsched.envs.batching.solution import BatchingSolution

    Solver = Callable[[BatchingInstance], BatchingSolution]

# Files of ``graphsched tune batching``: what they were tuned on, and the baseline.
SEVERAL, ONE_REPLICA = ("hetero", "llf-affinity"), ("tight", "llf")


def _solver(kind: str, name: str) -> Solver:
    """A baseline with the shipped settings of its knobs."""
    data = files("graphsched.envs.batching.data") / "tuned" / f"{kind}_{name}.json"
    with as_file(data) as path:
        settings = read_settings(path, "batching", name, BASELINES[name].knobs)
    return BASELINES[name].make(SolverOptions(settings=settings))


def tuned(options: SolverOptions) -> Solver:
    """Tuned on unlike replicas where there are several, on little memory where there is one."""
    del options  # deterministic, with settings of its own
    several, one = _solver(*SEVERAL), _solver(*ONE_REPLICA)
    return lambda instance: (several if len(instance.replicas) > 1 else one)(instance)


BASELINE = Baseline(
    make=tuned,
    summary=f"what did best in tuning: {SEVERAL[1]} on several replicas, {ONE_REPLICA[1]} on one",
    is_rule=True,
)
