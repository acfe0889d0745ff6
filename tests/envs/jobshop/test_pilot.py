"""The pilot's look equals a plain schedule by its rule, and the bounds that follow from it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphsched.envs.core.errors import InputError
from graphsched.envs.jobshop.bounds import heads_and_tails
from graphsched.envs.jobshop.generators import irregular
from graphsched.envs.jobshop.instance import JobShopInstance
from graphsched.envs.jobshop.options import JobShopOptions
from graphsched.envs.jobshop.simulator import JobShopSim
from graphsched.envs.jobshop.view.pilot import RULES, look_ahead
from graphsched.envs.jobshop.view.play import SCALE, empty_scratch


def plain(instance, state, first, steps, rule):
    """Bounds after appending job ``first`` and ``steps`` more by the rule to slot 0's schedule."""
    tails = heads_and_tails(instance)[1]
    upcoming = state.next_operation[0, : instance.num_jobs].tolist()
    ready = state.job_ready[0, : instance.num_jobs].tolist()
    free = state.machine_ready[0, : instance.num_machines].tolist()
    load = state.machine_load[0, : instance.num_machines].tolist()

    def append(j):
        o = upcoming[j]
        m = int(instance.machine[o])
        ready[j] = free[m] = max(ready[j], free[m]) + int(instance.duration[o])
        load[m] -= int(instance.duration[o])
        upcoming[j] += 1

    def order(j):
        o, last = upcoming[j], instance.job_ptr[j + 1]
        value = rule[0] * instance.duration[o] - rule[1] * tails[o]
        return value - (rule[2] * load[instance.machine[o + 1]] if o + 1 < last else 0)

    # A job's order is fixed when its operation becomes the next one.
    orders = {j: order(j) for j in range(len(ready)) if upcoming[j] < instance.job_ptr[j + 1]}
    chosen = first
    for _ in range(min(steps, int(state.operations_left[0]) - 1) + 1):
        append(chosen)
        orders.pop(chosen)
        if upcoming[chosen] < instance.job_ptr[chosen + 1]:
            orders[chosen] = order(chosen)
        keys = {
            j: SCALE * max(ready[j], free[instance.machine[upcoming[j]]]) + value
            for j, value in sorted(orders.items())
        }
        chosen = min(keys, key=keys.__getitem__) if keys else -1
    return _bounds(instance, tails, upcoming, ready, free, load)


def _bounds(instance, tails, upcoming, ready, free, load):
    jobs, machines = [], []
    for j, o in enumerate(upcoming):
        need = ready[j]
        if o < instance.job_ptr[j + 1]:
            need = max(need, free[instance.machine[o]]) + instance.duration[o] + tails[o]
        jobs.append(need)
    for m in range(instance.num_machines):
        left = [
            tails[o]
            for j in range(instance.num_jobs)
            for o in range(upcoming[j], instance.job_ptr[j + 1])
            if instance.machine[o] == m
        ]
        machines.append(free[m] + load[m] + min(left, default=0))
    return max(*jobs, *machines), np.mean(machines), np.mean(jobs)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 30), st.sampled_from(RULES), st.booleans())
def test_look_equals_a_plain_schedule(seed, steps, rule, narrow):
    rng = np.random.default_rng(seed)
    instance = irregular(rng, "6x4")
    sim = JobShopSim(1, JobShopOptions(pilot_steps=0))
    sim.reset([0], [instance], [0])
    for _ in range(int(rng.integers(0, 4))):
        obs = sim.observe()
        if len(obs["slot"]):
            sim.step(rng.integers(0, np.diff(obs["candidate_ptr"])))
    if not sim.waiting[0]:
        return
    state = sim.state
    outcome = np.empty((state.num_candidates[0], 3))
    _, jobs, machines = state.visit.shape
    look_ahead(state, 0, steps, rule, empty_scratch(jobs, machines, narrow), outcome)
    for c, found in enumerate(outcome):
        expected = plain(instance, state, int(state.candidate[0, c]), steps, rule)
        assert found == pytest.approx(expected)


def test_sums_that_would_not_fit_are_refused():
    """Pilots pack a time and a job's number into one integer."""
    jobs = [[(0, 2**31)] * 4 for _ in range(4096)]
    with pytest.raises(InputError, match="expected a sum below"):
        JobShopInstance.from_jobs("long", jobs)
