"""Following a plan puts tasks where it does; what it doesn't tell is refused."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphsched.envs.core.errors import InputError
from graphsched.envs.soc import DOMAIN
from graphsched.envs.soc.generators import GENERATORS
from graphsched.envs.soc.instance import Noise
from graphsched.envs.soc.options import SocOptions
from graphsched.envs.soc.plan.follow import plan_of
from graphsched.envs.soc.simulator import SocSim
from tests.envs import following

WIDE = SocOptions(max_ready=64, max_lanes=64, pilot_steps=0)
NARROW = SocOptions(max_ready=1, max_lanes=1, pilot_steps=0)
NOISES = (Noise(), Noise("gaussian", 0.5), Noise("lognormal", 0.5))


followed = partial(following.followed, DOMAIN)


@given(
    seed=st.integers(0, 2**32 - 1),
    noise=st.sampled_from(NOISES),
    ticks=st.booleans(),
    options=st.sampled_from([WIDE, NARROW]),
)
def test_own_plans_are_followed_exactly(seed, noise, ticks, options):
    """Noise included, under which a solution tells the times of its execution only."""
    rng = np.random.default_rng(seed)
    drawn = GENERATORS["random"](rng, "2..20x2..5@0.1..5")
    instance = replace(drawn, noise=noise, ticks=ticks, seed=seed)
    sim = SocSim(1, options)
    sim.reset([0], [instance], [0])
    while sim.waiting.any():
        sim.step(rng.integers(sim.state.plan.num_candidates))
    solution = sim.solution(0)
    cost, exact = followed(instance, solution, options)
    assert cost == pytest.approx(solution.cost, rel=1e-12)  # sums are not taken in the same order
    assert all(exact)


@pytest.mark.parametrize("name", ["heft", "cpop", "peft", "minmin"])
def test_plans_of_rules_are_followed(name):
    """With all tasks and lanes on offer nothing is lost; with the first of each alone much is."""
    rng = np.random.default_rng(0)
    instances = [GENERATORS["random"](rng, "30x5@1") for _ in range(4)]
    wide, narrow = [], []
    for instance in instances:
        solution = DOMAIN.baseline(name)(instance)
        cost, exact = followed(instance, solution, WIDE)
        assert cost <= solution.cost * (1 + 1e-9)
        wide += exact
        narrow += followed(instance, solution, SocOptions(max_ready=2, max_lanes=2))[1]
    assert np.mean(wide) > 0.99
    assert np.mean(narrow) <= np.mean(wide)


def test_places_on_a_pe_that_runs_several_tasks_are_free_ones():
    """No two tasks share a lane at a time."""
    rng = np.random.default_rng(1)
    drawn = GENERATORS["random"](rng, "30x3@1")
    instance = replace(drawn, platform=replace(drawn.platform, capacity=np.array([1, 2, 3])))
    solution = DOMAIN.baseline("heft")(instance)
    plan = plan_of(instance, solution)
    assert ((plan.first <= plan.lane) & (plan.lane <= plan.last)).all()
    for lane in np.unique(plan.lane):
        mine = np.flatnonzero(plan.lane == lane)
        order = mine[np.argsort(solution.start[mine])]
        assert (solution.end[order][:-1] <= solution.start[order][1:] + 1e-9).all()
    cost, _ = followed(instance, solution, WIDE)
    assert cost <= 1.1 * solution.cost


def test_streams_are_refused():
    """Their solutions are logs of a world."""
    instance = GENERATORS["ds3gym"](np.random.default_rng(0), "0@300")
    solution = DOMAIN.baseline("met")(instance)
    with pytest.raises(InputError, match=r"instance 'ds3gym-0@300': a stream"):
        followed(instance, solution, SocOptions())
