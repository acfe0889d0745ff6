"""Workers counted from the other end."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from graphsched.envs.core.domain import Symmetry

if TYPE_CHECKING:
    from tests.toy_domain.instance import CrewInstance
    from tests.toy_domain.solution import CrewSolution


def _mirror(instance: CrewInstance) -> CrewInstance:
    return replace(instance, workers=instance.workers[::-1])


def _restore(instance: CrewInstance, solution: CrewSolution) -> CrewSolution:
    last = len(instance.workers) - 1
    runs = tuple(replace(run, worker=last - run.worker) for run in solution.runs)
    return replace(solution, runs=runs)


MIRROR = Symmetry(_mirror, _restore)
