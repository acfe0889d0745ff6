"""The life cycle of slots: what is shared, counted and released, in every domain that ships."""

from __future__ import annotations

import numpy as np
import pytest

from graphsched.envs.core.arrays import arrays_of
from graphsched.envs.core.registry import get_domain
from graphsched.envs.core.slots import SlotSim
from tests.envs.parameters import DOMAINS


@pytest.fixture(params=DOMAINS)
def domain(request):
    """A shipped domain."""
    return get_domain(request.param)


@pytest.fixture
def instances(domain):
    """Two small instances."""
    make = next(iter(domain.generators.values()))
    return [make(np.random.default_rng(seed), "") for seed in (1, 2)]


@pytest.fixture
def sim(domain):
    """Four idle slots."""
    return domain.simulator(4, domain.options())


def test_every_domain_is_built_on_it(sim):
    assert isinstance(sim, SlotSim)


def test_slots_of_one_instance_share_its_graphs(sim, instances):
    one, other = instances
    sim.reset([0, 1, 2], [one, other, one], [0, 0, 0])
    assert np.array_equal(sim.graphs[0], sim.graphs[2])
    assert not set(sim.graphs[0].tolist()) & set(sim.graphs[1].tolist()) - {-1}
    held = len(sim.store)
    sim.reset([0], [other], [0])
    assert len(sim.store) > held, "slot 2 still holds the first instance's"
    sim.reset([2], [other], [0])
    sim.fork([1], [2])
    sim.fork([1], [0])
    assert len(sim.store) == (sim.graphs[1] >= 0).sum(), "nobody holds others"


def test_restoring_frees_slots_that_were_idle(sim, domain, instances):
    saved = domain.simulator(4, domain.options())
    saved.reset([1], instances[:1], [0])
    sim.reset([0, 1, 2], [instances[1]] * 3, [0, 0, 0])
    sim.load_state_dict(saved.state_dict())
    assert sim.waiting.tolist() == [False, True, False, False]
    assert len(sim.store) == len(saved.store)
    with pytest.raises(RuntimeError, match="never reset"):
        sim.fork([0], [1])


def test_a_wrong_action_changes_nothing(sim, instances):
    sim.reset([0, 1], instances, [0, 0])
    before = [array.tobytes() for array in arrays_of(sim.state)]
    sizes = np.diff(sim.observe()["candidate_ptr"])
    for bad in ([0], [0, 0, 0], [0, sizes[1]], [-1, 0]):
        with pytest.raises(IndexError, match="action"):
            sim.step(np.array(bad))
    assert [array.tobytes() for array in arrays_of(sim.state)] == before
