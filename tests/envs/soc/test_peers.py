"""The bridge to SAGA, and what the benchmark measures; a stand-in takes SAGA's place."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from graphsched.envs.core.domain import SolverOptions
from graphsched.envs.core.errors import InputError
from graphsched.envs.soc import DOMAIN, bench
from graphsched.envs.soc.generators import GENERATORS
from graphsched.envs.soc.sources.saga import related, saga_heft


class Scheduler:
    """Runs everything on the fastest node, one task after the other."""

    def schedule(self, network, graph):
        (nodes, links), (tasks, edges) = network, graph
        assert len(links) == len(nodes) * (len(nodes) - 1) // 2
        assert {name for edge in edges for name in edge[:2]} <= {name for name, _ in tasks}
        work = sum(cost for _, cost in tasks)
        return SimpleNamespace(makespan=work / max(speed for _, speed in nodes))


@pytest.fixture
def saga(monkeypatch):
    module, schedulers = ModuleType("saga"), ModuleType("saga.schedulers")
    create = SimpleNamespace(create=lambda first, second: (list(first), list(second)))
    vars(module).update(Network=create, TaskGraph=create)
    vars(schedulers).update(HeftScheduler=Scheduler)
    monkeypatch.setitem(sys.modules, "saga", module)
    monkeypatch.setitem(sys.modules, "saga.schedulers", schedulers)


def test_related_instances_are_told_as_costs_and_speeds(saga):
    instance = related(np.random.default_rng(0), 12, 3)
    times = instance.jobs[0].duration
    assert saga_heft(instance)() == pytest.approx(times.sum(axis=0).min())


def test_what_saga_cannot_express_is_refused(saga):
    toy = GENERATORS["toy"](np.random.default_rng(0), "")
    with pytest.raises(InputError, match="speed only"):
        saga_heft(toy)
    with pytest.raises(InputError, match="single jobs"):
        saga_heft(GENERATORS["ds3gym"](np.random.default_rng(0), "0"))


def test_a_missing_peer_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "saga", None)
    with pytest.raises(InputError, match=r"graphsched\[saga\]"):
        saga_heft(related(np.random.default_rng(0), 5, 2))


def test_measures_name_the_peer_where_it_is_there(saga, monkeypatch):
    monkeypatch.setattr(bench, "TASKS", 6)
    monkeypatch.setattr(bench, "PES", 2)
    found = bench.measure(1e-6)
    assert found["heft_times_faster_than_saga"] > 0
    assert all(value > 0 for value in found.values())
    monkeypatch.setitem(sys.modules, "saga", None)
    assert "saga_heft_200x8_us" not in bench.measure(1e-6)


def test_the_linear_rule_serves_plans_and_streams():
    for generator, size in (("toy", ""), ("ds3gym", "0@60")):
        instance = GENERATORS[generator](np.random.default_rng(0), size)
        solution = DOMAIN.baseline("cem-linear", SolverOptions(samples=2))(instance)
        assert DOMAIN.check(instance, solution) == []


def test_cp_sat_improves_fractional_plans_too():
    pytest.importorskip("ortools")
    instance = GENERATORS["layered"](np.random.default_rng(1), "6x2@1")
    found = DOMAIN.baseline("cp-sat", SolverOptions(time_limit_s=5.0))(instance)
    assert DOMAIN.check(instance, found) == []
    assert found.cost <= DOMAIN.baseline("best3")(instance).cost


def test_a_stream_can_be_served_by_plans():
    world = GENERATORS["ds3gym-mix"](np.random.default_rng(0), "0.5@200")
    solution = DOMAIN.baseline("heft", SolverOptions(samples=2))(world)
    assert DOMAIN.check(world, solution) == []
