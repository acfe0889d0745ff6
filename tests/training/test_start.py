"""A run that starts from a bundle begins with the bundle's own score, and tells what it was."""

from __future__ import annotations

import json
import shutil
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from graphsched.agents.bundles.bundle import read_bundle
from graphsched.agents.bundles.shipped import shipped_policy
from graphsched.envs.core.errors import InputError
from graphsched.training.model import build_policy
from graphsched.training.running.resume import read_run_config
from graphsched.training.running.run import Run
from graphsched.training.settings.config import TrainConfig, load_config
from graphsched.training.train import resumed_config, train
from tests.training.runs import small_config, state_of, without_onnx

if TYPE_CHECKING:
    from pathlib import Path

    from graphsched.training.running.outcome import RunResult

CHECKS = {"count": 12, "samples": 1, "every": 0.5}


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bundles without ONNX."""
    without_onnx(monkeypatch)


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    """A run with simulator options and sizes that no preset has."""
    out = tmp_path_factory.mktemp("runs") / "first"
    simulator = {"delay_window": 0.17}
    with pytest.MonkeyPatch.context() as patch:
        without_onnx(patch)
        return train(small_config(out, steps=600, simulator=simulator, validation=CHECKS))


def going_on(first: RunResult, out: Path, **changes: Any) -> TrainConfig:
    """A configuration of the default sizes that starts from the first run's bundle."""
    settings = {"network": {"width": 16, "layers": 1}, "validation": CHECKS, "steps": 400}
    return small_config(out, **settings, init=str(first.bundle), **changes)


def test_the_first_validation_is_the_bundle_s_own(first: RunResult, tmp_path: Path) -> None:
    """To the last bit, before any update; the weights that are learned from are the bundle's."""
    result = train(going_on(first, tmp_path / "run"))
    row = dict(result.history[0])
    assert row["steps"] == 0
    for name in ("gap_pct", "sampled_gap_pct", "vs_best_rule_pct", "kinds", "gap_se"):
        assert row[name] == first.best[name], name
    bundle = read_bundle(first.bundle)
    config = read_run_config(tmp_path / "run")
    policy = build_policy(config, bundle.domain)
    params = {k: torch.from_numpy(v) for k, v in bundle.networks.params.items()}
    policy.load_state_dict(params)
    assert Run(config, tmp_path / "run").validation.run(policy).gap_pct == row["gap_pct"]
    last = state_of(tmp_path / "run")["policy"]
    moved = [float((last[k] - v).abs().max()) for k, v in params.items() if v.numel()]
    assert 0.0 < max(moved) < 0.5


def test_what_rollouts_have_shown_limits_columns_and_a_start_s_limits_stay(
    first: RunResult, tmp_path: Path
) -> None:
    before = {k: v for k, v in state_of(first.folder)["policy"].items() if "limits" in k}
    assert before
    for name, (least, most) in before.items():
        assert (least <= most).all(), name
        assert torch.stack([least, most]).abs().max() < 1e6, name
    assert (before["decoder.candidate_limits"][0] < before["decoder.candidate_limits"][1]).any()
    train(going_on(first, tmp_path / "run"), export=False)
    after = state_of(tmp_path / "run")["policy"]
    assert all(torch.equal(after[name], limits) for name, limits in before.items())
    fresh = train(small_config(tmp_path / "none", steps=0), export=False)
    state = state_of(fresh.folder)["policy"]
    assert state["decoder.candidate_limits"].abs().min() > 1e30


def test_a_sharpened_start_decides_as_before_and_samples_less_at_random(
    first: RunResult, tmp_path: Path
) -> None:
    result = train(going_on(first, tmp_path / "run", ppo={"sharpen": 50.0}))
    row = result.history[0]
    assert row["gap_pct"] == first.best["gap_pct"]
    assert abs(row["sampled_gap_pct"] - row["gap_pct"]) < 0.5
    assert first.best["sampled_gap_pct"] - first.best["gap_pct"] > 2.0


def test_config_metrics_and_card_say_what_it_was(first: RunResult, tmp_path: Path) -> None:
    """Name and checksum; the sizes, options and costs are the bundle's."""
    result = train(going_on(first, tmp_path / "run"))
    config = read_run_config(tmp_path / "run")
    checksum = sha256((first.bundle / "model.safetensors").read_bytes()).hexdigest()
    assert config.init == str(first.bundle)
    assert config.init_record["sha256"] == checksum
    assert (config.network.width, config.network.layers, config.network.decoder_width) == (8, 2, 8)
    assert config.simulator["delay_window"] == 0.17
    bundle = read_bundle(result.bundle)
    assert bundle.metrics["init"]["sha256"] == checksum
    assert bundle.config["training"]["init"] == first.bundle.name
    start = read_bundle(first.bundle).metrics["cost"]["core_hours"]
    assert bundle.metrics["cost"]["start_core_hours"] == pytest.approx(start)
    card = (result.bundle / "README.md").read_text()
    assert f"as the policy `{first.bundle.name}` (sha256 of its weights: {checksum})" in card
    assert "to train the policy it starts as" in card
    assert str(first.folder.parent) not in card + json.dumps(bundle.config)


def test_a_run_goes_on_without_the_bundle(first: RunResult, tmp_path: Path) -> None:
    """Its checkpoint has all; a run that never came to one needs it."""
    copy = tmp_path / "copy"
    shutil.copytree(first.bundle, copy)
    config = going_on(first, tmp_path / "run").to_dict() | {"init": str(copy)}
    begun = train(TrainConfig.from_dict(config), export=False)
    copy.rename(tmp_path / "elsewhere")
    again = train(resumed_config(tmp_path / "run", steps=800), resume=True, export=False)
    assert again.steps >= 800
    assert again.history[: len(begun.history)] == begun.history
    shutil.rmtree(tmp_path / "run" / "checkpoint")
    with pytest.raises(InputError, match="no such bundle"):
        train(resumed_config(tmp_path / "run"), resume=True, export=False)


def test_a_bundle_that_changed_is_not_what_the_run_was_set_up_with(
    first: RunResult, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(first.bundle, copy)
    config = load_config("jobshop", "small", None, {"init": str(copy), "steps": 100})
    config = TrainConfig.from_dict({**config.to_dict(), "out": str(tmp_path / "run")})
    shutil.rmtree(copy)
    shutil.copytree(shipped_policy("jobshop", "default"), copy)
    with pytest.raises(InputError, match="has changed since the run was set up"):
        train(config, export=False)


def test_a_shipped_policy_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A folder of such a name is ./default; the rule of the preset doesn't count."""
    (tmp_path / "default").mkdir()
    monkeypatch.chdir(tmp_path)
    config = load_config("jobshop", "default", None, {"init": "default"})
    bundle = read_bundle(shipped_policy("jobshop", "default"))
    assert config.init == "default"
    assert config.network.linear_rule is None
    assert config.network.width == bundle.networks.width
    assert config.init_record["name"] == "default"
    with pytest.raises(InputError, match=r"default/config\.json: no such file"):
        load_config("jobshop", "default", None, {"init": "./default"})


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"network": {"width": 64}}, r"options: network.width: expected 8, as .* found 64"),
        ({"network": {"linear_rule": "x.json"}}, "network.linear_rule: expected none in a run"),
        ({"network": {"linear_scale": 2.0}}, "network.linear_scale: expected none in a run"),
        ({"simulator": {"delay_window": 0.5}}, r"simulator.delay_window: expected 0.17, as"),
        ({"simulator": {"delay_windw": 0.17}}, "unknown key 'simulator.delay_windw'; did you mean"),
        ({"network": {"width": 8}, "simulator": {"delay_window": 0.17}}, ""),
    ],
)
def test_contradictions_are_refused(
    first: RunResult, tmp_path: Path, changes: dict[str, Any], told: str
) -> None:
    """Whether an option or a file asks for them; what agrees is no contradiction."""
    given = {"init": str(first.bundle), **changes}
    if not told:
        load_config("jobshop", "default", None, given)
        return
    with pytest.raises(InputError, match=told):
        load_config("jobshop", "default", None, given)
    file = tmp_path / "mine.toml"
    tables = "".join(
        f"[{table}]\n{name} = {json.dumps(value)}\n"
        for table, values in changes.items()
        for name, value in values.items()
    )
    file.write_text(f'init = "{first.bundle}"\n{tables}')
    with pytest.raises(InputError, match=told.replace("options", "mine.toml")):
        load_config("jobshop", "default", file)


def test_bad_bundles_are_told_in_one_line(first: RunResult, tmp_path: Path) -> None:
    """Missing, damaged, of another domain, of other sizes than it says."""
    soc = shipped_policy("soc", "static")
    damaged, other = tmp_path / "damaged", tmp_path / "other"
    shutil.copytree(first.bundle, damaged)
    weights = damaged / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    shutil.copytree(first.bundle, other)
    document = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps({**document, "width": 9}))
    for path, told in (
        (tmp_path / "nowhere", "no such bundle"),
        (soc, "a bundle of domain 'soc', expected 'jobshop'"),
        (damaged, "damaged: its checksum differs"),
        (other, "expected the parameters of the sizes in its config.json"),
    ):
        config = TrainConfig("jobshop", steps=100, init=str(path), out=str(tmp_path / "run"))
        with pytest.raises(InputError, match=told) as caught:
            train(config, export=False)
        assert "\n" not in str(caught.value)
        assert not (tmp_path / "run").exists()


def test_relative_paths_start_at_the_file(first: RunResult, tmp_path: Path) -> None:
    """As those of instances do."""
    shutil.copytree(first.bundle, tmp_path / "mine" / "bundle")
    file = tmp_path / "mine" / "run.toml"
    file.write_text('init = "bundle"\n')
    assert load_config("jobshop", "small", file).init == str(tmp_path / "mine" / "bundle")


def test_the_average_starts_there_too(first: RunResult, tmp_path: Path) -> None:
    """Or the first validation would judge what nobody trained."""
    from graphsched.training.running.beginning import absolute, start_from_bundle

    run = Run(absolute(going_on(first, tmp_path / "run")), tmp_path / "run")
    start_from_bundle(run)
    params = read_bundle(first.bundle).networks.params
    for state in (run.model.policy.state_dict(), run.average.module.state_dict()):
        assert all(np.array_equal(state[name].numpy(), array) for name, array in params.items())
