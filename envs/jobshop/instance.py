"""Job shop instances: jobs are chains of operations, each on one machine for a fixed time."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from graphsched.envs.core.errors import InputError
from graphsched.envs.core.parts.documents import (
    check_head,
    integer_row,
    read_integer,
    read_list,
    read_name,
)
from graphsched.envs.core.parts.values import python_scalars

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

MAX_TIME = 2**31
MAX_MACHINES = 10_000
MAX_OPERATIONS = 1_000_000
PAIR = "[machine, duration]"
MAX_WORK = 2**54  # of all times together, times the jobs: a hundred times that is exact in int64


def _integers(values: Any, where: str, minimum: int) -> NDArray[np.int64]:
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise InputError(where, f"expected a flat list of integers ({error})") from None
    if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
        raise InputError(where, f"expected a flat list of integers, found {values!r:.60}")
    out = array.astype(np.int64)
    if out.size and (out.min() < minimum or out.max() > MAX_TIME):
        worst = out[(out < minimum) | (out > MAX_TIME)][0]
        raise InputError(where, f"expected integers in [{minimum}, {MAX_TIME}], found {worst}")
    out.setflags(write=False)
    return out


@dataclass(frozen=True, eq=False)
class JobShopInstance:
    """A job shop with makespan objective.

    Operations are numbered job by job: operation ``k`` of job ``j`` is ``job_ptr[j] + k``. Jobs may
    differ in length, durations may be zero, and a job may visit a machine more than once.

    Attributes:
        name: shown in reports.
        job_ptr: (num_jobs + 1,) int64, operations of job j are [job_ptr[j], job_ptr[j + 1]).
        machine: (num_operations,) int64 in [0, num_machines).
        duration: (num_operations,) int64 >= 0, time units.
        num_machines: machines, visited or not.
        release_time: (num_jobs,) int64, earliest start of each job; zeros by default.
        due_date: (num_jobs,) int64 or None; carried and reported, not part of the objective.

    Alternative machines would enter as an ``option_ptr`` over ``machine`` and ``duration``; solutions
    already name the machine of every operation.
    """

    name: str
    job_ptr: NDArray[np.int64]
    machine: NDArray[np.int64]
    duration: NDArray[np.int64]
    num_machines: int
    release_time: NDArray[np.int64] | None = None
    due_date: NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        """Validate; raises InputError naming the field."""
        python_scalars(self)
        put = object.__setattr__
        put(self, "job_ptr", _integers(self.job_ptr, "job_ptr", 0))
        put(self, "machine", _integers(self.machine, "machine", 0))
        put(self, "duration", _integers(self.duration, "duration", 0))
        ptr, size = self.job_ptr, len(self.machine)
        if size > MAX_OPERATIONS:
            raise InputError("jobs", f"expected at most {MAX_OPERATIONS} operations, found {size}")
        if not 1 <= self.num_machines <= MAX_MACHINES:
            problem = f"expected 1 to {MAX_MACHINES}, found {self.num_machines}"
            raise InputError("num_machines", problem)
        if len(ptr) < 2 or ptr[0] != 0 or ptr[-1] != size or np.any(np.diff(ptr) < 1):
            raise InputError("job_ptr", f"expected to rise from 0 to {size}, each job non-empty")
        if len(self.duration) != size:
            raise InputError("duration", f"expected {size} values, found {len(self.duration)}")
        if self.machine.max() >= self.num_machines:
            worst = int(self.machine.max())
            raise InputError("machine", f"expected < {self.num_machines} (machines), found {worst}")
        release = (
            np.zeros(len(ptr) - 1, np.int64) if self.release_time is None else self.release_time
        )
        put(self, "release_time", self._per_job(release, "release_time"))
        if self.due_date is not None:
            put(self, "due_date", self._per_job(self.due_date, "due_date"))
        if self.work * self.num_jobs > MAX_WORK:
            problem = f"expected a sum below 2^54 / {self.num_jobs} jobs, found {self.work}"
            raise InputError("duration", problem)

    def _per_job(self, values: Any, where: str) -> NDArray[np.int64]:
        out = _integers(values, where, 0)
        if len(out) != self.num_jobs:
            raise InputError(where, f"expected {self.num_jobs} values, found {len(out)}")
        return out

    @property
    def num_jobs(self) -> int:
        """Number of jobs."""
        return len(self.job_ptr) - 1

    @property
    def num_operations(self) -> int:
        """Number of operations of all jobs."""
        return len(self.machine)

    @cached_property
    def job(self) -> NDArray[np.int64]:
        """(num_operations,) int64: the job of each operation."""
        return np.repeat(np.arange(self.num_jobs), np.diff(self.job_ptr))

    @cached_property
    def work(self) -> int:
        """Last release and all durations: a schedule without needless waiting ends by then."""
        assert self.release_time is not None
        return int(self.duration.sum()) + int(np.max(self.release_time, initial=0))

    @classmethod
    def from_jobs(
        cls,
        name: str,
        jobs: Sequence[Sequence[tuple[int, int]]],
        num_machines: int | None = None,
        release_time: Sequence[int] | None = None,
        due_date: Sequence[int] | None = None,
    ) -> JobShopInstance:
        """Build from per-job lists of (machine, duration)."""
        pairs = [pair for job in jobs for pair in job]
        machine = [m for m, _ in pairs]
        return cls(
            name=name,
            job_ptr=np.cumsum([0, *map(len, jobs)]),
            machine=machine,  # type: ignore[arg-type]  # validated and converted on construction
            duration=[d for _, d in pairs],  # type: ignore[arg-type]
            num_machines=max(machine, default=0) + 1 if num_machines is None else num_machines,
            release_time=release_time,  # type: ignore[arg-type]
            due_date=due_date,  # type: ignore[arg-type]
        )

    def to_json(self) -> dict[str, Any]:
        """JSON document; `instance_from_json` reads it back."""
        jobs = [
            [[int(m), int(d)] for m, d in zip(self.machine[a:b], self.duration[a:b], strict=True)]
            for a, b in zip(self.job_ptr[:-1], self.job_ptr[1:], strict=True)
        ]
        document: dict[str, Any] = {
            "schema": 1,
            "domain": "jobshop",
            "name": self.name,
            "num_machines": self.num_machines,
            "jobs": jobs,
        }
        assert self.release_time is not None
        if self.release_time.any():
            document["release_time"] = self.release_time.tolist()
        if self.due_date is not None:
            document["due_date"] = self.due_date.tolist()
        return document


def instance_from_json(document: Mapping[str, Any]) -> JobShopInstance:
    """Inverse of `JobShopInstance.to_json`; raises InputError naming the field."""
    optional = ("name", "num_machines", "release_time", "due_date")
    check_head(document, "jobshop", ("jobs",), optional, what="instance")
    jobs = [
        [
            _operation(pair, f"jobs[{j}][{k}]")
            for k, pair in enumerate(read_list(job, f"jobs[{j}]", PAIR))
        ]
        for j, job in enumerate(read_list(document["jobs"], "jobs", "jobs"))
    ]
    given = {
        name: integer_row(document[name], name, 0, MAX_TIME)
        for name in ("release_time", "due_date")
        if document.get(name) is not None
    }
    machines = document.get("num_machines")
    if machines is not None:
        read_integer(machines, "num_machines", 1, MAX_MACHINES)
    name = read_name(document.get("name", "unnamed"), "name")
    return JobShopInstance.from_jobs(name, jobs, machines, **given)


def _operation(value: Any, where: str) -> tuple[int, int]:
    pair = read_list(value, where, PAIR)
    if len(pair) != 2:
        raise InputError(where, f"expected {PAIR}, found {value!r:.60}")
    machine = read_integer(pair[0], f"{where} machine", 0, MAX_MACHINES - 1)
    return machine, read_integer(pair[1], f"{where} duration", 0, MAX_TIME)
