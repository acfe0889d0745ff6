"""The simulator: slots of requests and replicas, advanced by the kernels from decision to decision."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from graphsched.envs.batching.features import (
    SCHEMA,
    most_in_window,
    static_graph,
    with_window,
)
from graphsched.envs.batching.instance import BatchingInstance, instance_from_json
from graphsched.envs.batching.options import KINDS, BatchingOptions
from graphsched.envs.batching.physics.kernel import begin, step
from graphsched.envs.batching.physics.loading import load_slot, needed_sizes
from graphsched.envs.batching.physics.log import empty_log
from graphsched.envs.batching.physics.replay import replay_slot
from graphsched.envs.batching.physics.state import State
from graphsched.envs.batching.solution import BatchingSolution
from graphsched.envs.batching.view.rows import fill_rows
from graphsched.envs.batching.view.window import look_around
from graphsched.envs.core.arrays import empty, grown
from graphsched.envs.core.graph import blank_obs, pointers
from graphsched.envs.core.sim import DONE
from graphsched.envs.core.slots import SlotSim

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from graphsched.envs.core.arrays import Ints
    from graphsched.envs.core.graph import PackedObs, StaticGraph
    from graphsched.envs.core.sim import RowLimits, StepResult

SILENT = empty_log(0, 0, 0)
MIN_DECISIONS = 256


class BatchingSim(SlotSim[BatchingInstance, BatchingSolution, State]):
    """`BatchSim` of replicas that serve requests.

    Nothing is random: requests come from the instance, and rules that draw lots draw them by the
    request's number. So the seeds of `reset` are not used. The rewards of an episode add up to
    minus a tenth of its cost. A slot remembers its actions; its log is written by playing them again.
    Where requests are in the graph, it is made anew when a decision is first observed.
    """

    def __init__(self, num_slots: int, options: BatchingOptions | None = None) -> None:
        """Args: num_slots: episodes run side by side. options: defaults if None."""
        sizes = {"B": num_slots, "D": MIN_DECISIONS, **dict.fromkeys("NRGEC", 1)}
        super().__init__(num_slots, empty(State, sizes))
        self.options = options or BatchingOptions()

    @property
    def status(self) -> Ints:
        """(num_slots,) IDLE, WAITING or DONE."""
        return np.asarray(self.state.slot["status"])

    def _graphs_of(self, instance: BatchingInstance) -> list[StaticGraph]:
        return [static_graph(instance)]

    def _instance_from_json(self, document: Mapping[str, Any]) -> BatchingInstance:
        return instance_from_json(document)

    def _sizes(self, instances: Sequence[BatchingInstance]) -> Mapping[str, int]:
        return needed_sizes(instances, self.options)

    def _load(self, slot: int, instance: BatchingInstance) -> None:
        load_slot(self.state, slot, instance, self.options)

    def _offer_first(self, slot: int) -> bool:
        self._load(slot, self._held(slot))
        self.state.slot["offer_first"][slot] = 1
        return True

    def _begin(self, slots: Ints) -> None:
        begin(self.state, slots, self.options.window, self.options.budget_every, SILENT)

    def _counts(self, slots: Ints) -> Ints:
        return np.asarray(self.state.slot["count"][slots])

    def _most_candidates(self, instance: BatchingInstance) -> int:
        return needed_sizes([instance], self.options)["C"]

    def _most_resources(self, instance: BatchingInstance) -> int:
        return len(instance.replicas)

    def _act(self, slots: Ints, actions: Ints, result: StepResult) -> None:
        most = int(self.state.slot["decisions"].max(initial=0)) + 1
        if most > self.state.taken.shape[1]:
            self.state = grown(self.state, {"D": 2 * most})
        window, every = self.options.window, self.options.budget_every
        outcome = (result.rewards, result.dones, result.elapsed)
        step(self.state, slots, actions, window, every, SILENT, *outcome)

    def most_rows(self, instance: BatchingInstance) -> RowLimits:
        """See `BatchSim.most_rows`."""
        alone = super().most_rows(instance)
        nodes, edges = most_in_window(instance, self.options.graph_window)
        return replace(alone, nodes=alone.nodes + nodes, edges=alone.edges + edges)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore; graphs of requests are made again when they are asked for."""
        super().load_state_dict(state)
        self.state.slot["graphed"] = -1

    def _renew_graphs(self, slots: Ints) -> None:
        """Graphs of the present requests, in slots (N,) that have decided since theirs were made."""
        row = self.state.slot
        stale = row["graphed"][slots] != row["decisions"][slots]
        for slot in slots[stale].tolist():
            window = look_around(self.state, slot, self.options.graph_window)
            graph = with_window(self.store.graph(int(self.graphs[slot, 0])), window)
            self._put(slot, self._held(slot), np.array([self.store.add(graph)]))
        row["graphed"][slots] = row["decisions"][slots]

    def observe(self) -> PackedObs:
        """One block per waiting slot; see `BatchSim.observe`."""
        state, slots = self.state, self._waiting_slots()
        if self.options.graph_window:
            self._renew_graphs(slots)
        candidate_ptr = pointers(state.slot["count"][slots])
        resource_ptr = pointers(state.slot["replicas"][slots])
        obs = blank_obs(SCHEMA, slots, candidate_ptr, resource_ptr)
        obs["kind"] = state.slot["kind"][slots]
        obs["graph_ptr"], obs["graph"] = np.arange(len(slots) + 1), self.graphs[slots, 0]
        fill_rows(
            state,
            slots,
            self.options.graph_window,
            self.first_row[slots, 0],
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

    def costs(self) -> NDArray[np.float64]:
        """(num_slots,) cost of each finished episode."""
        weight = np.maximum(self.state.slot["total_weight"], 1e-300)
        return np.where(self.status == DONE, self.state.slot["loss"] / weight, 0.0)

    def solution(self, slot: int) -> BatchingSolution:
        """The log of a finished episode; see `BatchSim.solution`."""
        instance, row = self._finished(slot), self.state.slot[slot]
        taken = self.state.taken[slot, : row["decisions"]].copy()
        return replay_slot(instance, self.options, taken, bool(row["offer_first"]))


assert SCHEMA.kinds == KINDS
