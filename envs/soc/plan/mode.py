"""The static mode's slots: loads jobs into the arrays and calls the kernels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from graphsched.envs.core.graph import PackedObs, blank_obs
from graphsched.envs.soc.bounds import tails
from graphsched.envs.soc.features import SCHEMA, ccr, lane_slowness
from graphsched.envs.soc.instance import NOISES
from graphsched.envs.soc.physics.tasks import tasks_of
from graphsched.envs.soc.plan.kernel import begin_static, execute, step_static
from graphsched.envs.soc.plan.pilot import empty_scratch
from graphsched.envs.soc.plan.rows import fill_static_rows
from graphsched.envs.soc.plan.state import DONE, WAITING, StaticState, empty_state, grow_state
from graphsched.envs.soc.solution import SocSolution
from graphsched.envs.soc.sources import randomness

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from graphsched.envs.soc.instance import SocInstance
    from graphsched.envs.soc.options import SocOptions
    from graphsched.envs.soc.physics.tasks import Tasks

    Ints = NDArray[np.int64]


def run_plan(
    instance: SocInstance, tasks: Tasks, lane: NDArray[np.int64], start: NDArray[np.float64]
) -> SocSolution:
    """What becomes of a plan when tasks take as long as they really do."""
    index = np.arange(len(lane))
    end = start + tasks.duration[index, lane]
    noise = NOISES.index(instance.noise.kind)
    if noise:
        actual = np.array(
            [
                randomness.duration(
                    instance.seed, 0, i, float(tasks.duration[i, p]), noise, instance.noise.std
                )
                for i, p in enumerate(lane.tolist())
            ]
        )
        planned, start = start, np.empty_like(start)
        links = (tasks.pred_ptr, tasks.pred, tasks.pred_volume, tasks.slowness, tasks.ticks)
        execute(lane, planned, actual, *links, start, end)
    return SocSolution.of_plan(tasks.lane_pe[lane], start, end)


class StaticMode:
    """Slots that plan one job each. The reward is minus the rise of the makespan bound.

    In units of the first bound, so that an episode's rewards sum to ``1 - planned makespan / first
    bound``.
    """

    def __init__(self, num_slots: int, options: SocOptions) -> None:
        """Args: num_slots: of the simulator. options: of the simulator."""
        self.options = options
        self._candidates = options.max_ready * options.max_lanes
        self.state = empty_state(num_slots, 1, 1, 1, self._candidates)
        self._instances: list[SocInstance | None] = [None] * num_slots

    def _tasks(self, slot: int) -> Tasks:
        instance = self._instances[slot]
        assert instance is not None
        return tasks_of(instance.jobs[0], instance.platform, instance.ticks)

    def load(self, slots: Sequence[int], instances: Sequence[SocInstance]) -> None:
        """Write instances and empty plans into slots."""
        for slot, instance in zip(slots, instances, strict=True):
            self._instances[slot] = instance
        needs = [self._tasks(slot) for slot in slots]
        self.state = grow_state(self.state, needs, self._candidates)
        for slot, tasks in zip(slots, needs, strict=True):
            self._load(slot, tasks)
        where = np.asarray(slots, np.int64)
        begin_static(self.state, where, self.options.max_ready, self.options.max_lanes)

    def _load(self, slot: int, tasks: Tasks) -> None:
        instance, state = self._instances[slot], self.state
        assert instance is not None
        size, lanes = tasks.duration.shape
        edges = len(tasks.pred)
        tail, bound = tails(tasks)
        able = np.isfinite(tasks.duration)
        position = np.empty(size, np.int64)
        position[tasks.order] = np.arange(size)
        for name, value in {
            "size": size,
            "lanes": lanes,
            "home": np.where(able, tasks.duration, 2 * tasks.mean[:, None]).sum(axis=0).argmin(),
            "ticks": instance.ticks,
            "mean_slowness": tasks.slowness.mean(),
            "ccr": ccr(instance.jobs[0], instance.platform, instance.ticks),
            "noise": instance.noise.std if instance.noise.kind != "none" else 0.0,
            "unit": max(tasks.mean.mean(), 1e-9),
            "scale": max(tasks.rank_up.max(), 1e-9),
            "first_bound": max(bound, 1e-9),
            "bound": bound,
            "planned": 0,
            "front": 0,
            "num_ready": int(np.sum(np.diff(tasks.pred_ptr) == 0)),
            "decisions": 0,
            "filled": 0,
            "load": 0.0,
            "lane": -1,
        }.items():
            getattr(state, name)[slot] = value
        for name, values in {
            "mean": tasks.mean,
            "least": np.where(able, tasks.duration, np.inf).min(axis=1),
            "rank_up": tasks.rank_up,
            "rank_down": tasks.rank_down,
            "tail": tail,
            "by_rank": np.lexsort((position, -tasks.rank_up)),
            "waits": np.diff(tasks.pred_ptr),
            "pred_ptr": tasks.pred_ptr,
            "succ_ptr": tasks.succ_ptr,
            "lane_slowness": lane_slowness(tasks),
            "support": able.mean(axis=0),
        }.items():
            getattr(state, name)[slot, : len(values)] = values
        for name in ("pred", "pred_volume", "succ", "succ_volume"):
            getattr(state, name)[slot, :edges] = getattr(tasks, name)
        state.duration[slot, :size, :lanes] = tasks.duration
        state.oct[slot, :size, :lanes] = np.where(able, tasks.oct, np.inf)
        state.slowness[slot, :lanes, :lanes] = tasks.slowness

    @property
    def waiting(self) -> NDArray[np.bool_]:
        """(num_slots,) whether each slot waits for a decision."""
        return np.asarray(self.state.status == WAITING)

    def idle(self, slot: int) -> None:
        """The slot belongs to the other mode now."""
        self.state.status[slot] = 0
        self._instances[slot] = None

    def observe(
        self, slots: Ints, graphs: Sequence[Sequence[int]], first_row: NDArray[np.int64]
    ) -> PackedObs:
        """Blocks of the given waiting slots; see `BatchSim.observe`.

        Args:
            slots: (N,) waiting slots.
            graphs: of each slot.
            first_row: (num_slots, kinds) node-table row of each slot's graphs.
        """
        state = self.state
        candidate_ptr = np.concatenate([[0], np.cumsum(state.num_candidates[slots])])
        resource_ptr = np.concatenate([[0], np.cumsum(state.lanes[slots])])
        obs = blank_obs(SCHEMA, slots, candidate_ptr, resource_ptr)
        obs["graph_ptr"] = np.arange(len(slots) + 1)
        obs["graph"] = np.array([graphs[slot][0] for slot in slots.tolist()], np.int64)
        fill_static_rows(
            state,
            slots,
            self.options.pilot_steps,
            empty_scratch(*state.duration.shape[1:]),
            np.ascontiguousarray(first_row[:, 0]),
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
        step_static(
            self.state,
            slots,
            actions,
            options.max_ready,
            options.max_lanes,
            rewards,
            dones,
            elapsed,
        )

    def done(self, slot: int) -> bool:
        """Whether the slot's episode has ended."""
        return bool(self.state.status[slot] == DONE)

    def cost(self, slot: int) -> float:
        """Makespan, of the executed plan where there is noise."""
        if self.state.noise[slot] > 0:
            return self.solution(slot).cost
        return float(self.state.bound[slot])

    def solution(self, slot: int) -> SocSolution:
        """The finished schedule."""
        instance = self._instances[slot]
        assert instance is not None
        size = int(self.state.size[slot])
        lane, start = self.state.lane[slot, :size], self.state.start[slot, :size]
        return run_plan(instance, self._tasks(slot), lane.copy(), start.copy())

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
        self.state = StaticState(**{name: array.copy() for name, array in arrays.items()})
        self._instances = list(instances)
