"""The lower bound: below every mapping, and as high as what can be worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from graphsched.envs.core.domain import SolverOptions
from graphsched.envs.memory import DOMAIN
from graphsched.envs.memory.generators import GENERATORS
from graphsched.envs.memory.hardware.machine import Machine
from graphsched.envs.memory.instance import Buffer, Instruction, MemoryInstance
from graphsched.envs.memory.physics.program import problem_of
from graphsched.envs.memory.pricing.bound import bound_of, counted
from graphsched.envs.memory.pricing.stays import empty_stays, room_for_copies

# A byte takes 1 us from slow memory and 0.1 us from fast; so do copies, at 1 us.
MACHINE = Machine("m", 1e6, 1e6, 1e7, 1e6, 16)


def _bound(program, steps=400):
    return bound_of(problem_of(program), program.machine.alignment, steps)


def test_memory_is_counted_in_bytes_halves_thirds_and_fourths():
    """A share of 0.3 is floor(1.2) / 3 in fourths, and one of a half is a half everywhere."""
    rows = counted(np.array([0.2, 0.3, 0.4, 0.5, 0.6, 1.0]))
    assert rows[:, 0] == pytest.approx([0.2, 0.3, 0.4, 0.5, 0.6, 1])
    assert rows[:, 1] == pytest.approx([0, 0, 0, 0.5, 1, 1])
    assert rows[:, 2] == pytest.approx([0, 0, 0.5, 0.5, 0.5, 1])
    assert rows[:, 3] == pytest.approx([0, 1 / 3, 1 / 3, 0.5, 2 / 3, 1])
    assert counted(np.array([0.1, 0.2])).shape == (2, 1)  # all others count nothing


def test_room_for_copies(program):
    """See conftest.py: 0.9, 15, 0.65, 10, 2, 1.5 and 443 bytes can be copied beside instructions.

    Of x (10 bytes; 0, 4), a (8; 0, 2, 5), w (5; 2), b (11; 3, 4) and o (4; 5).
    """
    p = problem_of(program)
    stays = empty_stays(p, 1)
    room_for_copies(p, stays)
    assert stays.latest.tolist() == [-1, 3, -1, 1, 3, 1, 1, -1, 3]
    assert stays.earliest.tolist() == [2, 7, 2, 4, 7, 4, -1, 7, 7]
    assert stays.roomy.tolist() == [False, True, False, False, False, True, False, False, True]


def test_a_copy_isn_t_free_where_the_link_is_busy():
    """Two operands of 8 bytes take 16 us however they come: copied ones keep the link busy, too."""
    buffers = (Buffer("p", 8, "parameter"), Buffer("q", 8, "parameter"))
    program = MemoryInstance(
        "link",
        buffers,
        (Instruction("one", 0.0, ((0, 8),)), Instruction("two", 0.0, ((1, 8),))),
        MACHINE,
    )
    assert _bound(program) == pytest.approx(16, rel=1e-3)
    assert _bound(program) <= 16


def test_a_copy_takes_time():
    """Beside 4 us go 4 of the 8 bytes that are needed after it; beside 8 us all."""
    for wait, bound in ((4.0, 12.0), (8.0, 8.8)):
        program = MemoryInstance(
            "wait",
            (Buffer("p", 8, "parameter"),),
            (Instruction("wait", wait), Instruction("use", 0.0, ((0, 8),))),
            MACHINE,
        )
        assert _bound(program) == pytest.approx(bound, rel=1e-3)


def test_two_that_fill_more_than_a_half_are_never_there_together():
    """Each would save 7.2 of 16 us in 12 bytes, where bytes alone let both be there by 3 / 4."""
    program = MemoryInstance(
        "halves",
        (Buffer("one", 8, "output"), Buffer("two", 8, "output")),
        (Instruction("make", 0.0, (), ((0, 8), (1, 8))), Instruction("wait", 20.0)),
        MACHINE.with_capacity(12),
    )
    assert _bound(program) == pytest.approx(36 - 7.2, rel=1e-3)
    assert _bound(program) <= 36 - 7.2


def test_nothing_fits():
    program = MemoryInstance(
        "big", (Buffer("a", 20),), (Instruction("one", 3.0, (), ((0, 20),)),), MACHINE
    )
    assert _bound(program) == 20


@pytest.mark.parametrize("steps", [1, 3, 10, 100])
def test_the_bound_holds_at_any_prices(program, steps):
    best = DOMAIN.baseline("local-search", SolverOptions(time_limit_s=0.2))(program)
    assert _bound(program, steps) <= best.cost


@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(k, marks=pytest.mark.compiled) for k in range(1, 6))]
)
@pytest.mark.parametrize("name", ["attention-training", "chain-training", "residual"])
def test_no_mapping_is_below_it(name, seed):
    """Most programs end within a few percent of what simple searches find."""
    rng = np.random.default_rng(seed)
    instance = GENERATORS[name](rng, "1..3@0.5..64")
    best = DOMAIN.baseline("local-search", SolverOptions(time_limit_s=0.2))(instance)
    bound = DOMAIN.lower_bound(instance)
    assert bound <= best.cost * (1 + 1e-9)
    assert bound >= 0.6 * best.cost


@pytest.mark.parametrize(("size", "least"), [(8, 36 - 7.2), (5, 20 + 1.0)])
def test_room_below_the_alignment_counts_for_the_topmost_only(size, least):
    """Of 15 bytes, aligned by 8, two of 8 bytes don't have room; two of 5 end at 13.

    The first are touched in 16 us, of which one saves 7.2; the second in 1 us. Then come 20 us.
    """
    machine = Machine("m", 1e6, 1e6, 1e7, 1e6, 15, 8)
    program = MemoryInstance(
        "aligned",
        (Buffer("one", size, "output"), Buffer("two", size, "output")),
        (Instruction("make", 0.0, (), ((0, size), (1, size))), Instruction("wait", 20.0)),
        machine,
    )
    assert _bound(program) == pytest.approx(least, rel=1e-3)
    assert _bound(program) <= least


def test_a_copy_takes_what_each_instruction_carries():
    """Of 8 bytes only 4 go beside the first 4 us; the link is busy in the next.

    What is read there is larger than fast memory. To the bound the copy makes that instruction 4 us
    longer and saves 7.2 of 16 us. Could all its bytes go beside the first, half a copy would save
    3.6 for nothing.
    """
    buffers = (Buffer("p", 8, "parameter"), Buffer("big", 20, "parameter"))
    instructions = (
        Instruction("wait", 4.0),
        Instruction("busy", 4.0, ((1, 4),)),
        Instruction("use", 0.0, ((0, 8),)),
    )
    program = MemoryInstance("carried", buffers, instructions, MACHINE)
    assert _bound(program) == pytest.approx(16 - 3.2, rel=1e-3)
    assert _bound(program) <= 16
