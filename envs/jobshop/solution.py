"""Job shop schedules."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from graphsched.envs.core.errors import InputError
from graphsched.envs.core.parts.documents import check_head, integers, read_entries, read_integer
from graphsched.envs.core.parts.values import PythonScalars

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from graphsched.envs.jobshop.instance import JobShopInstance

_ROW = ("machine", "start", "end")


@dataclass(frozen=True, eq=False)
class JobShopSolution(PythonScalars):
    """A schedule: operation i runs on ``machine[i]`` in the half-open interval [start, end).

    Attributes:
        start: (num_operations,) int64, time units, in the instance's numbering of operations.
        end: (num_operations,) int64.
        machine: (num_operations,) int64.
        makespan: claimed cost; the checker re-derives it.
    """

    start: NDArray[np.int64]
    end: NDArray[np.int64]
    machine: NDArray[np.int64]
    makespan: int

    @classmethod
    def from_starts(cls, instance: JobShopInstance, start: NDArray[np.int64]) -> JobShopSolution:
        """Schedule with the instance's machines and durations; makespan is the latest end."""
        start = np.asarray(start, np.int64)
        end = start + instance.duration
        return cls(start, end, instance.machine, int(end.max()))

    def to_json(self) -> dict[str, Any]:
        """JSON document; `solution_from_json` reads it back."""
        return {
            "schema": 1,
            "domain": "jobshop",
            "makespan": self.makespan,
            "operations": [
                {"machine": int(m), "start": int(s), "end": int(e)}
                for m, s, e in zip(self.machine, self.start, self.end, strict=True)
            ],
        }


def solution_from_json(instance: JobShopInstance, document: Mapping[str, Any]) -> JobShopSolution:
    """Inverse of `JobShopSolution.to_json`; raises InputError naming the field.

    Only the shape is checked here: whether the schedule is feasible is the checker's word.
    """
    check_head(document, "jobshop", ("operations", "makespan"))
    rows = read_entries(document["operations"], "operations", _ROW)
    if len(rows) != instance.num_operations:
        problem = f"expected {instance.num_operations} entries, found {len(rows)}"
        raise InputError("operations", problem)
    columns = {key: integers(rows, key, "operations") for key in _ROW}
    return JobShopSolution(makespan=read_integer(document["makespan"], "makespan"), **columns)
