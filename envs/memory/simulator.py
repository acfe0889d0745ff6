"""The simulator: each slot maps one program, by priorities or access by access."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from graphsched.envs.core.graph import GraphStore, PackedObs
from graphsched.envs.core.sim import StepResult
from graphsched.envs.memory.features import SCHEMA, static_graph
from graphsched.envs.memory.instance import instance_from_json
from graphsched.envs.memory.options import MemoryOptions
from graphsched.envs.memory.physics.arena import FIRST_FIT, LATENCY, RESIDENCIES
from graphsched.envs.memory.physics.kernel import begin_slots, step_slots
from graphsched.envs.memory.physics.program import Problem, problem_of
from graphsched.envs.memory.physics.state import DONE, IDLE, WAITING, State, empty_state, grow_state
from graphsched.envs.memory.pricing.guide import guide_of
from graphsched.envs.memory.solution import MemorySolution
from graphsched.envs.memory.view.pilot import empty_scratch
from graphsched.envs.memory.view.rows import fill_rows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from graphsched.envs.memory.instance import MemoryInstance


class MemorySim:
    """`BatchSim` of programs on machines with a small fast memory.

    Nothing is random, so that the seeds of `reset` are not used. A reward is the latency saved, as a
    share of that with everything in slow memory: an episode's rewards sum to ``1 - latency / that``.
    """

    def __init__(self, num_slots: int, options: MemoryOptions | None = None) -> None:
        """Args: num_slots: episodes run side by side. options: defaults if None."""
        self.num_slots = num_slots
        self.options = options or MemoryOptions()
        self.store = GraphStore()
        self.state = empty_state(num_slots, 1, 1, 1)
        self._stepwise = self.options.actions == "step"
        self._instances: list[MemoryInstance | None] = [None] * num_slots
        self._graphs = np.full(num_slots, -1)

    def reset(
        self, slots: Sequence[int], instances: Sequence[MemoryInstance], seeds: Sequence[int]
    ) -> None:
        """Start episodes; see `BatchSim.reset`."""
        del seeds
        needs = [problem_of(instance) for instance in instances]
        self.state = grow_state(
            self.state,
            max((len(p.compute) for p in needs), default=1),
            max((len(p.size) for p in needs), default=1),
            max((len(p.access_time) for p in needs), default=1),
        )
        shared: dict[int, int] = {}
        for slot, instance, problem in zip(slots, instances, needs, strict=True):
            graph = shared.get(id(instance))
            if graph is None:
                graph = shared[id(instance)] = self.store.add(static_graph(instance))
            else:
                self.store.retain(graph)
            self._put(slot, instance, graph)
            self._load(slot, instance, problem)
        begin_slots(self.state, np.asarray(slots, np.int64), self._stepwise)

    def _put(self, slot: int, instance: MemoryInstance | None, graph: int) -> None:
        if self._graphs[slot] >= 0:
            self.store.release(int(self._graphs[slot]))
        self._instances[slot], self._graphs[slot] = instance, graph

    def _load(self, slot: int, instance: MemoryInstance, p: Problem) -> None:
        state, guide = self.state, guide_of(instance)
        worth = guide.lists.shape[1]
        for name, value in p._asdict().items():
            if isinstance(value, np.ndarray):
                getattr(state, name)[slot, : len(value)] = value
            else:
                getattr(state, name)[slot] = value
        for name in ("benefit", "price_sum", "margin", "profit_share"):
            values = getattr(guide, name)
            getattr(state, name)[slot, : len(values)] = values
        state.lists[slot, :, :worth] = guide.lists
        state.lists[slot, :, worth:] = -1
        state.extent[slot] = len(p.compute), len(p.size), len(p.access_time)
        bytes_worth = float(p.size[guide.lists[0]].sum())
        for name, value in {
            "worth": worth,
            "pressure": np.log(max(bytes_worth, 1) / max(p.capacity, 1)),
            "first_latency": np.maximum(p.compute, p.slow_all * p.slow_us).sum(),
            "least_latency": np.maximum(p.compute, p.slow_all * p.fast_us).sum(),
            "settled": False,
            "forced": False,
            "heads": 0,
            "num_placed": 0,
            "num_candidates": 0,
            "cursor": 0,
            "status": IDLE,
        }.items():
            getattr(state, name)[slot] = value
        state.whole[slot, FIRST_FIT] = self.options.offsets == "first-fit"

    @property
    def waiting(self) -> NDArray[np.bool_]:
        """(num_slots,) whether each slot waits for a decision."""
        return np.asarray(self.state.status == WAITING)

    def observe(self) -> PackedObs:
        """One block per waiting slot; see `BatchSim.observe`."""
        state, slots = self.state, np.flatnonzero(self.waiting)
        candidate_ptr = np.concatenate([[0], np.cumsum(state.num_candidates[slots])])
        n, c = len(slots), int(candidate_ptr[-1])
        graphs = self._graphs[slots]
        first_row = np.zeros(self.num_slots, np.int64)
        first_row[slots] = [self.store.row_start(graph) for graph in graphs.tolist()]
        obs = PackedObs(
            slot=slots,
            kind=np.full(n, int(self._stepwise)),
            context=np.zeros((n, len(SCHEMA.context)), np.float32),
            candidate_ptr=candidate_ptr,
            candidate=np.zeros((c, len(SCHEMA.candidate)), np.float32),
            candidate_node=np.zeros((c, len(SCHEMA.candidate_nodes)), np.int64),
            candidate_resource=np.zeros((c, 0), np.int64),
            resource_ptr=np.zeros(n + 1, np.int64),
            resource=np.zeros((0, 0), np.float32),
            resource_node=np.zeros(0, np.int64),
            graph_ptr=np.arange(n + 1),
            graph=graphs.copy(),
        )
        fill_rows(
            state,
            slots,
            self._stepwise,
            self.options.pilot_decisions,
            empty_scratch(state.compute.shape[1], state.hit.shape[1]),
            first_row,
            candidate_ptr,
            obs["context"],
            obs["candidate"],
            obs["candidate_node"],
        )
        return obs

    def step(self, actions: NDArray[np.int64]) -> StepResult:
        """Act in all waiting slots; see `BatchSim.step`."""
        slots = np.flatnonzero(self.waiting)
        actions = np.asarray(actions, np.int64)
        if actions.shape != slots.shape:
            raise IndexError(f"expected {len(slots)} actions, found shape {actions.shape}")
        counts = self.state.num_candidates[slots]
        wrong = np.flatnonzero((actions < 0) | (actions >= counts))
        if len(wrong):
            k = int(wrong[0])
            raise IndexError(f"action {actions[k]} of block {k}: expected < {counts[k]}")
        size = len(slots)
        rewards, dones = np.empty(size), np.empty(size, np.bool_)
        step_slots(self.state, slots, actions, self._stepwise, rewards, dones)
        return StepResult(slots, rewards, dones, np.ones(size))

    def costs(self) -> NDArray[np.float64]:
        """(num_slots,) latency of each finished episode, us; 0 in other slots."""
        return np.where(self.state.status == DONE, self.state.real[:, LATENCY], 0.0)

    def solution(self, slot: int) -> MemorySolution:
        """The finished mapping; see `BatchSim.solution`."""
        state = self.state
        if state.status[slot] != DONE:
            raise RuntimeError(f"slot {slot} has no finished episode")
        n, placed = int(state.whole[slot, RESIDENCIES]), int(state.num_placed[slot])
        columns = [getattr(state, f)[slot, :n].copy() for f in ("owner", "start", "end", "offset")]
        order = None if self._stepwise else state.placed[slot, :placed].copy()
        return MemorySolution(
            columns[0], columns[1], columns[2], columns[3], float(state.real[slot, LATENCY]), order
        )

    def fork(self, sources: Sequence[int], targets: Sequence[int]) -> None:
        """Copy slots; see `BatchSim.fork`."""
        held = [(self._instances[s], int(self._graphs[s])) for s in sources]
        if any(instance is None for instance, _ in held):
            raise RuntimeError("cannot fork a slot that was never reset")
        for _, graph in held:
            self.store.retain(graph)
        source, target = np.asarray(sources), np.asarray(targets)
        for array in self.state:
            array[target] = array[source]
        for (instance, graph), slot in zip(held, targets, strict=True):
            self._put(slot, instance, graph)

    def state_dict(self) -> dict[str, Any]:
        """Arrays and instances; see `BatchSim.state_dict`."""
        documents: dict[int, int] = {}
        which = [documents.setdefault(id(i), len(documents)) for i in self._instances]
        unique = {id(i): i for i in self._instances}
        return {
            "arrays": {name: array.copy() for name, array in self.state._asdict().items()},
            "instances": [i.to_json() if i else None for i in unique.values()],
            "which": which,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore; slots that shared an instance share it again."""
        unique = [None if d is None else instance_from_json(d) for d in state["instances"]]
        graphs: dict[int, int] = {}
        for slot, k in enumerate(state["which"]):
            instance = unique[k]
            if instance is None:
                continue
            if k in graphs:
                self.store.retain(graphs[k])
            else:
                graphs[k] = self.store.add(static_graph(instance))
            self._put(slot, instance, graphs[k])
        self.state = State(**{name: array.copy() for name, array in state["arrays"].items()})
