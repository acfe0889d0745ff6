"""The simulator builds exactly the schedules that its candidate rule allows, whatever the shop."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphsched.envs.core.errors import InputError
from graphsched.envs.jobshop import DOMAIN
from graphsched.envs.jobshop.generators import irregular, uniform
from graphsched.envs.jobshop.instance import JobShopInstance
from graphsched.envs.jobshop.options import JobShopOptions
from graphsched.envs.jobshop.simulator import JobShopSim


def play(instance, options, choose):
    """Makespan, solution and rewards of one episode; choose: number of candidates -> action."""
    sim = JobShopSim(1, options)
    sim.reset([0], [instance], [0])
    rewards = []
    while len((obs := sim.observe())["slot"]):
        result = sim.step(np.array([choose(int(obs["candidate_ptr"][1]))]))
        rewards.append(float(result.rewards[0]))
    return sim.solution(0), rewards


def random_play(instance, window, seed):
    rng = np.random.default_rng(seed)
    return play(instance, JobShopOptions(delay_window=window, pilot_steps=3), rng.integers)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([0.0, 0.3, 1.0]))
def test_schedules_of_irregular_shops_are_feasible(seed, window):
    instance = irregular(np.random.default_rng(seed), "6x4")
    solution, _ = random_play(instance, window, seed)
    assert DOMAIN.check(instance, solution) == []


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6))
def test_rewards_telescope_to_the_makespan(seed):
    instance = uniform(np.random.default_rng(seed), "5x4")
    solution, rewards = random_play(instance, 0.3, seed)
    sim = JobShopSim(1)
    sim.reset([0], [instance], [0])
    bound = sim.state.first_bound[0]
    assert sum(rewards) == pytest.approx(1.0 - solution.makespan / bound, abs=1e-12)
    assert max(rewards) <= 0.0  # the bound never falls


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6))
def test_nondelay_schedules_never_keep_a_machine_waiting(seed):
    instance = uniform(np.random.default_rng(seed), "5x4")
    solution, _ = random_play(instance, 0.0, seed)
    for i in range(instance.num_operations):
        first = i == instance.job_ptr[instance.job[i]]
        ready = 0 if first else solution.end[i - 1]
        busy = [
            (solution.start[k], solution.end[k])
            for k in range(instance.num_operations)
            if instance.machine[k] == instance.machine[i] and k != i
        ]
        for t in range(int(ready), int(solution.start[i])):
            assert any(start <= t < end for start, end in busy)


def best_by_search(instance, window):
    """Least makespan over all decision sequences."""

    def explore(actions):
        sim = JobShopSim(1, JobShopOptions(delay_window=window, pilot_steps=0))
        sim.reset([0], [instance], [0])
        for action in actions:
            sim.step(np.array([action]))
        count = len(sim.observe()["candidate"])
        if count == 0:
            return sim.solution(0).makespan
        return min(explore((*actions, a)) for a in range(count))

    return explore(())


def optimum_by_enumeration(instance):
    """Least makespan over all semi-active schedules, by brute force over job sequences."""
    sequence = [j for j in range(instance.num_jobs) for _ in range(len(instance.machine) // 3)]
    best = 10**9
    for order in set(itertools.permutations(sequence)):
        job, machine, step = [0] * instance.num_jobs, [0] * instance.num_machines, [0] * 3
        for j in order:
            o = instance.job_ptr[j] + step[j]
            m = instance.machine[o]
            job[j] = machine[m] = max(job[j], machine[m]) + int(instance.duration[o])
            step[j] += 1
        best = min(best, max(job))
    return best


@pytest.mark.parametrize("seed", range(5))
def test_active_schedules_contain_an_optimum(seed):
    instance = uniform(np.random.default_rng(seed), "3x2")
    assert best_by_search(instance, 1.0) == optimum_by_enumeration(instance)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 9))
def test_scaling_durations_scales_the_schedule(seed, factor):
    """With a window of 0 or 1 no rounding enters, and features are free of scale."""
    instance = uniform(np.random.default_rng(seed), "4x4")
    larger = JobShopInstance(
        "scaled", instance.job_ptr, instance.machine, instance.duration * factor, 4
    )
    one, _ = random_play(instance, 1.0, seed)
    other, _ = random_play(larger, 1.0, seed)
    assert other.makespan == factor * one.makespan


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6))
def test_relabelling_machines_leaves_the_schedule_alone(seed):
    rng = np.random.default_rng(seed)
    instance = uniform(rng, "4x4")
    relabelled = JobShopInstance(
        "relabelled", instance.job_ptr, rng.permutation(4)[instance.machine], instance.duration, 4
    )
    one, _ = random_play(instance, 0.3, seed)
    other, _ = random_play(relabelled, 0.3, seed)
    assert np.array_equal(one.start, other.start)


def test_release_times_delay_jobs():
    instance = JobShopInstance.from_jobs("r", [[(0, 2)], [(0, 3)]], release_time=[10, 0])
    solution, _ = play(instance, JobShopOptions(), lambda _: 0)
    assert solution.start.tolist() == [10, 0]


def test_an_active_window_ends_before_the_earliest_completion():
    """Job 1 could start at 2, just when job 0 could be done, so that there is no choice yet."""
    instance = JobShopInstance.from_jobs(
        "window", [[(0, 2)], [(0, 3)], [(0, 3)]], release_time=[0, 2, 1]
    )
    sim = JobShopSim(1, JobShopOptions(delay_window=1.0))
    sim.reset([0], [instance], [0])
    state = sim.state
    assert state.candidate[0, : state.num_candidates[0]].tolist() == [0, 2]


@pytest.mark.parametrize(
    ("jobs", "bound"),
    [
        ([[(0, 3), (1, 1)], [(0, 3), (1, 1)]], 6 + 1),  # machine 0 and the tail
        ([[(1, 1), (0, 3)], [(1, 1), (0, 3)]], 1 + 6),  # the head and machine 0
        ([[(0, 3), (1, 5)], [(0, 2)]], 8),  # job 0
    ],
)
def test_first_bounds_by_hand(jobs, bound):
    sim = JobShopSim(1)
    sim.reset([0], [JobShopInstance.from_jobs("bound", jobs)], [0])
    assert sim.costs()[0] == bound


def test_the_bound_knows_the_tail_of_a_scheduled_operation():
    """13 is the work of machine 0; job 2 runs until 9 and job 1 until 11, 6 before its end."""
    instance = JobShopInstance.from_jobs("tail", [[(0, 1)], [(0, 2), (1, 6)], [(0, 9)], [(0, 1)]])
    sim = JobShopSim(1, JobShopOptions(delay_window=1.0))
    sim.reset([0], [instance], [0])
    rewards = [float(sim.step(np.array([a])).rewards[0]) for a in (2, 1)]
    assert rewards == pytest.approx([0, (13 - 17) / 13])
    assert sim.costs()[0] == 17


def test_out_of_range_action_changes_nothing():
    sim = JobShopSim(2)
    sim.reset([0, 1], [uniform(np.random.default_rng(0), "4x4")] * 2, [0, 0])
    before = sim.state_dict()["arrays"]
    with pytest.raises(IndexError, match="block 1"):
        sim.step(np.array([0, 99]))
    after = sim.state_dict()["arrays"]
    assert all(np.array_equal(before[name], after[name]) for name in before)
    with pytest.raises(IndexError, match="expected 2 actions"):
        sim.step(np.array([0]))


def test_unfinished_slots_have_no_solution():
    sim = JobShopSim(1)
    with pytest.raises(RuntimeError, match="no finished"):
        sim.solution(0)
    with pytest.raises(RuntimeError, match="never reset"):
        sim.fork([0], [0])


@pytest.mark.parametrize("given", ["nondelay", "active", 0.5])
def test_rules_name_windows(given):
    assert JobShopOptions(delay_window=given).delay_window in (0.0, 0.5, 1.0)


@pytest.mark.parametrize(
    "options",
    [{"delay_window": 1.5}, {"delay_window": "lazy"}, {"delay_window": True}, {"pilot_steps": -1}],
)
def test_bad_options_are_refused(options):
    with pytest.raises(InputError, match=next(iter(options))):
        JobShopOptions(**options)


def test_a_slot_reused_for_a_larger_instance_forgets_the_smaller():
    rng = np.random.default_rng(1)
    small, large = uniform(rng, "3x3"), uniform(rng, "8x5")
    sim = JobShopSim(2, JobShopOptions(pilot_steps=5))
    sim.reset([0, 1], [small, small], [0, 0])
    sim.reset([0], [large], [0])
    while len(sim.observe()["slot"]):
        sim.step(np.zeros(int(sim.waiting.sum()), np.int64))
    expected, _ = play(large, JobShopOptions(pilot_steps=5), lambda _: 0)
    assert np.array_equal(sim.solution(0).start, expected.start)
    assert len(sim.store) == 2
