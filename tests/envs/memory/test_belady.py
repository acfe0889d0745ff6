"""Belady by hand: who makes room, when it is gone, what comes back; and always validly."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from graphsched.envs.memory import DOMAIN
from graphsched.envs.memory.hardware.machine import Machine
from graphsched.envs.memory.instance import Buffer, Instruction, MemoryInstance
from tests.envs.memory.programs import programs

MACHINE = Machine("m", 1e6, 1e6, 1e7, 1e6, 10)  # a byte takes 1 us, 0.1 us if fast, 1 us to copy


def mapped(buffers, instructions):
    program = MemoryInstance("p", buffers, instructions, MACHINE)
    found = DOMAIN.baseline("belady")(program)
    assert DOMAIN.check(program, found) == []
    columns = (found.storage, found.start, found.end, found.offset)
    return sorted(zip(*(column.tolist() for column in columns), strict=True)), found.cost


def test_what_is_used_furthest_in_the_future_makes_room():
    """`w` is copied in at 3 and needs the room of `b`, not of `a`, which was used less recently.

    `b` is written back at 2 and comes back at 5.
    """
    placed, cost = mapped(
        (Buffer("a", 5), Buffer("b", 5), Buffer("w", 5, "parameter")),
        (
            Instruction("make a", 0.0, (), ((0, 5),)),
            Instruction("make b", 0.0, (), ((1, 5),)),
            Instruction("think", 20.0),
            Instruction("think", 20.0),
            Instruction("use w", 0.0, ((2, 5),)),
            Instruction("use a", 20.0, ((0, 5),)),
            Instruction("use b", 0.0, ((1, 5),)),
        ),
    )
    assert placed == [(0, 0, 6, 0), (1, 1, 3, 5), (1, 5, 7, 5), (2, 3, 5, 5)]
    assert cost == pytest.approx(0.5 + 0.5 + 20 + 20 + 0.5 + 20 + 0.5)


def test_what_cant_be_written_back_in_time_stays():
    """Without the first thinking, neither `a` nor `b` could be gone when the copy of `w` begins."""
    placed, _ = mapped(
        (Buffer("a", 5), Buffer("b", 5), Buffer("w", 5, "parameter")),
        (
            Instruction("make a", 0.0, (), ((0, 5),)),
            Instruction("make b", 0.0, (), ((1, 5),)),
            Instruction("think", 20.0),
            Instruction("use w", 0.0, ((2, 5),)),
            Instruction("use both", 0.0, ((0, 5), (1, 5))),
        ),
    )
    assert placed == [(0, 0, 5, 0), (1, 1, 5, 5)]


def test_what_was_only_read_leaves_without_being_written():
    """`v` and `w` fill the memory until `x` comes; `v` leaves at once, as it is used again later."""
    placed, _ = mapped(
        (Buffer("v", 5, "parameter"), Buffer("w", 5, "parameter"), Buffer("x", 5, "parameter")),
        (
            Instruction("think", 10.0),
            Instruction("use v and w", 0.0, ((0, 5), (1, 5))),
            Instruction("think", 5.0),
            Instruction("use x", 0.0, ((2, 5),)),
            Instruction("use w", 0.0, ((1, 5),)),
            Instruction("use v", 0.0, ((0, 5),)),
        ),
    )
    assert placed == [(0, 0, 2, 0), (1, 0, 5, 5), (2, 2, 4, 0)]


@pytest.mark.parametrize(("rest", "residencies"), [(10.0, [(0, 0, 3, 0)]), (9.0, [])])
def test_a_result_that_cant_be_written_back_is_left_in_slow_memory(rest, residencies):
    placed, cost = mapped(
        (Buffer("o", 10, "output"),),
        (
            Instruction("make", 0.0, (), ((0, 10),)),
            Instruction("use", 0.0, ((0, 10),)),
            Instruction("rest", rest),
        ),
    )
    assert placed == residencies
    assert cost == pytest.approx(rest + (2 if residencies else 20))


def test_a_state_that_cant_be_written_back_is_fast_as_long_as_it_is_only_read():
    """Its update, the last access, is served from slow memory; `w` was copied in for the first."""
    placed, cost = mapped(
        (Buffer("w", 10, "state"),),
        (
            Instruction("think", 20.0),
            Instruction("use", 0.0, ((0, 10),)),
            Instruction("update", 0.0, ((0, 10),), ((0, 10),)),
            Instruction("rest", 9.0),
        ),
    )
    assert placed == [(0, 0, 2, 0)]
    assert cost == pytest.approx(20 + 1 + 20 + 9)


@settings(max_examples=150, deadline=None)
@given(programs())
def test_any_program_gets_a_valid_mapping(instance):
    assert DOMAIN.check(instance, DOMAIN.baseline("belady")(instance)) == []
