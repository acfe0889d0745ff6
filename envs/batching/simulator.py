"""The simulator: slots of requests and replicas, advanced by the kernels from decision to decision."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from graphsched.envs.batching.features import SCHEMA, static_graph
from graphsched.envs.batching.instance import instance_from_json
from graphsched.envs.batching.options import KINDS, BatchingOptions
from graphsched.envs.batching.physics.codes import OVER, WAITS
from graphsched.envs.batching.physics.kernel import begin, step
from graphsched.envs.batching.physics.loading import load_slot, needed_sizes
from graphsched.envs.batching.physics.log import empty_log
from graphsched.envs.batching.physics.replay import replay_slot
from graphsched.envs.batching.physics.state import (
    State,
    empty_state,
    grow_state,
    plain_arrays,
    state_of,
)
from graphsched.envs.batching.view.rows import fill_rows
from graphsched.envs.core.graph import GraphStore
from graphsched.envs.core.sim import StepResult

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from graphsched.envs.batching.instance import BatchingInstance
    from graphsched.envs.batching.solution import BatchingSolution
    from graphsched.envs.core.graph import PackedObs

    Ints = NDArray[np.int64]

SILENT = empty_log(0, 0, 0)
MIN_DECISIONS = 256


class BatchingSim:
    """`BatchSim` of replicas that serve requests.

    Nothing is random: requests come from the instance, and rules that draw lots draw them by the
    request's number. So the seeds of `reset` are not used. The rewards of an episode add up to
    minus a tenth of its cost. A slot remembers its actions; its log is written by playing them again.
    """

    def __init__(self, num_slots: int, options: BatchingOptions | None = None) -> None:
        """Args: num_slots: episodes run side by side. options: defaults if None."""
        self.num_slots = num_slots
        self.options = options or BatchingOptions()
        self.store = GraphStore()
        sizes = {"B": num_slots, "N": 1, "R": 1, "G": 1, "E": 1, "C": 1, "D": MIN_DECISIONS}
        self.state: State = empty_state(sizes)
        self._instances: list[BatchingInstance | None] = [None] * num_slots
        self._graphs: list[int | None] = [None] * num_slots

    def reset(
        self, slots: Sequence[int], instances: Sequence[BatchingInstance], seeds: Sequence[int]
    ) -> None:
        """Start episodes; see `BatchSim.reset`."""
        del seeds
        shared: dict[int, int] = {}
        for slot, instance in zip(slots, instances, strict=True):
            known = shared.get(id(instance))
            if known is None:
                shared[id(instance)] = graph = self.store.add(static_graph(instance))
            else:
                self.store.retain(graph := known)
            self._put(slot, instance, graph)
        self.state = grow_state(self.state, needed_sizes(instances, self.options))
        for slot, instance in zip(slots, instances, strict=True):
            load_slot(self.state, slot, instance, self.options)
        where = np.asarray(slots, np.int64)
        self._begin(where)
        for slot in where[self.state.slot["phase"][where] == OVER].tolist():
            held = self._instances[slot]  # not a single choice: offer the first move
            assert held is not None
            load_slot(self.state, slot, held, self.options)
            self.state.slot["offer_first"][slot] = 1
            self._begin(np.array([slot]))

    def _begin(self, slots: Ints) -> None:
        begin(self.state, slots, self.options.window, self.options.budget_every, SILENT)

    def _put(self, slot: int, instance: BatchingInstance, graph: int) -> None:
        old = self._graphs[slot]
        if old is not None:
            self.store.release(old)
        self._instances[slot], self._graphs[slot] = instance, graph

    @property
    def waiting(self) -> Ints:
        """(N,) slots that wait for a decision."""
        return np.flatnonzero(self.state.slot["phase"] == WAITS)

    def observe(self) -> PackedObs:
        """One block per waiting slot; see `BatchSim.observe`."""
        slots, state = self.waiting, self.state
        n = len(slots)
        candidate_ptr = np.concatenate([[0], np.cumsum(state.slot["count"][slots])])
        resource_ptr = np.concatenate([[0], np.cumsum(state.slot["replicas"][slots])])
        rows, replicas = int(candidate_ptr[-1]), int(resource_ptr[-1])
        graphs = [g for g in (self._graphs[s] for s in slots.tolist()) if g is not None]
        first = np.array([self.store.row_start(g) for g in graphs], np.int64)
        obs: PackedObs = {
            "slot": slots,
            "kind": state.slot["kind"][slots],
            "context": np.zeros((n, len(SCHEMA.context)), np.float32),
            "candidate_ptr": candidate_ptr,
            "candidate": np.zeros((rows, len(SCHEMA.candidate)), np.float32),
            "candidate_node": np.full((rows, 1), -1),
            "candidate_resource": np.full((rows, 1), -1),
            "resource_ptr": resource_ptr,
            "resource": np.zeros((replicas, len(SCHEMA.resource)), np.float32),
            "resource_node": np.zeros(replicas, np.int64),
            "graph_ptr": np.arange(n + 1),
            "graph": np.array(graphs, np.int64),
        }
        fill_rows(
            state,
            slots,
            first,
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

    def step(self, actions: NDArray[np.int64]) -> StepResult:
        """Act in all waiting slots; see `BatchSim.step`."""
        slots = self.waiting
        actions = np.asarray(actions, np.int64)
        if actions.shape != slots.shape:
            raise IndexError(f"expected {len(slots)} actions, found shape {actions.shape}")
        counts = self.state.slot["count"][slots]
        wrong = np.flatnonzero((actions < 0) | (actions >= counts))
        if len(wrong):
            k = int(wrong[0])
            raise IndexError(f"action {actions[k]} of block {k}: expected < {counts[k]}")
        most = int(self.state.slot["decisions"].max(initial=0)) + 1
        if most > self.state.taken.shape[1]:
            self.state = grow_state(self.state, {"D": 2 * most})
        size = len(slots)
        result = StepResult(slots, np.empty(size), np.empty(size, np.bool_), np.empty(size))
        step(
            self.state,
            slots,
            actions,
            self.options.window,
            self.options.budget_every,
            SILENT,
            result.rewards,
            result.dones,
            result.elapsed,
        )
        return result

    def costs(self) -> NDArray[np.float64]:
        """(num_slots,) cost of each finished episode."""
        weight = np.maximum(self.state.slot["total_weight"], 1e-300)
        return np.where(self.state.slot["phase"] == OVER, self.state.slot["loss"] / weight, 0.0)

    def solution(self, slot: int) -> BatchingSolution:
        """The log of a finished episode; see `BatchSim.solution`."""
        instance = self._instances[slot]
        if instance is None or self.state.slot["phase"][slot] != OVER:
            raise RuntimeError(f"slot {slot} has no finished episode")
        taken = self.state.taken[slot, : self.state.slot["decisions"][slot]].copy()
        return replay_slot(
            instance, self.options, taken, bool(self.state.slot["offer_first"][slot])
        )

    def fork(self, sources: Sequence[int], targets: Sequence[int]) -> None:
        """Copy slots; see `BatchSim.fork`."""
        held = [(self._instances[s], self._graphs[s]) for s in sources]
        for instance, graph in held:
            if instance is None or graph is None:
                raise RuntimeError("cannot fork a slot that was never reset")
            self.store.retain(graph)
        source, target = np.asarray(sources, np.int64), np.asarray(targets, np.int64)
        for array in self.state:
            array[target] = array[source]
        for (instance, graph), slot in zip(held, targets, strict=True):
            assert instance is not None
            assert graph is not None
            self._put(slot, instance, graph)

    def state_dict(self) -> dict[str, Any]:
        """Arrays and instances; see `BatchSim.state_dict`."""
        documents: dict[int, int] = {}
        which = [documents.setdefault(id(i), len(documents)) for i in self._instances]
        unique = {id(i): i for i in self._instances}
        return {
            "arrays": plain_arrays(self.state),
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
        self.state = state_of(state["arrays"])


assert SCHEMA.kinds == KINDS
