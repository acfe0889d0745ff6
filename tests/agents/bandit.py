"""A tiny simulator whose best candidate shows only in the features of its node.

An episode is a few decisions among some nodes of a ring; choosing a node gives its worth less the
largest worth on offer, so the best policy's return is 0. In the middle of every episode a second
ring arrives, whose nodes are on offer from then on.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np

from graphsched.envs.core.graph import (
    EdgeType,
    GraphSchema,
    GraphStore,
    NodeType,
    PackedObs,
    StaticGraph,
    features,
)
from graphsched.envs.core.sim import StepResult

SCHEMA = GraphSchema(
    nodes=(NodeType("arm", features("worth", "noise")), NodeType("hub", features("one"))),
    edges=(EdgeType("next", "arm", "arm"), EdgeType("of", "arm", "hub")),
    candidate=features("noise"),
    candidate_nodes=("arm",),
    resource=features("load"),
    resource_node="hub",
    candidate_resources=("hub",),
    context=features("progress"),
)


@dataclass(frozen=True)
class Arms:
    """Two rings of arms by their worth, and how often one of them is to be chosen."""

    worths: tuple[tuple[float, ...], tuple[float, ...]]
    length: int
    name: str = "arms"

    def to_json(self) -> dict[str, Any]:
        """All fields."""
        return asdict(self)


def draw_arms(rng: np.random.Generator) -> Arms:
    """4 to 7 arms in each ring, 4 to 9 decisions."""
    first, second = (tuple(rng.uniform(-1, 1, rng.integers(4, 8)).tolist()) for _ in range(2))
    return Arms((first, second), int(rng.integers(4, 10)))


def ring(worths: tuple[float, ...]) -> StaticGraph:
    """Arms in a ring, all linked to one hub."""
    size = len(worths)
    arms = np.arange(size)
    noise = np.sin(arms * 3.0)
    return StaticGraph(
        nodes={
            "arm": np.stack([worths, noise], axis=1).astype(np.float32),
            "hub": np.ones((1, 1), np.float32),
        },
        edges={
            "next": np.stack([arms, (arms + 1) % size]),
            "of": np.stack([arms, np.zeros(size, np.int64)]),
        },
    )


class BanditSim:
    """Plain Python, one slot after the other."""

    def __init__(self, num_slots: int, options: Any = None) -> None:
        """All slots idle."""
        self.num_slots = num_slots
        self.store = GraphStore()
        self._arms: list[Arms | None] = [None] * num_slots
        self._graphs: list[list[int]] = [[] for _ in range(num_slots)]
        self._time = np.zeros(num_slots, np.int64)
        self._totals = np.zeros(num_slots)
        self._rng = [np.random.default_rng(0)] * num_slots
        self._offers: dict[int, list[tuple[int, int]]] = {}

    def reset(self, slots: Any, instances: Any, seeds: Any) -> None:
        """Start episodes; slots that are given the same object share its first ring."""
        shared: dict[int, int] = {}
        for slot, arms, seed in zip(slots, instances, seeds, strict=True):
            self._release(slot)
            self._rng[slot] = np.random.default_rng(seed)
            if id(arms) in shared:
                self.store.retain(shared[id(arms)])
            else:
                shared[id(arms)] = self.store.add(ring(arms.worths[0]))
            self._arms[slot], self._graphs[slot] = arms, [shared[id(arms)]]
            self._time[slot] = self._totals[slot] = 0
            self._offer(slot)

    def _release(self, slot: int) -> None:
        for graph_id in self._graphs[slot]:
            self.store.release(graph_id)
        self._graphs[slot] = []

    def _offer(self, slot: int) -> None:
        arms = self._arms[slot]
        assert arms is not None
        if self._time[slot] == arms.length // 2:
            self._graphs[slot].append(self.store.add(ring(arms.worths[1])))
        every = [(g, k) for g in range(len(self._graphs[slot])) for k in range(len(arms.worths[g]))]
        count = int(self._rng[slot].integers(2, 5))
        chosen = self._rng[slot].permutation(len(every))[:count]
        self._offers[slot] = [every[i] for i in chosen]

    def observe(self) -> PackedObs:
        """One block per waiting slot."""
        slots = sorted(self._offers)
        offers = [self._offers[s] for s in slots]
        graphs = [self._graphs[s] for s in slots]
        start = self.store.row_start
        nodes = [start(g[i]) + k for g, offer in zip(graphs, offers, strict=True) for i, k in offer]
        hubs = [start(g) + self.store.graph(g).num_nodes - 1 for live in graphs for g in live]
        rings = [i for offer in offers for i, _ in offer]
        count = len(nodes)
        return PackedObs(
            slot=np.array(slots, np.int64),
            kind=np.zeros(len(slots), np.int64),
            context=self._time[slots].astype(np.float32)[:, None] / np.float32(10),
            candidate_ptr=np.cumsum([0, *map(len, offers)]),
            candidate=np.sin(np.array(nodes, np.float32) * 7.0).reshape(count, 1),
            candidate_node=np.array(nodes, np.int64).reshape(count, 1),
            candidate_resource=np.array(rings, np.int64).reshape(count, 1),
            resource_ptr=np.cumsum([0, *map(len, graphs)]),
            resource=np.cos(np.array(hubs, np.float32)).reshape(-1, 1),
            resource_node=np.array(hubs, np.int64),
            graph_ptr=np.cumsum([0, *map(len, graphs)]),
            graph=np.array([g for live in graphs for g in live], np.int64),
        )

    def step(self, actions: Any) -> StepResult:
        """Choose an arm in every waiting slot."""
        slots = sorted(self._offers)
        rewards, dones = np.zeros(len(slots)), np.zeros(len(slots), bool)
        for i, (slot, action) in enumerate(zip(slots, actions, strict=True)):
            arms = self._arms[slot]
            assert arms is not None
            worths = [arms.worths[g][k] for g, k in self._offers.pop(slot)]
            rewards[i] = worths[action] - max(worths)
            self._totals[slot] += rewards[i]
            self._time[slot] += 1
            dones[i] = self._time[slot] == arms.length
            if dones[i]:
                self._release(slot)
            else:
                self._offer(slot)
        return StepResult(np.array(slots, np.int64), rewards, dones, np.ones(len(slots)))

    def costs(self) -> Any:
        """Regret of each slot."""
        return -self._totals


DOMAIN: Any = SimpleNamespace(
    name="bandit", schema=SCHEMA, options=SimpleNamespace, simulator=BanditSim
)
