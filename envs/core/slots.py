"""The life cycle of a simulator's slots, once for all domains; see `BatchSim` for the protocol.

A domain says what is its own: its arrays, its graphs, how an instance is written into a slot, and
the kernels that begin and step. All else is here: stored graphs that slots share, putting, the check
of actions, copies of slots, saving and restoring.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np

from graphsched.envs.core.arrays import copy_slots, from_plain, grown, plain_arrays
from graphsched.envs.core.graph import GraphStore
from graphsched.envs.core.sim import DONE, WAITING, RowLimits, StepResult

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from graphsched.envs.core.arrays import Bools, Ints
    from graphsched.envs.core.graph import PackedObs, StaticGraph

InstanceT = TypeVar("InstanceT")
SolutionT = TypeVar("SolutionT")
StateT = TypeVar("StateT", bound=tuple[Any, ...])


class SlotSim(ABC, Generic[InstanceT, SolutionT, StateT]):
    """What every `BatchSim` over a struct-of-arrays does alike.

    Attributes:
        num_slots: episodes run side by side.
        store: static graphs of the instances in the slots.
        state: the live arrays, for rules; not to be written to from outside.
        graphs: (num_slots, most_graphs) ids in the store, -1 where a slot has fewer.
        first_row: (num_slots, most_graphs) rows of their first nodes in the store's node table.
    """

    def __init__(self, num_slots: int, state: StateT, most_graphs: int = 1) -> None:
        """Args: num_slots: of the simulator. state: empty. most_graphs: of an instance."""
        self.num_slots = num_slots
        self.store = GraphStore()
        self.state = state
        self.graphs = np.full((num_slots, most_graphs), -1, np.int64)
        self.first_row = np.zeros((num_slots, most_graphs), np.int64)
        self._instances: list[InstanceT | None] = [None] * num_slots
        self._held_back = np.zeros(num_slots, np.bool_)

    # What a domain says.

    @property
    @abstractmethod
    def status(self) -> Ints:
        """(num_slots,) IDLE, WAITING or DONE."""

    @abstractmethod
    def _graphs_of(self, instance: InstanceT) -> list[StaticGraph]:
        """The static graphs of an instance, most_graphs at most."""

    @abstractmethod
    def _sizes(self, instances: Sequence[InstanceT]) -> Mapping[str, int]:
        """Room that instances need in the arrays, by the letters of their declaration."""

    @abstractmethod
    def _load(self, slot: int, instance: InstanceT) -> None:
        """Write an instance and nothing done into a slot's arrays."""

    @abstractmethod
    def _begin(self, slots: Ints) -> None:
        """Advance loaded slots (N,) to their first decisions."""

    def _seed(self, slots: Ints, seeds: Sequence[int]) -> None:
        """Begin the streams of chance of loaded slots (N,); there are none where worlds are given."""
        del slots, seeds

    def _offer_first(self, slot: int) -> bool:
        """Make the first move of a loaded slot a decision, although there is no choice.

        False where there is not even a move, or where kernels see to it themselves.
        """
        del slot
        return False

    @abstractmethod
    def _counts(self, slots: Ints) -> Ints:
        """(N,) candidates of waiting slots."""

    @abstractmethod
    def _most_candidates(self, instance: InstanceT) -> int:
        """Candidates of any decision at most."""

    def _most_resources(self, instance: InstanceT) -> int:
        """Resource rows of any decision at most."""
        del instance
        return 0

    def _most_live(self, instance: InstanceT) -> int:
        """Graphs that a decision sees at most."""
        del instance
        return 1

    @abstractmethod
    def _act(self, slots: Ints, actions: Ints, result: StepResult) -> None:
        """Take valid decisions (N,) and fill the result."""

    @abstractmethod
    def _instance_from_json(self, document: Mapping[str, Any]) -> InstanceT:
        """Inverse of the instance's ``to_json``."""

    @abstractmethod
    def observe(self) -> PackedObs:
        """One block per waiting slot; see `BatchSim.observe`."""

    @abstractmethod
    def solution(self, slot: int) -> SolutionT:
        """The finished episode's solution; see `BatchSim.solution`."""

    # What follows from it.

    def most_rows(self, instance: InstanceT) -> RowLimits:
        """See `BatchSim.most_rows`."""
        graphs, live = self._graphs_of(instance), self._most_live(instance)
        return RowLimits(
            nodes=live * max(g.num_nodes for g in graphs),
            edges=live * max(sum(e.shape[1] for e in g.edges.values()) for g in graphs),
            candidates=self._most_candidates(instance),
            resources=self._most_resources(instance),
        )

    @property
    def waiting(self) -> Bools:
        """(num_slots,) whether each slot waits for a decision and isn't held back."""
        return np.asarray((self.status == WAITING) & ~self._held_back)

    def _waiting_slots(self) -> Ints:
        """(N,) of them, rising."""
        return self.waiting.nonzero()[0]

    def hold(self, held: Bools) -> None:
        """Leave slots out for a while; see `BatchSim.hold`."""
        self._held_back = np.array(held, np.bool_)

    def reset(
        self, slots: Sequence[int], instances: Sequence[InstanceT], seeds: Sequence[int]
    ) -> None:
        """Start episodes; see `BatchSim.reset`."""
        if not instances:
            return
        self.state = grown(self.state, self._sizes(instances))
        first: dict[int, int] = {}  # id of an instance -> the slot that it is loaded into
        twins: list[tuple[int, int]] = []
        for slot, instance in zip(slots, instances, strict=True):
            source = first.setdefault(id(instance), slot)
            if source == slot:
                self._put(slot, instance, self._stored(instance))
                self._load(slot, instance)
            else:
                self._put(slot, instance, self._retained(self.graphs[source]))
                twins.append((source, slot))
        if twins:
            copy_slots(self.state, *np.array(twins).T)
        where = np.asarray(slots, np.int64)
        self._seed(where, seeds)
        self._begin(where)
        for slot in where[self.status[where] == DONE].tolist():
            if self._offer_first(slot):
                self._begin(np.array([slot]))

    def instance(self, slot: int) -> InstanceT:
        """What the slot plays or has played. Raises RuntimeError if it was never reset."""
        return self._held(slot)

    def _held(self, slot: int) -> InstanceT:
        instance = self._instances[slot]
        if instance is None:
            raise RuntimeError(f"slot {slot} was never reset")
        return instance

    def _finished(self, slot: int) -> InstanceT:
        """The instance of a slot whose episode has ended; raises RuntimeError."""
        if self._instances[slot] is None or self.status[slot] != DONE:
            raise RuntimeError(f"slot {slot} has no finished episode")
        return self._held(slot)

    def _stored(self, instance: InstanceT | None) -> Ints:
        """(most_graphs,) ids of the instance's graphs, put into the store; of no instance none."""
        ids = np.full(self.graphs.shape[1], -1, np.int64)
        for k, graph in enumerate([] if instance is None else self._graphs_of(instance)):
            ids[k] = self.store.add(graph)
        return ids

    def _retained(self, graphs: Ints) -> Ints:
        """A copy of ids, each counted once more in the store."""
        for graph in graphs[graphs >= 0].tolist():
            self.store.retain(graph)
        return graphs.copy()

    def _put(self, slot: int, instance: InstanceT | None, graphs: Ints) -> None:
        """Hand a slot to an instance, whose graphs count for it already."""
        old = self.graphs[slot]
        for graph in old[old >= 0].tolist():
            self.store.release(graph)
        self._instances[slot], self.graphs[slot] = instance, graphs
        self.first_row[slot] = [self.store.row_start(g) if g >= 0 else 0 for g in graphs.tolist()]

    def step(self, actions: Ints) -> StepResult:
        """Act in all waiting slots; see `BatchSim.step`."""
        slots = self._waiting_slots()
        actions = np.asarray(actions, np.int64)
        if actions.shape != slots.shape:
            raise IndexError(f"expected {len(slots)} actions, found shape {actions.shape}")
        counts = self._counts(slots)
        wrong = np.flatnonzero((actions < 0) | (actions >= counts))
        if len(wrong):
            k = int(wrong[0])
            raise IndexError(f"action {actions[k]} of block {k}: expected < {counts[k]}")
        size = len(slots)
        result = StepResult(slots, np.empty(size), np.empty(size, np.bool_), np.empty(size))
        self._act(slots, actions, result)
        return result

    def fork(self, sources: Sequence[int], targets: Sequence[int]) -> None:
        """Copy slots; see `BatchSim.fork`."""
        if any(self._instances[slot] is None for slot in sources):
            raise RuntimeError("cannot fork a slot that was never reset")
        held = [(self._held(slot), self._retained(self.graphs[slot])) for slot in sources]
        copy_slots(self.state, sources, targets)
        for (instance, graphs), target in zip(held, targets, strict=True):
            self._put(target, instance, graphs)

    def state_dict(self) -> dict[str, Any]:
        """Arrays and instances; see `BatchSim.state_dict`."""
        numbers: dict[int, int] = {}
        which = [numbers.setdefault(id(i), len(numbers)) for i in self._instances]
        unique = {id(i): i for i in self._instances}
        documents = [None if i is None else _document(i) for i in unique.values()]
        return {"arrays": plain_arrays(self.state), "instances": documents, "which": which}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore; slots that shared an instance share it again."""
        unique = [None if d is None else self._instance_from_json(d) for d in state["instances"]]
        stored: dict[int, Ints] = {}
        for slot, k in enumerate(state["which"]):
            instance = unique[k]
            if k in stored:
                graphs = self._retained(stored[k])
            else:
                graphs = stored[k] = self._stored(instance)
            self._put(slot, instance, graphs)
        self.state = from_plain(type(self.state), state["arrays"])


def _document(instance: Any) -> dict[str, Any]:
    document: dict[str, Any] = instance.to_json()
    return document
