"""Futures that are drawn anew keep to what is known and to the distributions of the world."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from graphsched.envs.core.arrays import arrays_of
from graphsched.envs.soc import DOMAIN
from graphsched.envs.soc.options import SocOptions
from graphsched.envs.soc.simulator import SocSim
from graphsched.envs.soc.stream.futures import redraw

COPIES = 400
OPTIONS = SocOptions(defer=True, pilot_steps=0)


def begun(kind: str, size: str, steps: int = 60, **stream: Any) -> SocSim:
    """A world some way on in slot 0, and copies of it."""
    world = DOMAIN.generators[kind](np.random.default_rng(1), size)
    assert world.stream is not None
    world = replace(world, stream=replace(world.stream, **stream))
    sim = SocSim(1 + COPIES, OPTIONS)
    sim.reset([0], [world], [0])
    for step in range(steps):
        sim.step(np.array([step % 2 if sim.state.stream.num_candidates[0] > 1 else 0]))
    sim.fork([0] * COPIES, range(1, 1 + COPIES))
    return sim


@pytest.mark.parametrize(("kind", "size"), [("ds3gym", "0.5@3000"), ("ds3-default-soc", "0@3000")])
def test_arrivals_have_no_memory_and_running_tasks_go_on(kind: str, size: str) -> None:
    sim = begun(kind, size)
    state = sim.state.stream
    before = [array.copy() for array in arrays_of(state)]
    assert redraw(sim, range(1, 1 + COPIES), range(COPIES))
    gaps = state.next_arrival[1:] - state.clock[0]
    assert gaps.min() > 0
    assert gaps.mean() == pytest.approx(state.mean_gap[0], rel=0.2)
    running = np.flatnonzero(state.running_job[0, : state.lanes[0]] >= 0)
    assert len(running)
    ends = state.busy_until[1:, running]
    assert (ends > state.clock[0]).all()
    if state.noise[0] == 0:
        assert (ends == state.busy_until[0, running]).all()
    else:
        assert (ends.std(axis=0) > 0).all()
    job, task = state.running_job[0, running], state.running_task[0, running]
    assert (state.end[1:, job, task] == ends).all()
    changed = {"seed", "next_arrival", "draws", "busy_until", "end"}
    for name, old, new in zip(state._fields, before, arrays_of(state), strict=True):
        if name not in changed:
            assert np.array_equal(old, new), name
        assert np.array_equal(old[0], new[0]), f"{name} of the world itself"


@pytest.mark.compiled
def test_more_arrivals_than_there_is_room_for_are_turned_away() -> None:
    sim = begun("ds3gym", "0@60", steps=10, mean_gap=3.0, max_in_system=60)
    redraw(sim, range(1, 1 + COPIES), range(COPIES))
    while sim.waiting.any():
        sim.step(np.zeros(int(sim.waiting.sum()), np.int64))
    state = sim.state.stream
    assert (state.jobs <= state.kind.shape[1]).all()
    assert state.jobs[1:].max() == state.kind.shape[1]  # some would have had more


def test_a_plan_hides_nothing() -> None:
    sim = SocSim(2, SocOptions())
    sim.reset([0, 1], [DOMAIN.generators["toy"](np.random.default_rng(0), "")] * 2, [0, 0])
    assert not redraw(sim, [0, 1], [1, 2])
