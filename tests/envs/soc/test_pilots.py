"""Pilots of a stream see what a plain play-out of the same rules gives, at decisions amid episodes."""

from __future__ import annotations

from math import floor, inf, log
from typing import Any

import numpy as np
import pytest

from graphsched.envs.soc.features import CAND
from graphsched.envs.soc.generators import GENERATORS
from graphsched.envs.soc.options import SocOptions
from graphsched.envs.soc.physics.tasks import tasks_of
from graphsched.envs.soc.simulator import SocSim
from graphsched.envs.soc.stream.state import ASSIGNED, FINISHED, RUNNING

NEAR: dict[str, Any] = {"rel": 1e-5, "abs": 1e-4}  # rows are float32
LIMIT = 20.0
ORDERS = ("eft", "second", "straight", "oldest")


class Situation:
    """What a slot's scheduler knows, in plain lists and dictionaries; lanes are grouped by PE."""

    def __init__(self, sim, world):
        s = sim.state.stream
        self.clock, self.ticks = float(s.clock[0]), world.ticks
        lanes = s.lane_pe[0, : s.lanes[0]].tolist()
        self.lanes = [
            [p for p, pe in enumerate(lanes) if pe == e] for e in range(world.platform.num_pes)
        ]
        self.free = {p: max(float(s.free[0, p]), self.clock) for p in range(len(lanes))}
        self.bandwidth = world.platform.bandwidth.tolist()
        self.jobs = s.live[0, : s.num_live[0]].tolist()
        self.arrived = [float(s.arrival[0, n]) for n in self.jobs]
        kinds = [int(s.kind[0, n]) for n in self.jobs]
        self.job = [world.jobs[q] for q in kinds]
        self.tasks = [tasks_of(job, world.platform, world.ticks) for job in self.job]
        self.unit, self.scale = float(s.unit[0]), float(s.scale[0])
        self.durations = [job.duration.tolist() for job in self.job]
        self.inputs: dict[Any, list[Any]] = {
            (k, i): [] for k, job in enumerate(self.job) for i in range(job.num_tasks)
        }
        for k, job in enumerate(self.job):
            for (a, b), volume in zip(job.edge.T.tolist(), job.volume.tolist(), strict=True):
                self.inputs[k, b].append(((k, a), volume))
        self.arrivals: dict[Any, float] = {}  # of the play-out under way
        self.placed, self.going = {}, []
        self.statuses = set()
        for k, n in enumerate(self.jobs):
            for i in range(self.job[k].num_tasks):
                p, status = int(s.lane[0, n, i]), int(s.status[0, n, i])
                self.statuses.add(status)
                if p < 0:
                    continue
                length = float(self.job[k].duration[i, lanes[p]])
                if status == FINISHED:
                    end = float(s.end[0, n, i])
                elif status == RUNNING:
                    end = max(float(s.start[0, n, i]) + length, self.clock)
                else:
                    end = max(float(s.data_at[0, n, i]) + length, float(s.free[0, p]))
                self.placed[k, i] = lanes[p], end
                if status != FINISHED:
                    self.going.append((k, i))

    def duration(self, task, pe):
        return self.durations[task[0]][task[1]][pe]

    def rest(self, task, pe):
        k, i = task
        return float(self.tasks[k].rest[i, self.lanes[pe][0]])

    def arrival(self, task, pe, placed):
        if (task, pe) not in self.arrivals:
            out = self.clock
            for source, volume in self.inputs[task]:
                at, end = placed[source]
                time = 0.0 if at == pe else volume * (1.0 / self.bandwidth[at][pe])
                out = max(out, end + (floor(time + 1e-9) if self.ticks else time))
            self.arrivals[task, pe] = out
        return self.arrivals[task, pe]

    def ready(self, placed):
        return [
            task
            for task, inputs in self.inputs.items()
            if task not in placed and all(source in placed for source, _ in inputs)
        ]

    def best(self, task, straight, placed, free):
        """Value, PE and finish of a task on the PE that is best for it."""
        out = inf, -1, inf
        for pe, lanes in enumerate(self.lanes):
            begin = max(self.arrival(task, pe, placed), min(free[p] for p in lanes))
            finish = begin + self.duration(task, pe)
            value = finish + self.rest(task, pe) if straight else finish
            if value < out[0]:
                out = value, pe, finish
        return out

    def play(self, candidate, order, steps):
        """Sum of the jobs' ends after a candidate (task, lane, end), or after waiting if None."""
        placed, free = dict(self.placed), dict(self.free)
        straight = order == "straight"
        self.arrivals = {}

        def place(task, pe, lane, end):
            placed[task] = pe, end
            free[lane] = max(free[lane], end)

        if candidate:
            task, lane, end = candidate
            (pe,) = (e for e, lanes in enumerate(self.lanes) if lane in lanes)
            place(task, pe, lane, end)
        for _ in range(steps):
            choices = []
            for task in self.ready(placed):
                value, pe, finish = self.best(task, straight, placed, free)
                path = float(self.tasks[task[0]].path[task[1]])
                first = {"second": (-path,), "oldest": (task[0], -path)}.get(order, (value,))
                choices.append((first, task, pe, finish))
            if not choices:
                break
            _, task, pe, finish = min(choices)
            at = self.arrival(task, pe, placed)
            idle = [p for p in self.lanes[pe] if free[p] <= at]
            if idle:
                lane = max(idle, key=lambda p: free[p])
            else:
                lane = min(self.lanes[pe], key=lambda p: free[p])
            place(task, pe, lane, finish)
        ends = [self.clock] * len(self.job)
        for (k, _), (_, end) in placed.items():
            ends[k] = max(ends[k], end)
        for task in self.ready(placed):
            _, pe, finish = self.best(task, straight, placed, free)
            ends[task[0]] = max(ends[task[0]], finish + self.rest(task, pe))
        self.arrivals = {}
        return sum(ends)

    def bounds(self):
        """Least end of each job."""
        out = [self.clock] * len(self.job)
        for task in self.going:
            pe, end = self.placed[task]
            out[task[0]] = max(out[task[0]], end + self.rest(task, pe))
        for task in self.ready(self.placed):
            value, _, _ = self.best(task, True, self.placed, self.free)
            out[task[0]] = max(out[task[0]], value)
        return out

    def harm(self, candidate):
        """What earliest finishes of the other ready tasks lose by a candidate, in sum."""
        task, lane, end = candidate
        taken = self.free | {lane: end}
        lost = 0.0
        for other in self.ready(self.placed):
            if other != task:
                before = self.best(other, False, self.placed, self.free)[2]
                lost += self.best(other, False, self.placed, taken)[2] - before
        return lost

    def demand(self, lane):
        """Least work of what has no lane yet and is quickest on this lane's PE, for each lane."""
        total = 0.0
        for k, job in enumerate(self.job):
            for i, row in enumerate(job.duration):
                if (k, i) not in self.placed and lane in self.lanes[int(row.argmin())]:
                    total += float(row.min())
        (lanes,) = (lanes for lanes in self.lanes if lane in lanes)
        return total / len(lanes)


def candidates_of(sim, situation):
    """(task, lane, end) of each candidate, None for the one that waits."""
    s = sim.state.stream
    out: list[tuple[Any, int, float] | None] = []
    for c in range(s.num_candidates[0]):
        n, p = int(s.job[0, c]), int(s.where[0, c])
        if n < 0:
            out.append(None)
            continue
        task = situation.jobs.index(n), int(s.task[0, c])
        (pe,) = (e for e, lanes in enumerate(situation.lanes) if p in lanes)
        end = max(situation.arrival(task, pe, situation.placed), situation.free[p])
        out.append((task, p, end + situation.duration(task, pe)))
    return out


def compare(rows, sim, world, steps):
    situation = Situation(sim, world)
    candidates = candidates_of(sim, situation)
    unit = situation.unit

    def close(column, expected):
        clipped = [min(max(value, -LIMIT), LIMIT) for value in expected]
        assert rows[:, getattr(CAND, column)].tolist() == pytest.approx(clipped, **NEAR), column

    ends = np.array([[situation.play(c, order, steps) for order in ORDERS] for c in candidates])
    over = (ends - ends.min(axis=0)) / unit
    for k, order in enumerate(ORDERS):
        close(f"pilot_{order}_over_best", over[:, k])
    best = ends.min(axis=1)
    close("pilot_over_best", (best - best.min()) / unit)
    close("pilot_mean_over_best", (ends.mean(axis=1) - ends.mean(axis=1).min()) / unit)
    close("pilot_wins", (over <= 0.0).mean(axis=1))
    close("pilot", (best / len(situation.job) - situation.clock) / situation.scale)
    bounds = situation.bounds()
    for c, candidate in enumerate(candidates):
        if candidate is None:
            continue
        (k, _), lane, _ = candidate
        one = {
            "harm": situation.harm(candidate) / unit,
            "demand": log(1 + situation.demand(lane) / unit),
            "job_latency": (bounds[k] - situation.arrived[k]) / situation.scale,
            "job_rest": (bounds[k] - min(bounds)) / situation.scale,
        }
        for column, value in one.items():
            expected = pytest.approx(min(value, LIMIT), **NEAR)
            assert rows[c, getattr(CAND, column)] == expected, (column, c)
    return situation


AMID = range(10, 140, 20)  # decisions that are looked at
SHORT = [("wide", "12", 2), ("wide", "12", 117), ("ds3gym-mix", "0.5@500", 2)]  # 117: close paths
LONG = [("ds3-default-soc", "0.5@2000@40", 1), *(("wide", "12", seed) for seed in (0, 1, 3, 4))]
WORLDS = [*SHORT, *(pytest.param(*one, marks=pytest.mark.compiled) for one in LONG)]


@pytest.mark.parametrize("steps", [4, 10_000])
@pytest.mark.parametrize(("name", "size", "seed"), WORLDS)
def test_pilots_are_what_a_plain_play_out_gives(name, size, seed, steps):
    """To the end, and cut short; the other columns that look ahead go with them."""
    world = GENERATORS[name](np.random.default_rng(seed), size)
    options = SocOptions(max_ready=3, max_lanes=2, pilot_steps=steps, defer=True)
    sim, rng = SocSim(1, options), np.random.default_rng(seed)
    sim.reset([0], [world], [0])
    seen: set[int] = set()
    compared = 0
    for decision in range(max(AMID) + 1):
        obs = sim.observe()
        if not len(obs["slot"]):
            break
        s = sim.state.stream
        running = (s.running_job[0, : s.lanes[0]] >= 0).any()
        if decision in AMID and running:
            seen |= compare(obs["candidate"], sim, world, steps).statuses
            compared += 1
        sim.step(rng.integers(0, np.diff(obs["candidate_ptr"])))
    assert compared >= 2
    assert {RUNNING, FINISHED} <= seen


def test_the_worlds_have_what_is_peculiar():
    """Queues, several lanes of a PE and several jobs are met by the test above."""
    queued, twins, jobs = 0, 0, 0
    for name, size, seed in SHORT + LONG:
        world = GENERATORS[name](np.random.default_rng(seed), size)
        assert world.platform.capacity is not None
        twins += int(world.platform.capacity.max() > 1)
        sim, rng = SocSim(1, SocOptions(3, 2, 0, defer=True)), np.random.default_rng(seed)
        sim.reset([0], [world], [0])
        for decision in range(max(AMID) + 1):
            obs = sim.observe()
            if not len(obs["slot"]):
                break
            if decision in AMID:
                s = sim.state.stream
                queued += int((s.status[0, s.live[0, : s.num_live[0]]] == ASSIGNED).any())
                jobs += int(s.num_live[0] > 2)
            sim.step(rng.integers(0, np.diff(obs["candidate_ptr"])))
    assert min(queued, jobs) > 10
    assert twins > 3
