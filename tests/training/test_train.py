"""A run leaves its records, the best weights and a bundle that decides as the policy did."""

from __future__ import annotations

import json
import math
import os
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from graphsched.agents.bundles.bundle import read_bundle
from graphsched.envs.core.errors import InputError
from graphsched.training.model import build_policy
from graphsched.training.running.outcome import RunResult, export_run
from graphsched.training.running.resume import read_run_config
from graphsched.training.running.run import Run
from graphsched.training.settings.budget import Budget
from graphsched.training.settings.config import TrainConfig
from graphsched.training.train import gradient_norms, train
from graphsched.training.validation import play
from tests.training.runs import small_config, state_of, without_onnx

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    """A finished run of some hundred decisions."""
    out = tmp_path_factory.mktemp("runs") / "run"
    with pytest.MonkeyPatch.context() as patch:
        without_onnx(patch)
        return train(small_config(out, steps=600, validation={"samples": 1}))


def test_records(result: RunResult) -> None:
    """Configuration, metrics at equal shares of the budget, TensorBoard, gradient norms."""
    assert read_run_config(result.folder).steps == 600
    rows = [json.loads(row) for row in (result.folder / "metrics.jsonl").read_text().splitlines()]
    assert rows == list(result.history)
    assert len(rows) == 5
    assert rows[0]["steps"] == 0
    assert rows[-1]["steps"] == result.steps >= 600
    events = EventAccumulator(str(result.folder / "tensorboard"))
    events.Reload()
    tags = set(events.Tags()["scalars"])
    assert tags >= {"eval/gap_pct", "eval/vs_best_rule_pct", "rollout/ep_rew_mean", "train/loss"}
    assert [e.step for e in events.Scalars("eval/gap_pct")] == [row["steps"] for row in rows]
    norms = gradient_norms(result.folder)
    assert len(norms) > 3
    assert all(math.isfinite(norm) and norm > 0 for norm in norms)


def test_bundle_holds_the_best_weights(result: RunResult) -> None:
    """Replaying validation with the exported parameters gives the best row's gap."""
    config = read_run_config(result.folder)
    run = Run(config, result.folder)
    bundle = read_bundle(result.bundle)
    policy = build_policy(config, run.domain)
    policy.load_state_dict({k: torch.from_numpy(v) for k, v in bundle.networks.params.items()})
    costs = play(policy, run.domain, config.simulator_options(), run.validation.instances)
    assert run.validation.gap(costs) == pytest.approx(result.best["gap_pct"])
    scores = [(row["gap_pct"] + row["sampled_gap_pct"]) / 2 for row in result.history]
    assert result.best == result.history[int(np.argmin(scores))]
    told = {k: v for k, v in config.to_dict().items() if k != "out"}  # a place on this machine
    assert bundle.config["training"] == told


def test_metrics_and_card(result: RunResult) -> None:
    """The curve for reports; data, budget, rules and limits for people."""
    metrics = read_bundle(result.bundle).metrics
    assert set(metrics["curve"][0]) == {"minutes", "steps", "gap_pct", "best_rule_gap_pct"}
    assert len(metrics["curve"]) == len(result.history)
    assert metrics["validation"]["gap_pct"] == result.best["gap_pct"]
    hours = metrics["cost"]["core_hours"]
    assert 0 < hours < 2 * (os.cpu_count() or 1) * result.minutes / 60 + 0.01
    assert f"{metrics['cost']['machine']}." in (result.bundle / "README.md").read_text()
    text = (result.bundle / "README.md").read_text()
    for word in ("mixed:3x3-6x4", "seed 3", "## Limits", f"{result.best['gap_pct']:.2f}", "tail"):
        assert word in text


def test_export_of_the_last_weights(
    result: RunResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The latest average instead of the best one."""
    without_onnx(monkeypatch)
    last = export_run(result.folder, tmp_path / "last", weights="last")
    state = state_of(result.folder)
    params = read_bundle(tmp_path / "last").networks.params
    for name, weights in state["average"]["weights"].items():
        assert np.array_equal(params[name], weights.numpy())
    assert last.best == result.history[-1]


def test_time_ends_a_run(tmp_path: Path) -> None:
    """Within some rollouts of the limit, and with a validation at the end."""
    config = replace(small_config(tmp_path / "run"), steps=None, minutes=0.05)
    result = train(config, export=False)
    assert 0.05 <= result.minutes < 0.2
    assert result.history[-1]["steps"] == result.steps
    assert state_of(result.folder)["steps"] == result.steps


def test_curriculum_and_schedules_follow_the_budget(tmp_path: Path) -> None:
    """Later stages bring their own instances; learning rate and entropy weight fall."""
    stages = [{"start": 0.5, "instances": {"uniform:2x7": 1.0}}]
    run = Run(small_config(tmp_path / "run", steps=400, curriculum=stages), tmp_path / "run")
    train(replace(run.config, out=str(tmp_path / "run")), export=False)
    state = state_of(tmp_path / "run")
    machines = {i["num_machines"] for i in state["training"]["env"]["sim"]["instances"]}
    assert machines == {7}
    rate = state["optimizer"]["param_groups"][0]["lr"]
    assert rate == pytest.approx(run.config.ppo.learning_rate * run.config.ppo.lr_floor)


def test_bad_starts_say_why(tmp_path: Path) -> None:
    """No budget, nothing to export."""
    with pytest.raises(InputError, match="neither minutes nor steps"):
        train(TrainConfig("jobshop", out=str(tmp_path / "run")))
    with pytest.raises(InputError, match="no training run"):
        export_run(tmp_path, tmp_path / "bundle")
    with pytest.raises(InputError, match=r"gradient_norms\.json: no such file"):
        gradient_norms(tmp_path)


def test_budget_is_spent_by_what_runs_out_first() -> None:
    """Time and decisions, whichever is further."""
    budget = Budget(minutes=1.0, steps=100)
    budget.start(elapsed_s=30.0)
    assert budget.progress(20) == pytest.approx(0.5, abs=0.01)
    assert budget.progress(80) == pytest.approx(0.8)
    assert budget.progress(300) == 1.0
