"""The decoder as a numba kernel: rollouts, search and deployment without torch.

Computes what `decoder.Decoder` defines, block by block, so that a decision does not depend on
which other decisions share its batch. Weights are stored transposed, (inputs, H), and every inner
loop runs over H contiguous float32: that is the shape that the compiler turns into vectors.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numba import njit

from graphsched.agents.choice import choose, decide

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from graphsched.agents.choice import Decisions
    from graphsched.agents.packing import NetworkObs
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
    score_in: NDArray[np.float32]  # ((1 + roles) H, H)
    score_context: NDArray[np.float32]  # (H, H)
    score_bias: NDArray[np.float32]  # (H,)
    score_out: NDArray[np.float32]  # (H,)
    linear_out: NDArray[np.float32]  # (F,)
    value_in: NDArray[np.float32]  # (H, H)
    value_bias: NDArray[np.float32]  # (H,)
    value_out: NDArray[np.float32]  # (H,)
    value_shift: NDArray[np.float32]  # (1,)


class Tables(NamedTuple):
    """A node table multiplied by the decoder's projections."""

    candidate: NDArray[np.float32]  # (references, rows, H)
    resource: NDArray[np.float32]  # (rows, H)
    graph: NDArray[np.float32]  # (rows, H) each row's share in the context
    running: NDArray[np.float64]  # (rows, H) sums of `graph` up to and including each row


class Rows(NamedTuple):
    """The arrays of an observation that the kernel reads; shapes as in `PackedObs`."""

    kind: NDArray[np.int64]
    context: NDArray[np.float32]
    candidate_ptr: NDArray[np.int64]
    candidate: NDArray[np.float32]
    candidate_node: NDArray[np.int64]
    candidate_resource: NDArray[np.int64]
    resource_ptr: NDArray[np.int64]
    resource: NDArray[np.float32]
    resource_node: NDArray[np.int64]
    graph_ptr: NDArray[np.int64]
    graph_start: NDArray[np.int64]
    graph_size: NDArray[np.int64]


@njit(cache=True, fastmath=FASTMATH, inline="always")
def _add_product(total: F32, row: F32, weight: F32, first: int) -> None:
    """Add to total (H,): row (n,) @ weight[first : first + n] (inputs, H), four inputs at a time."""
    size = len(row)
    width = len(total)
    whole = size - size % 4
    for i in range(0, whole, 4):
        a, b, c, d = row[i], row[i + 1], row[i + 2], row[i + 3]
        w0, w1 = weight[first + i], weight[first + i + 1]
        w2, w3 = weight[first + i + 2], weight[first + i + 3]
        for h in range(width):
            total[h] += a * w0[h] + b * w1[h] + c * w2[h] + d * w3[h]
    for i in range(whole, size):
        a = row[i]
        w0 = weight[first + i]
        for h in range(width):
            total[h] += a * w0[h]


@njit(cache=True, fastmath=FASTMATH, inline="always")
def _add_relu(row: F32, pooled: F32, peak: F32) -> None:
    """Rectify row (H,); add it to pooled and take it into the maximum in peak, (H,) each."""
    for h in range(len(row)):
        value = max(row[h], np.float32(0.0))
        row[h] = value
        pooled[h] += value
        peak[h] = max(peak[h], value)


@njit(cache=True, fastmath=FASTMATH)
def _candidates(weights: Weights, tables: Tables, rows: Rows, i: int, pooled: F32, c: F32) -> None:
    """Fill c (n, H); mean and peak into pooled (2, H)."""
    first = rows.candidate_ptr[i]
    kind = weights.candidate_kind[rows.kind[i]]
    pooled[:] = 0.0
    for j in range(len(c)):
        row = c[j]
        row[:] = kind
        for k in range(rows.candidate_node.shape[1]):
            node = rows.candidate_node[first + j, k]
            if node >= 0:
                known = tables.candidate[k, node]
                for h in range(len(row)):
                    row[h] += known[h]
        _add_product(row, rows.candidate[first + j], weights.candidate_in, 0)
        _add_relu(row, pooled[0], pooled[1])
    pooled[0] *= np.float32(1.0 / max(len(c), 1))


@njit(cache=True, fastmath=FASTMATH)
def _resources(weights: Weights, tables: Tables, rows: Rows, i: int, pooled: F32, r: F32) -> None:
    """Fill r (n, H); mean and peak into pooled (2, H)."""
    first = rows.resource_ptr[i]
    pooled[:] = 0.0
    for j in range(len(r)):
        row = r[j]
        row[:] = weights.resource_bias
        if len(tables.resource) > 0 and rows.resource_node[first + j] >= 0:
            known = tables.resource[rows.resource_node[first + j]]
            for h in range(len(row)):
                row[h] += known[h]
        _add_product(row, rows.resource[first + j], weights.resource_in, 0)
        _add_relu(row, pooled[0], pooled[1])
    pooled[0] *= np.float32(1.0 / max(len(r), 1))


@njit(cache=True, fastmath=FASTMATH)
def _context(weights: Weights, tables: Tables, rows: Rows, i: int, pooled: F32, out: F32) -> None:
    """Fill out (H,) from the pooled rows (2 or 4, H), the context and the live graphs."""
    out[:] = weights.context_kind[rows.kind[i]]
    first, last = rows.graph_ptr[i], rows.graph_ptr[i + 1]
    for g in range(first, last):
        start = rows.graph_start[g]
        size = rows.graph_size[g]
        end = start + size - 1
        scale = 1.0 / (size * (last - first))
        for h in range(len(out)):
            total = tables.running[end, h] - tables.running[start, h] + tables.graph[start, h]
            out[h] += np.float32(total * scale)
    features = rows.context.shape[1]
    _add_product(out, rows.context[i], weights.context_in, 0)
    _add_product(out, pooled.ravel(), weights.context_in, features)
    for h in range(len(out)):
        out[h] = max(out[h], np.float32(0.0))


@njit(cache=True, fastmath=FASTMATH)
def _score(
    weights: Weights,
    rows: Rows,
    i: int,
    c: F32,  # (n, H) candidates
    r: F32,  # (m, H) resources
    shared: F32,  # (H,) the context's part
    roles: F32,  # (K, H) scratch
    seen: I64,  # (K,) scratch
    hidden: F32,  # (H,) scratch
    out: F32,  # (n,) out
) -> None:
    """Logits of one block.

    Candidates often name the same resource one after the other, so the product of each role is
    kept for the resource last seen.
    """
    first = rows.candidate_ptr[i]
    width = len(shared)
    seen[:] = -1
    for j in range(len(c)):
        hidden[:] = shared
        _add_product(hidden, c[j], weights.score_in, 0)
        for k in range(len(seen)):
            place = rows.candidate_resource[first + j, k]
            if place < 0:
                continue
            role = roles[k]
            if place != seen[k]:
                seen[k] = place
                role[:] = np.float32(0.0)
                _add_product(role, r[place], weights.score_in, (1 + k) * width)
            for h in range(width):
                hidden[h] += role[h]
        logit = np.float32(0.0)
        for h in range(width):
            logit += max(hidden[h], np.float32(0.0)) * weights.score_out[h]
        x = rows.candidate[first + j]
        for f in range(len(x)):
            logit += x[f] * weights.linear_out[f]
        out[j] = logit


@njit(cache=True, fastmath=FASTMATH)
def _value(weights: Weights, context: F32, hidden: F32) -> float:
    """Value of a block; hidden (H,) is scratch."""
    hidden[:] = weights.value_bias
    _add_product(hidden, context, weights.value_in, 0)
    total = weights.value_shift[0]
    for h in range(len(hidden)):
        total += max(hidden[h], np.float32(0.0)) * weights.value_out[h]
    return total  # type: ignore[no-any-return]


@njit(cache=True)
def _evaluate(weights: Weights, tables: Tables, rows: Rows, logits: F32, values: F32) -> None:
    """Fill logits (C,) and values (N,)."""
    width = len(weights.score_out)
    most_candidates, most_resources = 0, 0
    for i in range(len(values)):
        most_candidates = max(most_candidates, rows.candidate_ptr[i + 1] - rows.candidate_ptr[i])
        most_resources = max(most_resources, rows.resource_ptr[i + 1] - rows.resource_ptr[i])
    c = np.empty((most_candidates, width), np.float32)
    r = np.empty((most_resources, width), np.float32)
    pooled = np.empty((4 if len(weights.resource_bias) else 2, width), np.float32)
    context = np.empty(width, np.float32)
    hidden = np.empty(width, np.float32)
    shared = np.empty(width, np.float32)
    roles = np.empty((rows.candidate_resource.shape[1], width), np.float32)
    seen = np.empty(len(roles), np.int64)
    for i in range(len(values)):
        first, last = rows.candidate_ptr[i], rows.candidate_ptr[i + 1]
        mine = c[: last - first]
        places = r[: rows.resource_ptr[i + 1] - rows.resource_ptr[i]]
        _candidates(weights, tables, rows, i, pooled[:2], mine)
        if len(pooled) == 4:
            _resources(weights, tables, rows, i, pooled[2:], places)
        _context(weights, tables, rows, i, pooled, context)
        shared[:] = weights.score_bias
        _add_product(shared, context, weights.score_context, 0)
        _score(weights, rows, i, mine, places, shared, roles, seen, hidden, logits[first:last])
        values[i] = _value(weights, context, hidden)


_choose = njit(cache=True)(choose)


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
        self._resource = none if reference is None else _transposed(reference)
        self._graph = np.ascontiguousarray(context[len(context) - embedding :])
        self.weights = Weights(
            candidate_in=_transposed(params["candidate_in.weight"]),
            candidate_kind=_array(params["candidate_kind.weight"]),
            resource_in=_transposed(params["resource_in.weight"]) if resources else none,
            resource_bias=_array(params["resource_in.bias"]) if resources else none.ravel(),
            context_in=np.ascontiguousarray(context[: len(context) - embedding]),
            context_kind=_array(params["context_kind.weight"]),
            score_in=_transposed(params["score_in.weight"]),
            score_context=_transposed(params["score_context.weight"]),
            score_bias=_array(params["score_context.bias"]),
            score_out=_array(params["score_out.weight"]).ravel(),
            linear_out=_array(params["linear_out.weight"]).ravel(),
            value_in=_transposed(params["value_in.weight"]),
            value_bias=_array(params["value_in.bias"]),
            value_out=_array(params["value_out.weight"]).ravel(),
            value_shift=_array(params["value_out.bias"]),
        )

    def project(self, table: NDArray[np.float32]) -> Tables:
        """Project a node table of shape (rows, embedding width), all finite."""
        table = _array(table)
        width = len(self.weights.score_out)
        candidate = np.empty((len(self._references), len(table), width), np.float32)
        for k, weight in enumerate(self._references):
            np.matmul(table, weight, out=candidate[k])
        resource = table @ self._resource if len(self._resource) else self._resource
        graph = table @ self._graph
        return Tables(candidate, resource, graph, np.cumsum(graph, axis=0, dtype=np.float64))

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
        if len(fresh.resource):
            tables.resource[start:end] = fresh.resource
        tables.graph[start:end] = fresh.graph
        tables.running[start:end] = fresh.running
        return tables

    def logits(
        self, obs: NetworkObs, tables: Tables
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """(C,) logits and (N,) values."""
        logits = np.empty(len(obs["candidate"]), np.float32)
        values = np.empty(len(obs["kind"]), np.float32)
        _evaluate(self.weights, tables, _rows(obs), logits, values)
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


def _rows(obs: NetworkObs) -> Rows:
    return Rows(*(obs[name] for name in Rows._fields))  # type: ignore[literal-required]


def _grown(tables: Tables, height: int) -> Tables:
    def grow(array: NDArray[np.float32], axis: int) -> NDArray[np.float32]:
        shape = list(array.shape)
        shape[axis] = height
        larger = np.zeros(shape, array.dtype)
        larger[(slice(None),) * axis + (slice(0, array.shape[axis]),)] = array
        return larger

    return Tables(
        grow(tables.candidate, 1),
        grow(tables.resource, 0) if len(tables.resource) else tables.resource,
        grow(tables.graph, 0),
        grow(tables.running, 0),  # type: ignore[arg-type]
    )


def _array(values: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.ascontiguousarray(values, np.float32)


def _transposed(weight: NDArray[np.float32]) -> NDArray[np.float32]:
    return _array(weight.T)
