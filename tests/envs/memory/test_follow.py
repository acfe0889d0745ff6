"""Following a mapping: by its order of placing, or access by access."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphsched.envs.core.errors import InputError
from graphsched.envs.memory import DOMAIN
from graphsched.envs.memory.generators import GENERATORS
from graphsched.envs.memory.options import MemoryOptions
from graphsched.envs.memory.physics.mapping import solve_order
from graphsched.envs.memory.simulator import MemorySim
from graphsched.envs.memory.view.follow import follow
from tests.envs import following

STEP = MemoryOptions(actions="step")
PRIORITY = MemoryOptions(pilot_decisions=0)


followed = partial(following.followed, DOMAIN)


@pytest.mark.compiled
@settings(max_examples=30)
@given(seed=st.integers(0, 2**32 - 1), options=st.sampled_from([STEP, PRIORITY]))
def test_own_mappings_are_followed_exactly(seed, options):
    """In both modes."""
    rng = np.random.default_rng(seed)
    instance = GENERATORS["random"](rng, "2..4@8")
    sim = MemorySim(1, options)
    sim.reset([0], [instance], [0])
    while sim.waiting.any():
        sim.step(rng.integers(sim.state.num_candidates))
    solution = sim.solution(0)
    cost, exact = followed(instance, solution, options)
    assert cost == solution.cost
    assert all(exact)


def test_a_better_order_is_followed_as_far_as_it_is_on_offer():
    """Better than at random, although not all is exact."""
    instance = GENERATORS["random"](np.random.default_rng(3), "4@8")
    solution = DOMAIN.baseline("best-of-orders")(instance)
    cost, exact = followed(instance, solution, PRIORITY)
    assert any(exact)
    assert (
        solution.cost * (1 - 1e-9)
        <= cost
        <= DOMAIN.cost(instance, DOMAIN.baseline("all-slow")(instance))
    )


def test_what_is_not_on_offer_is_not_exact():
    """An order begins with a storage that heads none of the simulator's; the next one is taken."""
    instance = GENERATORS["random"](np.random.default_rng(3), "4@8")
    sim = MemorySim(1, PRIORITY)
    sim.reset([0], [instance], [0])
    offered = sim.state.candidate[0, : sim.state.num_candidates[0]].tolist()
    rest = [g for g in sim.state.lists[0, 0].tolist() if g >= 0 and g not in offered]
    other = next(g for g in rest if g in solve_order(instance, np.array([g])).storage)
    for order, exact in (([other, offered[1]], False), ([offered[1], other], True)):
        solution = solve_order(instance, np.array(order))
        actions, just = follow(sim, np.zeros(1, np.int64), [solution])
        assert (actions.tolist(), just.tolist()) == ([1], [exact])


def test_an_empty_order_is_never_exact():
    """Something has to be placed."""
    instance = GENERATORS["random"](np.random.default_rng(3), "4@8")
    solution = DOMAIN.baseline("all-slow")(instance)
    assert not any(followed(instance, solution, PRIORITY)[1])
    assert all(followed(instance, solution, STEP)[1])


def test_a_mapping_without_order_is_refused():
    """Where storages are placed one after another; step by step it tells enough."""
    instance = GENERATORS["toy"](np.random.default_rng(0), "")
    solution = replace(DOMAIN.baseline("best-of-orders")(instance), order=None)
    with pytest.raises(InputError, match="solution: expected a mapping that came of an order"):
        followed(instance, solution, PRIORITY)
    followed(instance, solution, STEP)
