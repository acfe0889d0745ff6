"""XLA's assignment by hand: when it copies, stays, evicts, tries again, repacks; and always validly."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphsched.envs.core.domain import SolverOptions
from graphsched.envs.core.errors import InputError
from graphsched.envs.memory import DOMAIN
from graphsched.envs.memory.baselines.xla.solver import KNOBS, boundedness, order_of_xla
from graphsched.envs.memory.hardware.machine import Machine
from graphsched.envs.memory.instance import Buffer, Instruction, MemoryInstance
from graphsched.envs.memory.physics.program import problem_of
from tests.envs.memory.programs import programs


def machine(capacity):
    """A byte takes 1 us from slow memory, 0.1 us from fast, and 1 us over the link."""
    return Machine("m", 1e6, 1e6, 1e7, 1e6, capacity)


def solve(program, **knobs):
    return DOMAIN.baseline("xla-msa", SolverOptions(settings=knobs))(program)


def rows(solution):
    """Storage, start, end and offset of each residency."""
    columns = (solution.storage, solution.start, solution.end, solution.offset)
    return sorted(zip(*(column.tolist() for column in columns), strict=True))


def fetching(busy=False):
    """`w` is read at the end; what computes before takes 5 us each; `x` may lie in its way."""
    made = ((1, 9),) if busy else ()
    return MemoryInstance(
        "fetching",
        (Buffer("w", 10, "parameter"), Buffer("x", 9)),
        (
            Instruction("0", 5.0),
            Instruction("1", 5.0, (), made),
            Instruction("2", 5.0, made),
            Instruction("3", 5.0),
            Instruction("4", 5.0),
            Instruction("use", 0.0, ((0, 10),)),
        ),
        machine(18),
    )


@pytest.mark.parametrize(
    ("knobs", "start"),
    [
        ({}, 2),  # 15 us before the use: one and a half times the 10 us that the copy takes
        ({"preferred": 1.0}, 3),
        ({"preferred": 8.0}, 0),  # 80 us before would be best
        ({"preferred": 8.0, "most": 1.0}, 2),  # but a storage waits for 18 us at most
    ],
)
def test_a_copy_begins_where_its_overlap_is_preferred(knobs, start):
    found = solve(fetching(), **knobs)
    assert rows(found) == [(0, start, 6, 0)]
    assert found.cost == pytest.approx(25 + 1)


def test_a_later_start_comes_before_an_earlier_one():
    """Instructions 1 and 2 take 9 us in slow memory, so that the preferred start is 2, as before.

    There `x` leaves no room; from 3 on there is.
    """
    found = solve(fetching(busy=True))
    assert rows(found) == [(0, 3, 6, 0), (1, 1, 3, 0)]
    assert found.cost == pytest.approx(25 + 1)


@pytest.mark.parametrize(
    ("time", "least", "copied"),
    [
        (9.0, 0.0, False),  # the link moves 9 of the 10 bytes
        (10.0, 0.0, True),
        (10.0, 1.0, True),
        (13.5, 1.5, False),  # 15 us, less the 0.9 us that the use saves
        (14.5, 1.5, True),
    ],
)
def test_without_time_to_hide_a_copy_it_is_not_made(time, least, copied):
    program = MemoryInstance(
        "short",
        (Buffer("w", 10, "parameter"),),
        (Instruction("0", time), Instruction("use a byte", 0.0, ((0, 1),))),
        machine(18),
    )
    assert rows(solve(program, least=least)) == ([(0, 0, 2, 0)] if copied else [])


def evicting(*between, last=((0, 10), (1, 40))):
    """`a` is made, used and used again at the end, where `b`, which is worth more, needs its room."""
    return MemoryInstance(
        "evicting",
        (Buffer("a", 10), Buffer("b", 10), Buffer("x", 30, "parameter")),
        (
            Instruction("make a", 0.0, (), ((0, 10),)),
            Instruction("use a", 0.0, ((0, 10),)),
            *between,
            Instruction("make b", 0.0, (), ((1, 10),)),
            Instruction("use both", 0.0, last),
        ),
        machine(10),
    )


def test_what_has_to_go_is_written_back_and_what_cant_return_is_read_from_slow_memory():
    """`a` leaves during the 15 us of thinking; 1 us of making `b` is no time to bring it back."""
    program = evicting(Instruction("think", 15.0))
    found = solve(program)
    assert rows(found) == [(0, 0, 3, 0), (1, 3, 5, 0)]
    assert found.cost == pytest.approx(1 + 1 + 15 + 1 + (10 + 4))
    assert DOMAIN.check(program, found) == []


def test_a_storage_that_cant_leave_in_time_is_tried_again_with_more_time():
    """In the first 15 us, one and a half times the copy, the link is busy with `x`; in 45 it isn't."""
    program = evicting(Instruction("stream", 0.0, ((2, 30),)), Instruction("think", 15.0))
    assert rows(solve(program, attempts=1)) == [(1, 4, 6, 0)]
    found = solve(program, attempts=2)
    assert rows(found) == [(0, 0, 4, 0), (1, 4, 6, 0)]
    assert found.cost == pytest.approx(1 + 1 + 30 + 15 + 1 + (10 + 4))


def test_a_result_is_wanted_in_slow_memory():
    """What is only written stays there; what is read on the way is written back at the end."""
    program = MemoryInstance(
        "results",
        (Buffer("o", 10, "output"), Buffer("r", 10, "output")),
        (
            Instruction("make", 0.0, (), ((0, 10),)),
            Instruction("use", 0.0, ((0, 10),), ((1, 10),)),
            Instruction("rest", 15.0),
        ),
        machine(20),
    )
    found = solve(program)
    assert rows(found) == [(0, 0, 3, 0)]
    assert found.cost == pytest.approx(1 + (1 + 10) + 15)


def test_aliases_share_one_allocation():
    """`view` is read at 2 and so keeps `a` there, whose own last access is at 1."""
    program = MemoryInstance(
        "aliases",
        (Buffer("a", 10), Buffer("view", 10, alias=0)),
        (
            Instruction("make a", 0.0, (), ((0, 10),)),
            Instruction("use a", 0.0, ((0, 10),)),
            Instruction("use its view", 0.0, ((1, 10),)),
        ),
        machine(10),
    )
    assert rows(solve(program)) == [(0, 0, 3, 0)]


@pytest.mark.parametrize(
    ("repacks", "placed"),
    [
        (0, [(0, 0, 2, 0), (1, 0, 6, 4)]),  # bytes 0 to 4 and 8 to 12 are free for `r`, of 8
        (1, [(0, 0, 2, 4), (1, 0, 6, 0), (2, 2, 6, 4)]),  # the longest has the lowest bytes
    ],
)
def test_repacking_closes_gaps(repacks, placed):
    program = MemoryInstance(
        "gaps",
        (Buffer("p", 4), Buffer("q", 4), Buffer("r", 8)),
        (
            Instruction("0", 0.0, (), ((0, 40), (1, 20))),
            Instruction("1", 0.0, ((0, 40),)),
            Instruction("2", 0.0, (), ((2, 8),)),
            Instruction("3", 0.0),
            Instruction("4", 0.0),
            Instruction("5", 0.0, ((1, 20), (2, 8))),
        ),
        machine(12),
    )
    found = solve(program, repacks=repacks)
    assert rows(found) == placed
    assert DOMAIN.check(program, found) == []


@pytest.mark.parametrize(("passes", "placed"), [(1, [1]), (2, [0, 1])])
def test_what_could_not_be_copied_is_tried_again_at_the_end(passes, placed):
    """`w` comes first; the link is busy until `x` is in fast memory: 10 us of arithmetic are left."""
    program = MemoryInstance(
        "again",
        (Buffer("w", 10, "parameter"), Buffer("x", 12)),
        (
            Instruction("make x", 0.0, (), ((1, 12),)),
            Instruction("think", 10.0, ((1, 12),)),
            Instruction("use w", 0.0, ((0, 90),)),
        ),
        machine(22),
    )
    found = solve(program, passes=passes)
    assert sorted(set(found.storage.tolist())) == placed
    assert DOMAIN.check(program, found) == []


def test_benefits_by_hand(program):
    """Of the program in conftest: `b` is made by an instruction that memory doesn't bound."""
    p = problem_of(program)
    assert boundedness(p) == pytest.approx([18, 21.6, 4.5, 9.9, 3.6])
    # Over the roots of 12, 8, 8, 12 and 4 bytes: 5.2, 7.6, 1.6, 2.9, 1.8.
    assert order_of_xla(p).tolist() == [1, 0, 3, 4, 2]
    assert order_of_xla(p, "none").tolist() == [1, 0, 3, 2, 4]


def test_what_memory_never_bounds_lacks_the_least_of_its_uses():
    program = MemoryInstance(
        "bound",
        (Buffer("a", 4), Buffer("w", 4, "parameter")),
        (Instruction("0", 9.0, (), ((0, 4),)), Instruction("1", 7.0, ((0, 4), (1, 1)))),
        machine(8),
    )
    assert boundedness(problem_of(program)) == pytest.approx([5 - 7, 0])


def test_equal_benefits_are_ordered_by_size_lifetime_and_use():
    """All gain 9 us over the root of 1 byte or, `big`, 18 us over that of 4; the last bit is no matter."""
    program = MemoryInstance(
        "ties",
        tuple(Buffer(name, 1 + 3 * (name == "big")) for name in ("late", "soon", "long", "big")),
        (
            Instruction("0", 0.0, (), ((1, 5), (2, 5))),
            Instruction("1", 0.0, ((1, 5),), ((0, 5), (3, 10))),
            Instruction("2", 0.0, ((0, 5), (2, 5), (3, 10))),
        ),
        machine(9),
    )
    late, soon, long, big = range(4)
    assert order_of_xla(problem_of(program)).tolist() == [big, long, soon, late]


@settings(max_examples=100, deadline=None)
@given(programs(), st.integers(0, 10**6))
def test_any_program_gets_a_valid_mapping(instance, seed):
    rng = np.random.default_rng(seed)
    knobs = {n: knob.values[rng.integers(len(knob.values))] for n, knob in KNOBS.items()}
    assert DOMAIN.check(instance, solve(instance, **knobs)) == []


def test_knobs_have_ranges():
    with pytest.raises(InputError, match=r"settings.least: expected a number in \[0, 1.5\]"):
        DOMAIN.baseline("xla-msa", SolverOptions(settings={"least": -1}))
