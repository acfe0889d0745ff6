"""What the crew did."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from graphsched.envs.core.errors import InputError
from graphsched.envs.core.parts.values import PythonScalars

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.toy_domain.instance import CrewInstance


@dataclass(frozen=True)
class Run(PythonScalars):
    """Worker `worker` carries out task `task` of job `job` in [start, end), minutes."""

    job: int
    task: int
    worker: int
    rush: bool
    start: int
    end: int


@dataclass(frozen=True)
class CrewSolution(PythonScalars):
    """All runs, in order of their start, the seed of their world and the claimed cost."""

    runs: tuple[Run, ...]
    world: int
    flow: int

    def to_json(self) -> dict[str, Any]:
        """JSON document; `solution_from_json` reads it back."""
        return {"schema": 1, "domain": "crew", **asdict(self)}


def solution_from_json(instance: CrewInstance, document: Mapping[str, Any]) -> CrewSolution:
    """Inverse of `CrewSolution.to_json`; raises InputError."""
    try:
        runs = tuple(Run(**run) for run in document["runs"])
        return CrewSolution(runs, document["world"], document["flow"])
    except (KeyError, TypeError) as error:
        raise InputError(f"solution of {instance.name}", f"expected runs: {error}") from None
