"""The checker names every broken rule, by hand on a program whose figures are round."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from graphsched.envs.memory.checker import check, latency
from graphsched.envs.memory.hardware.machine import Machine
from graphsched.envs.memory.instance import Buffer, Instruction, MemoryInstance
from graphsched.envs.memory.solution import MemorySolution

# A byte takes 1 us from slow memory and 0.1 us from fast. Instruction 1 computes for 20 us, so that
# 20 bytes can be copied beside it if its operands are in fast memory.
MACHINE = Machine("m", 1e6, 1e6, 1e7, 1e6, 16, 2)
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
    MACHINE,
)


def mapping(*rows, cost=None, program=PROGRAM):
    """Rows: storage, first and last instruction, offset."""
    columns = np.array(rows, np.int64).reshape(-1, 4).T
    solution = MemorySolution(columns[0], columns[1], columns[2] + 1, columns[3], 0.0)
    return replace(solution, cost=latency(program, solution) if cost is None else cost)


def kinds(solution, program=PROGRAM):
    return {violation.kind for violation in check(program, solution)}


def test_latency_by_hand():
    # storages: 0 a, 1 w, 2 out, 3 b by the order of the buffers
    assert latency(PROGRAM, mapping()) == pytest.approx(10 + 20 + 16 + 12 + 5)
    kept = mapping((0, 0, 2, 0))
    assert latency(PROGRAM, kept) == pytest.approx(1 + 20 + 1 + 6 + 12 + 5)
    assert kinds(kept) == set()


def test_a_prefetch_beside_a_long_instruction_is_free():
    copied = mapping((1, 1, 2, 0))
    assert latency(PROGRAM, copied) == pytest.approx(10 + 20 + 10 + 0.6 + 12 + 5)
    assert kinds(copied) == set()
    assert kinds(mapping((1, 0, 2, 0))) == set()


def test_an_output_in_fast_memory_is_written_back():
    assert kinds(mapping((2, 3, 4, 0))) == set()
    assert kinds(mapping((2, 3, 3, 0))) == {"write-back"}


@pytest.mark.parametrize(
    ("rows", "kind"),
    [
        ([(0, 2, 0, 0)], "interval"),
        ([(2, 3, 5, 0)], "interval"),
        ([(1, -1, 2, 0)], "interval"),
        ([(0, 0, 2, -2)], "capacity"),
        ([(0, 0, 2, 0), (3, 2, 3, 8)], "overlap"),
        ([(0, 0, 2, 1)], "alignment"),
        ([(0, 0, 2, 8)], "capacity"),
        ([(0, 0, 2, 0), (1, 1, 2, 8)], "overlap"),
        ([(0, 0, 1, 0), (0, 1, 2, 0)], "overlap"),
        ([(3, 4, 4, 0)], "idle"),
        ([(1, 2, 2, 0)], "copy"),
        ([(0, 0, 0, 0)], "write-back"),
        ([(0, 2, 2, 0)], "copy"),
        ([(1, 0, 2, 0), (0, 0, 0, 6)], "write-back"),
        ([(3, 3, 3, 0)], "copy"),
    ],
)
def test_a_broken_rule_is_named(rows, kind):
    assert kind in kinds(mapping(*rows))


def test_residencies_may_touch_each_other_and_the_end():
    assert kinds(mapping((0, 0, 2, 6), (1, 1, 2, 0))) == set()
    assert kinds(mapping((0, 0, 2, 0), (1, 1, 2, 10))) == set()


def _tight(before, after, copies=1e6):
    """8 bytes are read and 8 written by a long instruction, with so many us on either side."""
    return MemoryInstance(
        "tight",
        (Buffer("p", 8, "parameter"), Buffer("q", 8, "output")),
        (
            Instruction("before", before),
            Instruction("long", 30.0, ((0, 8),), ((1, 8),)),
            Instruction("after", after),
        ),
        Machine("m", 1e6, 1e6, 1e7, copies, 16),
    )


@pytest.mark.parametrize(
    ("program", "broken"),
    [
        (_tight(8.0, 8.0), set()),
        (_tight(7.0, 8.0), {"bandwidth"}),
        (_tight(8.0, 7.0), {"bandwidth"}),
        (_tight(8.0, 8.0, 0.9e6), {"bandwidth"}),
        (_tight(10.0, 10.0, 0.9e6), set()),
    ],
)
def test_copies_are_done_before_and_begin_after_the_access(program, broken):
    assert kinds(mapping((0, 0, 1, 0), (1, 1, 2, 8), program=program), program) == broken


def test_copies_share_the_bandwidth():
    # `a` evicted (10 bytes) and `w` fetched (6 bytes) beside instruction 1, which writes 8 slowly:
    # 12 bytes are spare
    late = mapping((0, 0, 1, 0), (1, 1, 2, 10))
    assert kinds(late) == {"bandwidth"}
    room = mapping((0, 0, 1, 0), (3, 1, 1, 0))
    assert "overlap" in kinds(room)


def test_a_wrong_cost_is_named():
    assert kinds(mapping(cost=1.0)) == {"cost"}
    assert kinds(mapping(cost=float("nan"))) == {"cost"}
