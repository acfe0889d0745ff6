"""Each kind of change of a program or its machine touches what it says and nothing else."""

from __future__ import annotations

from dataclasses import asdict, replace

import numpy as np
import pytest

from graphsched.envs.memory.generators import GENERATORS
from graphsched.envs.memory.sources.perturb import KINDS

SIZE, FLOPS, CAPACITY, BANDWIDTH, ORDER, READ = (kind for kind, _ in KINDS)
SEEDS = range(12)


@pytest.fixture
def program():
    return GENERATORS["residual"](np.random.default_rng(0), "2@8")


def _same_machine(a, b):
    return asdict(a.machine) == asdict(b.machine)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_buffer_changes_its_size_and_what_is_touched_of_it(program, seed):
    found = SIZE(program, np.random.default_rng(seed))
    changed = [k for k, b in enumerate(found.buffers) if b.size != program.buffers[k].size]
    assert len(changed) == 1
    pairs = zip(program.instructions, found.instructions, strict=True)
    for before, after in pairs:
        for (b, old), (c, new) in zip(
            (*before.reads, *before.writes), (*after.reads, *after.writes), strict=True
        ):
            assert b == c
            assert (old != new) == (b == changed[0])
            assert new <= found.buffers[b].size or old > program.buffers[b].size
    assert _same_machine(program, found)


@pytest.mark.parametrize("seed", SEEDS)
def test_one_instructions_arithmetic_changes(program, seed):
    found = FLOPS(program, np.random.default_rng(seed))
    assert np.count_nonzero(found.flops != program.flops) == 1
    assert found.buffers == program.buffers


@pytest.mark.parametrize("seed", SEEDS)
def test_the_size_of_fast_memory_changes(program, seed):
    found = CAPACITY(program, np.random.default_rng(seed))
    assert found.machine.fast_capacity != program.machine.fast_capacity
    assert found.instructions == program.instructions


@pytest.mark.parametrize("seed", SEEDS)
def test_one_rate_changes_and_fast_memory_stays_the_faster(program, seed):
    found = BANDWIDTH(program, np.random.default_rng(seed))
    before, after = asdict(program.machine), asdict(found.machine)
    assert len([key for key in before if before[key] != after[key]]) == 1
    assert found.machine.fast_bandwidth >= found.machine.slow_bandwidth


def test_slow_memory_never_overtakes_fast_memory(program):
    """Where both are as fast, only changes that keep it so are made."""
    rate = program.machine.slow_bandwidth
    level = replace(program, machine=replace(program.machine, fast_bandwidth=rate))
    found = [BANDWIDTH(level, np.random.default_rng(seed)).machine for seed in range(40)]
    assert all(one.fast_bandwidth >= one.slow_bandwidth for one in found)
    assert any(one.fast_bandwidth > rate for one in found)
    assert any(one.slow_bandwidth < rate for one in found)


@pytest.mark.parametrize("seed", SEEDS)
def test_two_neighbours_change_places_or_an_amount_of_work_changes(program, seed):
    """A chain has no order but its own: then something else changes."""
    found = ORDER(program, np.random.default_rng(seed))
    moved = [
        i
        for i, (a, b) in enumerate(zip(program.instructions, found.instructions, strict=True))
        if a != b
    ]
    if len(moved) == 1:
        assert found.instructions[moved[0]].flops != program.instructions[moved[0]].flops
        return
    i, j = moved
    assert j == i + 1
    assert found.instructions[i] == program.instructions[j]
    assert found.instructions[j] == program.instructions[i]


def test_operands_come_and_go():
    """One read more or less, of a buffer that is written by then."""
    program = GENERATORS["attention"](np.random.default_rng(0), "2@8")
    total = sum(len(one.reads) for one in program.instructions)
    found = [READ(program, np.random.default_rng(seed)) for seed in range(30)]
    sizes = {sum(len(one.reads) for one in each.instructions) for each in found}
    assert {total - 1, total + 1} <= sizes <= {total - 1, total, total + 1}
