"""What learning took is told with the rule that the policy started as."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from graphsched.envs.core.registry import get_domain
from graphsched.training.running.cost import cost_in_words, learning_cost
from graphsched.training.settings.budget import Budget
from graphsched.training.settings.config import load_config

if TYPE_CHECKING:
    from pathlib import Path

    from graphsched.training.settings.config import TrainConfig


def _config(rule: str | None) -> TrainConfig:
    config = load_config("jobshop", "default")
    return replace(config, network=replace(config.network, linear_rule=rule))


def test_a_policy_that_starts_knowing_nothing_costs_its_run() -> None:
    cost = learning_cost(_config(None), 7200.0, "a machine")
    assert cost == {"core_hours": 2.0, "start_core_hours": 0.0, "machine": "a machine"}
    assert cost_in_words(cost) == "2 core-hours on a machine"


def test_the_tuning_of_the_rule_it_starts_as_counts() -> None:
    rule = "data/cem_linear.json"
    tuned = json.loads((get_domain("jobshop").presets.parent / rule).read_text())["minutes"]
    cost = learning_cost(_config(rule), 3600.0, "a machine")
    assert cost["core_hours"] == pytest.approx(1 + tuned / 60, abs=1e-3)
    assert f"{tuned / 60:.2g} of them to tune the rule it starts as" in cost_in_words(cost)


def test_a_rule_that_does_not_say_is_not_counted(tmp_path: Path) -> None:
    file = tmp_path / "rule.json"
    file.write_text("{}")
    cost = learning_cost(_config(str(file)), 3600.0, "a machine")
    assert (cost["core_hours"], cost["start_core_hours"]) == (1.0, None)
    assert "not counted" in cost_in_words(cost)


def test_processor_time_goes_on_where_it_stood() -> None:
    budget = Budget(minutes=1.0, steps=None)
    budget.start(elapsed_s=30.0, core_s=50.0)
    sum(range(100_000))
    assert 50.0 < budget.core_s < 60.0
