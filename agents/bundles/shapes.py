"""What the networks of a bundle must look like: shapes of parameters, inputs of ONNX models."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from graphsched.agents.networks.packing import (
    decoder_inputs,
    has_resources,
    limited_parts,
    unlimited,
)
from graphsched.envs.core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from graphsched.envs.core.graph import GraphSchema

MAX_WIDTH, MAX_LAYERS = 4096, 64  # of networks: what is trained can be read again
PER_CANDIDATE_COLUMN = ("decoder.candidate_in.weight", "decoder.linear_out.weight")


def older_schema(schema: GraphSchema, document: Any) -> GraphSchema:
    """The schema with as many candidate columns as a document of one has, if it has some of them.

    Columns are added at the end only, so a policy that is older than some of them still knows what
    the others mean. Whether the document is this schema's is for `first_difference` to tell.
    """
    columns = document.get("candidate") if isinstance(document, dict) else None
    if not isinstance(columns, list) or not 0 < len(columns) < len(schema.candidate):
        return schema
    return replace(schema, candidate=schema.candidate[: len(columns)])


def with_newer_columns(params: Mapping[str, NDArray[Any]], count: int) -> dict[str, NDArray[Any]]:
    """Parameters with zero weights for so many more candidate columns at the end.

    What has another number of axes is left alone, for `check_decoder` to refuse.
    """
    wide = {
        name: np.pad(params[name], ((0, 0), (0, count)))
        for name in PER_CANDIDATE_COLUMN
        if count and name in params and params[name].ndim == 2
    }
    return {**params, **wide}


def with_limits(params: Mapping[str, NDArray[Any]], schema: GraphSchema) -> dict[str, NDArray[Any]]:
    """Parameters with the limits of columns that an older bundle doesn't have: none."""
    missing = {}
    for part, columns in limited_parts(schema).items():
        name = f"decoder.{part}_limits"
        found = params.get(name, np.empty((2, 0), np.float32))
        if found.ndim == 2 and len(found) == 2 and found.shape[1] < columns:
            new = unlimited(columns - found.shape[1])
            missing[name] = np.concatenate([found, new], axis=1)
    return {**params, **missing}


def decoder_shapes(schema: GraphSchema, embedding: int, width: int) -> dict[str, tuple[int, ...]]:
    """Shape of each parameter of a `decoder.Decoder`, by name."""
    resources, kinds = has_resources(schema), len(schema.kinds)
    pools = (4 if resources else 2) * width + embedding
    roles = len(schema.candidate_resources) if resources else 0
    out: dict[str, tuple[int, ...]] = {
        "candidate_in.weight": (width, len(schema.candidate)),
        "candidate_kind.weight": (kinds, width),
        "context_in.weight": (width, len(schema.context) + pools),
        "context_kind.weight": (kinds, width),
        "score_in.weight": (width, (1 + roles) * width),
        "score_context.weight": (width, width),
        "score_context.bias": (width,),
        "score_out.weight": (1, width),
        "linear_out.weight": (1, len(schema.candidate)),
        "value_in.weight": (width, width),
        "value_in.bias": (width,),
        "value_out.weight": (1, width),
        "value_out.bias": (1,),
    }
    for k in range(len(schema.candidate_nodes)):
        out[f"candidate_refs.{k}.weight"] = (width, embedding)
    if resources:
        out["resource_in.weight"] = (width, len(schema.resource))
        out["resource_in.bias"] = (width,)
    if schema.resource_node:
        out["resource_ref.weight"] = (width, embedding)
    return out | {f"{part}_limits": (2, n) for part, n in limited_parts(schema).items()}


def check_decoder(
    where: Path, params: Mapping[str, NDArray[Any]], shapes: Mapping[str, tuple[int, ...]]
) -> None:
    """Raises InputError unless the ``decoder.*`` parameters are all there and fit."""
    for name, shape in shapes.items():
        found = params.get(f"decoder.{name}")
        if found is None:
            raise InputError(where, f"parameter decoder.{name} is missing")
        if found.shape != shape or found.dtype.kind != "f":
            problem = f"expected floats of shape {shape}, found {found.dtype} {found.shape}"
            raise InputError(where, f"parameter decoder.{name}: {problem}")
    known = {f"decoder.{name}" for name in shapes}
    for name in params:
        if name not in known and not name.startswith("encoder."):
            raise InputError(where, f"parameter {name!r:.60} is none of a policy's")


def encoder_columns(schema: GraphSchema) -> dict[str, int]:
    """Input of the exported encoder -> its columns (rows of edges)."""
    out = {f"node_{node.name}": len(node.features) for node in schema.nodes}
    out |= {f"edge_{edge.name}": 2 for edge in schema.edges}
    features = {f"edge_features_{e.name}": len(e.features) for e in schema.edges if e.features}
    return out | features


def decoder_columns(schema: GraphSchema, embedding: int) -> dict[str, int | None]:
    """Input of the exported decoder -> its columns; None for a vector."""
    columns: dict[str, int | None] = dict.fromkeys(decoder_inputs(schema))
    sizes = {
        "context": len(schema.context),
        "candidate": len(schema.candidate),
        "resource": len(schema.resource),
    }
    columns |= {name: size for name, size in sizes.items() if name in columns}
    return {**columns, "table": embedding}


def check_inputs(where: Path, session: Any, columns: Mapping[str, int | None]) -> None:
    """Raises InputError unless an onnxruntime session takes these inputs, so many columns each."""
    inputs = {given.name: given.shape for given in session.get_inputs()}
    if inputs.keys() != columns.keys():
        odd = sorted(inputs.keys() ^ columns.keys())[0]
        verb = "takes" if odd in inputs else "doesn't take"
        raise InputError(where, f"a model of another domain or version: it {verb} {odd!r:.60}")
    for name, size in columns.items():
        place = 0 if name.startswith("edge_") and not name.startswith("edge_features_") else -1
        found = inputs[name][place] if inputs[name] else None
        if size is not None and isinstance(found, int) and found != size:
            raise InputError(where, f"input {name!r}: expected {size} columns, found {found}")


def first_difference(found: Any, expected: Any) -> str | None:
    """The first place where two JSON documents differ, or None."""
    if isinstance(found, dict) and isinstance(expected, dict):
        for key in sorted({*found, *expected}):
            inner = first_difference(found.get(key), expected.get(key))
            if inner:
                return f".{key:.60}{inner}"
        return None
    if isinstance(found, list) and isinstance(expected, list) and len(found) == len(expected):
        pairs = enumerate(zip(found, expected, strict=True))
        inner_all = ((i, first_difference(f, e)) for i, (f, e) in pairs)
        return next((f"[{i}]{inner}" for i, inner in inner_all if inner), None)
    if found == expected:
        return None
    if isinstance(found, list) and isinstance(expected, list):
        return f": {len(found)} entries, expected {len(expected)}"
    return f": {found!r:.60}, expected {expected!r:.60}"
