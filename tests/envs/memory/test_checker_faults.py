"""Each rule of the checker is applied exactly: mappings by hand on either side of every limit."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from graphsched.envs.memory.checker import MOST, check, latency
from graphsched.envs.memory.hardware.machine import Machine
from graphsched.envs.memory.instance import Buffer, Instruction, MemoryInstance
from graphsched.envs.memory.solution import MemorySolution

# A byte takes 1 us from slow memory, 0.1 us from fast; copies move a byte a microsecond at most.
MACHINE = Machine("m", 1e6, 1e6, 1e7, 1e6, 64, 4)
LENGTH = 6


def program(*storages, flops=10.0, machine=MACHINE, flops_of=None):
    """Six instructions of 10 us each; a storage is its size, its kind, and who reads and writes."""
    reads: list[list[Any]] = [[] for _ in range(LENGTH)]
    writes: list[list[Any]] = [[] for _ in range(LENGTH)]
    for b, (size, _, accesses) in enumerate(storages):
        for word in accesses.split():
            (reads if word[0] == "r" else writes)[int(word[1])].append((b, size))
    work = {**dict.fromkeys(range(LENGTH), flops), **(flops_of or {})}
    return MemoryInstance(
        "line",
        tuple(Buffer(f"s{b}", size, kind) for b, (size, kind, _) in enumerate(storages)),
        tuple(
            Instruction(f"i{t}", work[t], tuple(reads[t]), tuple(writes[t])) for t in range(LENGTH)
        ),
        machine,
    )


def mapping(instance, *rows):
    """Rows: storage, first and last instruction, offset."""
    columns = np.array(rows, np.int64).reshape(-1, 4).T
    solution = MemorySolution(columns[0], columns[1], columns[2] + 1, columns[3], 0.0)
    return replace(solution, cost=latency(instance, solution))


def found(instance, *rows):
    return [violation.kind for violation in check(instance, mapping(instance, *rows))]


KEPT = program((20, "temporary", "w1 r3"))


@pytest.mark.parametrize(
    ("stay", "times"),
    [
        ((1, 3), (10, 10)),
        ((0, 5), (10, 10)),
        ((2, 3), (20, 10)),
        ((1, 2), (10, 20)),
        ((2, 2), (20, 20)),
    ],
)
def test_accesses_are_fast_while_their_storage_stays(stay, times):
    """An instruction takes 20 us for 20 bytes from slow memory, else its arithmetic's 10."""
    assert latency(KEPT, mapping(KEPT, (0, *stay, 0))) == pytest.approx(40 + sum(times))


def test_operands_from_both_memories_add_up():
    both = program((20, "parameter", "r2"), (50, "parameter", "r2"))
    assert latency(both, mapping(both)) == pytest.approx(50 + 70)
    assert latency(both, mapping(both, (1, 0, 2, 0))) == pytest.approx(50 + 20 + 5)
    many = program((30, "state", "r2 w2"))
    assert latency(many, mapping(many)) == pytest.approx(50 + 60)


@pytest.mark.parametrize(
    ("row", "kinds"),
    [
        ((0, 1, 3, 44), []),
        ((0, 1, 3, 48), ["capacity"]),
        ((0, 1, 3, 45), ["alignment", "capacity"]),
        ((0, 1, 3, 2), ["alignment"]),
        ((0, 1, 3, -4), ["capacity"]),
        ((0, 0, 5, 0), []),
        ((0, 1, 6, 0), ["interval"]),
        ((0, -1, 3, 0), ["interval"]),
    ],
)
def test_places_are_within_memory_and_time(row, kinds):
    assert found(KEPT, row) == kinds


def test_a_residency_may_last_one_instruction_and_not_less():
    once = program((20, "temporary", "w2"))
    assert found(once, (0, 2, 2, 0)) == []
    assert found(once, (0, 3, 2, 0)) == ["interval", "idle"]


TWO = program((20, "temporary", "w0 r2"), (20, "temporary", "w2 r4"), (8, "input", "r5"))


@pytest.mark.parametrize(
    ("rows", "kinds"),
    [
        ([(0, 0, 2, 0), (1, 2, 4, 20)], []),
        ([(0, 0, 2, 20), (1, 2, 4, 0)], []),
        ([(0, 0, 2, 0), (1, 2, 4, 16)], ["overlap"]),
        ([(0, 0, 2, 16), (1, 2, 4, 0)], ["overlap"]),
        ([(1, 2, 4, 0), (0, 0, 2, 0)], ["overlap"]),
        ([(0, 0, 2, 0), (0, 0, 2, 32)], ["overlap"]),
    ],
)
def test_bytes_belong_to_one_storage_at_a_time(rows, kinds):
    assert found(TWO, *rows) == kinds


def test_bytes_are_free_again_after_the_last_instruction():
    apart = program((20, "temporary", "w0 r1"), (20, "temporary", "w2 r3"))
    assert found(apart, (0, 0, 1, 0), (1, 2, 3, 0)) == []
    assert found(apart, (1, 2, 3, 0), (0, 0, 1, 0)) == []


def test_every_overlap_is_named_with_its_storages():
    three = program(*[(20, "temporary", "w0 r3")] * 3)
    solution = mapping(three, (0, 0, 3, 0), (1, 0, 3, 8), (2, 0, 3, 16))
    assert [v.message for v in check(three, solution) if v.kind == "overlap"] == [
        "storage 0 (s0) and storage 1 (s1) at instruction 0",
        "storage 0 (s0) and storage 2 (s2) at instruction 0",
        "storage 1 (s1) and storage 2 (s2) at instruction 0",
    ]


@pytest.mark.parametrize(
    ("storage", "row", "kinds"),
    [
        # produced in place, needs no copy; what was there before does
        ((20, "temporary", "w2 r4"), (2, 4), []),
        ((20, "temporary", "w2 r4"), (0, 5), []),
        ((8, "parameter", "r2"), (1, 2), []),
        ((8, "parameter", "r2"), (2, 2), ["copy"]),
        ((8, "state", "w2"), (2, 3), ["copy"]),
        ((8, "state", "w2"), (1, 3), []),
        ((8, "temporary", "w1 r3"), (3, 3), ["copy"]),
        ((8, "temporary", "w1 r3"), (2, 3), []),
        # written, and wanted later or at the end: goes back after its last access
        ((8, "temporary", "w1 r4"), (1, 2), []),
        ((8, "temporary", "w1 r4"), (1, 1), ["write-back"]),
        ((8, "output", "w2"), (2, 3), []),
        ((8, "output", "w2"), (2, 2), ["write-back"]),
        ((8, "temporary", "w1 w3 r5"), (1, 4), []),
        ((8, "temporary", "w1 w3 r5"), (1, 3), ["write-back"]),
        # read only, or never wanted again: nothing goes back
        ((8, "temporary", "w1 r2 r4"), (2, 2), ["copy"]),
        ((8, "parameter", "r2 r4"), (1, 2), []),
        ((8, "temporary", "w2"), (2, 2), []),
        # without an access
        ((8, "parameter", "r2"), (3, 4), ["idle"]),
        ((8, "parameter", "r2"), (0, 1), ["idle"]),
    ],
)
def test_contents_are_current_in_both_memories(storage, row, kinds):
    assert found(program(storage), (0, *row, 0)) == kinds


def test_every_residency_of_a_storage_is_judged():
    twice = program((8, "parameter", "r1 r4"))
    assert found(twice, (0, 0, 1, 0), (0, 3, 4, 0)) == []
    assert found(twice, (0, 0, 1, 0), (0, 4, 4, 0)) == ["copy"]
    assert found(twice, (0, 4, 4, 0), (0, 1, 1, 0)) == ["copy", "copy"]


@pytest.mark.parametrize(
    ("sizes", "kinds"),
    [
        ((20, 10), []),
        ((16, 12), []),
        ((15, 15), []),
        ((24, 4), ["bandwidth"]),
        ((21, 9), ["bandwidth"]),
        ((20, 11), ["bandwidth"]),
        # what is late is given up, and takes nothing from the other
        ((21, 10), ["bandwidth"]),
        ((21, 11), ["bandwidth", "bandwidth"]),
    ],
)
def test_copies_have_ten_bytes_an_instruction(sizes, kinds):
    """The first may use instructions 0 and 1, the second 1 and 2."""
    pair = program((sizes[0], "parameter", "r2"), (sizes[1], "parameter", "r3"))
    rows = (0, 0, 2, 0), (1, 1, 3, 32)
    assert found(pair, *rows) == kinds
    assert found(pair, *reversed(rows)) == kinds


def test_the_most_urgent_copy_goes_first():
    """The second comes later and is due earlier; then the first goes on."""
    for size, wrong in ((20, False), (21, True)):
        pair = program((size, "parameter", "r3"), (10, "parameter", "r2"))
        assert found(pair, (0, 0, 3, 0), (1, 1, 2, 32)) == ["bandwidth"] * wrong


def test_what_is_left_of_a_copy_is_told():
    pair = program((20, "parameter", "r2"), (13, "parameter", "r3"))
    (violation,) = check(pair, mapping(pair, (0, 0, 2, 0), (1, 1, 3, 32)))
    assert violation.message == "s1 copied in: 3 of 13 bytes left after 2".replace(
        "s1", "storage 1 (s1)"
    )
    back = program((33, "output", "w2"))
    (violation,) = check(back, mapping(back, (0, 2, 5, 0)))
    assert violation.message == "storage 0 (s0) written back: 3 of 33 bytes left after 5"


def test_copies_use_only_the_instructions_of_their_residency():
    """In before the first access, back after the last one: 10 bytes in one instruction."""
    for size, wrong in ((10, False), (11, True)):
        read = program((size, "parameter", "r2"))
        assert found(read, (0, 1, 2, 0)) == ["bandwidth"] * wrong
        assert found(read, (0, 1, 5, 0)) == ["bandwidth"] * wrong
        written = program((size, "output", "w2"))
        assert found(written, (0, 2, 3, 0)) == ["bandwidth"] * wrong
        assert found(written, (0, 0, 3, 0)) == ["bandwidth"] * wrong


@pytest.mark.parametrize(
    ("size", "other", "flops", "copies", "wrong"),
    [
        # instruction 1 takes 10 us and moves 4 bytes itself
        (6, 4, 10, 1e6, False),
        (7, 4, 10, 1e6, True),
        # it has no time left: 12 bytes take 12 us
        (1, 12, 10, 1e6, True),
        # engines of half the link's rate
        (5, 0, 10, 0.5e6, False),
        (6, 0, 10, 0.5e6, True),
        (5, 4, 10, 0.5e6, False),
        (6, 4, 10, 0.5e6, True),
        # the engines move no more than they could if all operands were fast: 4 us of arithmetic
        (2, 8, 4, 0.5e6, True),
        (4, 0, 4, 1e6, False),
        (5, 0, 4, 1e6, True),
    ],
)
def test_instructions_go_before_copies(size, other, flops, copies, wrong):
    machine = replace(MACHINE, copy_bandwidth=copies)
    storages = [(size, "parameter", "r2")] + [(other, "parameter", "r1")] * (other > 0)
    instance = program(*storages, machine=machine, flops_of={1: float(flops)})
    assert found(instance, (0, 1, 2, 0)) == ["bandwidth"] * wrong


def test_fast_operands_leave_the_link_to_copies():
    """40 bytes from fast memory take 4 us, in which 4 bytes can be copied; a slow byte less one."""
    for size, wrong in ((4, False), (5, True)):
        instance = program((size, "parameter", "r2"), (40, "temporary", "w0 r1"), flops_of={1: 0.0})
        assert found(instance, (0, 1, 2, 40), (1, 0, 1, 0)) == ["bandwidth"] * wrong
    mixed = [(20, "temporary", "w0 r1"), (6, "parameter", "r1")]
    for size, wrong in ((2, False), (3, True)):
        instance = program((size, "parameter", "r2"), *mixed, flops_of={1: 0.0})
        assert found(instance, (0, 1, 2, 40), (1, 0, 1, 0)) == ["bandwidth"] * wrong


@pytest.mark.parametrize(
    ("factor", "wrong"),
    [(1.0, False), (1 + 5e-7, False), (1 - 5e-7, False), (1 + 3e-6, True), (1 - 3e-6, True)],
)
def test_the_latency_is_held_to_a_relative_tolerance(factor, wrong):
    solution = mapping(KEPT, (0, 1, 3, 0))
    kinds = [v.kind for v in check(KEPT, replace(solution, cost=60.0 * factor))]
    assert kinds == ["cost"] * wrong


def test_short_latencies_are_held_to_it_as_well():
    """A program of 0.06 us."""
    quick = program((20, "temporary", "w1 r3"), flops=0.01)
    quick = replace(quick, machine=replace(MACHINE, slow_bandwidth=1e12, fast_bandwidth=1e12))
    solution = mapping(quick)
    assert 0.05 < solution.cost < 0.07
    assert check(quick, solution) == []
    kinds = [v.kind for v in check(quick, replace(solution, cost=solution.cost * (1 + 5e-6)))]
    assert kinds == ["cost"]


def test_reports_end_after_a_hundred_violations():
    rows = [(0, 4, 5, 0)] * 60
    assert len(check(KEPT, mapping(KEPT, *rows))) == MOST == 100
    assert len(check(KEPT, mapping(KEPT, *[(0, 4, 5, 4 * k) for k in range(3)]))) == 6
