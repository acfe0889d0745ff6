"""The simulator asks when there is a choice, pays what the cost says, and shows finite rows."""

from __future__ import annotations

import json

import numpy as np
import pytest

from graphsched.envs.batching import DOMAIN
from graphsched.envs.batching.features import SCHEMA
from graphsched.envs.batching.generators import GENERATORS, TOY_OPTIMUM, bursts, parse_size
from graphsched.envs.batching.instance import BatchingInstance, Replica, make_requests
from graphsched.envs.batching.library import LIBRARY, load
from graphsched.envs.batching.options import BatchingOptions, Scheduler
from graphsched.envs.batching.physics.replay import serve
from graphsched.envs.batching.render import chrome_trace
from graphsched.envs.batching.simulator import BatchingSim
from graphsched.envs.core.errors import InputError


def play(sim, choose):
    """Kinds of all decisions, in order."""
    kinds = []
    while len((obs := sim.observe())["slot"]):
        kinds += obs["kind"].tolist()
        sim.step(np.array([choose(obs)]))
    return kinds


def column(name):
    return [feature.name for feature in SCHEMA.candidate].index(name)


@pytest.mark.parametrize(
    ("agent", "kinds"),
    [("route", {0}), ("admit", {1}), ("admit+budget", {1, 2}), ("route+admit+budget", {0, 1, 2})],
)
def test_only_the_agents_decisions_are_offered(agent, kinds):
    name = "tight" if "route" not in agent else "tenants"
    instance = GENERATORS[name](np.random.default_rng(0), "30@9")
    sim = BatchingSim(1, BatchingOptions(agent=agent))
    sim.reset([0], [instance], [0])
    assert set(play(sim, lambda obs: 0)) == kinds


def test_following_the_rules_choice_gives_the_rules_log():
    """Routing to the replica of least pending prompts is what the rule does."""
    instance = GENERATORS["tenants"](np.random.default_rng(1), "40@6")
    sim = BatchingSim(1, BatchingOptions(agent="route"))
    sim.reset([0], [instance], [0])
    play(sim, lambda obs: int(np.argmin(obs["candidate"][:, column("prefill_over_least")])))
    assert sim.solution(0).to_json() == serve(instance, Scheduler()).to_json()


def test_a_prefix_shows_as_a_hit_where_it_is():
    requests = make_requests(
        [0.0, 20.0], [512, 512], [2, 2], group=[0, 0], shared=[256, 256], extends=[256, 256]
    )
    fleet = (Replica(kv_blocks=500), Replica(kv_blocks=500))
    instance = BatchingInstance("hit", requests, fleet, np.zeros((2, 0), np.int64))
    sim = BatchingSim(1, BatchingOptions(agent="route"))
    sim.reset([0], [instance], [0])
    assert sim.observe()["candidate"][:, column("hit")].tolist() == [0, 0]
    sim.step(np.array([1]))
    obs = sim.observe()
    assert obs["candidate"][:, column("hit")].tolist() == [0, 0.5]
    assert obs["candidate"][:, column("ttft_over_best")].argmin() == 1


@pytest.mark.compiled
def test_every_column_is_used_somewhere():
    seen = np.zeros(len(SCHEMA.candidate), bool)
    for name, size, order in (
        ("hetero", "60@40", "fcfs"),
        ("tight", "60@4", "fcfs"),
        ("tenants", "60@12", "fcfs"),
        ("hetero", "150@90", "sjf"),
    ):
        sim = BatchingSim(1, BatchingOptions(agent="route+admit+budget+preempt", order=order))
        sim.reset([0], [GENERATORS[name](np.random.default_rng(3), size)], [0])
        rng = np.random.default_rng(0)
        while len((obs := sim.observe())["slot"]):
            assert np.isfinite(obs["candidate"]).all()
            seen |= (obs["candidate"] != 0).any(axis=0)
            sim.step(np.array([rng.integers(len(obs["candidate"]))]))
    assert [f.name for f, used in zip(SCHEMA.candidate, seen, strict=True) if not used] == []


def test_the_toy_is_solved_by_some_rule():
    toy = GENERATORS["toy"](np.random.default_rng(0), "")
    costs = [DOMAIN.baseline(name)(toy).cost for name in DOMAIN.baselines]
    assert min(costs) == pytest.approx(TOY_OPTIMUM)


def test_a_trace_opens_as_json_with_every_iteration():
    instance = GENERATORS["random"](np.random.default_rng(0), "6")
    solution = DOMAIN.baseline("sarathi")(instance)
    events = json.loads(chrome_trace(instance, solution))["traceEvents"]
    assert sum(e["name"] == "iteration" for e in events) == len(solution.begin_s)


def test_library_names_load_the_same_instance_again():
    name = LIBRARY.sets["hetero-test"][3]
    assert load(name).to_json() == load(name).to_json()
    assert load(name).name == name


def test_bursts_keep_the_rate_and_vary_more_than_poisson():
    gaps = np.diff(bursts(np.random.default_rng(0), 20_000, 5.0))
    assert gaps.mean() == pytest.approx(0.2, rel=0.1)
    assert gaps.std() / gaps.mean() > 1.2


@pytest.mark.parametrize("size", ["x", "0", "10@", "10@0", "-3", "5@1e3"])
def test_a_bad_size_is_refused(size):
    with pytest.raises(InputError, match=r"REQUESTS@RATE|at least"):
        parse_size(size, 4, 1.0)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("agent", "all"),
        ("batching", "x"),
        ("budget", -1),
        ("aging", -1.0),
        ("passes", -1),
        ("window", 1),
    ],
)
def test_bad_options_are_refused(field, value):
    with pytest.raises(InputError, match=field):
        BatchingOptions(**{field: value})


def test_metrics_of_one_request_are_its_own():
    requests = make_requests([1.0], [100], [5])
    instance = BatchingInstance("one", requests, (Replica(),), np.zeros((2, 0), np.int64))
    solution = DOMAIN.baseline("sarathi")(instance)
    assert DOMAIN.metrics is not None
    found = DOMAIN.metrics(instance, solution)
    length = solution.end_s - solution.begin_s
    assert found["TTFT p50"] == pytest.approx(length[0])
    assert found["TBT max"] == pytest.approx(length[1:].max())
    assert found["SLO %"] == 100
    assert found["fairness"] == 1
