"""The simulator: each slot maps one program, by priorities, access by access, or move by move."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from graphsched.envs.core.arrays import empty, write
from graphsched.envs.core.graph import blank_obs, pointers
from graphsched.envs.core.kernels.draws import begin_stream
from graphsched.envs.core.sim import DONE, IDLE
from graphsched.envs.core.slots import SlotSim
from graphsched.envs.memory.features import SCHEMA, static_graph
from graphsched.envs.memory.improving.bank import CHECKPOINTS
from graphsched.envs.memory.improving.episode import (
    begin_searches,
    empty_room,
    plan_of,
    step_searches,
)
from graphsched.envs.memory.instance import MemoryInstance, instance_from_json
from graphsched.envs.memory.options import MemoryOptions
from graphsched.envs.memory.physics.arena import FIRST_FIT, LATENCY, RESIDENCIES
from graphsched.envs.memory.physics.kernel import begin_slots, step_slots
from graphsched.envs.memory.physics.program import problem_of
from graphsched.envs.memory.physics.state import MOST_CANDIDATES, State
from graphsched.envs.memory.physics.undo import most_notes
from graphsched.envs.memory.pricing.guide import guide_of
from graphsched.envs.memory.solution import MemorySolution
from graphsched.envs.memory.view.moves import fill_moves
from graphsched.envs.memory.view.pilot import empty_scratch
from graphsched.envs.memory.view.rows import fill_rows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from graphsched.envs.core.arrays import Ints
    from graphsched.envs.core.graph import PackedObs, StaticGraph
    from graphsched.envs.core.sim import StepResult
    from graphsched.envs.memory.improving.episode import Room
    from graphsched.envs.memory.view.pilot import Scratch


class MemorySim(SlotSim[MemoryInstance, MemorySolution, State]):
    """`BatchSim` of programs on machines with a small fast memory.

    A reward is the latency saved, as a share of that with everything in slow memory: an episode's
    rewards sum to ``1 - latency / that``. Where mappings are improved, proposals are drawn from a stream
    of each slot's own, by the seeds of `reset`, and the first reward counts what the start saves; in
    the other forms nothing is random.
    """

    def __init__(self, num_slots: int, options: MemoryOptions | None = None) -> None:
        """Args: num_slots: episodes run side by side. options: defaults if None."""
        self.options = options or MemoryOptions()
        self._stepwise = self.options.actions == "step"
        self._improves = self.options.actions == "improve"
        self._plan = plan_of(self.options.moves, self.options.offered)
        rows = {"C": CHECKPOINTS, "K": self.options.offered} if self._improves else {"C": 0, "K": 0}
        none = {"B": num_slots, "T": 0, "G": 0, "A": 0, "N": 0}
        parts = {"known": none, "undo": none, "search": none | rows | {"kept": none | rows}}
        super().__init__(num_slots, empty(State, none | {"T": 1, "G": 1, "A": 1} | parts))
        self._room = empty_room(1, 1, 1)
        self._scratch = empty_scratch(1, 1)
        self._report = np.zeros(4)

    @property
    def status(self) -> Ints:
        """(num_slots,) IDLE, WAITING or DONE."""
        return self.state.status

    def _graphs_of(self, instance: MemoryInstance) -> list[StaticGraph]:
        return [static_graph(instance)]

    def _instance_from_json(self, document: Mapping[str, Any]) -> MemoryInstance:
        return instance_from_json(document)

    def _sizes(self, instances: Sequence[MemoryInstance]) -> Mapping[str, Any]:
        problems = [problem_of(instance) for instance in instances]
        sizes: dict[str, Any] = {
            "T": max(len(p.compute) for p in problems),
            "G": max(len(p.size) for p in problems),
            "A": max(len(p.access_time) for p in problems),
        }
        if self._improves:
            return {**sizes, "search": {**sizes, "kept": sizes}}
        if self._stepwise:
            return {**sizes, "undo": {"A": sizes["A"], "N": most_notes(sizes["T"], sizes["A"])}}
        return {**sizes, "known": sizes}

    def _load(self, slot: int, instance: MemoryInstance) -> None:
        p, guide = problem_of(instance), guide_of(instance)
        bytes_worth = float(p.size[guide.lists[0]].sum())
        self.state.lists[slot] = -1
        values = {
            **p._asdict(),
            "extent": [len(p.compute), len(p.size), len(p.access_time)],
            "lists": guide.lists,
            "benefit": guide.benefit,
            "price_sum": guide.price_sum,
            "margin": guide.margin,
            "profit_share": guide.profit_share,
            "worth": guide.lists.shape[1],
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
        }
        write(self.state, slot, values)
        self.state.whole[slot, FIRST_FIT] = self.options.offsets == "first-fit"

    def _seed(self, slots: Ints, seeds: Sequence[int]) -> None:
        for slot, seed in zip(slots.tolist(), seeds if self._improves else (), strict=False):
            begin_stream(self.state.search.stream[slot], seed)

    def _begin(self, slots: Ints) -> None:
        if self._improves:
            begin_searches(self.state, slots, self._plan, self._searching())
        else:
            begin_slots(self.state, slots, self._stepwise, self._report)

    def _searching(self) -> Room:
        """Room to try moves in, for the programs that there are."""
        state, room = self.state, self._room
        need = state.slow.shape[1], state.size.shape[1], state.hit.shape[1]
        if (len(room.other.slow), len(room.trial), len(room.other.hit)) != need:
            self._room = empty_room(*need)
        return self._room

    def _piloting(self) -> Scratch:
        """Room for pilots, for the programs that there are."""
        need = self.state.slow.shape[1], self.state.hit.shape[1]
        if (len(self._scratch.arena.slow), len(self._scratch.arena.hit)) != need:
            self._scratch = empty_scratch(*need)
        return self._scratch

    def _counts(self, slots: Ints) -> Ints:
        return self.state.num_candidates[slots]

    def _most_candidates(self, instance: MemoryInstance) -> int:
        del instance
        return self.options.offered if self._improves else MOST_CANDIDATES

    def _act(self, slots: Ints, actions: Ints, result: StepResult) -> None:
        out = result.rewards, result.dones
        if self._improves:
            step_searches(self.state, slots, actions, self._plan, self._searching(), *out)
        else:
            step_slots(self.state, slots, actions, self._stepwise, self._report, *out)
        result.elapsed[:] = 1.0

    def observe(self) -> PackedObs:
        """One block per waiting slot; see `BatchSim.observe`."""
        state, slots = self.state, self._waiting_slots()
        candidate_ptr = pointers(state.num_candidates[slots])
        obs = blank_obs(SCHEMA, slots, candidate_ptr, np.zeros(len(slots) + 1, np.int64))
        obs["kind"][:] = state.search.kind[slots] if self._improves else self._stepwise
        obs["graph_ptr"], obs["graph"] = np.arange(len(slots) + 1), self.graphs[slots, 0]
        first_row = np.ascontiguousarray(self.first_row[:, 0])
        rows = obs["context"], obs["candidate"], obs["candidate_node"]
        if self._improves:
            moves, room = self.options.moves, self._searching()
            fill_moves(state, slots, moves, room, first_row, candidate_ptr, *rows)
            return obs
        pilots = self.options.pilot_decisions, self.options.pilot_placements, self._piloting()
        fill_rows(state, slots, self._stepwise, *pilots, first_row, candidate_ptr, *rows)
        return obs

    def costs(self) -> NDArray[np.float64]:
        """(num_slots,) latency of each finished episode, us; 0 in other slots."""
        return np.where(self.status == DONE, self.state.real[:, LATENCY], 0.0)

    def solution(self, slot: int) -> MemorySolution:
        """The finished mapping; see `BatchSim.solution`."""
        self._finished(slot)
        state = self.state
        n, placed = int(state.whole[slot, RESIDENCIES]), int(state.num_placed[slot])
        columns = [getattr(state, f)[slot, :n].copy() for f in ("owner", "start", "end", "offset")]
        has_order = state.search.is_placed[slot] if self._improves else not self._stepwise
        order = state.placed[slot, :placed].copy() if has_order else None
        return MemorySolution(
            columns[0], columns[1], columns[2], columns[3], float(state.real[slot, LATENCY]), order
        )
