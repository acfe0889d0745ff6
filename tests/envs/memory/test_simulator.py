"""All games: whatever is chosen, the mapping is valid and the rewards add up to its latency."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphsched.envs.core.errors import InputError
from graphsched.envs.memory import DOMAIN
from graphsched.envs.memory.generators import GENERATORS
from graphsched.envs.memory.hardware.machine import Machine
from graphsched.envs.memory.instance import Buffer, Instruction, MemoryInstance
from graphsched.envs.memory.options import MemoryOptions
from graphsched.envs.memory.physics.arena import empty_arena
from graphsched.envs.memory.physics.mapping import solve_order
from graphsched.envs.memory.physics.orders import order_of, scores
from graphsched.envs.memory.physics.placing import decode
from graphsched.envs.memory.physics.program import problem_of
from graphsched.envs.memory.pricing.guide import guide_of
from graphsched.envs.memory.simulator import MemorySim
from tests.envs.memory.programs import programs


def play(instance, options, rng):
    """A random episode: solution, sum of rewards."""
    sim = MemorySim(1, options)
    sim.reset([0], [instance], [0])
    total = 0.0
    while len((obs := sim.observe())["slot"]):
        assert np.isfinite(obs["candidate"]).all()
        assert np.isfinite(obs["context"]).all()
        total += sim.step(rng.integers(0, np.diff(obs["candidate_ptr"]))).rewards[0]
    return sim.solution(0), total


def all_slow(instance):
    p = problem_of(instance)
    return np.maximum(p.compute, p.slow_all * p.slow_us).sum()


@settings(max_examples=120, deadline=None)
@given(programs(), st.integers(0, 10**6), st.sampled_from(["priority", "step", "improve"]))
def test_any_play_gives_a_valid_mapping(instance, seed, actions):
    rng = np.random.default_rng(seed)
    offsets = ["best-fit", "first-fit"][seed % 2]
    solution, total = play(instance, MemoryOptions(actions=actions, offsets=offsets, moves=20), rng)
    assert DOMAIN.check(instance, solution) == []
    slow = all_slow(instance)
    assert total == pytest.approx(1 - solution.cost / slow if slow else 0.0)
    assert DOMAIN.lower_bound(instance) <= solution.cost * (1 + 1e-9)


@settings(max_examples=60, deadline=None)
@given(programs(), st.integers(0, 10**6))
def test_any_order_gives_a_valid_mapping(instance, seed):
    order = np.random.default_rng(seed).permutation(instance.num_storages)
    order = order[np.diff(problem_of(instance).access_ptr)[order] > 0]
    solution = solve_order(instance, order)
    assert DOMAIN.check(instance, solution) == []
    assert (
        DOMAIN.lower_bound(instance)
        <= solution.cost * (1 + 1e-9)
        <= all_slow(instance) * (1 + 1e-6)
    )


@pytest.mark.parametrize(
    "actions", [pytest.param("priority", marks=pytest.mark.compiled), "step", "improve"]
)
def test_generated_programs(actions):
    rng = np.random.default_rng(3)
    for name in GENERATORS:
        instance = GENERATORS[name](rng, "1@1..8")
        solution, _ = play(instance, MemoryOptions(actions=actions), rng)
        assert DOMAIN.check(instance, solution) == []


def test_following_the_best_order_gives_its_latency():
    instance = GENERATORS["chain-training"](np.random.default_rng(0), "6@8")
    p, arena = problem_of(instance), None
    arena = empty_arena(len(p.compute), len(p.access_time))
    found = [decode(p, arena, order_of(row)) for row in scores(p)]
    assert min(found) == guide_of(instance).latency
    assert DOMAIN.baseline("best-of-orders")(instance).cost == pytest.approx(min(found))


def test_a_dead_end_is_undone():
    """`a` stays in fast memory, `b` is copied over it, and `a` has no way out."""
    machine = Machine("m", 1e6, 1e6, 1e7, 1e6, 10)
    instance = MemoryInstance(
        "dead end",
        (Buffer("a", 10), Buffer("b", 10, "parameter")),
        (
            Instruction("make a", 0.0, (), ((0, 10),)),
            Instruction("wait", 10.0),
            Instruction("use b", 0.0, ((1, 10),)),
            Instruction("use a", 0.0, ((0, 10),)),
        ),
        machine,
    )
    sim = MemorySim(1, MemoryOptions(actions="step"))
    sim.reset([0], [instance], [0])
    total = 0.0
    while sim.waiting.any():
        total += sim.step(np.zeros(1, np.int64)).rewards[0]
    solution = sim.solution(0)
    assert DOMAIN.check(instance, solution) == []
    assert solution.storage.tolist() == [1]
    assert solution.cost == pytest.approx(10 + 10 + 1 + 10)
    assert total == pytest.approx(1 - 31 / 40)


def test_a_stay_is_not_over_what_begins_in_the_same_instruction():
    """`c` is made where `a` was, just when `a` is written again: `a` has to be written back."""
    instance = MemoryInstance(
        "same place",
        (Buffer("a", 8), Buffer("c", 8)),
        (
            Instruction("make a", 0.0, (), ((0, 8),)),
            Instruction("wait", 10.0),
            Instruction("make c", 0.0, (), ((1, 8), (0, 8))),
            Instruction("use both", 0.0, ((0, 8), (1, 8))),
        ),
        Machine("m", 1e6, 1e6, 1e7, 1e6, 16),
    )
    sim = MemorySim(1, MemoryOptions(actions="step"))
    sim.reset([0], [instance], [0])
    while sim.waiting.any():
        sim.step(np.zeros(1, np.int64))
    solution = sim.solution(0)
    assert DOMAIN.check(instance, solution) == []
    columns = (solution.storage, solution.start, solution.end, solution.offset)
    rows = zip(*(column.tolist() for column in columns), strict=True)
    assert sorted(rows) == [(0, 0, 2, 0), (1, 2, 4, 0)]


def test_an_output_stays_until_it_is_written_back():
    """8 bytes take instruction 1 and some of 2, however much room 3 leaves."""
    instance = MemoryInstance(
        "output",
        (Buffer("o", 8, "output"),),
        (
            Instruction("make", 0.0, (), ((0, 8),)),
            Instruction("one", 5.0),
            Instruction("two", 5.0),
            Instruction("three", 20.0),
        ),
        Machine("m", 1e6, 1e6, 1e7, 1e6, 16),
    )
    sim = MemorySim(1, MemoryOptions(actions="step"))
    sim.reset([0], [instance], [0])
    sim.step(np.zeros(1, np.int64))
    solution = sim.solution(0)
    assert DOMAIN.check(instance, solution) == []
    assert (solution.start.tolist(), solution.end.tolist()) == ([0], [3])


def test_a_buffer_larger_than_fast_memory_stays_in_slow_memory():
    instance = GENERATORS["attention"](np.random.default_rng(0), "2@8")
    tiny = replace(instance, machine=instance.machine.with_capacity(0))
    for name in ("best-of-orders", "step-greedy", "margin", "random"):
        solution = DOMAIN.baseline(name)(tiny)
        assert len(solution.storage) == 0
        assert DOMAIN.check(tiny, solution) == []


def test_toy_optimum():
    toy = GENERATORS["toy"](np.random.default_rng(0), "")
    assert DOMAIN.baseline("best-of-orders")(toy).cost == pytest.approx(DOMAIN.toy_optimum)
    assert DOMAIN.lower_bound(toy) == pytest.approx(DOMAIN.toy_optimum)
    assert DOMAIN.baseline("all-slow")(toy).cost == pytest.approx(18.2)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("actions", "both"),
        ("offsets", "worst-fit"),
        ("pilot_decisions", -1),
        ("pilot_placements", 10**9 + 1),
    ],
)
def test_bad_options_are_named(name, value):
    with pytest.raises(InputError, match=name):
        MemoryOptions(**{name: value})
