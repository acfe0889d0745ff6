"""Words of the command line become contenders, or a line that says what is wrong."""

from __future__ import annotations

import numpy as np
import pytest

from graphsched.envs.core.errors import InputError
from graphsched.eval.contenders import (
    baseline_contenders,
    equal_time_contenders,
    portfolio,
    split_words,
)
from tests.eval.samples import contender
from tests.toy_domain import DOMAIN


def test_rules_stand_for_every_rule_and_repetitions_are_dropped() -> None:
    found = baseline_contenders(DOMAIN, ["rules", "first"], [1.0])
    rules = [name for name, baseline in DOMAIN.baselines.items() if baseline.is_rule]
    assert [c.name for c in found] == rules
    assert {c.kind for c in found} == {"rule"}


def test_numbers_are_samples_and_seconds_are_limits() -> None:
    found = baseline_contenders(DOMAIN, ["first@64", "exhaustive@2.5s"], [1.0])
    assert [(c.name, c.samples, c.time_limit_s) for c in found] == [
        ("first@64", 64, None),
        ("exhaustive@2.5s", 1, 2.5),
    ]


def test_an_exact_solver_runs_once_for_each_limit() -> None:
    found = baseline_contenders(DOMAIN, ["exhaustive"], [1.0, 10.0])
    assert [c.name for c in found] == ["exhaustive@1s", "exhaustive@10s"]


def test_equal_time_names_the_policy() -> None:
    (found,) = equal_time_contenders(DOMAIN, ["exhaustive"], [contender("policy p", "policy")])
    assert (found.time_of, found.time_limit_s, found.kind) == ("policy p", None, "exact")


def test_a_portfolio_is_never_worse_than_either() -> None:
    rules = [name for name, baseline in DOMAIN.baselines.items() if baseline.is_rule][:2]
    first, second = baseline_contenders(DOMAIN, rules, [1.0])
    both = portfolio(DOMAIN, first, second)
    assert both.name == f"{first.name} or {second.name}"
    for seed in range(5):
        instance = DOMAIN.generators["random"](np.random.default_rng(seed), "4x2")
        costs = [DOMAIN.cost(instance, c.make(0, None)(instance)) for c in (first, second, both)]
        assert costs[2] == min(costs[:2])


@pytest.mark.parametrize("word", ["frist", "first@0", "first@1.5", "first@", "first@x", "@3"])
def test_bad_words_are_named(word: str) -> None:
    with pytest.raises(InputError, match="baseline"):
        baseline_contenders(DOMAIN, [word], [1.0])


def test_words_are_split_at_commas() -> None:
    assert split_words(" a, b,,a ") == ["a", "b"]
