"""The cross-entropy method finds known optima and a linear rule that beats the written ones."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

from graphsched.cli.commands.tune.command import main
from graphsched.cli.commands.tune.linear import option_grid
from graphsched.envs.core.errors import InputError
from graphsched.envs.core.parts.linear import load_weights
from graphsched.envs.jobshop import DOMAIN
from graphsched.training.cem import CemConfig, Search, search_rule
from graphsched.training.settings.config import TrainConfig
from graphsched.training.validation import Validation

if TYPE_CHECKING:
    from pathlib import Path


def test_search_finds_the_minimum_of_a_bowl() -> None:
    """Mean converges to the known optimum of a quadratic function."""
    target, rng = np.array([1.0, -2.0, 0.5]), np.random.default_rng(0)
    search, config = Search(np.zeros(3), np.ones(3)), CemConfig()
    for step in range(60):
        weights = search.sample(rng, 64)
        assert np.array_equal(weights[0], search.mean)
        scores = ((weights - target) ** 2).sum(axis=1)
        search.update(weights, scores, config, 0.1 * (1 - step / 60))
    assert search.mean == pytest.approx(target, abs=0.05)


def test_linear_rule_beats_the_written_ones() -> None:
    """After a few seconds on small shops, on instances that it was not fitted to."""
    kinds = {"uniform:6x4": 1.0}
    validation = Validation(DOMAIN, DOMAIN.options(), kinds, count=40, seed=0)
    rule = search_rule(DOMAIN, DOMAIN.options(), kinds, validation, 0.1)
    assert validation.best_rule_gap_pct is not None
    assert rule.gap_pct < validation.best_rule_gap_pct - 1.0
    assert rule.gap_pct == min(row["gap"] for row in rule.history)


def test_command_scans_options_and_writes_weights(tmp_path: Path) -> None:
    """The file is what the baseline reads, with the options that did best."""
    out = tmp_path / "rule.json"
    words = ["jobshop", "--preset", "small", "--minutes", "0.02", "--out", str(out)]
    assert main([*words, "--option", "delay_window=0.1,0.4"]) == 0
    weights, document = load_weights(DOMAIN.schema, out)
    assert weights.shape == (len(DOMAIN.schema.candidate),)
    assert document["simulator"]["delay_window"] in (0.1, 0.4)


def test_grid_is_the_product() -> None:
    """All combinations of the scanned values, the rest as configured."""
    config = TrainConfig("jobshop", simulator={"delay_window": 0.7})
    grid = option_grid(config, ["delay_window=0.1,0.4", "pilot_steps=0,5"])
    pairs = [(o.delay_window, o.pilot_steps) for o in grid]
    assert pairs == [(0.1, 0), (0.1, 5), (0.4, 0), (0.4, 5)]
    assert option_grid(config, [])[0].delay_window == 0.7


@pytest.mark.parametrize("word", ["delay_window", "dely_window=0.1", "delay_window=2", "=1"])
def test_bad_options(word: str) -> None:
    """Named and refused."""
    with pytest.raises(InputError):
        option_grid(TrainConfig("jobshop"), [word])


def test_weights_tell_what_they_were_tuned_from(tmp_path: Path) -> None:
    """The minutes of a rule count those of the rule that its search began at."""
    rule = tmp_path / "first.json"
    words = ["jobshop", "--preset", "small", "--minutes", "0.002", "--out"]
    assert main([*words, str(rule)]) == 0
    first = json.loads(rule.read_text())
    assert "start" not in first
    second = tmp_path / "second.json"
    assert main([*words, str(second), "--start", str(rule)]) == 0
    found = json.loads(second.read_text())
    assert found["minutes"] == pytest.approx(0.004)
    assert found["start"] == {"minutes": 0.002, "instances": first["instances"]}
