"""Configurations survive a round trip, layers override each other, and mistakes are named."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphsched.envs.core.errors import InputError
from graphsched.training.settings.config import (
    PPOConfig,
    Stage,
    TrainConfig,
    ValidationConfig,
    load_config,
)

if TYPE_CHECKING:
    from pathlib import Path


@given(
    seed=st.integers(0, 10**9),
    minutes=st.none() | st.floats(0.1, 100),
    table=st.lists(st.floats(0, 1), max_size=4),
    weight=st.floats(0.1, 10),
)
def test_round_trip_through_json(
    seed: int, minutes: float | None, table: list[float], weight: float
) -> None:
    """What is stored in a run's folder is what was run."""
    config = TrainConfig(
        "jobshop",
        seed=seed,
        minutes=minutes,
        simulator={"delay_window": 0.1},
        instances={"mixed:4x4-6x6": weight, "toy:": 1.0},
        curriculum=(Stage(0.5, {"uniform:6x6": 1.0}),),
        ppo=PPOConfig(lr_table=tuple(table), target_kl=0.1),
        validation=ValidationConfig(count=3),
    )
    assert TrainConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_later_layers_win(tmp_path: Path) -> None:
    """Preset, then file, then overrides; a budget and a mixture replace the earlier one whole."""
    file = tmp_path / "mine.toml"
    file.write_text(
        """
        steps = 500
        [ppo]
        learning_rate = 0.01
        n_epochs = 5
        [instances]
        "uniform:4x4" = 1
        """
    )
    preset = load_config("jobshop", "small")
    config = load_config("jobshop", "small", file, {"ppo": {"n_epochs": 7}})
    assert preset.minutes is not None
    assert (config.minutes, config.steps) == (None, 500)
    assert (config.ppo.learning_rate, config.ppo.n_epochs) == (0.01, 7)
    assert config.instances == {"uniform:4x4": 1.0}
    assert config.validation == preset.validation


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "[ppo]\nlearning_rat = 1.0",
            r"unknown key 'ppo.learning_rat'; did you mean learning_rate",
        ),
        ("sed = 1", r"unknown key 'sed'; did you mean seed"),
        ("seed = -1", r"seed: expected at least 0, found -1"),
        ("seed = 1.5", r"seed: expected a whole number, found 1.5"),
        ("seed = true", r"seed: expected a whole number, found True"),
        ("ppo = 3", r"ppo: expected a table, found 3"),
        ("[ppo]\nbaseline = 'vlaue'", r"ppo.baseline: expected one of value, group, both"),
        ("[ppo]\nlearning_rate = 0", r"ppo.learning_rate: expected a positive number, found 0"),
        ("[ppo]\nlr_schedule = 'refined'", r"ppo.lr_table: expected the refined schedule"),
        ("[ppo]\ngamma_start = 0.9", r"ppo.gamma_start: expected at most gamma"),
        ("[instances]\n'uniform:4x4' = -1", r"instances: expected weights >= 0"),
        ("[[curriculum]]\nstart = 0.5", r"curriculum\[0\]: missing key 'instances'"),
        ("[validation]\nevery = 0", r"validation.every: expected a share in \(0, 1\]"),
        ("[simulator]\ndelay_windw = 1", r"unknown key 'simulator.delay_windw'; did you mean"),
        ("domain = 'soc'", r"domain: expected 'jobshop', found 'soc'"),
        ("minutes = 0", r"minutes: expected a positive number"),
        ("seed = = 1", r"expected TOML"),
    ],
)
def test_mistakes_name_file_and_key(tmp_path: Path, text: str, expected: str) -> None:
    """One line that says what was expected."""
    file = tmp_path / "bad.toml"
    file.write_text(text)
    with pytest.raises(InputError, match=expected) as caught:
        load_config("jobshop", "small", file)
    assert "\n" not in str(caught.value)
    if "simulator" not in text:
        assert "bad.toml" in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"domain": "jbshop"}, "domain 'jbshop'"),
        ({"domain": "jobshop", "preset": "smal"}, "preset 'smal': not one of"),
        ({"domain": "jobshop", "file": "/nowhere.toml"}, "no such file"),
        ({"domain": "jobshop", "overrides": {"ppo": {"gama": 1}}}, "did you mean gamma"),
        (
            {"domain": "jobshop", "overrides": {"network": {"blind": ["pilots"]}}},
            "unknown key 'network.blind.pilots'; did you mean pilot ",
        ),
    ],
)
def test_unknown_names(arguments: dict[str, Any], expected: str) -> None:
    """Domain, preset, file and overridden key."""
    with pytest.raises(InputError, match=expected):
        load_config(**arguments)
