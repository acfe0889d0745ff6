"""Schedules of task graphs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from graphsched.envs.core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from graphsched.envs.soc.instance import SocInstance

_ROW = ("job", "task", "pe", "start", "end")


@dataclass(frozen=True, eq=False)
class SocSolution:
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


def _column(rows: Any, key: str, where: str, whole: bool) -> NDArray[Any]:
    """Numbers under a key of every row."""
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise InputError(where, f"missing; expected a list of entries with {key!r}")
    values = [row.get(key) for row in rows]
    for i, value in enumerate(values):
        kinds: tuple[type, ...] = (int,) if whole else (int, float)
        if type(value) not in kinds or not abs(value) <= 2**53:
            word = "an integer" if whole else "a number"
            raise InputError(f"{where}[{i}].{key}", f"expected {word}, found {value!r:.60}")
    return np.array(values, np.int64 if whole else np.float64)


def solution_from_json(instance: SocInstance, document: Mapping[str, Any]) -> SocSolution:
    """Inverse of `SocSolution.to_json`; raises InputError naming the field.

    Only the shape and the ranges are checked here: whether the schedule is feasible is the
    checker's word.
    """
    if not isinstance(document, dict):
        raise InputError("solution", "expected an object with jobs, tasks and cost")
    jobs, tasks = document.get("jobs"), document.get("tasks")
    kind = _column(jobs, "kind", "jobs", whole=True)
    job, task, pe = (_column(tasks, key, "tasks", whole=True) for key in _ROW[:3])
    start, end = (_column(tasks, key, "tasks", whole=False) for key in _ROW[3:])
    cost = _column([document], "cost", "solution", whole=False)
    _check_range(kind, len(instance.jobs), "jobs", "kind")
    _check_range(job, len(kind), "tasks", "job")
    sizes = np.array([instance.jobs[k].num_tasks for k in kind.tolist()] or [0])
    _check_range(task, sizes[job] if len(job) else 0, "tasks", "task")
    _check_range(pe, instance.platform.num_pes, "tasks", "pe")
    arrival = _column(jobs, "arrival", "jobs", whole=False)
    return SocSolution(kind, arrival, job, task, pe, start, end, float(cost[0]))


def _check_range(values: NDArray[np.int64], limit: Any, where: str, key: str) -> None:
    wrong = np.flatnonzero((values < 0) | (values >= limit))
    if len(wrong):
        i = int(wrong[0])
        most = np.broadcast_to(limit, values.shape)[i]
        raise InputError(f"{where}[{i}].{key}", f"expected in [0, {most}), found {values[i]}")
