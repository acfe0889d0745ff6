"""Nested states of arrays and plain values as two files: tensors and JSON, never a pickle."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.numpy import load, save

from graphsched.envs.core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

TENSORS, STATE = "state.safetensors", "state.json"
_MARK = "__kind__"
Arrays = dict[str, "NDArray[Any]"]


def pack(value: Any, arrays: Arrays) -> Any:
    """The JSON document of a state; copies of its arrays and tensors go to ``arrays``.

    Floats, integers of any size, words, lists, tuples, mappings with any plain keys, arrays,
    tensors and objects with ``to_json`` (instances) are understood; TypeError for others.
    """
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.generic):
        return pack(value.item(), arrays)
    if isinstance(value, list):
        return [pack(item, arrays) for item in value]
    if isinstance(value, tuple):
        return {_MARK: "tuple", "items": [pack(item, arrays) for item in value]}
    if isinstance(value, np.ndarray | torch.Tensor):
        return _pack_array(value, arrays)
    if isinstance(value, dict):
        if all(isinstance(key, str) for key in value) and _MARK not in value:
            return {key: pack(item, arrays) for key, item in value.items()}
        pairs = [[pack(key, arrays), pack(item, arrays)] for key, item in value.items()]
        return {_MARK: "dict", "items": pairs}
    if hasattr(value, "to_json"):
        return {_MARK: "instance", "json": value.to_json()}
    raise TypeError(f"cannot store a {type(value).__name__} in a checkpoint")


def _pack_array(value: NDArray[Any] | torch.Tensor, arrays: Arrays) -> dict[str, str]:
    name = f"a{len(arrays)}"
    if isinstance(value, torch.Tensor):
        arrays[name] = value.detach().cpu().numpy().copy()
        return {_MARK: "tensor", "name": name}
    arrays[name] = value.copy(order="C")
    return {_MARK: "array", "name": name}


def unpack(
    document: Any,
    arrays: Mapping[str, NDArray[Any]],
    instance_from_json: Callable[[Mapping[str, Any]], Any],
) -> Any:
    """Inverse of `pack`."""
    if isinstance(document, list):
        return [unpack(item, arrays, instance_from_json) for item in document]
    if not isinstance(document, dict):
        return document
    kind = document.get(_MARK)
    if kind is None:
        return {k: unpack(v, arrays, instance_from_json) for k, v in document.items()}
    if kind == "array":
        return arrays[document["name"]].copy()
    if kind == "tensor":
        return torch.from_numpy(arrays[document["name"]].copy())
    if kind == "instance":
        return instance_from_json(document["json"])
    items = unpack(document["items"], arrays, instance_from_json)
    return tuple(items) if kind == "tuple" else {key: value for key, value in items}


def to_files(document: Any, arrays: Arrays) -> dict[str, bytes]:
    """Contents of the two files."""
    return {STATE: json.dumps(document).encode(), TENSORS: save(arrays)}


def from_files(files: Mapping[str, bytes], where: object) -> tuple[Any, dict[str, NDArray[Any]]]:
    """Inverse of `to_files`; raises InputError naming ``where`` if they are damaged."""
    try:
        return json.loads(files[STATE]), load(files[TENSORS])
    except (ValueError, RecursionError, SafetensorError) as error:
        raise InputError(where, f"damaged checkpoint ({error})") from None
