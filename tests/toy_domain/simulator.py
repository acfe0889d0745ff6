"""The batched simulator: slots one after the other, graphs as jobs come and go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from graphsched.envs.core.graph import GraphStore, PackedObs
from graphsched.envs.core.parts.values import PythonScalars
from graphsched.envs.core.sim import RowLimits, StepResult
from tests.toy_domain.checker import lower_bound
from tests.toy_domain.features import (
    SCHEMA,
    candidate_rows,
    context_row,
    crew_graph,
    job_graph,
    resource_rows,
)
from tests.toy_domain.state import DEFER, Slot

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from tests.toy_domain.instance import CrewInstance
    from tests.toy_domain.solution import CrewSolution

CREW = -1  # key of the crew's graph among those of the jobs


@dataclass(frozen=True)
class CrewOptions(PythonScalars):
    """may_defer: whether the crew may wait although something could be started."""

    may_defer: bool = True


def advance(slot: Slot, options: CrewOptions) -> None:
    """Let time pass and take forced moves, up to the next choice or the end."""
    before_forced = None
    while not slot.over:
        slot.find_offers(options.may_defer)
        if len(slot.offers) > 1:
            return
        if not slot.offers:
            slot.wait()
            continue
        if slot.decisions == 0:
            before_forced = slot.copy()
        slot.apply(0)
    if slot.decisions == 0:
        assert before_forced is not None
        vars(slot).update(vars(before_forced))  # nothing to choose: the last move is the decision


class CrewSim:
    """See `graphsched.envs.core.sim.BatchSim`."""

    def __init__(self, num_slots: int, options: CrewOptions) -> None:
        """All slots idle."""
        self.num_slots = num_slots
        self.store = GraphStore()
        self.options = options
        self._slots: list[Slot | None] = [None] * num_slots
        self._held = [False] * num_slots
        self._graphs: list[dict[int, int]] = [{} for _ in range(num_slots)]  # job -> graph id

    def reset(
        self, slots: Sequence[int], instances: Sequence[CrewInstance], seeds: Sequence[int]
    ) -> None:
        """Start episodes; the crew's graph is stored once per instance object."""
        crews: dict[int, int] = {}
        for b, instance, seed in zip(slots, instances, seeds, strict=True):
            self._release(b)
            self._slots[b] = Slot(instance, seed)
            if id(instance) in crews:
                self.store.retain(crews[id(instance)])
            else:
                crews[id(instance)] = self.store.add(crew_graph(instance))
            self._graphs[b][CREW] = crews[id(instance)]
            advance(self._slot(b), self.options)
            self._sync_graphs(b)

    def most_rows(self, instance: CrewInstance) -> RowLimits:
        """See `BatchSim`."""
        graphs = [crew_graph(instance), *map(job_graph, instance.jobs)]
        tasks = sum(graph.num_nodes for graph in graphs[1:])
        return RowLimits(
            nodes=sum(graph.num_nodes for graph in graphs),
            edges=sum(e.shape[1] for graph in graphs for e in graph.edges.values()),
            candidates=tasks * len(instance.workers) + 1,
            resources=len(instance.workers),
        )

    def _slot(self, b: int) -> Slot:
        slot = self._slots[b]
        assert slot is not None
        return slot

    def _release(self, b: int) -> None:
        for graph in self._graphs[b].values():
            self.store.release(graph)
        self._graphs[b] = {}

    def _sync_graphs(self, b: int) -> None:
        slot, graphs = self._slot(b), self._graphs[b]
        if slot.over:
            self._release(b)
            return
        alive = slot.alive()
        for gone in graphs.keys() - {CREW, *alive}:
            self.store.release(graphs.pop(gone))
        for job in alive:
            if job not in graphs:
                graphs[job] = self.store.add(job_graph(slot.instance.jobs[job]))

    def _waiting(self) -> list[int]:
        return [
            b
            for b, slot in enumerate(self._slots)
            if slot is not None and slot.offers and not self._held[b]
        ]

    def hold(self, held: NDArray[np.bool_]) -> None:
        """Leave slots out for a while."""
        self._held = list(held)

    def _node_rows(self, b: int) -> list[tuple[int, int]]:
        start = {job: self.store.row_start(graph) for job, graph in self._graphs[b].items()}
        pairs = [pair for pair, _ in self._slot(b).offers]
        return [
            (-1, -1) if pair == DEFER else (start[pair[0]] + pair[1], start[CREW] + pair[2])
            for pair in pairs
        ]

    def observe(self) -> PackedObs:
        """One block per waiting slot."""
        blocks = self._waiting()
        slots = [self._slot(b) for b in blocks]
        offers = [pair for slot in slots for pair, _ in slot.offers]
        crew_rows = [
            self.store.row_start(self._graphs[b][CREW]) + w
            for b, slot in zip(blocks, slots, strict=True)
            for w in range(len(slot.instance.workers))
        ]
        return PackedObs(
            slot=np.array(blocks, np.int64),
            kind=np.array([slot.kind for slot in slots], np.int64),
            context=_table([context_row(slot) for slot in slots], len(SCHEMA.context)),
            candidate_ptr=_pointers([len(slot.offers) for slot in slots]),
            candidate=_table([r for s in slots for r in candidate_rows(s)], len(SCHEMA.candidate)),
            candidate_node=np.array(
                [r for b in blocks for r in self._node_rows(b)], np.int64
            ).reshape(-1, 2),
            candidate_resource=np.array([pair[2] for pair in offers], np.int64).reshape(-1, 1),
            resource_ptr=_pointers([len(slot.instance.workers) for slot in slots]),
            resource=_table([r for s in slots for r in resource_rows(s)], len(SCHEMA.resource)),
            resource_node=np.array(crew_rows, np.int64),
            graph_ptr=_pointers([len(self._graphs[b]) for b in blocks]),
            graph=np.array([g for b in blocks for g in self._graphs[b].values()], np.int64),
        )

    def step(self, actions: NDArray[np.int64]) -> StepResult:
        """Act in every waiting slot."""
        blocks = self._waiting()
        if len(actions) != len(blocks):
            raise IndexError(f"expected {len(blocks)} actions, found {len(actions)}")
        for i, b in enumerate(blocks):
            count = len(self._slot(b).offers)
            if not 0 <= actions[i] < count:
                raise IndexError(f"action {actions[i]} of block {i}: expected < {count}")
        results = [self._act(b, int(a)) for b, a in zip(blocks, actions, strict=True)]
        rewards, dones, elapsed = zip(*results, strict=True) if results else ((), (), ())
        return StepResult(
            np.array(blocks, np.int64),
            np.array(rewards, np.float64),
            np.array(dones, np.bool_),
            np.array(elapsed, np.float64),
        )

    def _act(self, b: int, action: int) -> tuple[float, bool, float]:
        slot = self._slot(b)
        clock = slot.answered
        slot.apply(action)
        slot.decisions += 1
        advance(slot, self.options)
        reward = (slot.rewarded_flow - slot.flow) / lower_bound(slot.instance)
        slot.rewarded_flow, slot.answered = slot.flow, slot.now
        self._sync_graphs(b)
        return reward, slot.over, slot.now - clock

    def costs(self) -> NDArray[np.float64]:
        """Total flow time of each slot so far."""
        return np.array([slot.flow if slot else 0 for slot in self._slots], np.float64)

    def solution(self, slot: int) -> CrewSolution:
        """The finished episode's solution."""
        episode = self._slots[slot]
        if episode is None or not episode.over:
            raise RuntimeError(f"slot {slot} has no finished episode")
        return episode.solution()

    def fork(self, sources: Sequence[int], targets: Sequence[int]) -> None:
        """Copy slots; their graphs are shared from then on."""
        held = [(_copy(self._slots[s]), dict(self._graphs[s])) for s in sources]
        for _, graphs in held:
            for graph in graphs.values():
                self.store.retain(graph)
        for (slot, graphs), target in zip(held, targets, strict=True):
            self._release(target)
            self._slots[target], self._graphs[target] = slot, graphs

    def state_dict(self) -> dict[str, Any]:
        """The slots; graphs are stored anew on loading."""
        return {"slots": [_copy(slot) for slot in self._slots]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        for b, slot in enumerate(map(_copy, state["slots"])):
            self._release(b)
            self._slots[b] = slot
            if slot is not None and not slot.over:
                self._graphs[b][CREW] = self.store.add(crew_graph(slot.instance))
                self._sync_graphs(b)


def _copy(slot: Slot | None) -> Slot | None:
    return None if slot is None else slot.copy()


def _table(rows: list[list[float]], width: int) -> NDArray[np.float32]:
    return np.array(rows, np.float32).reshape(-1, width)


def _pointers(lengths: list[int]) -> NDArray[np.int64]:
    return np.cumsum([0, *lengths], dtype=np.int64)
