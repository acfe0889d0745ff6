"""What ``from graphsched import ...`` offers, and what of it works without the extras."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import gymnasium
import numpy as np
import pytest

import graphsched
from graphsched.cli.main import main
from graphsched.envs.core import extras
from graphsched.envs.core.errors import InputError
from graphsched.envs.jobshop.instance import JobShopInstance

ROOT = Path(__file__).parents[1]
SHOP = "random:4x3:seed=1"


def test_every_name_is_there_and_no_other() -> None:
    for name in graphsched.__all__:
        assert getattr(graphsched, name) is not None
    assert set(graphsched.__all__) <= set(dir(graphsched))
    with pytest.raises(AttributeError, match="nothing"):
        _ = graphsched.nothing


def test_a_policy_and_a_baseline_solve() -> None:
    domain = graphsched.get_domain("jobshop")
    by_rule = graphsched.solve("jobshop", "ft06", baseline="mwkr")
    by_policy = graphsched.solve(domain, domain.library.load("ft06"), samples=2, seed=1)
    policy = graphsched.load_policy(domain="jobshop")
    assert graphsched.solve("jobshop", "ft06", policy=policy).makespan >= by_policy.makespan
    assert domain.check(domain.library.load("ft06"), by_rule) == []


def test_an_evaluation_holds_them_against_each_other(tmp_path: Path) -> None:
    document = graphsched.evaluate(
        "jobshop",
        "random:3x3:n=2",
        policies=["default"],
        baselines=["spt", "mwkr"],
        out=tmp_path / "r",
    )
    assert {row["solver"] for row in document["rows"]} == {"policy default", "spt", "mwkr"}
    assert (tmp_path / "r" / "report.html").exists()


def test_numpy_scalars_do_where_pythons_are_expected(tmp_path: Path) -> None:
    seed, samples = np.int64(3), np.int32(2)
    by_numpy = graphsched.solve("jobshop", SHOP, samples=samples, seed=seed)  # type: ignore[arg-type]
    assert by_numpy.makespan == graphsched.solve("jobshop", SHOP, samples=2, seed=3).makespan
    limits = np.array([0.01])
    document = graphsched.evaluate(
        "jobshop",
        "random:3x3:n=2",
        baselines=["spt", "tabu"],
        seeds=np.arange(2),  # type: ignore[arg-type]
        samples=samples,  # type: ignore[arg-type]
        time_limits_s=limits,  # type: ignore[arg-type]
        out=tmp_path / "r",
    )
    assert {row["seed"] for row in document["rows"]} == {0, 1}
    env = gymnasium.make("graphsched:JobShop-v0")
    assert env.reset(seed=seed)[1]["elapsed"] == 0.0  # type: ignore[arg-type]
    jobs = np.array([[[0, 3], [1, 2]], [[1, 4], [0, 1]]])
    shop = JobShopInstance.from_jobs("a", jobs)  # type: ignore[arg-type]
    assert json.loads(json.dumps(shop.to_json()))["jobs"] == jobs.tolist()


def test_a_suite_is_evaluated_by_its_words(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('policy = "none"\nbaselines = "spt"\n[shifts]\n"tiny" = "random:2x2:n=2"\n')
    document = graphsched.evaluate("jobshop", suite=file)
    assert document["suite"] == "mine"
    assert [(row["solver"], row["group"]) for row in document["rows"]] == [("spt", "tiny")] * 2
    with pytest.raises(InputError, match="instances or a suite"):
        graphsched.evaluate("jobshop")


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ({"policy": "default", "baseline": "spt"}, "--policy and --baseline"),
        ({"policy": "nowhere"}, "nowhere"),
        ({"baseline": "nothing"}, "nothing"),
    ],
)
def test_what_does_not_fit_is_named(words: dict[str, str], names: str) -> None:
    with pytest.raises(InputError, match=names):
        graphsched.solve("jobshop", SHOP, **words)  # type: ignore[arg-type]


def test_one_instance_is_expected() -> None:
    with pytest.raises(InputError, match="expected one instance, found several"):
        graphsched.solve("jobshop", "random:3x3:n=2", baseline="spt")


def test_the_facade_imports_no_torch() -> None:
    code = (
        "import sys, graphsched; from graphsched import evaluate, get_domain, load_policy, solve;"
        f"graphsched.solve('jobshop', {SHOP!r});"
        "sys.exit(not {'torch', 'stable_baselines3', 'matplotlib', 'jinja2'}"
        ".isdisjoint(sys.modules))"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_every_module_of_an_extra_is_known() -> None:
    """The table of modules follows pyproject.toml."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = {"anrg-saga": "saga"}  # the only module not called like what is installed
    tools = ("all", "dev")
    wanted = {
        named.get(name := requirement.split(">=")[0], name.replace("-", "_")): extra
        for extra, requirements in project["optional-dependencies"].items()
        for requirement in requirements
        if extra not in tools
    }
    assert wanted == extras.EXTRAS


@pytest.mark.parametrize(
    ("words", "extra"),
    [
        (["train", "jobshop"], "train"),
        (["export", "run", "--out", "bundle"], "train"),
        (["demo"], "train"),
        (["eval", "jobshop", "--instances", "ft06", "--out", "r"], "report"),
        (["solve", "jobshop", "ft06", "--gantt", "a.png"], "report"),
        (["solve", "jobshop", "ft06", "--baseline", "cp-sat"], "solvers"),
    ],
)
def test_a_command_without_its_extra_names_it_and_writes_nothing(
    words: list[str],
    extra: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(extras, "find_spec", lambda name: None)
    assert main(words) == 2
    said = capsys.readouterr().err
    assert f"pip install 'graphsched[{extra}]'" in said
    assert said.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
