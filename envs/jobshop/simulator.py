"""The simulator: slots that each build one schedule, operation by operation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from graphsched.envs.core.graph import GraphStore, PackedObs
from graphsched.envs.core.sim import StepResult
from graphsched.envs.jobshop.bounds import heads_and_tails
from graphsched.envs.jobshop.features import SCHEMA, static_graph
from graphsched.envs.jobshop.instance import JobShopInstance, instance_from_json
from graphsched.envs.jobshop.options import JobShopOptions
from graphsched.envs.jobshop.physics.dispatch import (
    NO_TAIL,
    begin_slots,
    fill_visits,
    pass_scheduled,
    step_slots,
    waiting,
)
from graphsched.envs.jobshop.physics.state import DONE, WAITING, State, empty_state, grow_state
from graphsched.envs.jobshop.solution import JobShopSolution
from graphsched.envs.jobshop.view.pilot import empty_scratch
from graphsched.envs.jobshop.view.rows import fill_rows, list_machines

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray


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


class JobShopSim:
    """`BatchSim` of the job shop.

    The reward of a decision is minus the rise of the makespan bound, in units of the instance's
    initial bound: an episode's sum is ``1 - makespan / bound``. Deterministic: seeds are not used.
    """

    def __init__(self, num_slots: int, options: JobShopOptions | None = None) -> None:
        """Args: num_slots: episodes run side by side. options: defaults if None."""
        self.num_slots = num_slots
        self.options = options or JobShopOptions()
        self.store = GraphStore()
        self._state = empty_state(num_slots, 1, 1, 1)
        self._instances: list[JobShopInstance | None] = [None] * num_slots
        self._graphs = np.full(num_slots, -1, np.int64)
        self._first_row = np.zeros(num_slots, np.int64)

    def reset(
        self, slots: Sequence[int], instances: Sequence[JobShopInstance], seeds: Sequence[int]
    ) -> None:
        """Start episodes; see `BatchSim.reset`."""
        del seeds  # the job shop is deterministic
        if instances:
            self._state = grow_state(self._state, instances)
        shared: dict[int, tuple[int, int]] = {}  # id(instance) -> (graph id, a slot that holds it)
        twins: list[tuple[int, int]] = []
        for slot, instance in zip(slots, instances, strict=True):
            if id(instance) in shared:
                graph, first = shared[id(instance)]
                self.store.retain(graph)
                twins.append((first, slot))
            else:
                graph = self.store.add(static_graph(instance))
                self._load(slot, instance)
                shared[id(instance)] = graph, slot
            self._put(slot, instance, graph)
        if twins:
            self._copy(*np.array(twins).T)
        begin_slots(self._state, np.asarray(slots, np.int64), self.options.delay_window)

    def _put(self, slot: int, instance: JobShopInstance, graph: int) -> None:
        if self._graphs[slot] >= 0:
            self.store.release(int(self._graphs[slot]))
        self._instances[slot] = instance
        self._graphs[slot] = graph
        self._first_row[slot] = self.store.row_start(graph)

    def _load(self, slot: int, instance: JobShopInstance) -> None:
        """Write an instance and its empty schedule into a slot."""
        state = self._state
        assert instance.release_time is not None
        jobs, machines, size = instance.num_jobs, instance.num_machines, instance.num_operations
        tail = heads_and_tails(instance)[1]
        bound = _bound(instance)
        for array, value in (
            (state.num_jobs, jobs),
            (state.num_machines, machines),
            (state.num_operations, size),
            (state.operations_left, size),
            (state.bound, bound),
            (state.first_bound, max(bound, 1)),
            (state.mean_duration, max(float(instance.duration.mean()), 1e-9)),
            (state.decisions, 0),
        ):
            array[slot] = value
        state.job_ptr[slot, : jobs + 1] = instance.job_ptr
        state.machine[slot, :size] = instance.machine
        state.duration[slot, :size] = instance.duration
        state.tail[slot, :size] = tail
        state.next_operation[slot, :jobs] = instance.job_ptr[:-1]
        state.job_ready[slot, :jobs] = instance.release_time
        state.machine_ready[slot] = 0
        state.machine_load[slot] = 0
        np.add.at(state.machine_load[slot], instance.machine, instance.duration)
        state.job[slot, :size] = instance.job
        state.by_tail[slot, :size] = np.lexsort((tail, instance.machine))
        visits = np.bincount(instance.machine, minlength=machines)
        state.machine_ptr[slot, : machines + 1] = np.concatenate([[0], np.cumsum(visits)])
        state.least_tail_at[slot, :machines] = state.machine_ptr[slot, :machines]
        for m in range(machines):
            pass_scheduled(state, slot, m)
        fill_visits(
            instance.job_ptr, instance.machine, state.visit[slot, :jobs], state.revisit[slot]
        )

    def observe(self) -> PackedObs:
        """One block per waiting slot; see `BatchSim.observe`."""
        state = self._state
        slots = waiting(state.status)
        candidate_ptr = np.zeros(len(slots) + 1, np.int64)
        np.cumsum(state.num_candidates[slots], out=candidate_ptr[1:])
        resource_ptr, machine = list_machines(state, slots)
        rows, machines = int(candidate_ptr[-1]), len(machine)
        obs = PackedObs(
            slot=slots,
            kind=np.zeros(len(slots), np.int64),
            context=np.empty((len(slots), len(SCHEMA.context)), np.float32),
            candidate_ptr=candidate_ptr,
            candidate=np.empty((rows, len(SCHEMA.candidate)), np.float32),
            candidate_node=np.empty((rows, len(SCHEMA.candidate_nodes)), np.int64),
            candidate_resource=np.empty((rows, len(SCHEMA.candidate_resources)), np.int64),
            resource_ptr=resource_ptr,
            resource=np.empty((machines, len(SCHEMA.resource)), np.float32),
            resource_node=np.empty(machines, np.int64),
            graph_ptr=np.arange(len(slots) + 1),
            graph=self._graphs[slots],
        )
        fill_rows(
            state,
            slots,
            self.options.pilot_steps,
            empty_scratch(*state.visit.shape[1:]),
            self._first_row,
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

    def step(self, actions: NDArray[np.int64]) -> StepResult:
        """Schedule the chosen operations; see `BatchSim.step`."""
        slots = waiting(self._state.status)
        actions = np.asarray(actions, np.int64)
        if actions.shape != slots.shape:
            raise IndexError(f"expected {len(slots)} actions, found shape {actions.shape}")
        result = StepResult(
            slots, np.empty(len(slots)), np.empty(len(slots), np.bool_), np.empty(len(slots))
        )
        wrong = step_slots(
            self._state,
            slots,
            actions,
            self.options.delay_window,
            result.rewards,
            result.dones,
            result.elapsed,
        )
        if wrong >= 0:
            count = self._state.num_candidates[slots[wrong]]
            raise IndexError(f"action {actions[wrong]} of block {wrong}: expected < {count}")
        return result

    @property
    def state(self) -> State:
        """The live arrays, for dispatching rules; not to be written to."""
        return self._state

    @property
    def waiting(self) -> NDArray[np.bool_]:
        """(num_slots,) whether each slot waits for a decision."""
        return np.asarray(self._state.status == WAITING)

    def costs(self) -> NDArray[np.float64]:
        """(num_slots,) float64: makespan bound of each slot; the makespan where done."""
        return self._state.bound.astype(np.float64)

    def solution(self, slot: int) -> JobShopSolution:
        """The finished schedule; see `BatchSim.solution`."""
        instance = self._instances[slot]
        if instance is None or self._state.status[slot] != DONE:
            raise RuntimeError(f"slot {slot} has no finished episode")
        start = self._state.start[slot, : instance.num_operations].copy()
        return JobShopSolution.from_starts(instance, start)

    def fork(self, sources: Sequence[int], targets: Sequence[int]) -> None:
        """Copy slots; see `BatchSim.fork`."""
        held = [(self._instances[s], int(self._graphs[s])) for s in sources]
        for _, graph in held:
            if graph >= 0:
                self.store.retain(graph)
        for (instance, graph), target in zip(held, targets, strict=True):
            if instance is None:
                raise RuntimeError("cannot fork a slot that was never reset")
            self._put(target, instance, graph)
        self._copy(np.asarray(sources), np.asarray(targets))

    def _copy(self, sources: NDArray[np.int64], targets: NDArray[np.int64]) -> None:
        for array in self._state:
            array[targets] = array[sources]

    def state_dict(self) -> dict[str, Any]:
        """Arrays, instances and graph references; see `BatchSim.state_dict`."""
        return {
            "arrays": {name: array.copy() for name, array in self._state._asdict().items()},
            "instances": [i.to_json() if i else None for i in self._instances],
            "graphs": self._graphs.copy(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore; slots that shared an instance share it again."""
        restored: dict[int, tuple[JobShopInstance, int]] = {}  # saved graph id -> instance, new id
        for slot, document in enumerate(state["instances"]):
            if document is None:
                continue
            saved = int(state["graphs"][slot])
            if saved in restored:
                self.store.retain(restored[saved][1])
            else:
                instance = instance_from_json(document)
                restored[saved] = instance, self.store.add(static_graph(instance))
            self._put(slot, *restored[saved])
        self._state = State(**{name: a.copy() for name, a in state["arrays"].items()})
