"""The search for the rest of a schedule leaves what has begun where it is, and finds good rests."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from graphsched.envs.jobshop import DOMAIN
from graphsched.envs.jobshop.generators import irregular, uniform
from graphsched.envs.jobshop.options import JobShopOptions
from graphsched.envs.jobshop.search.rest import finish
from graphsched.envs.jobshop.simulator import JobShopSim


def after(instance, rng, steps):
    """A simulator in which so many random decisions were taken, and a schedule of the instance."""
    options = JobShopOptions(delay_window=1.0, pilot_steps=0)
    sims = [JobShopSim(1, options) for _ in range(2)]
    for sim, most in zip(sims, (steps, 10**9), strict=True):
        sim.reset([0], [instance], [0])
        taken = 0
        while taken < most and len((obs := sim.observe())["slot"]):
            sim.step(rng.integers(0, np.diff(obs["candidate_ptr"])))
            taken += 1
    return sims[0], sims[1].solution(0)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 40), st.booleans())
def test_what_has_begun_stays_and_the_rest_is_feasible(seed, steps, unequal):
    rng = np.random.default_rng(seed)
    instance = irregular(rng, "6x4") if unequal else uniform(rng, "6x5")
    sim, whole = after(instance, rng, steps)
    found = finish(sim, 0, instance, whole, 200, seed)
    assert DOMAIN.check(instance, found) == []
    begun = np.arange(instance.num_operations) < sim.state.next_operation[0, instance.job]
    start = sim.state.start[0, : len(begun)]
    # Earlier is possible: an operation without duration keeps no machine waiting in the search.
    assert (found.start[begun] <= start[begun]).all()
    for m in range(instance.num_machines):
        busy = np.flatnonzero((instance.machine == m) & (instance.duration > 0))
        order = busy[np.argsort(found.start[busy])]
        first = busy[begun[busy]]
        assert order[: len(first)].tolist() == first[np.argsort(start[first])].tolist()


def test_more_moves_are_never_worse_and_the_whole_is_searched_from_the_start():
    rng = np.random.default_rng(3)
    instance = uniform(rng, "10x10")
    sim, whole = after(instance, rng, 0)
    costs = [finish(sim, 0, instance, whole, moves, 1).makespan for moves in (0, 50, 2000)]
    assert costs[0] >= costs[1] >= costs[2]
    assert costs[2] < 0.9 * whole.makespan


def test_a_good_schedule_is_kept_where_its_own_decisions_were_taken():
    rng = np.random.default_rng(5)
    instance = uniform(rng, "8x5")
    sim = JobShopSim(1, JobShopOptions(delay_window=1.0, pilot_steps=0))
    sim.reset([0], [instance], [0])
    _, whole = after(instance, rng, 0)
    best = finish(sim, 0, instance, whole, 3000, 0)
    assert DOMAIN.follow is not None
    decisions = 0
    while len(sim.observe()["slot"]):
        actions, exact = DOMAIN.follow(sim, np.zeros(1, np.int64), [best])
        if not exact[0]:
            break
        sim.step(actions)
        decisions += 1
        assert finish(sim, 0, instance, best, 0, 0).makespan == best.makespan
    assert decisions >= 5
