"""Instances: jobs that are task graphs, on a platform of unlike processing elements (PEs)."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from graphsched.envs.core.errors import InputError
from graphsched.envs.core.parts.documents import (
    check_head,
    check_names,
    number_row,
    read_edges,
    read_flag,
    read_list,
    read_name,
    read_names,
)
from graphsched.envs.core.parts.values import matrix, number, python_scalars, words

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

WHEN_FULL = ("lose", "queue")
MAX_ARRIVALS = 1e6
MAX_KINDS = 16
MAX_SERVERS = 1024  # tasks that all PEs run at once
MAX_TASKS, MAX_EDGES = 20_000, 1_000_000  # of a job
MAX_TIME, MAX_VOLUME = 1e12, 1e15  # sums stay exact enough to compare
BANDWIDTHS = 1e-12, 1e15  # quotients of volumes by them are finite
MAX_WATTS = 1e12
NOISES = ("none", "gaussian", "lognormal")


@dataclass(frozen=True, eq=False)
class Platform:
    """Processing elements and the links between them. P PEs.

    Attributes:
        name: shown in reports.
        pe_names: of each PE.
        bandwidth: (P, P) float64 in `BANDWIDTHS`, volume per time unit from row to column; the
            diagonal does not count, since data stays on a PE for nothing.
        capacity: (P,) int64 >= 1, tasks that a PE runs at once.
        busy_power, idle_power: (P,) float64 >= 0, watts of a PE for each running task, and of an
            idle one; None where unknown.
        link_contention: whether a pair of PEs carries one transfer at a time (streaming only).
    """

    name: str
    pe_names: tuple[str, ...]
    bandwidth: NDArray[np.float64]
    capacity: NDArray[np.int64] | None = None
    busy_power: NDArray[np.float64] | None = None
    idle_power: NDArray[np.float64] | None = None
    link_contention: bool = False

    def __post_init__(self) -> None:
        """Validate; raises InputError naming the field."""
        python_scalars(self)
        put = object.__setattr__
        put(self, "pe_names", words(self.pe_names, "platform.pe_names"))
        pes = len(self.pe_names)
        if pes < 1:
            raise InputError("platform.pe_names", "expected at least one PE, found none")
        link = matrix(self.bandwidth, "platform.bandwidth", (pes, pes))
        low, high = BANDWIDTHS
        wrong = ~((link >= low) & (link <= high)) & ~np.eye(pes, dtype=bool)
        if wrong.any():
            p, q = np.argwhere(wrong)[0]
            where = f"platform.bandwidth[{p}][{q}]"
            raise InputError(where, f"expected in [{low:g}, {high:g}], found {link[p, q]}")
        put(self, "bandwidth", link)
        capacity = np.ones(pes) if self.capacity is None else self.capacity
        capacity = matrix(capacity, "platform.capacity", (pes,))
        if np.any(capacity < 1) or np.any(capacity != np.floor(capacity)):
            raise InputError(
                "platform.capacity", f"expected counts >= 1, found {capacity.tolist()!r:.60}"
            )
        if capacity.sum() > MAX_SERVERS:
            problem = f"expected at most {MAX_SERVERS} in all, found {capacity.sum():g}"
            raise InputError("platform.capacity", problem)
        put(self, "capacity", capacity.astype(np.int64))
        for name in ("busy_power", "idle_power"):
            if getattr(self, name) is not None:
                watts = matrix(getattr(self, name), f"platform.{name}", (pes,))
                if not np.all((watts >= 0) & (watts <= MAX_WATTS)):
                    problem = f"expected in [0, {MAX_WATTS:g}], found {watts.tolist()!r:.60}"
                    raise InputError(f"platform.{name}", problem)
                put(self, name, watts)

    @property
    def num_pes(self) -> int:
        """Number of PEs."""
        return len(self.pe_names)

    @cached_property
    def slowness(self) -> NDArray[np.float64]:
        """(P, P) time per unit of volume; 0 on the diagonal."""
        inverse = 1.0 / np.where(np.eye(self.num_pes, dtype=bool), np.inf, self.bandwidth)
        inverse.setflags(write=False)
        return inverse

    def to_json(self) -> dict[str, Any]:
        """JSON document."""
        assert self.capacity is not None
        link = np.where(np.eye(self.num_pes, dtype=bool), 0.0, self.bandwidth)
        return {
            "name": self.name,
            "pe_names": list(self.pe_names),
            "bandwidth": link.tolist(),
            "capacity": self.capacity.tolist(),
            "busy_power": None if self.busy_power is None else self.busy_power.tolist(),
            "idle_power": None if self.idle_power is None else self.idle_power.tolist(),
            "link_contention": self.link_contention,
        }


@dataclass(frozen=True, eq=False)
class Job:
    """A task graph. N tasks, E edges.

    Attributes:
        name: shown in reports.
        task_names: of each task.
        duration: (N, P) float64 >= 0, mean execution time on each PE; inf where it can't run.
        edge: (2, E) int64, predecessor and successor of each edge; without cycles.
        volume: (E,) float64 >= 0, data that goes along each edge.
    """

    name: str
    task_names: tuple[str, ...]
    duration: NDArray[np.float64]
    edge: NDArray[np.int64]
    volume: NDArray[np.float64]

    def __post_init__(self) -> None:
        """Validate; raises InputError naming the job and the field."""
        python_scalars(self)
        put, at = object.__setattr__, f"job {self.name!r:.40}"
        put(self, "task_names", words(self.task_names, f"{at} task_names"))
        tasks = len(self.task_names)
        if tasks > MAX_TASKS:
            raise InputError(f"{at} task_names", f"expected at most {MAX_TASKS}, found {tasks}")
        duration = np.asarray(self.duration, np.float64)
        if tasks < 1 or duration.ndim != 2 or len(duration) != tasks:
            problem = f"expected a row for each of {tasks} (>= 1) tasks, found {duration.shape}"
            raise InputError(f"{at} duration", problem)
        put(self, "duration", self._times(duration, at))
        put(self, "edge", self._edges(at))
        volume = matrix(self.volume, f"{at} volume", (self.num_edges,))
        if not np.all((volume >= 0) & (volume <= MAX_VOLUME)):
            worst = volume[(volume < 0) | (volume > MAX_VOLUME)][0]
            raise InputError(f"{at} volume", f"expected in [0, {MAX_VOLUME:g}], found {worst:g}")
        put(self, "volume", volume)
        if len(self.order) < tasks:
            stuck = int(np.setdiff1d(np.arange(tasks), self.order)[0])
            raise InputError(
                f"{at} edge", f"task {self.task_names[stuck]!r:.40} lies on or after a cycle"
            )

    def _times(self, duration: NDArray[np.float64], at: str) -> NDArray[np.float64]:
        fits = (duration >= 0) & ((duration <= MAX_TIME) | np.isposinf(duration))
        if not fits.all():  # NaN included
            i, p = np.argwhere(~fits)[0]
            where = f"{at} task {self.task_names[i]!r:.40}"
            limits = f"[0, {MAX_TIME:g}]"
            raise InputError(
                where, f"expected a time in {limits} on PE {p}, found {duration[i, p]}"
            )
        idle = ~np.isfinite(duration).any(axis=1)
        if idle.any():
            name = self.task_names[int(np.argmax(idle))]
            raise InputError(f"{at} task {name!r:.40}", "no PE supports it, expected at least one")
        out = duration.copy()
        out.setflags(write=False)
        return out

    def _edges(self, at: str) -> NDArray[np.int64]:
        raw = np.asarray(self.edge)
        edge = np.zeros((2, 0), np.int64) if raw.size == 0 else raw
        if edge.ndim != 2 or len(edge) != 2 or edge.dtype.kind not in "iu":
            raise InputError(f"{at} edge", f"expected 2 rows of task numbers, found {raw.shape}")
        if edge.shape[1] > MAX_EDGES:
            raise InputError(f"{at} edge", f"expected at most {MAX_EDGES}, found {edge.shape[1]}")
        edge = edge.astype(np.int64)
        wrong = (edge < 0) | (edge >= len(self.task_names))
        if wrong.any():
            found = int(edge[wrong][0])
            raise InputError(f"{at} edge", f"there is no task {found}, expected < {self.num_tasks}")
        if len({(int(a), int(b)) for a, b in edge.T}) < edge.shape[1]:
            raise InputError(f"{at} edge", "expected each edge once, found one twice")
        edge.setflags(write=False)
        return edge

    @property
    def num_tasks(self) -> int:
        """Number of tasks."""
        return len(self.task_names)

    @property
    def num_edges(self) -> int:
        """Number of edges."""
        return int(self.edge.shape[1])

    @cached_property
    def order(self) -> NDArray[np.int64]:
        """(N,) tasks in topological order, lowest number first; shorter if there is a cycle."""
        waits = np.bincount(self.edge[1], minlength=self.num_tasks)
        ptr, succ, _ = self.successors
        ready = sorted(np.flatnonzero(waits == 0).tolist(), reverse=True)
        out = []
        while ready:
            i = ready.pop()
            out.append(i)
            freed = []
            for j in succ[ptr[i] : ptr[i + 1]].tolist():
                waits[j] -= 1
                if waits[j] == 0:
                    freed.append(j)
            ready += sorted(freed, reverse=True)
        return np.array(out, np.int64)

    @cached_property
    def successors(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
        """Pointers (N + 1,), successors (E,) and volumes (E,) by task."""
        return _by_task(self.num_tasks, self.edge[0], self.edge[1], np.asarray(self.volume))

    @cached_property
    def predecessors(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
        """Pointers (N + 1,), predecessors (E,) and volumes (E,) by task."""
        return _by_task(self.num_tasks, self.edge[1], self.edge[0], np.asarray(self.volume))

    def to_json(self) -> dict[str, Any]:
        """JSON document; null stands for a PE that can't run a task."""
        rows = [[t if np.isfinite(t) else None for t in row] for row in self.duration.tolist()]
        return {
            "name": self.name,
            "task_names": list(self.task_names),
            "duration": rows,
            "edge": self.edge.tolist(),
            "volume": self.volume.tolist(),
        }


def _by_task(
    tasks: int, key: NDArray[np.int64], other: NDArray[np.int64], volume: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    order = np.argsort(key, kind="stable")
    ptr = np.concatenate([[0], np.cumsum(np.bincount(key, minlength=tasks))])
    return ptr.astype(np.int64), other[order], volume[order]


@dataclass(frozen=True)
class Stream:
    """Jobs that keep coming.

    Attributes:
        horizon: end of the episode, time units.
        max_in_system: jobs in the system at most.
        mean_gap: mean of the exponential time between arrivals, time units.
        mix: probability of each job of the instance.
        when_full: ``lose`` turns an arrival away; ``queue`` lets it wait outside.
        fill: jobs that are there at time 0, at least one.
    """

    horizon: float
    max_in_system: int = 3
    mean_gap: float = 25.0
    mix: tuple[float, ...] = (1.0,)
    when_full: str = "lose"
    fill: int = 3

    def __post_init__(self) -> None:
        """Validate; raises InputError naming the field."""
        python_scalars(self)
        for name in ("horizon", "mean_gap"):
            value = number(getattr(self, name), f"stream.{name}")
            if not 0 < value < 1e12:
                raise InputError(f"stream.{name}", f"expected a positive number, found {value}")
        for name, least in (("max_in_system", 1), ("fill", 1)):
            value = getattr(self, name)
            if type(value) is not int or not least <= value <= 1000:
                raise InputError(
                    f"stream.{name}", f"expected a count >= {least}, found {value!r:.40}"
                )
        if self.when_full not in WHEN_FULL:
            raise InputError("stream.when_full", f"not one of {WHEN_FULL}: {self.when_full!r:.40}")
        mix = tuple(number(share, "stream.mix") for share in self.mix)
        if not mix or min(mix) < 0 or not 0.999 < sum(mix) < 1.001:
            raise InputError("stream.mix", f"expected shares that sum to 1, found {mix!r:.60}")
        if self.horizon / self.mean_gap > MAX_ARRIVALS:
            problem = (
                f"expected at most {MAX_ARRIVALS:.0e} arrivals, found a horizon of {self.horizon}"
            )
            raise InputError("stream.mean_gap", problem)
        object.__setattr__(self, "mix", mix)


@dataclass(frozen=True)
class Noise:
    """How actual execution times differ from the mean, which is what schedulers see.

    Attributes:
        kind: ``none``; ``gaussian``: max(round(N(mean, std mean)), 1), as in DS3Gym;
            ``lognormal``: mean exp(N(-std^2 / 2, std)).
        std: relative standard deviation.
    """

    kind: str = "none"
    std: float = 0.0

    def __post_init__(self) -> None:
        """Validate; raises InputError naming the field."""
        python_scalars(self)
        if self.kind not in NOISES:
            raise InputError("noise.kind", f"not one of {NOISES}: {self.kind!r:.40}")
        if not 0 <= number(self.std, "noise.std") < 10:
            raise InputError("noise.std", f"expected a number in [0, 10), found {self.std}")


@dataclass(frozen=True, eq=False)
class SocInstance:
    """One job to be planned (static), or a stream of jobs (streaming).

    Attributes:
        name: shown in reports.
        platform: the PEs.
        jobs: kinds of job; the only one, if the instance is static.
        stream: how jobs arrive; None if static.
        noise: of execution times.
        ticks: whether time is counted in whole units: transfers are cut to integers.
        seed: of the world: arrivals, kinds of job and noise; the same for every scheduler.
    """

    name: str
    platform: Platform
    jobs: tuple[Job, ...]
    stream: Stream | None = None
    noise: Noise = field(default_factory=Noise)
    ticks: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        """Validate; raises InputError naming the field."""
        python_scalars(self)
        object.__setattr__(self, "jobs", tuple(self.jobs))
        if not self.jobs or (self.stream is None and len(self.jobs) != 1):
            problem = f"expected one job (several only with a stream), found {len(self.jobs)}"
            raise InputError("jobs", problem)
        if len(self.jobs) > MAX_KINDS:
            raise InputError("jobs", f"expected at most {MAX_KINDS} kinds, found {len(self.jobs)}")
        for job in self.jobs:
            slowest = float(job.volume.max(initial=0.0) * self.platform.slowness.max())
            if not slowest <= MAX_TIME:
                problem = f"expected transfers of at most {MAX_TIME:g}, found {slowest:g}"
                raise InputError(f"job {job.name!r:.40} volume", problem)
            if job.duration.shape[1] != self.platform.num_pes:
                problem = f"expected {self.platform.num_pes} columns, found {job.duration.shape[1]}"
                raise InputError(f"job {job.name!r:.40} duration", problem)
        if self.stream is not None and len(self.stream.mix) != len(self.jobs):
            problem = f"expected {len(self.jobs)} shares, found {len(self.stream.mix)}"
            raise InputError("stream.mix", problem)
        if self.stream is not None and self.ticks:
            # Whole gaps are 1 / (e^(1/mean) - 1) on average: far more arrivals than gaps say.
            arrivals = self.stream.horizon * math.expm1(min(1.0 / self.stream.mean_gap, 99.0))
            if arrivals > MAX_ARRIVALS:
                problem = f"expected at most {MAX_ARRIVALS:.0e} arrivals in ticks: {arrivals:.0e}"
                raise InputError("stream.mean_gap", problem)
        if type(self.seed) is not int or not 0 <= self.seed < 2**63:
            raise InputError("seed", f"expected an integer in [0, 2^63), found {self.seed!r:.40}")

    @property
    def is_stream(self) -> bool:
        """Whether jobs keep coming."""
        return self.stream is not None

    def to_json(self) -> dict[str, Any]:
        """JSON document; `instance_from_json` reads it back."""
        stream = None
        if self.stream is not None:
            stream = {**vars(self.stream), "mix": list(self.stream.mix)}
        return {
            "schema": 1,
            "domain": "soc",
            "name": self.name,
            "platform": self.platform.to_json(),
            "jobs": [job.to_json() for job in self.jobs],
            "stream": stream,
            "noise": dict(vars(self.noise)),
            "ticks": self.ticks,
            "seed": self.seed,
        }


def instance_from_json(document: Mapping[str, Any]) -> SocInstance:
    """Inverse of `SocInstance.to_json`; raises InputError naming the field."""
    needed, optional = ("name", "platform", "jobs"), ("stream", "noise", "ticks", "seed")
    check_head(document, "soc", needed, optional, what="instance")
    platform = _platform(document["platform"])
    stream, noise = document.get("stream"), document.get("noise", {})
    rows = read_list(document["jobs"], "jobs", "jobs")
    if stream is not None:
        check_names(stream, ("horizon",), _fields(Stream), "stream.")
        stream = Stream(**{**stream, "mix": number_row(stream.get("mix", [1.0]), "stream.mix")})
    check_names(noise, (), _fields(Noise), "noise.")
    return SocInstance(
        name=read_name(document["name"], "name"),
        platform=platform,
        jobs=tuple(_job(row, f"jobs[{k}]") for k, row in enumerate(rows)),
        stream=stream,
        noise=Noise(**noise),
        ticks=read_flag(document.get("ticks", False), "ticks"),
        seed=document.get("seed", 0),
    )


def _fields(kind: type) -> list[str]:
    return [field.name for field in fields(kind)]


def _platform(document: Any) -> Platform:
    check_names(document, ("name", "pe_names", "bandwidth"), _fields(Platform), "platform.")
    rows = read_list(document["bandwidth"], "platform.bandwidth", "rows")
    out: dict[str, Any] = {
        "name": read_name(document["name"], "platform.name"),
        "pe_names": read_names(document["pe_names"], "platform.pe_names"),
        "bandwidth": [number_row(r, f"platform.bandwidth[{p}]", 0.0) for p, r in enumerate(rows)],
        "link_contention": read_flag(
            document.get("link_contention", False), "platform.link_contention"
        ),
    }
    for name in ("capacity", "busy_power", "idle_power"):
        if document.get(name) is not None:
            out[name] = number_row(document[name], f"platform.{name}")
    return Platform(**out)


def _job(document: Any, where: str) -> Job:
    """Null stands for a PE that can't run a task."""
    check_names(document, ("name", "task_names", "duration", "edge", "volume"), (), f"{where}.")
    names = read_names(document["task_names"], f"{where}.task_names")
    rows = []
    for i, row in enumerate(read_list(document["duration"], f"{where}.duration", "rows")):
        at = f"{where}.duration[{i}]"
        able = [0 if t is None else t for t in read_list(row, at, "times")]
        times = number_row(able, at, 0.0, MAX_TIME)
        rows.append([np.inf if t is None else x for t, x in zip(row, times, strict=True)])
        if len(rows[i]) != len(rows[0]):
            raise InputError(at, f"expected {len(rows[0])} times, found {len(rows[i])}")
    return Job(
        name=read_name(document["name"], f"{where}.name"),
        task_names=names,
        duration=np.array(rows, np.float64),
        edge=read_edges(document["edge"], f"{where}.edge", len(names)),
        volume=np.array(number_row(document["volume"], f"{where}.volume", 0.0, MAX_VOLUME)),
    )
