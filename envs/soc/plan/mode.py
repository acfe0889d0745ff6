"""Plans: jobs are loaded into slots, kernels called, schedules taken out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from graphsched.envs.core.arrays import write
from graphsched.envs.soc.bounds import tails
from graphsched.envs.soc.features import LEAST, ccr, lane_slowness, spread
from graphsched.envs.soc.instance import NOISES
from graphsched.envs.soc.physics.tasks import tasks_of
from graphsched.envs.soc.plan.kernel import begin_slots, execute, step_slots
from graphsched.envs.soc.plan.pilot import empty_scratch
from graphsched.envs.soc.plan.rows import fill_rows
from graphsched.envs.soc.solution import SocSolution
from graphsched.envs.soc.sources import randomness

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from graphsched.envs.core.arrays import Ints
    from graphsched.envs.core.graph import PackedObs
    from graphsched.envs.core.sim import StepResult
    from graphsched.envs.soc.instance import SocInstance
    from graphsched.envs.soc.options import SocOptions
    from graphsched.envs.soc.physics.tasks import Tasks
    from graphsched.envs.soc.plan.state import PlanState

_EDGES = ("pred_ptr", "pred", "pred_volume", "succ_ptr", "succ", "succ_volume")


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


class PlanMode:
    """Slots that plan one job each. The reward is minus the rise of the makespan bound.

    In units of the first bound, so that an episode's rewards sum to ``1 - planned makespan / first
    bound``.
    """

    def __init__(self, options: SocOptions) -> None:
        """Args: options: of the simulator."""
        self.options = options

    def sizes(self, instances: Sequence[SocInstance]) -> dict[str, int]:
        """Room that instances need in the arrays; without any, the least."""
        needs = [tasks_of(i.jobs[0], i.platform, i.ticks) for i in instances]
        return {
            "N": max((len(t.mean) for t in needs), default=1),
            "P": max((len(t.lane_pe) for t in needs), default=1),
            "E": max((len(t.pred) for t in needs), default=1),
            "C": self.options.max_ready * self.options.max_lanes,
        }

    def load(self, state: PlanState, slot: int, instance: SocInstance) -> None:
        """Write an instance and an empty plan into a slot."""
        tasks = tasks_of(instance.jobs[0], instance.platform, instance.ticks)
        size, lanes = tasks.duration.shape
        tail, bound = tails(tasks)
        able = np.isfinite(tasks.duration)
        position = np.empty(size, np.int64)
        position[tasks.order] = np.arange(size)
        values = {
            "size": size,
            "lanes": lanes,
            "home": np.where(able, tasks.duration, 2 * tasks.mean[:, None]).sum(axis=0).argmin(),
            "ticks": instance.ticks,
            "ccr": ccr(instance.jobs[0], instance.platform, instance.ticks),
            "noise": instance.noise.std if instance.noise.kind != "none" else 0.0,
            "spread": spread(tasks),
            "unit": max(tasks.least.mean(), LEAST),
            "scale": max(tasks.path.max(), LEAST),
            "first_bound": max(bound, LEAST),
            "bound": bound,
            "planned": 0,
            "front": 0,
            "num_ready": int(np.sum(np.diff(tasks.pred_ptr) == 0)),
            "decisions": 0,
            "filled": 0,
            "load": 0.0,
            "lane": -1,
            "mean": tasks.mean,
            "least": tasks.least,
            "rank_up": tasks.rank_up,
            "rest": tasks.rest,
            "head": tasks.head,
            "path": tasks.path,
            "tail": tail,
            "by_rank": np.lexsort((position, -tasks.rank_up)),
            "waits": np.diff(tasks.pred_ptr),
            "lane_slowness": lane_slowness(tasks),
            "support": able.mean(axis=0),
            "duration": tasks.duration,
            "slowness": tasks.slowness,
            **{name: getattr(tasks, name) for name in _EDGES},
        }
        write(state, slot, values)

    def begin(self, state: PlanState, slots: Ints, instances: Sequence[SocInstance]) -> None:
        """Advance loaded slots to their first decisions."""
        del instances
        begin_slots(state, slots, self.options.max_ready, self.options.max_lanes)

    def act(self, state: PlanState, slots: Ints, actions: Ints, result: StepResult) -> None:
        """Act in the given slots and fill the result."""
        ready, lanes = self.options.max_ready, self.options.max_lanes
        outcome = (result.rewards, result.dones, result.elapsed)
        step_slots(state, slots, actions, ready, lanes, *outcome)

    def alive(self, state: PlanState, slot: int, graphs: Ints) -> list[int]:
        """Ids of the graphs that a decision is about: the job's."""
        del state, slot
        return [int(graphs[0])]

    def fill(
        self, state: PlanState, slots: Ints, blocks: Ints, first_row: Ints, obs: PackedObs
    ) -> None:
        """Fill the rows of blocks (N,), those of waiting slots (N,).

        first_row: (num_slots, kinds) node-table rows of each slot's graphs.
        """
        context = np.empty((len(blocks), obs["context"].shape[1]), np.float32)
        fill_rows(
            state,
            slots,
            self.options.pilot_steps,
            empty_scratch(*state.duration.shape[1:]),
            np.ascontiguousarray(first_row[:, 0]),
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

    def cost(self, state: PlanState, slot: int, instance: SocInstance) -> float:
        """Makespan, of the executed plan where there is noise."""
        if state.noise[slot] > 0:
            return self.solution(state, slot, instance).cost
        return float(state.bound[slot])

    def solution(self, state: PlanState, slot: int, instance: SocInstance) -> SocSolution:
        """The finished schedule."""
        tasks, size = (
            tasks_of(instance.jobs[0], instance.platform, instance.ticks),
            state.size[slot],
        )
        lane, start = state.lane[slot, :size].copy(), state.start[slot, :size].copy()
        return run_plan(instance, tasks, lane, start)
