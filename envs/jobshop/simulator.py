"""The simulator: slots that each build one schedule, operation by operation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from graphsched.envs.core.arrays import empty, write
from graphsched.envs.core.graph import blank_obs, pointers
from graphsched.envs.core.slots import SlotSim
from graphsched.envs.jobshop.bounds import heads_and_tails
from graphsched.envs.jobshop.features import SCHEMA, static_graph
from graphsched.envs.jobshop.instance import JobShopInstance, instance_from_json
from graphsched.envs.jobshop.options import LOOKS, JobShopOptions
from graphsched.envs.jobshop.physics.dispatch import (
    NO_TAIL,
    begin_slots,
    fill_visits,
    pass_scheduled,
    step_slots,
)
from graphsched.envs.jobshop.physics.state import State
from graphsched.envs.jobshop.solution import JobShopSolution
from graphsched.envs.jobshop.view.opinions import Desk, empty_desk
from graphsched.envs.jobshop.view.play import is_narrow
from graphsched.envs.jobshop.view.rows import fill_rows, list_machines

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from graphsched.envs.core.arrays import Ints
    from graphsched.envs.core.graph import PackedObs, StaticGraph
    from graphsched.envs.core.sim import StepResult


def _bound(instance: JobShopInstance) -> int:
    """Longest job, and most loaded machine with its least head and tail."""
    heads, tails = heads_and_tails(instance)
    load = np.zeros(instance.num_machines, np.int64)
    np.add.at(load, instance.machine, instance.duration)
    least_head = np.full(instance.num_machines, NO_TAIL)
    least_tail = np.full(instance.num_machines, NO_TAIL)
    np.minimum.at(least_head, instance.machine, heads)
    np.minimum.at(least_tail, instance.machine, tails)
    used = least_head < NO_TAIL
    machines = (least_head + load + least_tail)[used]
    return int(max((heads + instance.duration + tails).max(), machines.max()))


class JobShopSim(SlotSim[JobShopInstance, JobShopSolution, State]):
    """`BatchSim` of the job shop.

    The reward of a decision is minus the rise of the makespan bound, in units of the instance's
    initial bound: an episode's sum is ``1 - makespan / bound``. Deterministic: seeds are not used.
    """

    def __init__(self, num_slots: int, options: JobShopOptions | None = None) -> None:
        """Args: num_slots: episodes run side by side. options: defaults if None."""
        super().__init__(num_slots, empty(State, {"B": num_slots, "J": 1, "M": 1, "O": 1}))
        self.options = options or JobShopOptions()
        self._narrow = True  # whether all instances so far are, see `is_narrow`
        self._desk = (0, 0, 0, True), empty_desk(0, 0, 0, True)  # its sizes, and it

    @property
    def status(self) -> Ints:
        """(num_slots,) IDLE, WAITING or DONE."""
        return self.state.status

    def _graphs_of(self, instance: JobShopInstance) -> list[StaticGraph]:
        return [static_graph(instance)]

    def _instance_from_json(self, document: Mapping[str, Any]) -> JobShopInstance:
        return instance_from_json(document)

    def _sizes(self, instances: Sequence[JobShopInstance]) -> Mapping[str, int]:
        return {
            "J": max(i.num_jobs for i in instances),
            "M": max(i.num_machines for i in instances),
            "O": max(i.num_operations for i in instances),
        }

    def _load(self, slot: int, instance: JobShopInstance) -> None:
        assert instance.release_time is not None
        state, machines = self.state, instance.num_machines
        tail, bound = heads_and_tails(instance)[1], _bound(instance)
        load = np.zeros(machines, np.int64)
        np.add.at(load, instance.machine, instance.duration)
        visits = np.bincount(instance.machine, minlength=machines)
        machine_ptr = pointers(visits)
        values = {
            "num_jobs": instance.num_jobs,
            "num_machines": machines,
            "num_operations": instance.num_operations,
            "operations_left": instance.num_operations,
            "bound": bound,
            "first_bound": max(bound, 1),
            "mean_duration": max(float(instance.duration.mean()), 1e-9),
            "decisions": 0,
            "job_ptr": instance.job_ptr,
            "machine": instance.machine,
            "duration": instance.duration,
            "tail": tail,
            "next_operation": instance.job_ptr[:-1],
            "job_ready": instance.release_time,
            "machine_ready": 0,
            "machine_load": load,
            "job": instance.job,
            "by_tail": np.lexsort((tail, instance.machine)),
            "machine_ptr": machine_ptr,
            "least_tail_at": machine_ptr[:-1],
        }
        write(state, slot, values)
        for m in range(machines):
            pass_scheduled(state, slot, m)
        visit, revisit = state.visit[slot, : instance.num_jobs], state.revisit[slot]
        fill_visits(instance.job_ptr, instance.machine, visit, revisit)

    def _put(self, slot: int, instance: JobShopInstance | None, graphs: Ints) -> None:
        super()._put(slot, instance, graphs)
        if instance is not None and self._narrow:
            self._narrow = is_narrow(instance.num_jobs, instance.work)

    def _room(self) -> Desk:
        """Scratch space of a size for all slots."""
        (_, jobs, machines), operations = self.state.visit.shape, self.state.machine.shape[1]
        sizes = jobs, machines, operations, self._narrow
        if self._desk[0] != sizes:
            self._desk = sizes, empty_desk(*sizes)
        return self._desk[1]

    def _begin(self, slots: Ints) -> None:
        begin_slots(self.state, slots, self.options.delay_window)

    def _counts(self, slots: Ints) -> Ints:
        return self.state.num_candidates[slots]

    def _most_candidates(self, instance: JobShopInstance) -> int:
        return instance.num_jobs

    def _most_resources(self, instance: JobShopInstance) -> int:
        return min(instance.num_machines, 1 + instance.num_jobs)

    def _act(self, slots: Ints, actions: Ints, result: StepResult) -> None:
        window = self.options.delay_window
        outcome = (result.rewards, result.dones, result.elapsed)
        step_slots(self.state, slots, actions, window, *outcome)

    def observe(self) -> PackedObs:
        """One block per waiting slot; see `BatchSim.observe`."""
        state, slots = self.state, self._waiting_slots()
        candidate_ptr = pointers(state.num_candidates[slots])
        resource_ptr, machine = list_machines(state, slots)
        obs = blank_obs(SCHEMA, slots, candidate_ptr, resource_ptr)
        obs["graph_ptr"], obs["graph"] = np.arange(len(slots) + 1), self.graphs[slots, 0]
        fill_rows(
            state,
            slots,
            self.options.pilot_steps,
            LOOKS.index(self.options.look_ahead),
            self.options.rules,
            self._room(),
            np.ascontiguousarray(self.first_row[:, 0]),
            candidate_ptr,
            resource_ptr,
            machine,
            obs["context"],
            obs["candidate"],
            obs["candidate_node"],
            obs["candidate_resource"],
            obs["resource"],
            obs["resource_node"],
        )
        return obs

    def costs(self) -> NDArray[np.float64]:
        """(num_slots,) float64: makespan bound of each slot; the makespan where done."""
        return self.state.bound.astype(np.float64)

    def solution(self, slot: int) -> JobShopSolution:
        """The finished schedule; see `BatchSim.solution`."""
        instance = self._finished(slot)
        start = self.state.start[slot, : instance.num_operations].copy()
        return JobShopSolution.from_starts(instance, start)
