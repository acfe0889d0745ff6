"""A run killed half-way and resumed ends with the same bits as one that was left alone."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from graphsched.envs.core.errors import InputError
from graphsched.envs.core.parts.writing import find_folder
from graphsched.training.running.encoding import STATE, TENSORS
from graphsched.training.running.resume import CHECKPOINT, read_run_config
from graphsched.training.train import resumed_config, train
from tests.training.runs import small_config, state_of, train_and_kill

if TYPE_CHECKING:
    from pathlib import Path

STEPWISE: dict[str, Any] = {
    "mode": "steps",
    "steps_per_rollout": 40,
    "baseline": "value",
    "rollouts_per_instance": 1,
    "instances_per_rollout": 16,
    "gamma": 0.99,
    "gamma_start": 0.9,
    "gae_lambda": 0.9,
}


def differences(one: Any, other: Any, place: str = "state") -> list[str]:
    """Places where two states differ in a bit."""
    if isinstance(one, dict):
        assert one.keys() == other.keys(), place
        return [d for key in one for d in differences(one[key], other[key], f"{place}.{key}")]
    if isinstance(one, list | tuple):
        if len(one) != len(other):
            return [place]
        pairs = enumerate(zip(one, other, strict=True))
        return [d for i, (a, b) in pairs for d in differences(a, b, f"{place}[{i}]")]
    if isinstance(one, torch.Tensor | np.ndarray):
        same = bool(np.array_equal(np.asarray(one), np.asarray(other), equal_nan=True))
        return [] if same else [place]
    return [] if one == other else [place]


def half_way(folder: Path) -> bool:
    """Whether the run has checkpointed somewhere past a fifth of its 4,000 steps."""
    file = find_folder(folder / CHECKPOINT) / STATE
    try:
        return bool(json.loads(file.read_bytes())["steps"] > 800)
    except (OSError, ValueError):
        return False  # being replaced


@pytest.mark.slow
@pytest.mark.parametrize("ppo", [{}, STEPWISE], ids=["episodes", "steps"])
def test_killed_and_resumed_is_bit_identical(tmp_path: Path, ppo: dict[str, Any]) -> None:
    """Weights, optimizer, averages, random streams and simulators; only the clock differs."""
    train(small_config(tmp_path / "whole", ppo=ppo), export=False)
    broken = small_config(tmp_path / "broken", ppo=ppo)
    train_and_kill(broken, half_way)
    reached = state_of(tmp_path / "broken")["steps"]
    assert 0 < reached < 4_000
    train(resumed_config(tmp_path / "broken"), resume=True, export=False)
    whole, resumed = state_of(tmp_path / "whole"), state_of(tmp_path / "broken")
    for state in (whole, resumed):
        del state["elapsed_s"], state["core_s"]
        for row in state["history"]:
            del row["minutes"]
    assert differences(whole, resumed) == []
    rows = [json.loads(r) for r in (tmp_path / "broken/metrics.jsonl").read_text().splitlines()]
    assert [row["steps"] for row in rows] == [row["steps"] for row in whole["history"]]


@pytest.mark.slow
def test_killed_before_its_first_checkpoint_begins_anew(tmp_path: Path) -> None:
    """A run folder with a configuration alone can be resumed."""
    config = small_config(tmp_path / "run")
    train_and_kill(config, lambda folder: (folder / "config.json").exists())
    result = train(resumed_config(tmp_path / "run", steps=500), resume=True, export=False)
    assert result.steps >= 500


def test_differences_are_found(tmp_path: Path) -> None:
    """Another seed gives other bits, so the comparison above can fail."""
    for seed in (0, 1):
        train(small_config(tmp_path / str(seed), seed=seed, steps=300), export=False)
    found = differences(state_of(tmp_path / "0")["policy"], state_of(tmp_path / "1")["policy"])
    assert len(found) > 5


def test_longer_budget_goes_on_where_it_stood(tmp_path: Path) -> None:
    """A finished run can be given more steps."""
    folder = tmp_path / "run"
    first = train(small_config(folder, steps=300), export=False)
    second = train(resumed_config(folder, steps=900), resume=True, export=False)
    assert first.steps < 900 <= second.steps
    assert [row["steps"] for row in second.history][: len(first.history)] == [
        row["steps"] for row in first.history
    ]
    assert read_run_config(folder).steps == 900


def test_what_cannot_be_resumed_says_so(tmp_path: Path) -> None:
    """No run, a folder in use, a damaged checkpoint."""
    with pytest.raises(InputError, match="no training run"):
        resumed_config(tmp_path)
    folder = tmp_path / "run"
    train(small_config(folder, steps=100), export=False)
    with pytest.raises(InputError, match="not empty"):
        train(small_config(folder, steps=100), export=False)
    tensors = folder / CHECKPOINT / TENSORS
    tensors.write_bytes(tensors.read_bytes()[:-10])
    with pytest.raises(InputError, match="damaged checkpoint"):
        train(resumed_config(folder, steps=200), resume=True, export=False)
