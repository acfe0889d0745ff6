"""Rows carry errors and paired differences, and a run that goes on writes the same ones."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from graphsched.agents.bundles.bundle import read_bundle
from graphsched.envs.core.errors import InputError
from graphsched.envs.core.parts.writing import find_folder
from graphsched.envs.jobshop import DOMAIN
from graphsched.training.model import build_policy
from graphsched.training.running.encoding import STATE
from graphsched.training.running.outcome import export_run
from graphsched.training.running.resume import CHECKPOINT
from graphsched.training.running.run import Run
from graphsched.training.settings.config import TrainConfig
from graphsched.training.train import resumed_config, train
from graphsched.training.validation import Validation, play
from tests.training.runs import small_config, state_of, without_onnx

if TYPE_CHECKING:
    from pathlib import Path

KINDS = {"uniform:4x3": 3.0, "uniform:6x5": 1.0}
CHECKS = {"count": 12, "samples": 1, "every": 0.25}


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bundles without ONNX."""
    without_onnx(monkeypatch)


def policies() -> list[Any]:
    """Two policies of unlike random weights."""
    out = []
    for seed in range(2):
        torch.manual_seed(seed)
        policy = build_policy(TrainConfig("jobshop"), DOMAIN)
        for parameter in policy.parameters():
            torch.nn.init.normal_(parameter, std=0.3)
        out.append(policy)
    return out


def test_scores_against_the_incumbent_are_paired() -> None:
    """Recomputed here from the costs of both, kind by kind."""
    options = DOMAIN.options()
    validation = Validation(DOMAIN, options, KINDS, count=8, seed=0)
    before, now = policies()
    _, incumbent = validation.judge(before)
    scores, relative = validation.judge(now, incumbent)
    costs = [play(p, DOMAIN, options, validation.instances) for p in (before, now)]
    bounds = np.array([DOMAIN.lower_bound(i) for i in validation.instances])
    difference = 100 * (costs[1] - costs[0]) / bounds
    parts = difference[:8], difference[8:]
    assert scores.vs_best_pct == pytest.approx(0.75 * parts[0].mean() + 0.25 * parts[1].mean())
    errors = [part.std(ddof=1) / math.sqrt(8) for part in parts]
    assert scores.vs_best_se == pytest.approx(math.hypot(0.75 * errors[0], 0.25 * errors[1]))
    gaps = 100 * (costs[1] / bounds - 1)
    errors = [part.std(ddof=1) / math.sqrt(8) for part in (gaps[:8], gaps[8:])]
    assert scores.gap_se == pytest.approx(math.hypot(0.75 * errors[0], 0.25 * errors[1]))
    assert relative == pytest.approx(gaps)
    assert validation.run(now).vs_best_pct is None


def test_with_samples_the_difference_is_that_of_the_scores() -> None:
    """What weights are chosen by: the sign says whether they are replaced."""
    validation = Validation(DOMAIN, DOMAIN.options(), KINDS, count=4, seed=0, samples=2)
    before, now = policies()
    first, incumbent = validation.judge(before)
    second, _ = validation.judge(now, incumbent)
    assert second.vs_best_pct == pytest.approx(second.score - first.score)
    assert second.vs_best_se is not None
    assert second.vs_best_rule_se is not None


def test_the_incumbent_is_the_best_and_ties_keep_it(tmp_path: Path) -> None:
    """Worse weights between two validations don't become what the second is compared with."""
    run = Run(small_config(tmp_path / "run", validation={"count": 12}), tmp_path / "run")
    first = {k: v.clone() for k, v in run.average.module.state_dict().items()}
    torch.manual_seed(0)
    other = {name: torch.randn_like(tensor) for name, tensor in first.items()}
    rows = []
    for state in (first, other, first, other):
        run.average.module.load_state_dict(state)
        rows.append((*run.validate(), run.history[-1]))
    gaps = [scores.gap_pct for scores, _, _ in rows]
    assert gaps[0] != gaps[1]
    better = min(gaps[:2])
    assert [best for _, best, _ in rows] == [True, gaps[1] < gaps[0], False, False]
    assert rows[2][0].vs_best_pct == pytest.approx(gaps[2] - better)
    assert rows[3][0].vs_best_pct == pytest.approx(gaps[3] - better)
    tie = rows[2] if gaps[0] < gaps[1] else rows[3]
    assert (tie[0].vs_best_pct, tie[0].vs_best_se) == (0.0, 0.0)
    gain = run.judged.improvement()
    assert gain is not None
    assert gain.pct == pytest.approx(gaps[0] - better)


def test_rows_curves_and_the_outcome(tmp_path: Path) -> None:
    """Every row is compared with the best before it; the end with the start."""
    result = train(small_config(tmp_path / "run", steps=600, validation=CHECKS))
    rows = [
        json.loads(row) for row in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    ]
    assert rows[0]["vs_best_pct"] is None
    scores = [(row["gap_pct"] + row["sampled_gap_pct"]) / 2 for row in rows]
    for i in range(1, len(rows)):
        assert rows[i]["vs_best_pct"] == pytest.approx(scores[i] - min(scores[:i]), abs=1e-9)
        assert rows[i]["vs_best_se"] >= 0
    assert all(row["gap_se"] > 0 for row in rows)
    events = EventAccumulator(str(tmp_path / "run" / "tensorboard"))
    events.Reload()
    assert len(events.Scalars("eval/gap_se")) == len(rows)
    assert len(events.Scalars("eval/vs_best_pct")) == len(events.Scalars("eval/vs_best_se")) > 2
    gain = result.gain
    assert gain is not None
    assert gain.pct == pytest.approx(scores[0] - min(scores), abs=1e-9)
    assert gain.low is not None
    assert gain.high is not None
    assert gain.low <= gain.pct <= gain.high
    assert gain.excludes_zero == (gain.low > 0)
    assert gain.instances == 12
    told = read_bundle(result.bundle).metrics["improvement"]
    assert told == gain.to_json()
    card = (result.bundle / "README.md").read_text()
    assert f"Against the start: {gain.in_words()}." in card
    assert f"{result.best['gap_pct']:.2f} ± {result.best['gap_se']:.2f}" in card


def test_a_run_that_goes_on_writes_the_same_rows(tmp_path: Path) -> None:
    """The incumbent and the start come out of the checkpoint."""
    whole = train(small_config(tmp_path / "whole", steps=900, validation=CHECKS), export=False)
    folder = tmp_path / "broken"
    half = small_config(folder, steps=900, validation=CHECKS)
    with pytest.MonkeyPatch.context() as patch:
        _stop_after(patch, updates=4)
        train(half, export=False)
    assert 0 < state_of(folder)["steps"] < whole.steps
    resumed = train(resumed_config(folder), resume=True, export=False)
    rows = [{k: v for k, v in row.items() if k != "minutes"} for row in resumed.history]
    assert rows == [{k: v for k, v in row.items() if k != "minutes"} for row in whole.history]
    assert resumed.gain == whole.gain
    assert resumed.gain is not None


def _stop_after(patch: pytest.MonkeyPatch, updates: int) -> None:
    """End a run as if a signal had come, without a validation at its end."""
    from graphsched.training.running import callbacks

    original = callbacks.StopWhenSpent._on_rollout_start

    def stop(self: Any) -> None:
        original(self)
        if self.run.updates_seen >= updates * self.run.config.ppo.n_epochs:
            self.run.stopped = self.run.interrupted = True

    patch.setattr(callbacks.StopWhenSpent, "_on_rollout_start", stop)


def test_an_older_checkpoint_goes_on(tmp_path: Path) -> None:
    """What it doesn't know isn't told."""
    folder = tmp_path / "run"
    train(small_config(folder, steps=200, validation=CHECKS), export=False)
    file = find_folder(folder / CHECKPOINT) / STATE
    document = json.loads(file.read_text())
    del document["judged"]
    new = ("gap_se", "vs_best_rule_se", "vs_best_pct", "vs_best_se")
    rows = [{k: v for k, v in row.items() if k not in new} for row in document["history"]]
    file.write_text(json.dumps({**document, "history": rows, "best_score": -1.0}))
    result = export_run(folder, tmp_path / "bundle")
    assert result.gain is None
    assert "Against the start: not recorded." in (tmp_path / "bundle" / "README.md").read_text()
    assert result.rules
    result = train(resumed_config(folder, steps=600), resume=True, export=False)
    assert result.gain is None
    assert result.history[-1]["gap_se"] > 0
    assert result.history[-1]["vs_best_pct"] is None


@pytest.mark.parametrize(
    "change",
    [
        {"start": [1.0]},
        {"labels": []},
        {"weights": "x"},
        {"rules": None},
        {"best": {"a": 1}},
        {"labels": [0, 0, 7]},
    ],
)
def test_a_damaged_record_is_named(tmp_path: Path, change: dict[str, Any]) -> None:
    """Not one of them makes a traceback."""
    folder = tmp_path / "run"
    train(small_config(folder, steps=50), export=False)
    file = find_folder(folder / CHECKPOINT) / STATE
    document = json.loads(file.read_text())
    document["judged"] |= change
    file.write_text(json.dumps(document))
    with pytest.raises(InputError, match="damaged checkpoint"):
        train(resumed_config(folder, steps=200), resume=True, export=False)
    with pytest.raises(InputError, match="damaged checkpoint"):
        export_run(folder, tmp_path / "bundle")


def test_the_last_weights_are_compared_too(tmp_path: Path) -> None:
    """With what the last validation found."""
    folder = tmp_path / "run"
    result = train(small_config(folder, steps=400, validation=CHECKS), export=False)
    last = export_run(folder, tmp_path / "last", weights="last")
    scores = [(row["gap_pct"] + row["sampled_gap_pct"]) / 2 for row in result.history]
    assert last.gain is not None
    assert last.gain.pct == pytest.approx(scores[0] - scores[-1], abs=1e-9)
