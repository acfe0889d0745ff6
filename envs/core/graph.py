"""Graph observations: what a policy sees, as plain arrays.

Two levels. A *static graph* describes an instance (or one arriving job) once; it lives in a
`GraphStore` and is referred to by id. *Dynamic rows* describe the situation at a decision:
ragged blocks of candidate and resource rows, one block per waiting simulator slot.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import namedtuple
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any, TypedDict

import numpy as np

from graphsched.envs.core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True)
class Feature:
    """One column of a feature matrix; ``unit`` is "1" for a scale-free quantity."""

    name: str
    unit: str = "1"


def features(*names: str, unit: str = "1") -> tuple[Feature, ...]:
    """Shorthand for several features of the same unit."""
    return tuple(Feature(name, unit) for name in names)


def columns(names: Sequence[Feature]) -> Any:
    """Column numbers by name: ``columns(CANDIDATE).duration`` is the column of that feature.

    A named tuple, which compiled kernels read as constants: ``row[CAND.duration] = ...``.
    """
    words = [feature.name for feature in names]
    return namedtuple("Columns", words)(*range(len(words)))


@dataclass(frozen=True)
class NodeType:
    """A kind of node in a static graph and the columns of its feature matrix."""

    name: str
    features: tuple[Feature, ...]


@dataclass(frozen=True)
class EdgeType:
    """A kind of directed edge between two node types, with optional edge features."""

    name: str
    source: str
    target: str
    features: tuple[Feature, ...] = ()


@dataclass(frozen=True)
class GraphSchema:
    """Names, widths and units of everything a policy sees; no sizes.

    Attributes:
        nodes, edges: the static graph's types. In a graph, node rows are laid out type by type
            in this order.
        candidate: columns of a candidate row.
        candidate_nodes: node types that a candidate refers to, e.g. ``("task", "pe")``.
        resource: columns of a resource row (machines, PEs, replicas).
        resource_node: node type that a resource row refers to, if any.
        candidate_resources: roles of the resource rows that a candidate refers to, e.g.
            ``("machine", "next_machine")``.
        context: columns of the per-decision context.
        kinds: the kinds of decision that occur (``("dispatch",)``, ``("route", "budget")``).
    """

    nodes: tuple[NodeType, ...]
    edges: tuple[EdgeType, ...]
    candidate: tuple[Feature, ...]
    candidate_nodes: tuple[str, ...]
    resource: tuple[Feature, ...] = ()
    resource_node: str | None = None
    candidate_resources: tuple[str, ...] = ()
    context: tuple[Feature, ...] = ()
    kinds: tuple[str, ...] = ("decide",)

    def __post_init__(self) -> None:
        """Check that every reference names a node type."""
        names = {node.name for node in self.nodes}
        wanted = [n for edge in self.edges for n in (edge.source, edge.target)]
        wanted += [*self.candidate_nodes, *filter(None, [self.resource_node])]
        unknown = sorted(set(wanted) - names)
        if unknown:
            raise InputError(
                "GraphSchema", f"unknown node types {unknown}, expected {sorted(names)}"
            )


@dataclass(frozen=True)
class StaticGraph:
    """One static graph.

    Attributes:
        nodes: node type -> (num_nodes, num_features) float32.
        edges: edge type -> (2, num_edges) int64, indices local to the source and target types.
        edge_features: edge type -> (num_edges, num_features) float32, for types that have any.
    """

    nodes: Mapping[str, NDArray[np.float32]]
    edges: Mapping[str, NDArray[np.int64]]
    edge_features: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)

    @property
    def num_nodes(self) -> int:
        """Number of nodes of all types."""
        return sum(len(rows) for rows in self.nodes.values())


class PackedObs(TypedDict):
    """Observations of all N waiting slots, ragged; a plain dict of arrays.

    Row references (``*_node``) index the store's node table: ``store.row_start(graph id)`` plus
    the node's place in its graph. -1 means no node (a *defer* action, say).
    """

    slot: NDArray[np.int64]  # (N,) simulator slot of each block
    kind: NDArray[np.int64]  # (N,) index into schema.kinds
    context: NDArray[np.float32]  # (N, context features)
    candidate_ptr: NDArray[np.int64]  # (N + 1,) candidate rows of block i: [ptr[i], ptr[i + 1])
    candidate: NDArray[np.float32]  # (C, candidate features)
    candidate_node: NDArray[np.int64]  # (C, len(schema.candidate_nodes)) rows of the node table
    candidate_resource: NDArray[np.int64]  # (C, len(schema.candidate_resources)) index within
    # the block's resource rows, or -1
    resource_ptr: NDArray[np.int64]  # (N + 1,)
    resource: NDArray[np.float32]  # (R, resource features)
    resource_node: NDArray[np.int64]  # (R,) rows of the node table, or -1
    graph_ptr: NDArray[np.int64]  # (N + 1,)
    graph: NDArray[np.int64]  # (G,) ids of the static graphs alive in each slot


class GraphStore:
    """Static graphs by id, with a stable block of node-table rows for each while it is alive.

    Ids are never used twice, so ``(store.uid, graph id)`` keys an encoder's cache safely. Graphs
    are reference-counted: simulators retain the graphs of running episodes and a rollout buffer
    retains those that it still has to learn from. Rows of released graphs are reused.
    """

    _uids = count()

    def __init__(self) -> None:
        """An empty store."""
        self.uid = next(self._uids)
        self.num_rows = 0  # height of the node table
        self._next_id = 0
        self._graphs: dict[int, StaticGraph] = {}
        self._starts: dict[int, int] = {}
        self._references: dict[int, int] = {}
        self._free: list[tuple[int, int]] = []  # (start, length) of released blocks

    def __len__(self) -> int:
        """Number of live graphs."""
        return len(self._graphs)

    def add(self, graph: StaticGraph) -> int:
        """Store a graph with one reference; returns its id."""
        graph_id = self._next_id
        self._next_id += 1
        self._graphs[graph_id] = graph
        self._starts[graph_id] = self._allocate(graph.num_nodes)
        self._references[graph_id] = 1
        return graph_id

    def graph(self, graph_id: int) -> StaticGraph:
        """The graph of a live id."""
        return self._graphs[graph_id]

    def row_start(self, graph_id: int) -> int:
        """First node-table row of a live graph."""
        return self._starts[graph_id]

    def ids(self) -> list[int]:
        """Ids of all live graphs, in order of arrival."""
        return list(self._graphs)

    def retain(self, graph_id: int) -> None:
        """Add a reference."""
        self._references[graph_id] += 1

    def release(self, graph_id: int) -> None:
        """Drop a reference; the last one frees the graph and its rows."""
        self._references[graph_id] -= 1
        if self._references[graph_id] == 0:
            graph = self._graphs.pop(graph_id)
            del self._references[graph_id]
            self._reclaim(self._starts.pop(graph_id), graph.num_nodes)

    def _reclaim(self, start: int, length: int) -> None:
        """Keep the free blocks sorted and joined, or blocks of other sizes would never fit."""
        at = bisect_left(self._free, (start, length))
        if at < len(self._free) and self._free[at][0] == start + length:
            length += self._free.pop(at)[1]
        if at > 0 and sum(self._free[at - 1]) == start:
            start, before = self._free.pop(at - 1)
            length, at = length + before, at - 1
        self._free.insert(at, (start, length))

    def _allocate(self, length: int) -> int:
        for i, (start, room) in enumerate(self._free):
            if room >= length:
                self._free[i : i + 1] = [(start + length, room - length)] if room > length else []
                return start
        start = self.num_rows
        self.num_rows += length
        return start


def blank_obs(
    schema: GraphSchema,
    slots: NDArray[np.int64],
    candidate_ptr: NDArray[np.int64],
    resource_ptr: NDArray[np.int64],
) -> PackedObs:
    """Blocks to fill: rows are 0, nodes and resources -1, and there are no graphs.

    Args:
        schema: of the domain.
        slots: (N,) that wait, rising.
        candidate_ptr: (N + 1,) first candidate of each block.
        resource_ptr: (N + 1,) first resource of each block.
    """
    n, c, r = len(slots), int(candidate_ptr[-1]), int(resource_ptr[-1])
    nodes, resources = len(schema.candidate_nodes), len(schema.candidate_resources)
    return PackedObs(
        slot=slots,
        kind=np.zeros(n, np.int64),
        context=np.zeros((n, len(schema.context)), np.float32),
        candidate_ptr=candidate_ptr,
        candidate=np.zeros((c, len(schema.candidate)), np.float32),
        candidate_node=_none((c, nodes)),
        candidate_resource=_none((c, resources)),
        resource_ptr=resource_ptr,
        resource=np.zeros((r, len(schema.resource)), np.float32),
        resource_node=_none((r,)),
        graph_ptr=np.zeros(n + 1, np.int64),
        graph=np.zeros(0, np.int64),
    )


def _none(shape: tuple[int, ...]) -> NDArray[np.int64]:
    out = np.empty(shape, np.int64)
    out.fill(-1)  # at a third of the cost of `np.full`, which counts where one slot is observed
    return out


def pointers(sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    """(N + 1,) where each of N blocks begins, and the end. sizes: (N,)."""
    out = np.zeros(len(sizes) + 1, np.int64)
    np.cumsum(sizes, out=out[1:])
    return out
