"""Reader for DS3's text files: a job (``job_*.txt``), and the SoC (``SoC.*.txt``) beside it.

A job file names tasks, predecessors and volumes; an SoC file names resources, what they run and how
long, and the bandwidth between them. The SoC of a job is the only ``SoC.*.txt`` in its folder, or
the file named after a plus sign: ``job.txt+SoC.txt``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from graphsched.envs.core.errors import InputError
from graphsched.envs.core.parts.reading import integer, read_lines, real, within
from graphsched.envs.soc.instance import (
    MAX_SERVERS,
    MAX_TIME,
    MAX_VOLUME,
    Job,
    Platform,
    SocInstance,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

MEMORY = "MEM"
# of DVFS, power, heat and the network on chip, which the simulator doesn't model
_SKIPPED = {
    "opp", "trip_freq", "DTPM_trip_freq", "PG_profile", "mesh_information", "comm_band_self"
}  # fmt: skip


@dataclass
class _Resource:
    name: str
    capacity: int
    watts: float | None = None
    times: dict[str, float] = field(default_factory=dict)
    memory: bool = False


def _lines(path: Path) -> Iterator[tuple[str, list[str]]]:
    """Place and words of each line that says something."""
    for where, line in read_lines(path):
        words = line.split("#")[0].split()
        if words:
            yield where, words


def _words(words: list[str], count: int, where: str) -> list[str]:
    if len(words) < count:
        raise InputError(where, f"expected {count} words, found {len(words)}: the line is cut")
    return words


def read_soc(path: Path) -> tuple[Platform, list[dict[str, float]]]:
    """Platform, and for each PE the time of every task that it runs; raises InputError."""
    resources: dict[int, _Resource] = {}
    band: dict[tuple[int, int], float] = {}
    current: _Resource | None = None
    for where, words in _lines(path):
        if words[0] == "add_new_resource":
            pairs = dict(zip(words[1::2], words[2::2], strict=False))
            name, number = pairs.get("resource_name"), pairs.get("resource_ID")
            if name is None or number is None:
                raise InputError(where, "expected resource_name and resource_ID: the line is cut")
            current = _Resource(name, _capacity(pairs.get("capacity", "1"), where))
            current.memory = MEMORY in (pairs.get("resource_type"), pairs.get("resoruce_type"))
            resources[integer(number, where)] = current
        elif words[0] == "comm_band":
            _words(words, 4, where)
            p, q = integer(words[1], where), integer(words[2], where)
            band[p, q] = real(words[3], where)
            if band[p, q] == 0 and p != q:
                raise InputError(where, "expected a bandwidth > 0, found 0")
        elif words[0] in _SKIPPED:
            continue
        elif current is None:
            raise InputError(where, f"expected add_new_resource first, found {words[0]!r:.40}")
        elif words[0] == "power_profile":
            current.watts = real(_words(words, 3, where)[-1], where) / current.capacity
        elif words[0] == "capacity":
            current.capacity = _capacity(_words(words, 2, where)[1], where)
        elif not current.memory:
            current.times[words[0]] = _time(words, where)
    return within(path, lambda: _platform(path.stem, resources, band))


def _capacity(word: str, where: str) -> int:
    return integer(word, f"{where}, capacity", 1, MAX_SERVERS)


def _time(words: list[str], where: str) -> float:
    """How long a resource takes for a task; raises InputError for a setting that isn't known."""
    _words(words, 2, where)
    try:
        return real(words[1], where, 0.0, MAX_TIME)
    except InputError:
        expected = "expected a task and its time, or a known setting"
        raise InputError(where, f"{expected}, found {' '.join(words)!r:.60}") from None


def _platform(
    name: str, resources: dict[int, _Resource], band: dict[tuple[int, int], float]
) -> tuple[Platform, list[dict[str, float]]]:
    """Between PEs without a link of their own data goes through the memory: the slower half counts."""
    ids = [i for i, resource in sorted(resources.items()) if not resource.memory]
    memory = next((i for i, resource in resources.items() if resource.memory), None)
    if not ids:
        raise InputError("add_new_resource", "expected lines of it, found none")
    if len(ids) > MAX_SERVERS:
        raise InputError("add_new_resource", f"expected at most {MAX_SERVERS}, found {len(ids)}")

    def link(p: int, q: int) -> float | None:
        return band.get((p, q), band.get((q, p)))

    bandwidth = np.ones((len(ids), len(ids)))
    for a, p in enumerate(ids):
        for b, q in enumerate(ids):
            if a == b:
                continue
            direct = link(p, q)
            if direct is None and memory is not None:
                halves = (link(p, memory), link(q, memory))
                direct = None if None in halves else min(h for h in halves if h is not None)
            if direct is None:
                raise InputError(f"resource {p}", f"no comm_band between resources {p} and {q}")
            bandwidth[a, b] = direct
    chosen = [resources[i] for i in ids]
    watts = [r.watts for r in chosen if r.watts is not None]
    platform = Platform(
        name,
        tuple(r.name for r in chosen),
        bandwidth,
        np.array([r.capacity for r in chosen], float),
        busy_power=np.array(watts) if len(watts) == len(chosen) else None,
    )
    return platform, [r.times for r in chosen]


def read_ds3(path: Path) -> SocInstance:
    """A DS3 job on the SoC beside it, or on that of ``job.txt+SoC.txt``.

    Raises:
        InputError: naming file and line.
    """
    job, plus, soc = str(path).rpartition("+")
    path = Path(job) if plus else path
    beside = [Path(soc)] if plus else sorted(path.parent.glob("SoC.*.txt"))
    if len(beside) != 1:
        problem = f"expected one SoC.*.txt beside it, found {len(beside)}; name it: {path}+SOC"
        raise InputError(path, problem)
    names, preds, volumes, title = _read_job(path)
    platform, times = read_soc(beside[0])
    for name in names:
        if not any(name in run for run in times):
            raise InputError(
                beside[0], f"runs no task {name!r:.40} of {path}; is it the job's SoC?"
            )
    duration = np.array([[run.get(name, np.inf) for run in times] for name in names], float)
    edges = [(j, i) for i, before in enumerate(preds) for j in before]
    missing = [pair for pair in edges if pair not in volumes]
    if missing:
        raise InputError(path, f"no comm_vol for {missing[0][0]} to {missing[0][1]}, expected one")
    return within(path, lambda: _instance(title, names, edges, volumes, platform, duration))


def _instance(
    title: str,
    names: list[str],
    edges: list[tuple[int, int]],
    volumes: dict[tuple[int, int], float],
    platform: Platform,
    duration: NDArray[np.float64],
) -> SocInstance:
    job = Job(
        title,
        tuple(names),
        duration.reshape(len(names), platform.num_pes),
        np.array(edges, np.int64).reshape(-1, 2).T.copy(),
        np.array([volumes[pair] for pair in edges], float),
    )
    return SocInstance(title, platform, (job,), ticks=True)


def _read_job(
    path: Path,
) -> tuple[list[str], list[list[int]], dict[tuple[int, int], float], str]:
    """Task names, predecessors of each, volumes by edge, and the job's name."""
    title, wanted = path.stem, -1
    names: list[str] = []
    preds: list[list[int]] = []
    volumes: dict[tuple[int, int], float] = {}
    for where, words in _lines(path):
        if words[0] == "job_name":
            title = _words(words, 2, where)[1]
        elif words[0] == "add_new_tasks":
            wanted = integer(_words(words, 2, where)[1], where)
        elif words[0] == "comm_vol":
            _words(words, 4, where)
            pair = integer(words[1], where), integer(words[2], where)
            volumes[pair] = real(words[3], where, 0.0, MAX_VOLUME)
        elif wanted < 0:
            raise InputError(where, f"expected add_new_tasks first, found {words[0]!r:.40}")
        elif len(words) > 1 and words[1] not in ("HEAD", "TAIL", "earliest_start"):
            if integer(words[1], where) != len(names):
                raise InputError(where, f"expected task {len(names)}, found {words[1]!r:.40}")
            names.append(words[0])
            preds.append([integer(word, where) for word in words[2:]])
    if len(names) != wanted or not names:
        expected = f"expected {wanted} tasks" if wanted >= 0 else "expected add_new_tasks"
        raise InputError(path, f"{expected}, found {len(names)}")
    for i, before in enumerate(preds):
        for j in before:
            if not 0 <= j < len(names):
                raise InputError(
                    path, f"task {names[i]!r:.40} follows task {j}, which does not exist"
                )
    return names, preds, volumes, title
