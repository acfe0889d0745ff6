"""Joining, selecting and rebasing ragged packed observations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np

from graphsched.envs.core.kernels.jit import kernel

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from graphsched.agents.networks.packing import NetworkObs
    from graphsched.envs.core.graph import GraphStore, PackedObs

PER_BLOCK = ("slot", "kind", "context")
RAGGED = {
    "candidate_ptr": ("candidate", "candidate_node", "candidate_resource"),
    "resource_ptr": ("resource", "resource_node"),
    "graph_ptr": ("graph",),
}
UNMAPPED = -2


def join(parts: Sequence[PackedObs]) -> PackedObs:
    """Concatenate observations, in order, into one with the blocks of all of them."""
    columns = cast("Sequence[dict[str, NDArray[Any]]]", parts)
    out: dict[str, NDArray[Any]] = {
        key: np.concatenate([part[key] for part in columns]) for key in PER_BLOCK
    }
    for pointer, keys in RAGGED.items():
        counts = np.concatenate([np.diff(part[pointer]) for part in columns])
        out[pointer] = pointers(counts)
        out |= {key: np.concatenate([part[key] for part in columns]) for key in keys}
    return cast("PackedObs", out)


def pointers(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """(N,) block lengths -> (N + 1,) pointers."""
    out = np.zeros(len(counts) + 1, np.int64)
    np.cumsum(counts, out=out[1:])
    return out


@kernel
def ragged_rows(
    ptr: NDArray[np.int64], index: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows of the chosen blocks, one block after another.

    Args:
        ptr: (N + 1,) int64 pointers.
        index: (M,) int64 chosen blocks.

    Returns:
        (rows of these blocks,) int64 and their (M + 1,) int64 pointers.
    """
    new_ptr = np.zeros(len(index) + 1, np.int64)
    for i in range(len(index)):
        new_ptr[i + 1] = new_ptr[i] + ptr[index[i] + 1] - ptr[index[i]]
    rows = np.empty(new_ptr[-1], np.int64)
    for i in range(len(index)):
        for k in range(new_ptr[i + 1] - new_ptr[i]):
            rows[new_ptr[i] + k] = ptr[index[i]] + k
    return rows, new_ptr


def select(obs: PackedObs, index: NDArray[np.int64]) -> PackedObs:
    """The blocks ``index`` (M,) of an observation, in that order."""
    columns = cast("dict[str, NDArray[Any]]", obs)
    out = {key: columns[key].take(index, axis=0) for key in PER_BLOCK}
    for pointer, keys in RAGGED.items():
        rows, out[pointer] = ragged_rows(columns[pointer], index)
        out |= {key: columns[key].take(rows, axis=0) for key in keys}
    return cast("PackedObs", out)


@kernel
def _map_rows(
    starts: NDArray[np.int64], sizes: NDArray[np.int64], height: int
) -> NDArray[np.int64]:
    # starts, sizes: (graphs,) int64 blocks of the store's node table -> (height,) int64
    table = np.full(height, UNMAPPED, np.int64)
    row = 0
    for i in range(len(starts)):
        for k in range(sizes[i]):
            table[starts[i] + k] = row
            row += 1
    return table


@kernel
def _move(nodes: NDArray[np.int64], table: NDArray[np.int64]) -> NDArray[np.int64]:
    # nodes: (R,) int64 rows of the store's node table or -1; returns (R,) int64
    out = np.empty(len(nodes), np.int64)
    for i in range(len(nodes)):
        node = nodes[i]
        out[i] = -1 if node == -1 else table[node]
    return out


def rebase(
    obs: PackedObs | Mapping[str, Any], store: GraphStore
) -> tuple[NetworkObs, NDArray[np.int64]]:
    """Refer to a table that holds only the observation's own graphs.

    Returns:
        The observation with its node references moved, and the (graphs,) ids, ascending, whose
        nodes make up that table in this order.

    Raises:
        IndexError: a reference leads to a node of no graph of the observation.
    """
    ids, place = np.unique(obs["graph"], return_inverse=True)
    starts = np.array([store.row_start(i) for i in ids.tolist()], np.int64)
    sizes = np.array([store.graph(i).num_nodes for i in ids.tolist()], np.int64)
    table = _map_rows(starts, sizes, store.num_rows)
    out: dict[str, Any] = dict(obs)
    for key in ("candidate_node", "resource_node"):
        out[key] = _moved(key, out[key], table)
    out["graph_start"] = pointers(sizes)[:-1][place]
    out["graph_size"] = sizes[place]
    return cast("NetworkObs", out), ids


def _moved(key: str, nodes: NDArray[np.int64], table: NDArray[np.int64]) -> NDArray[np.int64]:
    if nodes.size and not -1 <= nodes.min() <= nodes.max() < len(table):
        raise IndexError(f"{key} refers to rows outside the node table of {len(table)} rows")
    moved: NDArray[np.int64] = _move(nodes.ravel(), table).reshape(nodes.shape)
    if moved.size and moved.min() == UNMAPPED:
        raise IndexError(f"{key} refers to nodes of graphs that the observation does not name")
    return moved
