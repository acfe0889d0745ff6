"""The demo does what a domain's presets say, and needs nothing else of the domain."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from graphsched.cli.commands.demo import read_plan
from graphsched.cli.main import main
from graphsched.envs.core.errors import InputError
from graphsched.envs.core.registry import get_domain
from graphsched.training.settings.config import load_config

if TYPE_CHECKING:
    from pathlib import Path

PRESETS = """
[train.demo]
steps = 600
instances = { "uniform:4x3" = 1.0 }
network = { width = 8, layers = 1, decoder_width = 8 }
ppo = { instances_per_rollout = 4, rollouts_per_instance = 4, num_minibatches = 2 }
validation = { count = 2, every = 0.5 }

[demo]
train = "demo"
instances = "ft06,uniform:4x3:n=2"
baselines = "spt,mwkr,cp-sat"
samples = "1,2"
time_limit = "0.1"
solve = "ft06"
"""


def test_the_job_shop_has_a_plan_that_can_be_carried_out() -> None:
    domain = get_domain("jobshop")
    plan = read_plan(domain)
    assert load_config("jobshop", plan.train).minutes is not None
    assert plan.instances == "ft06,la01-la05,ta01-ta10"


def test_a_plan_with_unknown_keys_is_bad_input(tmp_path: Path) -> None:
    presets = tmp_path / "presets.toml"
    domain = replace(get_domain("jobshop"), presets=presets)
    presets.write_text("[train]\n")
    with pytest.raises(InputError, match=r"no \[demo\] table"):
        read_plan(domain)
    presets.write_text('[demo]\nsolver = "x"\n')
    with pytest.raises(InputError, match="solver"):
        read_plan(domain)


@pytest.mark.slow
def test_the_whole_way_from_training_to_a_checked_solution(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    presets = tmp_path / "presets.toml"
    presets.write_text(PRESETS)
    domain = replace(get_domain("jobshop"), presets=presets)
    for place in ("cli.commands.demo", "training.settings.config"):
        monkeypatch.setattr(f"graphsched.{place}.get_domain", lambda _: domain)
    out = tmp_path / "out"
    assert main(["demo", "jobshop", "--out", str(out)]) == 0
    assert sorted(p.name for p in out.iterdir()) == [
        "policy",
        "report",
        "run",
        "solution.html",
        "solution.json",
    ]
    told = capfd.readouterr().out
    assert "feasible: ft06" in told
    assert f"The report: {out / 'report' / 'report.html'}" in told
