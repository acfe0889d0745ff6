"""Checks of saving, restoring and copying simulator states."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from graphsched.envs.core.testing.play import Player, assert_same, blocks, play

if TYPE_CHECKING:
    from graphsched.envs.core.domain import Instance
    from graphsched.envs.core.testing.play import Cases

STEPS = 3  # into the episodes


def check_saving(cases: Cases) -> None:
    """A state restored into another simulator continues to the last bit."""
    sim = cases.started()
    keys = range(sim.num_slots)
    play(cases, sim, Player(keys, 1), steps=STEPS)
    state = sim.state_dict()
    expected = play(cases, sim, Player(keys, 2))
    used = cases.started(sim.num_slots)
    play(cases, used, Player(keys, 3), steps=2 * STEPS)
    for what, other in (("a fresh simulator", cases.simulator(sim.num_slots)), ("a used", used)):
        other.load_state_dict(state)
        found = play(cases, other, Player(keys, 2))
        assert_same(found, expected, f"continued in {what}")
    used.load_state_dict(state)
    size = len(used.store)
    used.load_state_dict(state)
    assert len(used.store) == size, f"loading again leaves {len(used.store)} graphs, not {size}"


def check_forking(cases: Cases) -> None:
    """A copy behaves as its source, the source is not disturbed, and two slots can be swapped."""
    for instance, other in pairwise([*cases.instances, cases.instances[0]]):
        sim, undisturbed = cases.simulator(3), cases.simulator(3)
        for each in (sim, undisturbed):
            each.reset([0, 1], [instance, instance], [cases.seed, cases.seed + 1])
            play(cases, each, Player([0, 1, 2], 1), steps=1)
        before = blocks(cases, sim)
        if before.keys() != {0, 1}:
            continue  # over after one decision
        sim.fork([0], [2])
        assert_same(blocks(cases, sim), {**before, 2: before[0]}, f"{instance.name}: fork")
        found = play(cases, sim, Player([0, 1, 0], 2))
        expected = play(cases, undisturbed, Player([0, 1, 2], 2))
        assert_same(found, {**expected, 2: expected[0]}, f"{instance.name}: after a fork")
        _check_swap(cases, instance, other)


def check_holding(cases: Cases) -> None:
    """Slots that are held are left out and wait on, others go on as if they were alone."""
    sim, undisturbed = cases.started(), cases.started()
    keys = range(sim.num_slots)
    before = blocks(cases, sim)
    held = np.arange(sim.num_slots) % 2 == 0
    sim.hold(held)
    assert not np.isin(sim.observe()["slot"], np.flatnonzero(held)).any(), "a held slot is observed"
    found = play(cases, sim, Player(keys, 1))
    sim.hold(np.zeros(sim.num_slots, np.bool_))
    after = blocks(cases, sim)
    assert_same(after, {k: b for k, b in before.items() if held[k]}, "slots that were held")
    found |= play(cases, sim, Player(keys, 1))
    assert_same(found, play(cases, undisturbed, Player(keys, 1)), "held for a while")


def _check_swap(cases: Cases, instance: Instance, other: Instance) -> None:
    sim = cases.simulator(2)
    sim.reset([0, 1], [instance, other], [cases.seed, cases.seed + 1])
    before, size = blocks(cases, sim), len(sim.store)
    sim.fork([0, 1], [1, 0])
    after = blocks(cases, sim)
    assert_same(after, {0: before[1], 1: before[0]}, "two slots swapped by fork")
    assert len(sim.store) == size, f"swapping slots leaves {len(sim.store)} graphs, not {size}"
