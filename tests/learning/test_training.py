"""Training from scratch reaches thresholds that only a policy that has learned reaches."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from graphsched.envs.jobshop import DOMAIN
from graphsched.training.settings.config import load_config
from graphsched.training.train import train
from tests.training.runs import small_config

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.learning


def test_half_a_minute_on_small_shops_beats_the_best_rule(tmp_path: Path) -> None:
    """By at least four percent of the cost, on instances apart from the training stream."""
    preset = load_config("jobshop", "small")
    config = replace(preset, minutes=0.5, out=str(tmp_path / "run"), device="cpu")
    result = train(config, export=False)
    assert result.history[0]["vs_best_rule_pct"] > 0.0
    assert result.history[-1]["vs_best_rule_pct"] < -4.0


def test_finds_the_optimum_of_the_toy(tmp_path: Path) -> None:
    """The documented optimum, which every written rule misses."""
    config = small_config(
        tmp_path / "run",
        steps=6_000,
        instances={"toy:": 1.0},
        simulator={"delay_window": 1.0},  # the optimum needs a machine to wait
        validation={"instances": {"toy:": 1.0}, "count": 1, "every": 1.0},
    )
    result = train(config, export=False)
    instance = DOMAIN.generators["toy"](np.random.default_rng(0), "")
    optimum = 100 * (DOMAIN.toy_optimum / DOMAIN.lower_bound(instance) - 1)
    assert result.history[0]["gap_pct"] > optimum + 1.0
    assert result.history[-1]["gap_pct"] == pytest.approx(optimum)
