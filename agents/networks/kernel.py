"""The decoder as a numba kernel: rollouts, search and deployment without torch.

Computes what `decoder.Decoder` defines, block by block, so that a decision does not depend on
which other decisions share its batch. Weights are stored transposed, (inputs, H), and every inner
loop runs over H contiguous float32: that is the shape that the compiler turns into vectors.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from graphsched.agents.networks.choice import choose, decide
from graphsched.envs.core.kernels.jit import kernel

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from graphsched.agents.networks.choice import Decisions
    from graphsched.agents.networks.packing import NetworkObs
    from graphsched.envs.core.graph import GraphSchema

    F32 = NDArray[np.float32]
    I64 = NDArray[np.int64]

FASTMATH = {"contract", "reassoc", "nsz"}  # fixed for a build; no effect on NaN and infinity


class Weights(NamedTuple):
    """Decoder parameters, transposed. F, Y, X: candidate, resource and context features."""

    candidate_in: NDArray[np.float32]  # (F, H)
    candidate_kind: NDArray[np.float32]  # (kinds, H)
    resource_in: NDArray[np.float32]  # (Y, H)
    resource_bias: NDArray[np.float32]  # (H,)
    context_in: NDArray[np.float32]  # (X + pooled, H) without the graph embedding's rows
    context_kind: NDArray[np.float32]  # (kinds, H)
    score_in: NDArray[np.float32]  # (1 + roles, H, H)
    score_context: NDArray[np.float32]  # (H, H)
    score_bias: NDArray[np.float32]  # (H,)
    score_out: NDArray[np.float32]  # (H,)
    linear_out: NDArray[np.float32]  # (F,)
    value_in: NDArray[np.float32]  # (H, H)
    value_bias: NDArray[np.float32]  # (H,)
    value_out: NDArray[np.float32]  # (H,)
    value_shift: NDArray[np.float32]  # (1,)
    candidate_limits: NDArray[np.float32]  # (2, F) least and most
    context_limits: NDArray[np.float32]  # (2, X)
    resource_limits: NDArray[np.float32]  # (2, Y)


class Tables(NamedTuple):
    """A node table multiplied by the decoder's projections."""

    candidate: NDArray[np.float32]  # (references, rows, H)
    resource: NDArray[np.float32]  # (1, rows, H), or (0, ...) without resource nodes
    graph: NDArray[np.float32]  # (rows, H) each row's share in the context
    running: NDArray[np.float64]  # (rows, H) sums of `graph` up to and including each row


class Rows(NamedTuple):
    """The arrays of an observation that the kernel reads; shapes as in `PackedObs` but for one."""

    kind: NDArray[np.int64]
    context: NDArray[np.float32]
    candidate_ptr: NDArray[np.int64]
    candidate: NDArray[np.float32]
    candidate_node: NDArray[np.int64]
    candidate_resource: NDArray[np.int64]
    resource_ptr: NDArray[np.int64]
    resource: NDArray[np.float32]
    resource_node: NDArray[np.int64]  # (R, 1), or (R, 0) without resource nodes
    graph_ptr: NDArray[np.int64]
    graph_start: NDArray[np.int64]
    graph_size: NDArray[np.int64]


@kernel(entry=False, fastmath=FASTMATH)
def _add_product(total: F32, row: F32, weight: F32) -> None:
    """Add to total (H,): row (n,) @ weight (n, H), four inputs at a time."""
    size = len(row)
    width = len(total)
    whole = size - size % 4
    for i in range(0, whole, 4):
        a, b, c, d = row[i], row[i + 1], row[i + 2], row[i + 3]
        w0, w1, w2, w3 = weight[i], weight[i + 1], weight[i + 2], weight[i + 3]
        for h in range(width):
            total[h] += a * w0[h] + b * w1[h] + c * w2[h] + d * w3[h]
    for i in range(whole, size):
        a, w0 = row[i], weight[i]
        for h in range(width):
            total[h] += a * w0[h]


@kernel(entry=False)
def _within(row: F32, limits: F32, out: F32) -> None:
    """Fill out (n,) with row (n,), clipped to limits (2, n)."""
    for i in range(len(row)):
        out[i] = min(max(row[i], limits[0, i]), limits[1, i])


@kernel(entry=False, fastmath=FASTMATH)
def _embed(
    features: F32,  # (n, F)
    limits: F32,  # (2, F)
    clipped: F32,  # (F,) scratch
    nodes: I64,  # (n, K) rows of the tables, or -1
    tables: F32,  # (K, rows, H)
    weight: F32,  # (F, H)
    bias: F32,  # (H,)
    rows: F32,  # (n, H) out
    mean: F32,  # (H,) out
    peak: F32,  # (H,) out
) -> None:
    """First layer of candidates or resources, and its pools; zeros if there are no rows."""
    mean[:] = np.float32(0.0)
    peak[:] = np.float32(0.0)
    width = len(bias)
    for j in range(len(rows)):
        row = rows[j]
        row[:] = bias
        for k in range(nodes.shape[1]):
            node = nodes[j, k]
            if node >= 0:
                for h in range(width):
                    row[h] += tables[k, node, h]
        _within(features[j], limits, clipped)
        _add_product(row, clipped, weight)
        for h in range(width):
            value = max(row[h], np.float32(0.0))
            row[h] = value
            mean[h] += value
            peak[h] = max(peak[h], value)
    scale = np.float32(1.0 / max(len(rows), 1))
    for h in range(width):
        mean[h] *= scale


@kernel(entry=False, fastmath=FASTMATH)
def _add_graphs(
    starts: I64,  # (g,)
    sizes: I64,  # (g,)
    shares: F32,  # (rows, H)
    running: NDArray[np.float64],  # (rows, H)
    out: F32,  # (H,) added to
) -> None:
    """Mean over live graphs of the mean of each graph's shares."""
    for g in range(len(starts)):
        start, end = starts[g], starts[g] + sizes[g] - 1
        scale = 1.0 / (sizes[g] * len(starts))
        for h in range(len(out)):
            total = running[end, h] - running[start, h] + shares[start, h]
            out[h] += np.float32(total * scale)


@kernel(entry=False, fastmath=FASTMATH)
def _rectified_product(row: F32, weight: F32) -> float:
    """Sum of relu(row) * weight; (H,) each."""
    total = np.float32(0.0)
    for h in range(len(row)):
        total += max(row[h], np.float32(0.0)) * weight[h]
    return total  # type: ignore[return-value]


@kernel(entry=False, fastmath=FASTMATH)
def _score(
    c: F32,  # (n, H) candidates
    r: F32,  # (m, H) resources
    places: I64,  # (n, K) of the resources that each candidate names, or -1
    weight: F32,  # (1 + K, H, H)
    shared: F32,  # (H,) the context's part
    out_weight: F32,  # (H,)
    roles: F32,  # (K, H) scratch
    seen: I64,  # (K,) scratch
    hidden: F32,  # (H,) scratch
    logits: F32,  # (n,) added to
) -> None:
    """Second layer of the candidates.

    Candidates often name the same resource one after the other, so the product of each role is
    kept for the resource last seen.
    """
    seen[:] = -1
    for j in range(len(c)):
        hidden[:] = shared
        _add_product(hidden, c[j], weight[0])
        for k in range(len(seen)):
            place = places[j, k]
            if place < 0:
                continue
            if place != seen[k]:
                seen[k] = place
                roles[k] = np.float32(0.0)
                _add_product(roles[k], r[place], weight[1 + k])
            for h in range(len(hidden)):
                hidden[h] += roles[k, h]
        logits[j] += _rectified_product(hidden, out_weight)


@kernel(entry=False, fastmath=FASTMATH)
def _linear(features: F32, weight: F32, out: F32) -> None:
    """Fill out (C,) with features (C, F) @ weight (F,)."""
    for j in range(len(out)):
        total = np.float32(0.0)
        for f in range(len(weight)):
            total += features[j, f] * weight[f]
        out[j] = total


@kernel(entry=False)
def _longest(ptr: I64) -> int:
    """Length of the longest block."""
    longest = 0
    for i in range(len(ptr) - 1):
        longest = max(longest, ptr[i + 1] - ptr[i])
    return longest


@kernel(fastmath=FASTMATH)
def _evaluate(w: Weights, tables: Tables, obs: Rows, logits: F32, values: F32) -> None:
    """Fill logits (C,) and values (N,)."""
    width = len(w.score_out)
    c = np.empty((_longest(obs.candidate_ptr), width), np.float32)
    r = np.empty((_longest(obs.resource_ptr), width), np.float32)
    pools = 4 if len(w.resource_bias) else 2
    pooled = np.empty((pools, width), np.float32)
    scratch = np.empty((3, width), np.float32)
    context, hidden, shared = scratch[0], scratch[1], scratch[2]
    roles = np.empty((obs.candidate_resource.shape[1], width), np.float32)
    seen = np.empty(len(roles), np.int64)
    own = obs.context.shape[1]
    candidate = np.empty(obs.candidate.shape[1], np.float32)
    resource = np.empty(obs.resource.shape[1], np.float32)
    given = np.empty(own, np.float32)
    _linear(obs.candidate, w.linear_out, logits)
    for i in range(len(values)):
        kind = obs.kind[i]
        mine = slice(obs.candidate_ptr[i], obs.candidate_ptr[i + 1])
        ours = slice(obs.resource_ptr[i], obs.resource_ptr[i + 1])
        live = slice(obs.graph_ptr[i], obs.graph_ptr[i + 1])
        rows, places = c[: mine.stop - mine.start], r[: ours.stop - ours.start]
        _embed(
            obs.candidate[mine],
            w.candidate_limits,
            candidate,
            obs.candidate_node[mine],
            tables.candidate,
            w.candidate_in,
            w.candidate_kind[kind],
            rows,
            pooled[0],
            pooled[1],
        )
        if pools == 4:
            _embed(
                obs.resource[ours],
                w.resource_limits,
                resource,
                obs.resource_node[ours],
                tables.resource,
                w.resource_in,
                w.resource_bias,
                places,
                pooled[2],
                pooled[3],
            )
        context[:] = w.context_kind[kind]
        starts, sizes = obs.graph_start[live], obs.graph_size[live]
        _add_graphs(starts, sizes, tables.graph, tables.running, context)
        _within(obs.context[i], w.context_limits, given)
        _add_product(context, given, w.context_in[:own])
        _add_product(context, pooled.ravel(), w.context_in[own:])
        for h in range(width):
            context[h] = max(context[h], np.float32(0.0))
        shared[:] = w.score_bias
        _add_product(shared, context, w.score_context)
        named = obs.candidate_resource[mine]
        _score(
            rows, places, named, w.score_in, shared, w.score_out, roles, seen, hidden, logits[mine]
        )
        hidden[:] = w.value_bias
        _add_product(hidden, context, w.value_in)
        values[i] = w.value_shift[0] + _rectified_product(hidden, w.value_out)


_choose = kernel(choose)


class DecoderKernel:
    """A decoder's parameters, laid out for the kernel."""

    def __init__(self, schema: GraphSchema, params: Mapping[str, NDArray[np.float32]]) -> None:
        """Args: schema: of the observations. params: state dictionary of a `Decoder` as arrays."""
        self.schema = schema
        self.update(params)

    def update(self, params: Mapping[str, NDArray[np.float32]]) -> None:
        """Take other parameters; `Tables` made before are then out of date."""
        width = params["score_out.weight"].shape[1]
        context = _transposed(params["context_in.weight"])
        embedding = len(context) - len(self.schema.context) - 2 * width
        resources = "resource_in.weight" in params
        embedding -= 2 * width if resources else 0
        none = np.empty((0, width), np.float32)
        self._references = [
            _transposed(params[f"candidate_refs.{k}.weight"])
            for k in range(len(self.schema.candidate_nodes))
        ]
        reference = params.get("resource_ref.weight")
        self._resources = [] if reference is None else [_transposed(reference)]
        self._graph = np.ascontiguousarray(context[len(context) - embedding :])
        self.weights = Weights(
            candidate_in=_transposed(params["candidate_in.weight"]),
            candidate_kind=_array(params["candidate_kind.weight"]),
            resource_in=_transposed(params["resource_in.weight"]) if resources else none,
            resource_bias=_array(params["resource_in.bias"]) if resources else none.ravel(),
            context_in=np.ascontiguousarray(context[: len(context) - embedding]),
            context_kind=_array(params["context_kind.weight"]),
            score_in=_transposed(params["score_in.weight"]).reshape(-1, width, width),
            score_context=_transposed(params["score_context.weight"]),
            score_bias=_array(params["score_context.bias"]),
            score_out=_array(params["score_out.weight"]).ravel(),
            linear_out=_array(params["linear_out.weight"]).ravel(),
            value_in=_transposed(params["value_in.weight"]),
            value_bias=_array(params["value_in.bias"]),
            value_out=_array(params["value_out.weight"]).ravel(),
            value_shift=_array(params["value_out.bias"]),
            candidate_limits=_array(params["candidate_limits"]),
            context_limits=_array(params["context_limits"]),
            resource_limits=_array(params["resource_limits"]) if resources else none[:, :0],
        )

    def project(self, table: NDArray[np.float32]) -> Tables:
        """Project a node table of shape (rows, embedding width), all finite."""
        table = _array(table)
        graph = table @ self._graph
        running = np.cumsum(graph, axis=0, dtype=np.float64)
        return Tables(
            self._products(table, self._references),
            self._products(table, self._resources),
            graph,
            running,
        )

    def _products(self, table: F32, weights: list[F32]) -> F32:
        """(len(weights), rows, H)."""
        out = np.empty((len(weights), len(table), len(self.weights.score_out)), np.float32)
        for k, weight in enumerate(weights):
            np.matmul(table, weight, out=out[k])
        return out

    def project_rows(
        self, tables: Tables, table: NDArray[np.float32], start: int, height: int
    ) -> Tables:
        """Replace the rows from ``start`` on by those of a (rows, embedding width) table.

        The rows replaced must be whole graphs. Writes in place; if ``height`` (of the whole
        node table) asks for more room, the result is a grown copy.
        """
        if height > len(tables.graph):
            tables = _grown(tables, max(height, len(tables.graph) * 3 // 2))
        fresh = self.project(table)
        end = start + len(table)
        tables.candidate[:, start:end] = fresh.candidate
        tables.resource[:, start:end] = fresh.resource
        tables.graph[start:end] = fresh.graph
        tables.running[start:end] = fresh.running
        return tables

    def logits(
        self, obs: NetworkObs, tables: Tables
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """(C,) logits and (N,) values."""
        logits = np.empty(len(obs["candidate"]), np.float32)
        values = np.empty(len(obs["kind"]), np.float32)
        _evaluate(self.weights, tables, _rows(obs, tables), logits, values)
        return logits, values

    def act(
        self,
        obs: NetworkObs,
        tables: Tables,
        uniforms: NDArray[np.float64],
        greedy: bool | NDArray[np.bool_] = False,
        temperature: float = 1.0,
    ) -> Decisions:
        """Decide in every block.

        Args:
            obs: N blocks, with graph rows.
            tables: of the table that the observation refers to.
            uniforms: (N,) in [0, 1), one draw a block.
            greedy: take the best candidate instead of a draw, everywhere or where (N,) says so.
            temperature: divides the logits; log-probabilities are of the divided ones.
        """
        logits, values = self.logits(obs, tables)
        ptr = obs["candidate_ptr"]
        return decide(logits, values, ptr, uniforms, greedy, temperature, _choose)


def _rows(obs: NetworkObs, tables: Tables) -> Rows:
    arrays = {name: obs[name] for name in Rows._fields}  # type: ignore[literal-required]
    shape = len(obs["resource_node"]), len(tables.resource)
    if shape[1] == 0:
        arrays["resource_node"] = np.empty(shape, np.int64)
    return Rows(**arrays | {"resource_node": arrays["resource_node"].reshape(shape)})


def _grown(tables: Tables, height: int) -> Tables:
    extra = height - len(tables.graph)
    return Tables(
        np.pad(tables.candidate, ((0, 0), (0, extra), (0, 0))),
        np.pad(tables.resource, ((0, 0), (0, extra), (0, 0))),
        np.pad(tables.graph, ((0, extra), (0, 0))),
        np.pad(tables.running, ((0, extra), (0, 0))),
    )


def _array(values: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.ascontiguousarray(values, np.float32)


def _transposed(weight: NDArray[np.float32]) -> NDArray[np.float32]:
    return _array(weight.T)
