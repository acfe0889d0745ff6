"""Whatever stands in the files of a bundle or checkpoint, it loads or is refused by one line."""

from __future__ import annotations

import json
import tempfile
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnx
from hypothesis import given

import graphsched.checkpoints
from graphsched.agents.runtime import BACKENDS, load_policy
from tests.fuzz.judging import fuzz, judged, rngs
from tests.fuzz.spoiling import spoiled_json, spoiled_text

if TYPE_CHECKING:
    import random

BUNDLE = Path(graphsched.checkpoints.__path__[0]) / "jobshop" / "default"
EXTREMES = (0, -1, 1, 3, 2**31, 2**40, 2**62)
SMALL = EXTREMES[:4]  # where onnxruntime makes room for as many, before anybody sees its inputs


@cache
def good() -> dict[str, bytes]:
    """The files of a shipped bundle."""
    return {path.name: path.read_bytes() for path in BUNDLE.iterdir()}


@fuzz(few=40)
@given(rng=rngs)
def test_spoiled_bundles_load_or_are_refused(rng: random.Random) -> None:
    """Most have the checksums of what is in them, so that the contents are looked at."""
    files = dict(good())
    name = rng.choice(sorted(files))
    files[name] = _spoiled(name, files[name], rng)
    if name != "config.json" and rng.random() < 0.9:
        config = json.loads(files["config.json"])
        config["files"][name] = sha256(files[name]).hexdigest()
        files["config.json"] = json.dumps(config).encode()
    with tempfile.TemporaryDirectory() as folder:
        for file, data in files.items():
            (Path(folder) / file).write_bytes(data)
        judged(lambda: load_policy(Path(folder), None, rng.choice(BACKENDS)), folder)


def _spoiled(name: str, data: bytes, rng: random.Random) -> bytes:
    if rng.random() < 0.2:
        return spoiled_text(data, rng)
    if name.endswith(".json"):
        return spoiled_json(json.loads(data), rng)
    if name.endswith(".safetensors"):
        return _spoiled_header(data, rng)
    return _spoiled_model(data, rng) if name.endswith(".onnx") else spoiled_text(data, rng)


def _spoiled_header(data: bytes, rng: random.Random) -> bytes:
    """Names, types, shapes and places of a safetensors file; or one of its numbers."""
    start = 8 + int.from_bytes(data[:8], "little")
    header, tensors = data[8:start], data[start:]
    if rng.random() < 0.3:
        at = 4 * rng.randrange(len(tensors) // 4)
        odd = np.float32(rng.choice((np.nan, np.inf, 3e38, 0.0))).tobytes()
        tensors = tensors[:at] + odd + tensors[at + 4 :]
    elif rng.random() < 0.2:
        types = (b"BF16", b"F16", b"I32", b"F8_E4M3", b"BOOL", b"C64", b"F64", b"x")
        header = header.replace(b"F32", rng.choice(types), rng.choice((1, -1)))
    else:
        header = spoiled_json(json.loads(header), rng)
    return len(header).to_bytes(8, "little") + header + tensors


def _spoiled_model(data: bytes, rng: random.Random) -> bytes:
    """A network with other shapes, operators, names or attributes."""
    model = onnx.load_model_from_string(data)
    graph = model.graph
    for _ in range(rng.choice((1, 1, 2, 3))):
        node, constant = rng.choice(graph.node), rng.choice(graph.initializer)
        put = rng.choice((graph.input, graph.output, graph.value_info, graph.input))
        match rng.randrange(8):
            case 0 if constant.dims:
                constant.dims[rng.randrange(len(constant.dims))] = rng.choice(EXTREMES)
            case 1:
                constant.data_type = rng.randrange(25)
            case 2:
                node.op_type = rng.choice(("Relu", "Nothing", "", "n" * 40, "ConstantOfShape"))
            case 3 if node.input:
                node.input[rng.randrange(len(node.input))] = rng.choice(("", "x", constant.name))
            case 4 if node.attribute:
                rng.choice(node.attribute).i = rng.choice(SMALL)
            case 5 if put:
                rng.choice(put).name = rng.choice(("x", "", "n" * 40))
            case 6 if put:
                shape = rng.choice(put).type.tensor_type.shape
                if shape.dim:
                    rng.choice(shape.dim).dim_value = rng.choice(SMALL)
            case _:
                del graph.node[rng.randrange(len(graph.node))]
    return bytes(model.SerializeToString())
