"""``graphsched train`` on one's own instances and from a bundle, as it is typed."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import numpy as np
import pytest

from graphsched.agents.bundles.bundle import read_bundle
from graphsched.cli.arguments import parse
from graphsched.cli.commands.train import TrainArguments, _config
from graphsched.cli.main import main
from graphsched.envs.core.errors import InputError
from graphsched.envs.jobshop import DOMAIN
from tests.training.runs import without_onnx

if TYPE_CHECKING:
    from pathlib import Path

    from graphsched.training.settings.config import TrainConfig

TINY = [
    *("--set", "network.width=8", "network.layers=1", "network.decoder_width=8"),
    *("ppo.instances_per_rollout=2", "ppo.rollouts_per_instance=2", "ppo.num_minibatches=1"),
    *("validation.every=0.5", "validation.samples=0"),
]


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A folder of thirty small instances."""
    folder = tmp_path / "own"
    folder.mkdir()
    for i in range(30):
        instance = DOMAIN.generators["uniform"](np.random.default_rng(i), "4x3")
        (folder / f"{i}.json").write_text(json.dumps(instance.to_json()))
    return folder


def config_of(*words: str) -> TrainConfig:
    """The configuration that a command line makes."""
    return _config(parse(TrainArguments, ["jobshop", "--steps", "9", *words], "train"))


def test_words_with_weights(own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In place of the preset's instances, of its stages and of its validation's."""
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "mine.toml"
    file.write_text('[[curriculum]]\nstart = 0.5\ninstances = { "uniform:4x4" = 1 }\n')
    words = ["--config", str(file), "--instances", "own=2", "la:10x5,ft06", "uniform:4x4=0.5"]
    config = config_of(*words, "--instances", "own/1.json", "--preset", "default")
    assert config.instances == {
        str(own): 2.0,
        "la:10x5": 1.0,
        "ft06": 1.0,
        "uniform:4x4": 0.5,
        str(own / "1.json"): 1.0,
    }
    assert config.validation.instances == {}
    assert config.curriculum == ()
    assert config.validation.count == 200  # the preset's, as all else


def test_a_file_with_an_equals_sign_in_its_name(own: Path) -> None:
    """Is given a weight; one that no number follows needs none."""
    odd = own / "a=b.json"
    odd.write_text((own / "1.json").read_text())
    assert config_of("--instances", str(odd)).instances == {str(odd): 1.0}
    assert config_of("--instances", f"{odd}=3").instances == {str(odd): 3.0}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            ["--instances", "uniform:4x4:n=8"],
            "--instances 'uniform:4x4:n=8': expected GENERATOR:SIZE",
        ),
        (["--instances", "uniforn:4x4"], "did you mean uniform"),
        (["--instances", "ft06"], "name others for validation"),
        (["--instances", "ft06=-1"], "instances: expected weights >= 0"),
        (["--instances", "ft06=nan"], "instances.ft06: expected a finite number"),
        (["--instances", "./nowhere"], "nowhere: no such file or folder"),
        (
            ["--instances", "ft06", "--set", "validation.instances={}"],
            "--instances: expected no --set",
        ),
        (["--instances", "ft06,,"], "expected names separated by single commas"),
        (["--instances", "ft06", "--set", "validation=3"], "--set validation: expected a table"),
        (["--init", "nowhere"], "policy 'nowhere': no such bundle"),
        (
            ["--init", "default", "--set", "network.width=7"],
            "network.width: expected 8, as default",
        ),
        (["--resume", "--init", "default"], "--init: can't change in a run that goes on"),
        (["--resume", "--instances", "ft06"], "--instances: can't change in a run that goes on"),
        (
            ["--instances", "la", "--set", "validation.held_out=1.0"],
            "held_out: expected a share in",
        ),
    ],
)
def test_mistakes_are_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], told: str
) -> None:
    """Before anything is written."""
    out = tmp_path / "run"
    assert main(["train", "jobshop", "--quiet", "--steps", "50", *words, "--out", str(out)]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1, lines
    assert told in lines[0]
    assert not out.exists()


def test_from_one_s_own_files_to_a_bundle_and_on(
    own: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Counts, errors and the verdict are printed; the second run starts from the first's bundle."""
    words = ["train", "jobshop", "--quiet", "--steps", "200", "--instances", str(own)]
    without_onnx(monkeypatch)
    first = tmp_path / "first"
    assert main([*words, "--preset", "small", *TINY, "--out", str(first)]) == 0
    out, err = capsys.readouterr()
    assert re.search(r"files and the library: \d+ for training, \d+ for validation only", err)
    assert re.search(r"^validation gap \d+\.\d\d ± \d+\.\d\d%, best rule", out, re.MULTILINE)
    assert re.search(r"start|instances", out)
    assert main(["export", str(first), "--out", str(tmp_path / "exported")]) == 0
    assert re.search(r"validation gap \d+\.\d\d ± \d+\.\d\d%, policy", capsys.readouterr().out)
    second = tmp_path / "second"
    bundle = str(tmp_path / "exported")
    few = ["--set", "ppo.instances_per_rollout=2", "ppo.rollouts_per_instance=2"]
    assert main([*words, "--preset", "small", *few, "--init", bundle, "--out", str(second)]) == 0
    rows = [json.loads(row) for row in (second / "metrics.jsonl").read_text().splitlines()]
    assert rows[0]["gap_pct"] == read_bundle(bundle).metrics["validation"]["gap_pct"]


def test_a_folder_without_instances(tmp_path: Path) -> None:
    """Is named."""
    (tmp_path / "empty").mkdir()
    from graphsched.training.own import own_pools

    config = config_of("--instances", str(tmp_path / "empty"))
    with pytest.raises(InputError, match="empty: expected a folder with instances, found no file"):
        own_pools(DOMAIN, config)
