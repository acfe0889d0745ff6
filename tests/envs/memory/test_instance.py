"""Programs: validation, aliases, accesses, JSON."""

from __future__ import annotations

import gzip
import json
import math
import time
from typing import Any

import numpy as np
import pytest

from graphsched.envs.core.errors import InputError
from graphsched.envs.memory.generators import GENERATORS
from graphsched.envs.memory.hardware.machine import PRESETS, Machine, machine_from_json
from graphsched.envs.memory.instance import (
    Buffer,
    Instruction,
    MemoryInstance,
    instance_from_json,
)
from graphsched.envs.memory.readers import read_json

MACHINE = PRESETS["tpuv4i"]
DOCUMENT = {
    "name": "small",
    "machine": "tpuv4i",
    "buffers": [
        {"name": "weight", "size": 100, "kind": "parameter"},
        {"name": "in", "size": 10, "kind": "input"},
        {"name": "hidden", "size": 20},
        {"name": "view", "size": 16, "alias": 2},
        {"name": "out", "size": 10, "kind": "output"},
        {"name": "empty", "size": 0, "kind": "input"},
        {"name": "unused", "size": 7},
    ],
    "instructions": [
        {"name": "matmul", "flops": 2000, "reads": [0, 1], "writes": [2]},
        {"name": "gather", "reads": [[3, 4], 5], "writes": [4]},
    ],
}


def broken(path, value):
    document = json.loads(json.dumps(DOCUMENT))
    at = document
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    return document


def test_aliases_share_a_storage_and_nothing_accesses_empty_buffers():
    instance = instance_from_json(DOCUMENT)
    assert instance.storage.tolist() == [0, 1, 2, 2, 3, 4, 5]
    assert instance.size.tolist() == [100, 10, 20, 10, 0, 7]
    time, storage, read, written = instance.accesses
    assert time.tolist() == [0, 0, 0, 1, 1]
    assert storage.tolist() == [0, 1, 2, 2, 3]
    assert read.tolist() == [100, 10, 0, 4, 0]
    assert written.tolist() == [0, 0, 20, 0, 10]
    assert instance.live_in.tolist() == [True, True, False, False, True, False]
    assert instance.live_out.tolist() == [False, False, False, True, False, False]


def test_json_round_trip(tmp_path):
    for name in GENERATORS:
        instance = GENERATORS[name](np.random.default_rng(1), "2@4")
        again = instance_from_json(json.loads(json.dumps(instance.to_json())))
        assert again.to_json() == instance.to_json()
    plain, packed = tmp_path / "a.json", tmp_path / "a.json.gz"
    plain.write_text(json.dumps(DOCUMENT))
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    assert read_json(plain).to_json() == read_json(packed).to_json()


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (broken(["buffers", 0, "size"], -1), r"buffers\[0\].size: expected an integer >= 0"),
        (broken(["buffers", 0, "size"], 1.5), r"buffers\[0\].size"),
        (broken(["buffers", 0, "kind"], "weights"), r"buffers\[0\].kind"),
        (broken(["buffers", 3, "alias"], 9), r"buffers\[3\].alias: expected a buffer below 7"),
        (broken(["buffers", 2, "alias"], 3), "aliases form a circle"),
        (broken(["instructions", 0, "flops"], math.nan), r"instructions\[0\].flops: expected a f"),
        (broken(["instructions", 0, "flops"], -1), r"instructions\[0\].flops: expected >= 0"),
        (
            broken(["instructions", 0, "reads"], [7]),
            r"instructions\[0\].reads\[0\]: expected in \[0, 7",
        ),
        (broken(["instructions", 0, "reads"], [[0, -5]]), r"instructions\[0\].reads\[0\] bytes"),
        (broken(["instructions", 0, "reads"], [4]), r"instructions\[0\]: reads 'out' before"),
        (broken(["instructions"], []), "instructions: expected at least one"),
        (broken(["machine"], "abacus"), "machine: 'abacus' is not one of"),
        (broken(["buffers"], 3), "buffers: expected a list of objects"),
        ({"buffers": [], "instructions": []}, "machine: missing"),
        ([], "expected an object, found list"),
        ({"buffers": [], "machine": "flash"}, "instructions: missing"),
    ],
)
def test_bad_programs_are_named(document, message):
    with pytest.raises(InputError, match=message):
        instance_from_json(document)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("flops_per_s", 0),
        ("slow_bandwidth", math.inf),
        ("fast_bandwidth", 1.0),
        ("fast_capacity", -1),
        ("alignment", 0),
    ],
)
def test_bad_machines_are_named(field, value):
    document = MACHINE.to_json() | {field: value}
    with pytest.raises(InputError, match=f"machine.{field}"):
        machine_from_json(document)
    with pytest.raises(InputError, match="unknown field"):
        machine_from_json(MACHINE.to_json() | {"colour": 1})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"{", "expected JSON"),
        (b"\xff\xfe\x00", "expected a text file"),
        (b"\x1f\x8bxx", "p.json"),
        (b"[1]", "expected a JSON object"),
    ],
)
def test_bad_files_are_named(tmp_path, content, message):
    path = tmp_path / "p.json"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_json(path)
    with pytest.raises(InputError, match="no such file"):
        read_json(tmp_path / "none.json")


@pytest.mark.parametrize("size", ["x", "0", "3..2", "2@0", "2@8..4", "1.5", "500"])
def test_bad_sizes_are_named(size):
    with pytest.raises(InputError, match="size"):
        GENERATORS["random"](np.random.default_rng(0), size)


def test_training_steps_update_every_parameter():
    instance = GENERATORS["attention-training"](np.random.default_rng(0), "2@4")
    assert not any(buffer.kind == "parameter" for buffer in instance.buffers)
    updates = [i for i in instance.instructions if i.name == "update"]
    assert len(updates) == sum(b.kind == "state" for b in instance.buffers) // 2


def test_a_program_without_buffers_has_nothing_to_decide():
    machine = Machine("m", 1.0, 1.0, 1.0, 1.0, 4)
    instance = MemoryInstance("i", (Buffer("b", 0),), (Instruction("x", 3.0),), machine)
    assert instance.num_accesses == 0


def test_a_long_chain_of_aliases_is_followed_once():
    """Each buffer is the next one's view; going down from each of them would take a minute."""
    size = 30_000
    buffers = [Buffer("b", 1, alias=i + 1) for i in range(size - 1)] + [Buffer("b", 1, "input")]
    for order in (
        buffers,
        [Buffer("b", 1, "input")] + [Buffer("b", 1, alias=i) for i in range(size)],
    ):
        began = time.perf_counter()
        instance = MemoryInstance("i", tuple(order), (Instruction("x", 3.0),), MACHINE)
        assert instance.num_storages == 1
        assert time.perf_counter() - began < 5.0


@pytest.mark.parametrize("name", [None, 3, []])
def test_a_machine_has_a_name(name):
    with pytest.raises(InputError, match=r"machine.name: expected a name"):
        machine_from_json(MACHINE.to_json() | {"name": name})


def test_long_names_are_shortened():
    long = "x" * 999
    document = MemoryInstance("i", (Buffer(long, 1),), (Instruction("x", 3.0),), MACHINE).to_json()
    changes: list[dict[str, Any]] = [
        {"machine": long},
        {"machine": MACHINE.to_json() | {long: 1}},
        {"buffers": [{"size": 1, "kind": long}]},
        {"instructions": [{"reads": [0]}]},
    ]
    for change in changes:
        with pytest.raises(InputError) as caught:
            instance_from_json(document | change)
        assert len(str(caught.value)) < 300
