"""What the simulator keeps, takes back or sums up is what the long way round gives."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphsched.envs.core.kernels.jit import kernel
from graphsched.envs.memory import DOMAIN
from graphsched.envs.memory.features import CAND, CTX
from graphsched.envs.memory.generators import GENERATORS
from graphsched.envs.memory.options import MemoryOptions
from graphsched.envs.memory.physics.arena import RESIDENCIES
from graphsched.envs.memory.physics.known import is_known
from graphsched.envs.memory.physics.placing import place
from graphsched.envs.memory.physics.program import problem_of
from graphsched.envs.memory.physics.state import arena_at, problem_at
from graphsched.envs.memory.physics.step import begin, find_choices, serve
from graphsched.envs.memory.physics.undo import most_notes
from graphsched.envs.memory.simulator import MemorySim
from tests.envs.memory.programs import programs

TIGHT = [("attention-training", "2@2"), ("chain-training", "4@1"), ("residual-training", "3@1")]


@kernel
def _play_again(s, b):
    """The game from its start up to where it is, with the same choices."""
    p, a = problem_at(s, b), arena_at(s, b)
    until = s.cursor[b]
    begin(s, b, p, a)
    while s.cursor[b] < until:
        u = p.program_order[s.cursor[b]]
        find_choices(s, b, p, a, u)
        serve(s, b, p, a, u, s.chosen[b, u])
        s.cursor[b] += 1


@kernel
def _compare_known(s, b, report):
    """How many storages are known, and how many of them wrongly."""
    p, a = problem_at(s, b), arena_at(s, b)
    known, wrong = 0, 0
    for g in range(len(p.size)):
        if not s.settled[b, g] and is_known(s.known, b, g):
            known += 1
            place(p, a, g, False, report)
            for k in range(4):
                if report[k] != s.known.outcome[b, g, k]:
                    wrong += 1
                    break
    return known, wrong


def _steps(instance, options, seed, slots=1):
    """The simulator before each decision of a random episode in slot 0; others are held back."""
    rng, sim = np.random.default_rng(seed), MemorySim(slots, options)
    sim.reset([0], [instance], [0])
    while len((obs := sim.observe())["slot"]):
        yield sim, obs
        sim.hold(np.arange(slots) > 0)
        sim.step(rng.integers(0, np.diff(obs["candidate_ptr"])))


def _assert_taken_back_right(instance, offsets, seed, every=1):
    options = MemoryOptions(actions="step", offsets=offsets)
    most = 0
    for n, (sim, _) in enumerate(_steps(instance, options, seed, slots=2)):
        most = max(most, int(sim.state.undo.notes[0]))
        if n % every:
            continue
        sim.fork([0], [1])
        _play_again(sim.state, 1)
        for name in ("slow", "fast", "used", "load", "hit", "real", "whole", "stale", "lasts"):
            rows = getattr(sim.state, name)
            assert rows[0].tolist() == rows[1].tolist(), name
        placed = sim.state.whole[0, RESIDENCIES]
        for name in ("owner", "start", "end", "offset"):
            rows = getattr(sim.state, name)[:, :placed]
            assert rows[0].tolist() == rows[1].tolist(), name
    p = problem_of(instance)
    assert most <= most_notes(len(p.compute), len(p.access_time))


@settings(max_examples=60, deadline=None)
@given(programs(), st.integers(0, 10**6), st.sampled_from(["best-fit", "first-fit"]))
def test_dead_ends_lead_where_playing_from_the_start_does(instance, seed, offsets):
    _assert_taken_back_right(instance, offsets, seed)


@pytest.mark.compiled
@pytest.mark.parametrize(("name", "size"), TIGHT)
def test_dead_ends_of_generated_programs(name, size):
    instance = GENERATORS[name](np.random.default_rng(1), size)
    _assert_taken_back_right(instance, "best-fit", 3, every=5)


def _assert_known_right(instance, offsets, seed):
    """Returns how much was known without asking anew."""
    options = MemoryOptions(offsets=offsets, pilot_decisions=0)
    total = 0
    for sim, _ in _steps(instance, options, seed):
        known, wrong = _compare_known(sim.state, 0, np.zeros(4))
        assert not wrong
        total += known - int(sim.state.num_candidates[0])
    return total


@settings(max_examples=60, deadline=None)
@given(programs(), st.integers(0, 10**6), st.sampled_from(["best-fit", "first-fit"]))
def test_what_is_known_of_a_storage_is_what_placing_it_gives(instance, seed, offsets):
    _assert_known_right(instance, offsets, seed)


@pytest.mark.compiled
@pytest.mark.parametrize(("name", "size"), TIGHT)
def test_what_is_known_of_generated_programs(name, size):
    instance = GENERATORS[name](np.random.default_rng(1), size)
    assert _assert_known_right(instance, "best-fit", 3) > 0


@settings(max_examples=60, deadline=None)
@given(programs(), st.integers(0, 10**6), st.sampled_from(["priority", "step"]))
def test_loads_are_those_of_each_instruction(instance, seed, actions):
    """Greatest and mean load of a storage's lifetime and of the program, added up one by one."""
    p = problem_of(instance)
    capacity = max(p.capacity, 1)
    for sim, obs in _steps(instance, MemoryOptions(actions=actions), seed):
        load = sim.state.load[0, : len(p.compute)].astype(float)
        assert obs["context"][0, CTX.load] == np.float32(load.mean() / capacity)
        for row, node in zip(obs["candidate"], obs["candidate_node"], strict=True):
            g = node[0] - sim.first_row[0, 0]
            times = p.access_time[p.access_ptr[g] : p.access_ptr[g + 1]]
            held = load[times[0] : times[-1] + 1]
            assert row[CAND.peak] == np.float32(held.max() / capacity)
            assert row[CAND.load] == np.float32(sum(held) / len(held) / capacity)
            free = max(p.capacity - held.max() - p.size[g], 0) / capacity
            assert row[CAND.room_after] == np.float32(free)


@pytest.mark.compiled
@pytest.mark.parametrize(
    ("name", "size", "seed", "latency_us"),
    [
        ("attention-training", "2@4", 1, 1204.9717264145784),
        ("residual-training", "4@4", 2, 6.490585363735232),
        ("chain-training", "6@4", 0, 169.5379292451497),
        ("random", "4@4", 6, 215.4437267257725),
    ],
)
def test_the_shipped_rule_maps_as_it_did(name, size, seed, latency_us):
    """Latencies of its mappings, none that of the best order, before any shortcut was taken."""
    instance = GENERATORS[name](np.random.default_rng(seed), size)
    assert DOMAIN.baseline("cem-linear")(instance).cost == pytest.approx(latency_us, rel=1e-12)
