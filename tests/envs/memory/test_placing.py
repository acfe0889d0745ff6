"""Storages go where there is just enough room, and copies take bandwidth that is really spare."""

from __future__ import annotations

import numpy as np
import pytest

from graphsched.envs.memory.hardware.machine import Machine
from graphsched.envs.memory.instance import Buffer, Instruction, MemoryInstance
from graphsched.envs.memory.physics.arena import FIRST_FIT, empty_arena
from graphsched.envs.memory.physics.mapping import solution_of, solve_order
from graphsched.envs.memory.physics.placing import decode
from graphsched.envs.memory.physics.program import problem_of

A, P, Q, R = range(4)


def _program(capacity):
    """`a` lives throughout; `p` and `r` are read and `q` is written in the middle.

    Without `a` in slow memory, copies can move 10 bytes on either side of the middle.
    """
    return MemoryInstance(
        "room",
        (
            Buffer("a", 12),
            Buffer("p", 8, "parameter"),
            Buffer("q", 8, "output"),
            Buffer("r", 8, "parameter"),
        ),
        (
            Instruction("before", 10.0, (), ((A, 12),)),
            Instruction("middle", 0.0, ((P, 8), (R, 8)), ((Q, 8),)),
            Instruction("after", 10.0, ((A, 12),)),
        ),
        Machine("m", 1e6, 1e6, 1e7, 1e6, capacity),
    )


@pytest.mark.parametrize(
    ("capacity", "order", "placed"),
    [
        (11, (A,), []),
        (12, (A,), [(A, 0, 2, 0)]),
        (20, (A, P), [(A, 0, 2, 0), (P, 0, 1, 12)]),  # copied in while just its bytes are free
        (19, (A, P), [(A, 0, 2, 0)]),
        (20, (A, Q), [(A, 0, 2, 0), (Q, 1, 2, 12)]),  # written back likewise
        (19, (A, Q), [(A, 0, 2, 0)]),
        (28, (A, P, Q), [(A, 0, 2, 0), (P, 0, 1, 12), (Q, 1, 2, 20)]),
        (27, (A, P, Q), [(A, 0, 2, 0), (P, 0, 1, 12)]),
        (28, (A, Q, P), [(A, 0, 2, 0), (P, 0, 1, 20), (Q, 1, 2, 12)]),
        (99, (A, P, R), [(A, 0, 2, 0), (P, 0, 1, 12)]),  # `p` takes 8 of the 10 bytes
        (99, (A, R, P), [(A, 0, 2, 0), (R, 0, 1, 12)]),
        (99, (P,), []),  # `a` takes all of the 12 us
    ],
)
def test_what_just_fits(capacity, order, placed):
    found = solve_order(_program(capacity), np.array(order))
    columns = (found.storage, found.start, found.end - 1, found.offset)
    rows = zip(*(column.tolist() for column in columns), strict=True)
    assert sorted(rows) == placed  # first and last instruction


@pytest.mark.parametrize(
    ("order", "saved"), [((P,), 0), ((A,), 2 + 2), ((A, P), 4 + 7.2), ((A, P, Q), 4 + 14.4)]
)
def test_what_is_saved(order, saved):
    """12 + 24 + 12 us with everything in slow memory; arithmetic takes 10 + 10 of them."""
    assert solve_order(_program(99), np.array(order)).cost == pytest.approx(48 - saved)


@pytest.mark.parametrize(("first_fit", "offset"), [(False, 16), (True, 0)])
def test_gaps(first_fit, offset):
    """When `z` comes, bytes 0 to 12, 16 to 24 and 28 to 40 are free; it has 8."""
    sizes = (12, 4, 8, 4, 8)
    program = MemoryInstance(
        "gaps",
        tuple(Buffer(name, size) for name, size in zip("uvwyz", sizes, strict=True)),
        (
            Instruction("one", 0.0, (), tuple(enumerate(sizes[:4]))),
            Instruction("two", 0.0, ((1, 4), (3, 4)), ((4, 8),)),
        ),
        Machine("m", 1e6, 1e6, 1e7, 1e6, 40),
    )
    arena = empty_arena(2, program.num_accesses)
    arena.whole[FIRST_FIT] = first_fit
    decode(problem_of(program), arena, np.arange(5))
    found = solution_of(arena)
    places = dict(zip(found.storage.tolist(), found.offset.tolist(), strict=True))
    assert places == {0: 0, 1: 12, 2: 16, 3: 24, 4: offset}
    assert found.offset.tolist() == sorted(places.values())
