"""Everyone who samples gets the temperature that does best on other instances."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from graphsched.envs.core.domain import Baseline, SolverOptions
from graphsched.envs.core.specs import parse_instances
from graphsched.eval.solvers.contenders import contenders
from graphsched.eval.solvers.entrants import Entrants
from graphsched.eval.solvers.tempering import RULE_GRID, TIMED_SAMPLES, tuned_temperatures
from graphsched.eval.solvers.words import Start
from tests.toy_domain import DOMAIN

BEST = 0.2


def _entrants(asked: list[SolverOptions]) -> Entrants:
    """A rule `hot` whose cost is least at one temperature, as the number of its draws tells."""

    def make(options: SolverOptions) -> Any:
        asked.append(options)
        good = options.temperature == BEST
        return DOMAIN.baseline("shortest" if good else "first", replace(options, samples=1))

    rule = Baseline(make, "a rule", is_rule=True)
    search = Baseline(make, "a search", is_anytime=True)
    known = {"hot": rule, "search": search, "first": DOMAIN.baselines["first"]}
    return Entrants(replace(DOMAIN, baselines=known))


@pytest.fixture
def apart() -> list[Any]:
    return parse_instances(DOMAIN, "random:n=6:seed=3")


def test_the_best_of_the_grid_is_chosen(apart: list[Any]) -> None:
    asked: list[SolverOptions] = []
    assert tuned_temperatures(_entrants(asked), [Start("hot", 4)], apart) == {"hot@4": BEST}
    assert {o.temperature for o in asked} - {None} == set(RULE_GRID)
    assert {o.samples for o in asked if o.temperature is not None} == {4}


def test_those_of_one_run_are_tuned_as_they_will_draw_in_the_time(apart: list[Any]) -> None:
    asked: list[SolverOptions] = []
    assert tuned_temperatures(_entrants(asked), [Start("hot")], apart) == {"hot": BEST}
    assert {o.samples for o in asked if o.temperature is not None} == {TIMED_SAMPLES}


def test_only_what_samples_is_tuned_and_says_so(apart: list[Any]) -> None:
    words = ["hot", "hot@4", "search", "first"]
    found = {c.name: c.summary for c in contenders(_entrants([]), words, tune_on=apart)}
    assert found == {
        "hot": "a rule",
        "hot@4": "a rule, temperature 0.2 as tuned",
        "search@10s": "a search",
        "first": found["first"],
    }
    timed = contenders(_entrants([]), ["hot", "search"], time_limits_s=[0.01], tune_on=apart)
    assert [c.summary for c in timed] == ["a rule, temperature 0.2 as tuned", "a search"]


def test_the_solver_samples_at_its_temperature(apart: list[Any]) -> None:
    asked: list[SolverOptions] = []
    (found,) = contenders(_entrants(asked), ["hot@4"], tune_on=apart)
    asked.clear()
    found.make(0, None)(apart[0])
    assert {o.temperature for o in asked} == {BEST}
