"""Streams: worlds are loaded into slots, kernels called, schedules taken out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from graphsched.envs.core.arrays import arrays_of, write
from graphsched.envs.soc.features import ccr, lane_slowness, spread
from graphsched.envs.soc.instance import NOISES
from graphsched.envs.soc.physics.tasks import tasks_of
from graphsched.envs.soc.solution import SocSolution
from graphsched.envs.soc.sources.randomness import most_arrivals
from graphsched.envs.soc.stream.kernel import begin_slots, step_slots
from graphsched.envs.soc.stream.pilot import empty_outlook, empty_sight
from graphsched.envs.soc.stream.rows import fill_rows
from graphsched.envs.soc.stream.standing import standing_of_slots
from graphsched.envs.soc.stream.state import RUNNING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from graphsched.envs.core.arrays import Floats, Ints
    from graphsched.envs.core.graph import PackedObs
    from graphsched.envs.core.sim import StepResult
    from graphsched.envs.soc.instance import SocInstance
    from graphsched.envs.soc.options import SocOptions
    from graphsched.envs.soc.physics.tasks import Tasks
    from graphsched.envs.soc.stream.pilot import Outlook, Sight
    from graphsched.envs.soc.stream.state import StreamState

_TASK_ROWS = ("mean", "least", "rank_up", "head", "path", "pred_ptr", "succ_ptr")
_EDGE_ROWS = ("pred", "pred_volume", "succ", "succ_volume")
PATHS = 1.3  # a job's expected latency in units of its least path


def _most_jobs(instance: SocInstance) -> int:
    """Jobs that can enter an episode."""
    assert instance.stream is not None
    stream = instance.stream
    attempts = most_arrivals(instance.seed, stream.mean_gap, stream.horizon, instance.ticks)
    return int(stream.fill + attempts + 1)


def _kinds(instance: SocInstance) -> list[Tasks]:
    return [tasks_of(job, instance.platform, instance.ticks) for job in instance.jobs]


def _scratch(state: StreamState) -> tuple[Sight, Outlook, Outlook]:
    live, size, lanes = state.live.shape[1], state.status.shape[2], state.free.shape[1]
    sight = empty_sight(live, size, state.pred.shape[2], lanes)
    return sight, empty_outlook(live, size, lanes), empty_outlook(live, size, lanes)


class StreamMode:
    """Slots in which jobs keep coming.

    While an episode runs, a completed job pays 1 and a job in the system costs 1 for each reference
    latency that it stays, both over the expected number of jobs. The last reward makes the sum
    ``1 - mean latency / reference``, where the reference is `PATHS` times the jobs' mean least path.
    """

    def __init__(self, options: SocOptions) -> None:
        """Args: options: of the simulator."""
        self.options = options

    def sizes(self, instances: Sequence[SocInstance]) -> dict[str, int]:
        """Room that instances need in the arrays; without any, the least."""
        kinds = [_kinds(instance) for instance in instances]
        every = [tasks for each in kinds for tasks in each]
        return {
            "Q": max((len(each) for each in kinds), default=1),
            "N": max((len(t.mean) for t in every), default=1),
            "P": max((len(t.lane_pe) for t in every), default=1),
            "E": max((len(t.pred) for t in every), default=1),
            "J": max((_most_jobs(i) for i in instances), default=1),
            "K": max((i.stream.max_in_system for i in instances if i.stream), default=1),
            "C": self.options.most_candidates,
        }

    def load(self, state: StreamState, slot: int, instance: SocInstance) -> None:
        """Write a world, in which nothing has happened, into a slot."""
        stream, kinds = instance.stream, _kinds(instance)
        assert stream is not None
        for array in arrays_of(state):
            array[slot] = 0
        share = np.array(stream.mix)
        units = np.array([tasks.least.mean() for tasks in kinds])
        paths = np.array([tasks.path.max() for tasks in kinds])
        reference = max(PATHS * float(share @ paths), 1e-9)
        ratios = [ccr(job, instance.platform, instance.ticks) for job in instance.jobs]
        able = [np.isfinite(tasks.duration) for tasks in kinds]
        values = {
            "lanes": len(kinds[0].lane_pe),
            "kinds": len(kinds),
            "ticks": instance.ticks,
            "noise_kind": NOISES.index(instance.noise.kind),
            "noise": instance.noise.std if instance.noise.kind != "none" else 0.0,
            "contention": instance.platform.link_contention,
            "horizon": stream.horizon,
            "most_live": stream.max_in_system,
            "mean_gap": stream.mean_gap,
            "queues": stream.when_full == "queue",
            "seed": instance.seed,
            "ccr": float(share @ np.array(ratios)),
            "spread": float(share @ np.array([spread(tasks) for tasks in kinds])),
            "unit": max(float(share @ units), 1e-9),
            "scale": max(float(share @ paths), 1e-9),
            "reference": reference,
            "expected": max(stream.horizon * stream.max_in_system / (PATHS * reference), 1.0),
            "running_job": -1,
            "shares": np.cumsum(share),
            "slowness": kinds[0].slowness,
            "lane_pe": kinds[0].lane_pe,
            "lane_slowness": sum(s * lane_slowness(t) for s, t in zip(share, kinds, strict=True)),
            "support": sum(s * a.mean(axis=0) for s, a in zip(share, able, strict=True)),
        }
        write(state, slot, values)
        for q, tasks in enumerate(kinds):
            self._load_kind(state, slot, q, tasks)

    def _load_kind(self, state: StreamState, slot: int, q: int, tasks: Tasks) -> None:
        size, lanes = tasks.duration.shape
        state.size[slot, q] = size
        state.duration[slot, q, :size, :lanes] = tasks.duration
        state.rest[slot, q, :size, :lanes] = tasks.rest
        state.home[slot, q, :size] = tasks.lane_pe[tasks.duration.argmin(axis=1)]
        for name in (*_TASK_ROWS, *_EDGE_ROWS):
            values = getattr(tasks, name)
            getattr(state, name)[slot, q, : len(values)] = values

    def begin(self, state: StreamState, slots: Ints, instances: Sequence[SocInstance]) -> None:
        """Advance loaded slots to their first decisions."""
        options = self.options
        fill = np.array([i.stream.fill for i in instances if i.stream], np.int64)
        begin_slots(state, slots, fill, options.max_ready, options.max_lanes, options.defer)

    def act(self, state: StreamState, slots: Ints, actions: Ints, result: StepResult) -> None:
        """Act in the given slots and fill the result."""
        ready, lanes, defer = self.options.max_ready, self.options.max_lanes, self.options.defer
        outcome = (result.rewards, result.dones, result.elapsed)
        step_slots(state, slots, actions, ready, lanes, defer, *outcome)

    def alive(self, state: StreamState, slot: int, graphs: Ints) -> list[int]:
        """Ids of the graphs of the jobs in the system, each kind once."""
        live = state.live[slot, : state.num_live[slot]]
        return [int(graphs[q]) for q in sorted(set(state.kind[slot, live].tolist()))]

    def fill(
        self, state: StreamState, slots: Ints, blocks: Ints, first_row: Ints, obs: PackedObs
    ) -> None:
        """Fill the rows of blocks (N,), those of waiting slots (N,).

        first_row: (num_slots, kinds) node-table rows of each slot's graphs.
        """
        context = np.empty((len(blocks), obs["context"].shape[1]), np.float32)
        fill_rows(
            state,
            slots,
            self.options.pilot_steps,
            *_scratch(state),
            first_row,
            obs["candidate_ptr"][blocks],
            obs["resource_ptr"][blocks],
            context,
            obs["candidate"],
            obs["candidate_node"],
            obs["candidate_resource"],
            obs["resource"],
            obs["resource_node"],
        )
        obs["context"][blocks] = context

    def standing(self, state: StreamState, slots: Ints, rates: Floats) -> Floats:
        """(N,) what slots cost so far, compared with others of the same episode; rates: (N,)."""
        out = np.empty(len(slots))
        standing_of_slots(state, slots, rates, *_scratch(state), out)
        return out

    def cost(self, state: StreamState, slot: int, instance: SocInstance) -> float:
        """Mean latency of completed jobs; the horizon if there is none."""
        del instance
        completed = int(state.completed[slot])
        if completed == 0:
            return float(state.horizon[slot])
        return float(state.latency[slot]) / completed

    def solution(self, state: StreamState, slot: int, instance: SocInstance) -> SocSolution:
        """The finished schedule: every task that started."""
        jobs = int(state.jobs[slot])
        started = state.status[slot, :jobs] >= RUNNING
        sizes = state.size[slot, state.kind[slot, :jobs]]
        started &= np.arange(started.shape[1]) < sizes[:, None]
        job, task = np.nonzero(started)
        return SocSolution(
            state.kind[slot, :jobs].copy(),
            state.arrival[slot, :jobs].copy(),
            job,
            task,
            state.lane_pe[slot, state.lane[slot, job, task]].copy(),
            state.start[slot, job, task].copy(),
            state.end[slot, job, task].copy(),
            self.cost(state, slot, instance),
        )
