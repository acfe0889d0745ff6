"""Checks schedules against their instance, independently of the simulator."""

from __future__ import annotations

from heapq import heappop, heappush
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from graphsched.envs.core.domain import Violation
from graphsched.envs.soc.instance import NOISES
from graphsched.envs.soc.sources import randomness

if TYPE_CHECKING:
    from graphsched.envs.soc.instance import Job, SocInstance
    from graphsched.envs.soc.solution import SocSolution

TOLERANCE = 1e-6
ROUNDING = 1e-15  # a few units in the last place


def _unit(instance: SocInstance) -> float:
    """What tolerances are relative to at the least: the longest execution time, if below 1."""
    longest = max(float(job.duration[np.isfinite(job.duration)].max()) for job in instance.jobs)
    return min(longest, 1.0) or 1.0


def _close(a: float, b: float, unit: float) -> bool:
    return abs(a - b) <= TOLERANCE * max(unit, abs(a), abs(b))


def _after(a: float, b: float, unit: float) -> bool:
    """Whether a is not before b."""
    return a >= b - TOLERANCE * max(unit, abs(a), abs(b))


def check(instance: SocInstance, solution: SocSolution) -> list[Violation]:
    """Every rule that a schedule breaks; empty if it is feasible and its cost is right."""
    out = _check_rows(instance, solution)
    if out:
        return out  # the rest would only repeat it
    out += _check_arrivals(instance, solution)
    out += _check_inputs(instance, solution)
    out += _check_lanes(instance, solution)
    if instance.stream and instance.platform.link_contention:
        out += _check_links(instance, solution)
    derived = _cost(instance, solution)
    if not _close(derived, solution.cost, _unit(instance)):
        out.append(Violation("cost", f"claimed {solution.cost}, found {derived}"))
    return out


def _label(instance: SocInstance, solution: SocSolution, r: int) -> str:
    job = instance.jobs[int(solution.kind[solution.job[r]])]
    name = job.task_names[int(solution.task[r])]
    return f"task {name} of job {int(solution.job[r])}" if instance.stream else f"task {name}"


def _check_rows(instance: SocInstance, solution: SocSolution) -> list[Violation]:
    """Ranges, every task at most once (exactly once if static), supported PEs, actual durations."""
    out, seen, unit = [], set(), _unit(instance)
    for r, (n, i, p) in enumerate(
        zip(solution.job.tolist(), solution.task.tolist(), solution.pe.tolist(), strict=True)
    ):
        if not 0 <= n < len(solution.kind) or not 0 <= solution.kind[n] < len(instance.jobs):
            out.append(Violation("unknown", f"row {r}: there is no job {n}"))
            continue
        job = instance.jobs[int(solution.kind[n])]
        if not 0 <= i < job.num_tasks or not 0 <= p < instance.platform.num_pes:
            out.append(Violation("unknown", f"row {r}: there is no task {i} or no PE {p}"))
            continue
        label = _label(instance, solution, r)
        if (n, i) in seen:
            out.append(Violation("repeated", f"{label} runs more than once"))
        seen.add((n, i))
        out += _check_duration(instance, solution, r, label, float(job.duration[i, p]), unit)
    if instance.stream is None:
        missing = instance.jobs[0].num_tasks - len(seen)
        if missing or len(solution.kind) != 1:
            out.append(Violation("missing", f"{missing} tasks of the job do not run"))
    return out


def _check_duration(
    instance: SocInstance, solution: SocSolution, r: int, label: str, mean: float, unit: float
) -> list[Violation]:
    start, end = float(solution.start[r]), float(solution.end[r])
    if not np.isfinite(mean):
        name = instance.platform.pe_names[int(solution.pe[r])]
        return [Violation("unsupported", f"{label} can't run on {name}")]
    if start < 0:
        return [Violation("early", f"{label} starts at {start}, before time 0")]
    noise = NOISES.index(instance.noise.kind)
    n, i = int(solution.job[r]), int(solution.task[r])
    actual = randomness.duration(instance.seed, n, i, mean, noise, instance.noise.std)
    allowed = TOLERANCE * max(unit, end - start, actual)
    if abs(end - start - actual) <= allowed + ROUNDING * abs(end):
        return []
    return [Violation("duration", f"{label} runs for {end - start}, expected {actual}")]


def _check_arrivals(instance: SocInstance, solution: SocSolution) -> list[Violation]:
    """Jobs are those that the world sends, when the system has room for them."""
    arrival = solution.arrival.tolist()
    if instance.stream is None:
        return [Violation("arrival", "the job arrives at 0")] if arrival != [0.0] else []
    out = []
    stream = instance.stream
    shares = np.cumsum(np.array(stream.mix))
    for n, kind in enumerate(solution.kind.tolist()):
        expected = randomness.kind(instance.seed, n, shares)
        if kind != expected:
            out.append(Violation("kind", f"job {n} is of kind {kind}, expected {expected}"))
    expected_times = _entries(instance, _departures(instance, solution))
    unit, both = _unit(instance), min(len(expected_times), len(arrival))
    n = next((k for k in range(both) if not _close(expected_times[k], arrival[k], unit)), both)
    if n < max(len(expected_times), len(arrival)):
        found = arrival[n] if n < len(arrival) else "none"
        wanted = expected_times[n] if n < len(expected_times) else "none"
        out.append(Violation("arrival", f"job {n} enters at {found}, expected {wanted}"))
    return out


def _ended(instance: SocInstance, solution: SocSolution) -> list[float]:
    """When each job is complete; inf if it is not by the horizon."""
    ends: list[list[float]] = [[] for _ in solution.kind]
    for n, end in zip(solution.job.tolist(), solution.end.tolist(), strict=True):
        ends[n].append(end)
    sizes = [instance.jobs[k].num_tasks for k in solution.kind.tolist()]
    horizon = instance.stream.horizon if instance.stream else np.inf
    whole = [len(e) == size and max(e) <= horizon for e, size in zip(ends, sizes, strict=True)]
    return [max(e) if good else np.inf for e, good in zip(ends, whole, strict=True)]


def _departures(instance: SocInstance, solution: SocSolution) -> list[tuple[float, bool]]:
    """When complete jobs leave, in order, and whether others arrive before that at this moment.

    They do if the job ends with a task that takes no time: it begins when all that happens at the
    moment has happened, and ends after it.
    """
    ended = _ended(instance, solution)
    rows = zip(solution.job.tolist(), solution.start.tolist(), solution.end.tolist(), strict=True)
    late = {n for n, start, end in rows if start >= end >= ended[n]}
    return sorted((end, n in late) for n, end in enumerate(ended) if np.isfinite(end))


def _entries(instance: SocInstance, leaving: list[tuple[float, bool]]) -> list[float]:
    """When jobs enter, given when those before them leave."""
    stream = instance.stream
    assert stream is not None
    entries = [0.0] * min(stream.fill, stream.max_in_system)
    draws, outside, now = 0, 0, 0.0
    gone = 0
    while True:
        end, late = leaving[gone] if gone < len(leaving) else (np.inf, False)
        if min(now, end) > stream.horizon or (now >= stream.horizon and end > stream.horizon):
            return entries
        if end < now or (end == now and not late):
            gone += 1
            if outside:
                outside -= 1
                entries.append(end)
            continue
        pause = 0.0
        if len(entries) - gone < stream.max_in_system:
            entries.append(now)
        elif stream.when_full == "queue":
            outside += 1
        else:
            pause = 1.0 if instance.ticks else 0.0
        now += pause + randomness.gap(instance.seed, draws, stream.mean_gap, instance.ticks)
        draws += 1


def _check_inputs(instance: SocInstance, solution: SocSolution) -> list[Violation]:
    """A task starts after its job has entered and its inputs have arrived."""
    row = {
        (n, i): r
        for r, (n, i) in enumerate(zip(solution.job.tolist(), solution.task.tolist(), strict=True))
    }
    out, unit = [], _unit(instance)
    for (n, i), r in row.items():
        job = instance.jobs[int(solution.kind[n])]
        start = float(solution.start[r])
        label = _label(instance, solution, r)
        if not _after(start, float(solution.arrival[n]), unit):
            entered = float(solution.arrival[n])
            out.append(
                Violation("early", f"{label} starts at {start}, its job enters at {entered}")
            )
        for ready, source in _inputs(instance, solution, job, row, n, i, r):
            if not _after(start, ready, unit):
                problem = f"{label} starts at {start}, data of task {source} is there at {ready}"
                out.append(Violation("precedence", problem))
    return out


def _inputs(
    instance: SocInstance,
    solution: SocSolution,
    job: Job,
    row: dict[tuple[int, int], int],
    n: int,
    i: int,
    r: int,
) -> list[tuple[float, str]]:
    """When the data of each predecessor is there, and the predecessor's name."""
    out = []
    ptr, preds, volumes = job.predecessors
    for j, volume in zip(
        preds[ptr[i] : ptr[i + 1]].tolist(), volumes[ptr[i] : ptr[i + 1]].tolist(), strict=True
    ):
        source = row.get((n, j))
        if source is None:
            out.append((np.inf, job.task_names[j]))
            continue
        p, q = int(solution.pe[source]), int(solution.pe[r])
        time = _transfer(instance, volume, p, q)
        out.append((float(solution.end[source]) + time, job.task_names[j]))
    return out


def _transfer(instance: SocInstance, volume: float, p: int, q: int) -> float:
    """Time of data from one PE to another; said again here, since the simulator may be wrong."""
    time = volume / float(instance.platform.bandwidth[p, q]) if p != q else 0.0
    return float(np.floor(time + 1e-9)) if instance.ticks else time


def _check_lanes(instance: SocInstance, solution: SocSolution) -> list[Violation]:
    """No PE runs more tasks at once than it can."""
    assert instance.platform.capacity is not None
    out, unit = [], _unit(instance)
    for p, name in enumerate(instance.platform.pe_names):
        rows = np.flatnonzero(solution.pe == p)
        rows = rows[solution.end[rows] > solution.start[rows]]
        begins = [(float(solution.start[r]), 1, int(r)) for r in rows]
        early = np.maximum(TOLERANCE * unit, ROUNDING * np.abs(solution.end))
        ends = [(float(solution.end[r] - early[r]), -1, int(r)) for r in rows]
        running = 0
        for (time, change, r), _ in pairwise([*sorted(begins + ends), (np.inf, 0, -1)]):
            running += change
            if running > instance.platform.capacity[p]:
                label = _label(instance, solution, r)
                out.append(Violation("overlap", f"{label} starts at {time} while {name} is busy"))
                break
    return out


def _check_links(instance: SocInstance, solution: SocSolution) -> list[Violation]:
    """A link can carry what it has to between the ends of tasks and the starts of others.

    Schedules don't say when data travels: a link is in order if all arrives in time when the most
    urgent transfer always goes first, and may be interrupted, which is no harder than the rule.
    """
    links: dict[tuple[int, int], list[tuple[float, float, float]]] = {}
    row = {
        (n, i): r
        for r, (n, i) in enumerate(zip(solution.job.tolist(), solution.task.tolist(), strict=True))
    }
    for n, kind in enumerate(solution.kind.tolist()):
        job = instance.jobs[kind]
        for (j, i), volume in zip(job.edge.T.tolist(), job.volume.tolist(), strict=True):
            source, target = row.get((n, j)), row.get((n, i))
            if source is None or target is None or solution.pe[source] == solution.pe[target]:
                continue
            p, q = int(solution.pe[source]), int(solution.pe[target])
            time = _transfer(instance, volume, p, q)
            window = (float(solution.end[source]), float(solution.start[target]), time)
            links.setdefault((p, q), []).append(window)
    names = instance.platform.pe_names
    unit = _unit(instance)
    late = [(pair, _latest(transfers, unit)) for pair, transfers in links.items()]
    return [
        Violation("link", f"{names[p]} to {names[q]} can't carry all of its data by {time}")
        for (p, q), time in late
        if time is not None
    ]


def _latest(transfers: list[tuple[float, float, float]], unit: float = 1.0) -> float | None:
    """First deadline that is missed, of (release, deadline, length); None if none is."""
    coming, now = sorted(transfers, reverse=True), 0.0
    urgent: list[tuple[float, float]] = []
    while coming or urgent:
        if not urgent:
            now = max(now, coming[-1][0])
        while coming and coming[-1][0] <= now:
            _, deadline, length = coming.pop()
            heappush(urgent, (deadline, length))
        deadline, length = heappop(urgent)
        until = min(now + length, coming[-1][0] if coming else np.inf)
        if until < now + length:
            heappush(urgent, (deadline, length - (until - now)))
        elif not _after(deadline, until, unit):
            return deadline
        now = until
    return None


def _cost(instance: SocInstance, solution: SocSolution) -> float:
    if instance.stream is None:
        return float(solution.end.max())
    latency = [
        end - entered
        for end, entered in zip(_ended(instance, solution), solution.arrival.tolist(), strict=True)
        if np.isfinite(end)
    ]
    return sum(latency) / len(latency) if latency else instance.stream.horizon
