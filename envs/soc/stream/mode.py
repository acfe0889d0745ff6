"""The streaming mode's slots: loads worlds into the arrays and calls the kernels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from graphsched.envs.core.graph import PackedObs, blank_obs
from graphsched.envs.soc.features import SCHEMA, ccr, lane_slowness
from graphsched.envs.soc.instance import NOISES
from graphsched.envs.soc.physics.tasks import tasks_of
from graphsched.envs.soc.solution import SocSolution
from graphsched.envs.soc.sources.randomness import most_arrivals
from graphsched.envs.soc.stream.kernel import begin_stream, step_stream
from graphsched.envs.soc.stream.pilot import empty_outlook
from graphsched.envs.soc.stream.rows import fill_stream_rows
from graphsched.envs.soc.stream.state import (
    DONE,
    RUNNING,
    WAITING,
    StreamState,
    empty_state,
    grow_state,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from graphsched.envs.core.graph import PackedObs
    from graphsched.envs.soc.instance import SocInstance
    from graphsched.envs.soc.options import SocOptions
    from graphsched.envs.soc.physics.tasks import Tasks

    Ints = NDArray[np.int64]

_TASK_ROWS = ("mean", "rank_up", "rank_down", "pred_ptr", "succ_ptr")
_EDGE_ROWS = ("pred", "pred_volume", "succ", "succ_volume")
PATHS = 1.3  # a job's expected latency in units of its longest path by mean times


def _most_jobs(instance: SocInstance) -> int:
    """Jobs that can enter an episode."""
    assert instance.stream is not None
    stream = instance.stream
    attempts = most_arrivals(instance.seed, stream.mean_gap, stream.horizon, instance.ticks)
    return int(stream.fill + attempts + 1)


class StreamMode:
    """Slots in which jobs keep coming.

    While an episode runs, a completed job pays 1 and a job in the system costs 1 for each reference
    latency that it stays, both over the expected number of jobs. The last reward makes the sum
    ``1 - mean latency / reference``, where the reference is `PATHS` times the jobs' mean longest path.
    """

    def __init__(self, num_slots: int, options: SocOptions) -> None:
        """Args: num_slots: of the simulator. options: of the simulator."""
        self.options = options
        sizes = dict.fromkeys("QNPEJK", 1) | {"C": options.most_candidates}
        self.state = empty_state(num_slots, sizes)
        self._instances: list[SocInstance | None] = [None] * num_slots

    def load(self, slots: Sequence[int], instances: Sequence[SocInstance]) -> None:
        """Start worlds in slots."""
        tasks = [[tasks_of(j, i.platform, i.ticks) for j in i.jobs] for i in instances]
        need = {
            "Q": max(len(kinds) for kinds in tasks),
            "N": max(len(t.mean) for kinds in tasks for t in kinds),
            "P": max(len(kinds[0].lane_pe) for kinds in tasks),
            "E": max(len(t.pred) for kinds in tasks for t in kinds),
            "J": max(_most_jobs(i) for i in instances),
            "K": max(i.stream.max_in_system for i in instances if i.stream),
        }
        self.state = grow_state(self.state, need)
        for slot, instance, kinds in zip(slots, instances, tasks, strict=True):
            self._instances[slot] = instance
            self._load(slot, instance, kinds)
        where = np.asarray(slots, np.int64)
        self._begin(where)
        bare = where[self.state.state[where] == DONE]  # not a single choice: offer the first move
        for slot in bare.tolist():
            k = list(slots).index(slot)
            self._load(slot, instances[k], tasks[k])
            self.state.offer_first[slot] = 1
        self._begin(bare)

    def _begin(self, slots: Ints) -> None:
        options = self.options
        streams = [self._instances[slot].stream for slot in slots.tolist()]
        fill = np.array([stream.fill for stream in streams if stream], np.int64)
        begin_stream(self.state, slots, fill, options.max_ready, options.max_lanes, options.defer)

    def _load(self, slot: int, instance: SocInstance, kinds: list[Tasks]) -> None:
        stream, state = instance.stream, self.state
        assert stream is not None
        for array in state:
            array[slot] = 0
        share = np.array(stream.mix)
        units = np.array([tasks.mean.mean() for tasks in kinds])
        paths = np.array([tasks.rank_up.max() for tasks in kinds])
        lanes = len(kinds[0].lane_pe)
        reference = max(PATHS * float(share @ paths), 1e-9)
        ratios = [ccr(job, instance.platform, instance.ticks) for job in instance.jobs]
        for name, value in {
            "lanes": lanes,
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
            "mean_slowness": kinds[0].slowness.mean(),
            "ccr": float(share @ np.array(ratios)),
            "unit": max(float(share @ units), 1e-9),
            "scale": max(float(share @ paths), 1e-9),
            "reference": reference,
            "expected": max(stream.horizon * stream.max_in_system / (PATHS * reference), 1.0),
            "running_job": -1,
        }.items():
            getattr(state, name)[slot] = value
        state.shares[slot, : len(kinds)] = np.cumsum(share)
        state.slowness[slot, :lanes, :lanes] = kinds[0].slowness
        state.lane_pe[slot, :lanes] = kinds[0].lane_pe
        state.lane_slowness[slot, :lanes] = sum(
            s * lane_slowness(t) for s, t in zip(share, kinds, strict=True)
        )
        state.support[slot, :lanes] = sum(
            s * np.isfinite(t.duration).mean(axis=0) for s, t in zip(share, kinds, strict=True)
        )
        for q, tasks in enumerate(kinds):
            size = len(tasks.mean)
            state.size[slot, q] = size
            able = np.isfinite(tasks.duration)
            state.duration[slot, q, :size, :lanes] = tasks.duration
            state.oct[slot, q, :size, :lanes] = np.where(able, tasks.oct, np.inf)
            state.least[slot, q, :size] = np.where(able, tasks.duration, np.inf).min(axis=1)
            for name in (*_TASK_ROWS, *_EDGE_ROWS):
                values = getattr(tasks, name)
                getattr(state, name)[slot, q, : len(values)] = values

    @property
    def waiting(self) -> NDArray[np.bool_]:
        """(num_slots,) whether each slot waits for a decision."""
        return np.asarray(self.state.state == WAITING)

    def idle(self, slot: int) -> None:
        """The slot belongs to the other mode now."""
        self.state.state[slot] = 0
        self._instances[slot] = None

    def observe(
        self, slots: Ints, graphs: Sequence[Sequence[int]], first_row: NDArray[np.int64]
    ) -> PackedObs:
        """Blocks of the given waiting slots; arguments as in `StaticMode.observe`."""
        state = self.state
        candidate_ptr = np.concatenate([[0], np.cumsum(state.num_candidates[slots])])
        resource_ptr = np.concatenate([[0], np.cumsum(state.lanes[slots])])
        obs = blank_obs(SCHEMA, slots, candidate_ptr, resource_ptr)
        alive = [self._alive(slot, graphs[slot]) for slot in slots.tolist()]
        obs["graph_ptr"] = np.concatenate([[0], np.cumsum([len(ids) for ids in alive])]).astype(
            np.int64
        )
        obs["graph"] = np.array([graph for ids in alive for graph in ids], np.int64)
        live, size, lanes = state.live.shape[1], state.status.shape[2], state.free.shape[1]
        fill_stream_rows(
            state,
            slots,
            self.options.pilot_steps,
            empty_outlook(live, size, lanes),
            empty_outlook(live, size, lanes),
            first_row,
            candidate_ptr,
            resource_ptr,
            obs["context"],
            obs["candidate"],
            obs["candidate_node"],
            obs["candidate_resource"],
            obs["resource"],
            obs["resource_node"],
        )
        return obs

    def _alive(self, slot: int, graphs: Sequence[int]) -> list[int]:
        """Graphs of the jobs in the system, each kind once."""
        live = self.state.live[slot, : self.state.num_live[slot]]
        return [graphs[q] for q in sorted(set(self.state.kind[slot, live].tolist()))]

    def counts(self, slots: Ints) -> Ints:
        """(N,) candidates of each slot."""
        return np.asarray(self.state.num_candidates[slots])

    def step(
        self,
        slots: Ints,
        actions: Ints,
        rewards: NDArray[np.float64],
        dones: NDArray[np.bool_],
        elapsed: NDArray[np.float64],
    ) -> None:
        """Act in the given slots; the last three are filled, (N,) each."""
        options = self.options
        step_stream(
            self.state,
            slots,
            actions,
            options.max_ready,
            options.max_lanes,
            options.defer,
            rewards,
            dones,
            elapsed,
        )

    def done(self, slot: int) -> bool:
        """Whether the slot's episode has ended."""
        return bool(self.state.state[slot] == DONE)

    def cost(self, slot: int) -> float:
        """Mean latency of completed jobs; the horizon if there is none."""
        completed = int(self.state.completed[slot])
        if completed == 0:
            return float(self.state.horizon[slot])
        return float(self.state.latency[slot]) / completed

    def solution(self, slot: int) -> SocSolution:
        """The finished schedule: every task that started."""
        state = self.state
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
            self.cost(slot),
        )

    def copy(self, sources: Sequence[int], targets: Sequence[int]) -> None:
        """Copy slots; all sources are read first."""
        source, target = np.asarray(sources), np.asarray(targets)
        for array in self.state:
            array[target] = array[source]
        held = [self._instances[s] for s in sources]
        for slot, instance in zip(targets, held, strict=True):
            self._instances[slot] = instance

    def arrays(self) -> dict[str, Any]:
        """Copies of all arrays."""
        return {name: array.copy() for name, array in self.state._asdict().items()}

    def restore(self, arrays: dict[str, Any], instances: Sequence[SocInstance | None]) -> None:
        """Take over saved arrays and the instances of the slots."""
        self.state = StreamState(**{name: array.copy() for name, array in arrays.items()})
        self._instances = list(instances)
