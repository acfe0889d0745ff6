"""Crew instances: jobs of a few tasks arrive over time; workers of unlike pace share them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from graphsched.envs.core.errors import InputError
from graphsched.envs.core.parts.values import PythonScalars, python_scalars

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Worker(PythonScalars):
    """pace: minutes per unit of work; can_rush: may work at double speed and rest afterwards."""

    pace: int
    can_rush: bool = True


@dataclass(frozen=True)
class Job(PythonScalars):
    """One job.

    Attributes:
        arrival: minute at which it becomes known.
        work: work units of each task.
        after: for each task the tasks of this job that must be complete before it starts.
    """

    arrival: int
    work: tuple[int, ...]
    after: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class CrewInstance:
    """Minimise total flow time: completion minus arrival, summed over jobs.

    Attributes:
        jobs: in order of arrival.
        workers: the crew.
        jitter: a task takes up to this many minutes more than planned, known when it is complete.
        name: shown in reports.
    """

    jobs: tuple[Job, ...]
    workers: tuple[Worker, ...]
    jitter: int = 0
    name: str = "crew"

    def __post_init__(self) -> None:
        """Validate; raises InputError naming the field."""
        python_scalars(self)
        if not self.jobs or not self.workers:
            raise InputError("jobs", "expected at least one job and one worker")
        for j, job in enumerate(self.jobs):
            if not job.work or min(job.work) < 1 or len(job.after) != len(job.work):
                raise InputError(f"jobs[{j}].work", f"expected positive work, found {job.work}")
            if any(not 0 <= before < task for task, row in enumerate(job.after) for before in row):
                raise InputError(f"jobs[{j}].after", f"expected earlier tasks, found {job.after}")
        arrivals = [job.arrival for job in self.jobs]
        if arrivals[0] < 0 or arrivals != sorted(arrivals):
            raise InputError("jobs", f"expected arrivals from 0 on, in order, found {arrivals}")
        if min(worker.pace for worker in self.workers) < 1:
            raise InputError("workers", "expected a positive pace")

    def to_json(self) -> dict[str, Any]:
        """JSON document; `instance_from_json` reads it back."""
        return {"schema": 1, "domain": "crew", **asdict(self)}


def instance_from_json(document: Mapping[str, Any]) -> CrewInstance:
    """Inverse of `CrewInstance.to_json`; raises InputError."""
    try:
        jobs = tuple(
            Job(job["arrival"], tuple(job["work"]), tuple(map(tuple, job["after"])))
            for job in document["jobs"]
        )
        workers = tuple(Worker(**worker) for worker in document["workers"])
        return CrewInstance(jobs, workers, document["jitter"], document["name"])
    except (KeyError, TypeError) as error:
        raise InputError(
            "crew instance", f"expected jobs, workers, jitter, name: {error}"
        ) from None
