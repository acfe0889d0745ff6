"""Measures and documents agree with figures worked out by hand."""

from __future__ import annotations

import gzip
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphsched.envs.core.errors import InputError
from graphsched.envs.memory.bounds import cost
from graphsched.envs.memory.hardware.machine import Machine
from graphsched.envs.memory.instance import Buffer, Instruction, MemoryInstance
from graphsched.envs.memory.metrics import metrics
from graphsched.envs.memory.readers import READERS
from graphsched.envs.memory.solution import MemorySolution, solution_from_json

# A byte takes 1 us from slow memory and 0.1 us from fast.
PROGRAM = MemoryInstance(
    "p",
    (Buffer("a", 10), Buffer("w", 6, "parameter"), Buffer("out", 4, "output"), Buffer("b", 8)),
    (
        Instruction("make", 0.0, (), ((0, 10),)),
        Instruction("think", 20.0, (), ((3, 8),)),
        Instruction("use", 0.0, ((0, 10), (1, 6)), ()),
        Instruction("write", 0.0, ((3, 8),), ((2, 4),)),
        Instruction("rest", 5.0, (), ()),
    ),
    Machine("m", 1e6, 1e6, 1e7, 1e6, 16, 4),
)


def mapping(*rows, cost=45.0, order=None):
    """Rows: storage, first and last instruction, offset."""
    columns = np.array(rows, np.int64).reshape(-1, 4).T
    return MemorySolution(columns[0], columns[1], columns[2] + 1, columns[3], cost, order)


@pytest.mark.parametrize(
    ("rows", "hits", "held"),
    [
        ([], 0, 0),
        ([(0, 0, 2, 0)], 2, 3 * 12),  # 10 bytes in steps of 4
        ([(0, 0, 1, 0)], 1, 2 * 12),
        ([(0, 1, 2, 0)], 1, 2 * 12),
        ([(1, 1, 2, 12), (3, 3, 4, 0)], 2, 2 * 8 + 2 * 8),
        ([(0, 0, 0, 0), (0, 2, 4, 0), (2, 3, 4, 12)], 3, 12 + 3 * 12 + 2 * 4),
    ],
)
def test_measures_by_hand(rows, hits, held):
    """Six accesses; from slow memory alone the instructions take 10, 20, 16, 12 and 5 us."""
    found = metrics(PROGRAM, mapping(*rows))
    assert found["speed-up"] == pytest.approx(63 / 45)
    assert found["fast accesses %"] == pytest.approx(100 * hits / 6)
    assert found["occupancy %"] == pytest.approx(100 * held / (5 * 16))


def test_a_speed_up_counts_at_any_latency():
    assert metrics(PROGRAM, mapping(cost=0.5))["speed-up"] == pytest.approx(126)


def test_the_cost_is_the_latency_that_is_claimed():
    assert cost(PROGRAM, mapping(cost=12.5)) == 12.5


def test_a_program_without_accesses_has_measures():
    machine = Machine("m", 1e6, 1e6, 1e7, 1e6, 0)
    instance = MemoryInstance("i", (Buffer("b", 0),), (Instruction("x", 3.0),), machine)
    found = metrics(instance, mapping(cost=3.0))
    assert found == {"speed-up": 1.0, "fast accesses %": 0.0, "occupancy %": 0.0}


ROW = {"storage": 3, "start": 4, "end": 5, "offset": 10**6}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"storage": 4}, r"\[0\].storage: expected in \[0, 4\), found 4"),
        ({"storage": -1}, r"\[0\].storage"),
        ({"start": 5}, r"\[0\].start: expected in \[0, 5\), found 5"),
        ({"start": -1}, r"\[0\].start"),
        ({"end": 6}, r"\[0\].end: expected in \[0, 6\), found 6"),
        ({"end": True}, r"\[0\].end"),
        ({"offset": -1}, r"\[0\].offset"),
        ({"offset": 1.0}, r"\[0\].offset"),
    ],
)
def test_a_residency_out_of_range_is_named(change, message):
    document = {**mapping().to_json(), "residencies": [ROW]}
    assert solution_from_json(PROGRAM, document).to_json() == document
    document["residencies"] = [{**ROW, **change}]
    with pytest.raises(InputError, match=f"^residencies{message}"):
        solution_from_json(PROGRAM, document)
    document["residencies"] = [ROW, {**ROW, **change}]
    with pytest.raises(InputError, match=r"^residencies\[1\]"):
        solution_from_json(PROGRAM, document)


@pytest.mark.parametrize(
    ("order", "good"),
    [
        ([3, 0], True),
        ([], True),
        ([4], False),
        ([-1], False),
        ([0, 3, 0], False),
        ([1.0], False),
        ("30", False),
    ],
)
def test_an_order_names_storages_once(order, good):
    document = {**mapping().to_json(), "order": order}
    if good:
        assert solution_from_json(PROGRAM, document).to_json() == document
    else:
        with pytest.raises(InputError, match=r"^order"):
            solution_from_json(PROGRAM, document)


def test_what_is_no_mapping_is_refused():
    wrongs: list[Any] = [*([], None)]
    for wrong in wrongs:
        with pytest.raises(InputError, match=r"^solution: expected an object"):
            solution_from_json(PROGRAM, wrong)
    with pytest.raises(InputError, match=r"^residencies: missing"):
        solution_from_json(PROGRAM, {})
    with pytest.raises(InputError, match=r"^residencies: expected a list"):
        solution_from_json(PROGRAM, {**mapping().to_json(), "residencies": None})
    with pytest.raises(InputError, match=r"^residencies\[0\]"):
        solution_from_json(PROGRAM, {**mapping().to_json(), "residencies": [3]})
    assert "order" not in mapping().to_json()


@given(st.lists(st.tuples(*[st.integers(0, 3)] * 3, st.integers(0, 99)), max_size=4))
def test_ends_were_last_instructions_once(rows):
    rows = [(g, first, max(first, last), offset) for g, first, last, offset in rows]
    now = mapping(*rows).to_json()
    before = json.loads(json.dumps(now)) | {"schema": 1}
    for row in before["residencies"]:
        row["end"] -= 1
    assert now["schema"] == 2
    assert solution_from_json(PROGRAM, before).to_json() == now
    before["residencies"].append({"storage": 0, "start": 0, "end": 5, "offset": 0})
    with pytest.raises(InputError, match=r"end: expected in \[0, 5\), found 5"):
        solution_from_json(PROGRAM, before)
    for schema in (3, True, "1"):
        with pytest.raises(InputError, match=f"schema: expected 1 or 2, found {schema!r}"):
            solution_from_json(PROGRAM, now | {"schema": schema})


def test_damaged_and_nested_files_are_refused_in_a_line(tmp_path):
    packed = gzip.compress(json.dumps(PROGRAM.to_json()).encode())
    contents = {
        "cut.json.gz": (packed[:-9], "damaged"),
        "bent.json.gz": (packed[:20] + b"\xff" * 20 + packed[40:], "p"),
        "deep.json": (b"[" * 100_000, "expected JSON"),
        "binary.json.gz": (gzip.compress(b"\xff\xfe"), "binary data"),
    }
    for name, (content, words) in contents.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match=words) as caught:
            READERS["auto"](tmp_path / name)
        assert name in str(caught.value)
