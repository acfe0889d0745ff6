"""Schedules of task graphs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from graphsched.envs.core.parts.documents import (
    check_head,
    integers,
    numbers,
    read_entries,
    read_number,
)
from graphsched.envs.core.parts.values import PythonScalars

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from graphsched.envs.soc.instance import SocInstance

_JOB = ("kind", "arrival")
_ROW = ("job", "task", "pe", "start", "end")


@dataclass(frozen=True, eq=False)
class SocSolution(PythonScalars):
    """Which task ran where and when. K jobs that entered the system, R rows.

    A static schedule has a row for every task; a stream has one for every task that started before
    the horizon.

    Attributes:
        kind: (K,) int64, which of the instance's jobs each one is.
        arrival: (K,) float64, when each entered the system; ascending.
        job, task, pe: (R,) int64, number of the job (below K), task in it, and PE.
        start, end: (R,) float64, the half-open interval in which the task ran.
        cost: claimed: makespan, or mean latency of completed jobs; the checker re-derives it.
    """

    kind: NDArray[np.int64]
    arrival: NDArray[np.float64]
    job: NDArray[np.int64]
    task: NDArray[np.int64]
    pe: NDArray[np.int64]
    start: NDArray[np.float64]
    end: NDArray[np.float64]
    cost: float

    @classmethod
    def of_plan(
        cls, pe: NDArray[np.int64], start: NDArray[np.float64], end: NDArray[np.float64]
    ) -> SocSolution:
        """Static schedule of one job; arrays (N,) by task."""
        tasks = np.arange(len(pe))
        zero = np.zeros(1)
        return cls(
            zero.astype(np.int64),
            zero,
            np.zeros_like(tasks),
            tasks,
            np.asarray(pe, np.int64).copy(),
            np.asarray(start, np.float64).copy(),
            np.asarray(end, np.float64).copy(),
            float(np.max(end)),
        )

    def to_json(self) -> dict[str, Any]:
        """JSON document; `solution_from_json` reads it back."""
        columns = (getattr(self, name).tolist() for name in _ROW)
        return {
            "schema": 1,
            "domain": "soc",
            "cost": self.cost,
            "jobs": [
                {"kind": k, "arrival": a}
                for k, a in zip(self.kind.tolist(), self.arrival.tolist(), strict=True)
            ],
            "tasks": [dict(zip(_ROW, row, strict=True)) for row in zip(*columns, strict=True)],
        }


def solution_from_json(instance: SocInstance, document: Mapping[str, Any]) -> SocSolution:
    """Inverse of `SocSolution.to_json`; raises InputError naming the field.

    Only the shape and the ranges are checked here: whether the schedule is feasible is the
    checker's word.
    """
    check_head(document, "soc", ("jobs", "tasks", "cost"))
    jobs = read_entries(document["jobs"], "jobs", _JOB)
    rows = read_entries(document["tasks"], "tasks", _ROW)
    kind = integers(jobs, "kind", "jobs", 0, len(instance.jobs))
    job = integers(rows, "job", "tasks", 0, len(jobs))
    sizes = np.array([instance.jobs[k].num_tasks for k in kind.tolist()], np.int64)
    task = integers(rows, "task", "tasks", 0, sizes[job])
    pe = integers(rows, "pe", "tasks", 0, instance.platform.num_pes)
    start, end = (numbers(rows, key, "tasks") for key in _ROW[3:])
    arrival = numbers(jobs, "arrival", "jobs")
    cost = read_number(document["cost"], "cost")
    return SocSolution(kind, arrival, job, task, pe, start, end, cost)
