"""Whatever is chosen, the simulator's schedules are feasible and its rewards say what they cost."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphsched.envs.core.errors import InputError
from graphsched.envs.soc import DOMAIN
from graphsched.envs.soc.bounds import completions
from graphsched.envs.soc.generators import GENERATORS
from graphsched.envs.soc.instance import Job, Noise, Platform, SocInstance, Stream
from graphsched.envs.soc.options import SocOptions
from graphsched.envs.soc.simulator import SocSim


def play(instance, options, choose):
    """Solution and rewards of one episode; choose: number of candidates -> action."""
    sim = SocSim(1, options)
    sim.reset([0], [instance], [0])
    rewards = []
    while len((obs := sim.observe())["slot"]):
        result = sim.step(np.array([choose(int(obs["candidate_ptr"][1]))]))
        rewards.append(float(result.rewards[0]))
    return sim.solution(0), rewards


def random_stream(seed, horizon=300.0):
    """A small world with whatever a stream can have."""
    rng = np.random.default_rng(seed)
    drawn = GENERATORS["random"](rng, "2..8x1..4@0.1..5")
    platform = replace(
        drawn.platform,
        capacity=rng.integers(1, 3, drawn.platform.num_pes),
        link_contention=bool(rng.random() < 0.5),
    )
    kinds = [drawn.jobs[0]]
    if rng.random() < 0.5:
        tasks = int(rng.integers(1, 5))
        times = rng.integers(0, 30, (tasks, platform.num_pes)).astype(float)
        chain = np.stack([np.arange(tasks - 1), np.arange(1, tasks)])
        names = tuple(f"c{i}" for i in range(tasks))
        kinds.append(Job("chain", names, times, chain, rng.uniform(0, 40, tasks - 1)))
    stream = Stream(
        horizon,
        max_in_system=int(rng.integers(1, 5)),
        mean_gap=float(rng.uniform(5, 60)),
        fill=int(rng.integers(1, 4)),
        when_full=str(rng.choice(["lose", "queue"])),
        mix=(1 / len(kinds),) * len(kinds),
    )
    noise = (Noise(), Noise("gaussian", 0.5), Noise("lognormal", 0.3))[rng.integers(3)]
    ticks = bool(rng.random() < 0.5)
    return SocInstance("world", platform, tuple(kinds), stream, noise, ticks, seed)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 4), st.integers(1, 4))
def test_plans_are_feasible_and_rewards_telescope(seed, max_ready, max_lanes):
    rng = np.random.default_rng(seed)
    instance = GENERATORS["random"](rng, "1..14x1..5@0.1..10")
    options = SocOptions(max_ready, max_lanes, pilot_steps=4)
    solution, rewards = play(instance, options, rng.integers)
    assert DOMAIN.check(instance, solution) == []
    assert solution.cost == pytest.approx(DOMAIN.cost(instance, solution))
    sim = SocSim(1, options)
    sim.reset([0], [instance], [0])
    bound = sim.state.plan.first_bound[0]
    assert sum(rewards) == pytest.approx(1 - solution.cost / bound, abs=1e-9)
    assert max(rewards) <= 1e-12  # the bound never falls


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.booleans())
def test_streams_are_feasible_whatever_the_world(seed, defer):
    instance = random_stream(seed)
    options = SocOptions(3, 3, pilot_steps=5, defer=defer)
    solution, _ = play(instance, options, np.random.default_rng(seed).integers)
    assert DOMAIN.check(instance, solution) == []


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6))
def test_a_stream_never_holds_more_jobs_than_it_may(seed):
    instance = random_stream(seed)
    solution, _ = play(instance, SocOptions(pilot_steps=0), np.random.default_rng(seed).integers)
    ended = completions(instance, solution)
    for time in solution.arrival:
        inside = np.sum((solution.arrival <= time) & (ended > time))
        assert inside <= instance.stream.max_in_system


def test_schedulers_meet_the_same_world():
    """Common random numbers: the n-th job is of one kind, and lasts as long, for all of them."""
    instance = GENERATORS["ds3gym-mix"](np.random.default_rng(3), "0.5@1500")
    first, second = (DOMAIN.baseline(name)(instance) for name in ("etf", "random"))
    shared = min(len(first.kind), len(second.kind))
    assert np.array_equal(first.kind[:shared], second.kind[:shared])
    lasts = [
        {
            (n, i, p): end - start
            for n, i, p, start, end in zip(s.job, s.task, s.pe, s.start, s.end, strict=True)
        }
        for s in (first, second)
    ]
    both = lasts[0].keys() & lasts[1].keys()
    assert len(both) > 20
    assert all(lasts[0][key] == lasts[1][key] for key in both)


def test_everything_on_one_pe_is_always_on_offer():
    """With one lane per task on offer, that of earliest finish, the home lane takes its place."""
    names = ("a", "b")
    times = np.array([[9.0, 10.0], [50.0, 10.0]])
    job = Job("pair", names, times, np.array([[0], [1]]), np.array([1000.0]))
    instance = SocInstance("pair", Platform("two", ("x", "y"), np.ones((2, 2))), (job,))
    sim = SocSim(1, SocOptions(max_ready=1, max_lanes=1, pilot_steps=0))
    sim.reset([0], [instance], [0])
    while len(sim.observe()["slot"]):
        sim.step(np.array([0]))
    assert sim.solution(0).cost == 20.0


def test_deferring_waits_for_a_better_pe():
    """Two tasks, one fast PE: greedily the second goes to the slow one, patience halves the time."""
    times = np.array([[10.0, 100.0], [10.0, 100.0]])
    job = Job("pair", ("a", "b"), times, np.zeros((2, 0), np.int64), np.zeros(0))
    platform = Platform("two", ("fast", "slow"), np.ones((2, 2)))
    stream = Stream(1000.0, max_in_system=1, mean_gap=1e5, fill=1)
    instance = SocInstance("pair", platform, (job,), stream, seed=1)
    sim = SocSim(1, SocOptions(defer=True, pilot_steps=0))
    sim.reset([0], [instance], [0])
    first = True
    while len((obs := sim.observe())["slot"]):
        last = int(obs["candidate_ptr"][1]) - 1
        defer = obs["candidate"][last, -1] == 1.0
        sim.step(np.array([last if defer and not first else 0]))
        first = False
    solution = sim.solution(0)
    assert solution.pe.tolist()[:2] == [0, 0]
    assert solution.cost == 20.0


def test_contention_makes_transfers_take_turns():
    """Two transfers between the same PEs at once: one after the other only under contention."""
    times = np.array([[5.0, np.inf], [5.0, np.inf], [np.inf, 1.0]])
    edge = np.array([[0, 1], [2, 2]])
    job = Job("join", ("a", "b", "c"), times, edge, np.array([30.0, 30.0]))
    ends = []
    for contention in (False, True):
        platform = Platform(
            "two",
            ("x", "y"),
            np.ones((2, 2)),
            capacity=np.array([2, 1]),
            link_contention=contention,
        )
        stream = Stream(500.0, max_in_system=1, mean_gap=1e5, fill=1)
        instance = SocInstance("join", platform, (job,), stream, seed=1)
        solution, _ = play(instance, SocOptions(pilot_steps=0), lambda count: 0)
        assert DOMAIN.check(instance, solution) == []
        ends.append(solution.cost)
    assert ends == [36.0, 66.0]


def test_a_noisy_plan_keeps_its_lanes_and_orders():
    instance = replace(
        GENERATORS["random"](np.random.default_rng(0), "30x4@1"), noise=Noise("lognormal", 0.4)
    )
    exact = replace(instance, noise=Noise())
    planned, ran = (DOMAIN.baseline("heft")(i) for i in (exact, instance))
    assert np.array_equal(planned.pe, ran.pe)
    assert ran.cost != planned.cost
    for p in range(instance.platform.num_pes):
        mine = np.flatnonzero(planned.pe == p)
        assert np.array_equal(np.argsort(planned.start[mine]), np.argsort(ran.start[mine]))


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"max_ready": 0}, "max_ready"),
        ({"max_lanes": 1.5}, "max_lanes"),
        ({"pilot_steps": -1}, "pilot_steps"),
        ({"defer": 1}, "defer"),
    ],
)
def test_bad_options_are_named(options, word):
    with pytest.raises(InputError, match=word):
        SocOptions(**options)


def test_actions_out_of_range_are_refused():
    sim = SocSim(1)
    sim.reset([0], [GENERATORS["toy"](np.random.default_rng(0), "")], [0])
    with pytest.raises(IndexError, match="expected 1 actions"):
        sim.step(np.array([0, 0]))
    with pytest.raises(IndexError, match="action 99"):
        sim.step(np.array([99]))


def test_static_and_streaming_slots_share_a_simulator():
    rng = np.random.default_rng(0)
    mixed = [GENERATORS["toy"](rng, ""), GENERATORS["ds3gym"](rng, "0@300")] * 2
    sim = SocSim(4, SocOptions(pilot_steps=3))
    sim.reset(range(4), mixed, [0] * 4)
    while len((obs := sim.observe())["slot"]):
        assert np.all(np.diff(obs["slot"]) > 0)
        sim.step(np.zeros(len(obs["slot"]), np.int64))
    for slot, instance in enumerate(mixed):
        alone, _ = play(instance, SocOptions(pilot_steps=3), lambda count: 0)
        assert sim.solution(slot).cost == alone.cost
    with pytest.raises(RuntimeError, match="no finished episode"):
        SocSim(1).solution(0)
    with pytest.raises(RuntimeError, match="never reset"):
        SocSim(2).fork([0], [1])
