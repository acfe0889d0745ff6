"""Of hundreds of faults in honest schedules the checker accepts none that a plain count does not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from graphsched.envs.soc import DOMAIN
from graphsched.envs.soc.instance import NOISES, Noise, Stream
from graphsched.envs.soc.sources import randomness
from tests.mutations import accepted

SLACK = 2e-6  # twice what the checker tolerates
PLANS = ["layered:14x3@1", "fft:", "gauss:12x4@2", "zero"]
STREAMS = ["ds3gym:0@150", "ds3gym-mix:0.5@150", "ds3-default-soc:0@150", "queue", "links", "zero"]


def near(a, b):
    return abs(a - b) <= SLACK * max(1.0, abs(a), abs(b))


def before(a, b):
    return a < b - SLACK * max(1.0, abs(a), abs(b))


def plain_cost(instance, solution):
    """The cost by comparing every task with every other one; None if a rule is broken."""
    columns = (solution.job, solution.task, solution.pe, solution.start, solution.end)
    rows = {(n, i): (p, s, e) for n, i, p, s, e in zip(*(c.tolist() for c in columns), strict=True)}
    good = len(rows) == len(solution.job) and all(
        _runs(instance, solution, *r) for r in rows.items()
    )
    if not good or not _lanes(instance, rows) or not _links(instance, solution, rows):
        return None
    if instance.stream is None:
        whole = len(rows) == instance.jobs[0].num_tasks and solution.arrival.tolist() == [0.0]
        return max(e for _, _, e in rows.values()) if whole else None
    return _latency(instance, solution, rows)


def _runs(instance, solution, key, row):
    """Whether a task runs where it can, for as long as it must, after its job has come."""
    (n, i), (p, start, end) = key, row
    mean = float(instance.jobs[int(solution.kind[n])].duration[i, p])
    noise = NOISES.index(instance.noise.kind)
    actual = randomness.duration(instance.seed, n, i, mean, noise, instance.noise.std)
    entered = float(solution.arrival[n])
    return np.isfinite(mean) and near(end - start, actual) and not before(start, max(entered, 0.0))


def _lanes(instance, rows):
    """Whether at no task's start too many run on its PE."""
    spans = [(p, s, e) for p, s, e in rows.values() if e > s]
    for p, at, _ in spans:
        running = sum(q == p and s <= at and before(at, e) for q, s, e in spans)
        if running > instance.platform.capacity[p]:
            return False
    return True


def _links(instance, solution, rows):
    """Whether data arrives in time; where links are shared, by the load of every interval."""
    links: dict[Any, list[Any]] = {}
    for (n, i), (q, start, _) in rows.items():
        job = instance.jobs[int(solution.kind[n])]
        for j, k, volume in zip(*job.edge.tolist(), job.volume.tolist(), strict=True):
            if k != i:
                continue
            if (n, j) not in rows:
                return False
            p, _, end = rows[n, j]
            time = volume / instance.platform.bandwidth[p, q] if p != q else 0.0
            time = np.floor(time + 1e-9) if instance.ticks else time
            if before(start, end + time):
                return False
            links.setdefault((p, q), []).append((end, start, time))
    shared = instance.stream and instance.platform.link_contention
    return not shared or all(_fits(moves) for (p, q), moves in links.items() if p != q)


def _fits(moves):
    for low, _, _ in moves:
        for _, high, _ in moves:
            load = sum(time for begin, end, time in moves if begin >= low and end <= high)
            if load > 0 and before(high, low + load):
                return False
    return True


def _latency(instance, solution, rows):
    """Mean latency, if jobs have come when there was room for them."""
    stream, complete, late = instance.stream, {}, set()
    for n, kind in enumerate(solution.kind.tolist()):
        mine = [(e, s) for (m, _), (_, s, e) in rows.items() if m == n]
        last = max(mine, default=(np.inf, 0.0))[0]
        if len(mine) == instance.jobs[kind].num_tasks and last <= stream.horizon:
            complete[n] = last
            late |= {n} if any(s == e == last for e, s in mine) else set()
        if kind != randomness.kind(instance.seed, n, np.cumsum(np.array(stream.mix))):
            return None
    leaving = [(t, 2 if n in late else 0) for n, t in complete.items()]
    entered = _doors(instance, leaving)
    if len(entered) != len(solution.arrival) or not all(map(near, entered, solution.arrival)):
        return None
    if not complete:
        return stream.horizon
    return float(np.mean([t - solution.arrival[n] for n, t in complete.items()]))


def _doors(instance, leaving):
    """When jobs enter: departures and arrivals one by one, in order of time."""
    stream, at, draws, outside = instance.stream, 0.0, 0, 0
    entered = [0.0] * min(stream.fill, stream.max_in_system)
    inside, left = len(entered), sorted(leaving)
    while left or at < stream.horizon:
        if left and left[0] < (at, 1):
            now, _ = left.pop(0)
            inside -= 1
            if outside:
                outside, inside = outside - 1, inside + 1
                entered.append(now)
            continue
        if at >= stream.horizon:
            at = np.inf
            continue
        pause = 0.0
        if inside < stream.max_in_system:
            inside += 1
            entered.append(at)
        elif stream.when_full == "queue":
            outside += 1
        else:
            pause = float(instance.ticks)
        at += pause + randomness.gap(instance.seed, draws, stream.mean_gap, instance.ticks)
        draws += 1
    return entered


def plan(spec):
    kind, _, size = spec.partition(":")
    instance = DOMAIN.generators["layered" if kind == "zero" else kind](
        np.random.default_rng(3), size
    )
    if kind != "zero":
        return instance
    job = instance.jobs[0]
    times = job.duration.copy()
    times[::3] = 0.0
    return replace(instance, jobs=(replace(job, duration=times),))


def world(spec):
    """A short stream; `queue` lets jobs wait, `links` shares links, `zero` has work of no length."""
    kind, _, size = spec.partition(":")
    made = DOMAIN.generators["ds3gym" if not size else kind](
        np.random.default_rng(3), size or "0@150"
    )
    if kind == "queue":
        stream = Stream(150.0, mean_gap=9.0, when_full="queue")
        return replace(made, stream=stream)
    if kind == "links":
        return replace(made, platform=replace(made.platform, link_contention=True))
    if kind == "zero":
        times = made.jobs[0].duration.copy()
        times[::2] *= 0.0
        times[np.isnan(times)] = np.inf
        job = replace(made.jobs[0], duration=times)
        noise = Noise("lognormal", 0.2)
        return replace(made, jobs=(job,), ticks=False, noise=noise)
    return made


def assert_judged(instance, honest, count, seed):
    assert near(plain_cost(instance, honest), honest.cost)
    for mutant, found in accepted(DOMAIN, instance, honest, count, seed):
        cost = plain_cost(instance, found)
        assert cost is not None, mutant
        assert near(cost, found.cost), mutant


@pytest.mark.parametrize("spec", PLANS)
def test_what_passes_is_a_plan_of_its_makespan(spec):
    instance = plan(spec)
    assert_judged(instance, DOMAIN.baseline("heft")(instance), 500, 1)


@pytest.mark.parametrize("spec", STREAMS)
def test_what_passes_is_a_stream_of_its_latency(spec):
    instance = world(spec)
    assert_judged(instance, DOMAIN.baseline("etf")(instance), 250, 2)
