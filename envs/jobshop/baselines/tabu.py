"""Tabu search with path relinking, from a quick rule's schedule or from given ones."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from graphsched.envs.core.domain import Baseline, Improver, SolverOptions
from graphsched.envs.jobshop.search.population import improve

if TYPE_CHECKING:
    from collections.abc import Callable

    from graphsched.envs.jobshop.instance import JobShopInstance
    from graphsched.envs.jobshop.solution import JobShopSolution

SUMMARY = "tabu search (N7, Zhang et al. 2007) with path relinking (Peng, Lü, Cheng 2015)"


def _solve(instance: JobShopInstance, options: SolverOptions) -> JobShopSolution:
    return improve(instance, [], options.time_limit_s, options.seed)


def _make(options: SolverOptions) -> Callable[[JobShopInstance], JobShopSolution]:
    return partial(_solve, options=options)


BASELINE: Baseline[JobShopInstance, JobShopSolution] = Baseline(
    make=_make, summary=f"{SUMMARY}, in the time limit", is_anytime=True
)
IMPROVER: Improver[JobShopInstance, JobShopSolution] = Improver(search=improve, summary=SUMMARY)
