"""``graphsched tune --baseline`` writes settings that ``solve`` and ``eval`` take, or says why not."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from graphsched.cli.main import main
from graphsched.envs.batching import DOMAIN
from graphsched.envs.core.domain import SolverOptions
from graphsched.envs.core.specs import parse_instance
from graphsched.training.instances import VALIDATION_STREAM

if TYPE_CHECKING:
    from pathlib import Path

WORDS = ["tune", "batching", "--baseline", "sjf", "--count", "4", "--minutes", "1"]
SWEPT = {"budget": "128,512", "aging": "0,2"}  # the other knobs are held at their defaults
KNOBS = DOMAIN.baselines["sjf"].knobs
HELD = {n: SWEPT.get(n, json.dumps(k.default).strip('"')) for n, k in KNOBS.items()}


def _knobs(values: dict[str, str]) -> list[str]:
    return [word for name, told in values.items() for word in ("--knob", f"{name}={told}")]


@pytest.fixture(scope="module")
def tuned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of settings of SJF."""
    out = tmp_path_factory.mktemp("tuned") / "sjf.json"
    kinds = ["--instances", "tight:20@4,random:12@6"]
    assert main([*WORDS, *_knobs(HELD), *kinds, "--out", str(out)]) == 0
    return out


def _error(capsys: pytest.CaptureFixture[str]) -> str:
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1, lines
    return lines[0]


def test_the_best_settings_are_those_of_the_validation_streams(tuned: Path) -> None:
    """Costs derived anew, setting by setting, on instances drawn here."""
    found = json.loads(tuned.read_text())
    kinds = ("tight:20@4", "random:12@6")
    costs = []
    for row in found["table"]:
        solve = DOMAIN.baseline("sjf", SolverOptions(settings=row["settings"]))
        means = []
        for n, kind in enumerate(kinds):
            name, _, size = kind.partition(":")
            drawn = [
                DOMAIN.generators[name](np.random.default_rng([0, VALIDATION_STREAM, n, i]), size)
                for i in range(4)
            ]
            means.append(np.mean([DOMAIN.cost(i, solve(i)) for i in drawn]))
        costs.append(float(np.mean(means)))
    assert [row["mean_cost"] for row in found["table"]] == pytest.approx(costs, abs=1e-5)
    assert costs == sorted(costs)
    assert found["settings"] == found["table"][0]["settings"]
    assert (found["grid"], found["tried"], found["judged"]) == (4, 4, 8)
    assert found["instances"] == dict.fromkeys(kinds, 1.0)


def test_the_file_is_a_baseline(tuned: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """For solving, for evaluations, and as their reference."""
    spec = "tight:20@4:seed=3"
    assert main(["solve", "batching", spec, "--baseline", f"sjf:{tuned}", "--json"]) == 0
    cost = json.loads(capsys.readouterr().out)["cost"]
    settings = json.loads(tuned.read_text())["settings"]
    instance = parse_instance(DOMAIN, spec)
    told = DOMAIN.baseline("sjf", SolverOptions(settings=settings))(instance)
    assert cost == DOMAIN.cost(instance, told)
    words = ["eval", "batching", "--instances", spec, "--policy", "none"]
    assert main([*words, "--baselines", f"sjf,sjf:{tuned}"]) == 0
    assert "sjf.json" in capsys.readouterr().out
    assert main([*words, "--baselines", "sjf", "--reference", f"sjf:{tuned}"]) == 0


def test_a_rule_of_another_domain_is_tuned_without_a_line_for_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Knobs are data of a domain; the command knows none of them."""
    out = tmp_path / "rule.json"
    words = ["tune", "memory", "--baseline", "benefit-size", "--minutes", "1", "--count", "4"]
    assert main([*words, "--instances", "random", "--out", str(out)]) == 0
    found = json.loads(out.read_text())
    assert found["settings"].keys() == {"power"}
    assert found["objective"] in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("--baseline none", "baseline 'none'"),
        ("--baseline cem-linear", "has no knobs; those that have: "),
        ("--baseline sjf --minutes 0", "--minutes"),
        ("--baseline sjf --minutes nan", "--minutes"),
        ("--baseline sjf --instances tight:8 --minutes 1e-9", "--minutes: 1e-09 are not enough"),
        ("--baseline sjf --instances nothing", "nothing"),
        ("--baseline sjf --instances tight:8@x", "size '8@x'"),
        ("--baseline sjf --instances tight:8,", "--instances"),
        ("--baseline sjf --instances tight:8:seed=1", "size"),
        ("--baseline sjf --instances tight --count 1", "--count"),
        ("--baseline sjf --instances tight --seed -1", "--seed"),
        ("--baseline sjf --instances tight --knob budget", "--knob"),
        ("--baseline sjf --instances tight --knob budget=7000", "--knob budget"),
        ("--baseline sjf --instances tight --knob budget=x", "--knob budget"),
        ("--baseline sjf --instances tight --knob bugdet=128", "--knob 'bugdet'"),
        ("--baseline sjf --instances tight --knob budget=128 --knob budget=256", "a name once"),
        ("--baseline sjf --option budget=128", "--option: is for linear rules"),
        ("--baseline sjf --start x.json", "--start: is for linear rules"),
        ("--knob budget=128", "--knob: needs --baseline"),
        ("--instances tight", "--instances: needs --baseline"),
        ("--count 8", "--count: needs --baseline"),
        ("--baseline sjf", "preset 'default'"),
        ("--baseline sjf --instances tight --out .", "is a folder"),
        ("--baseline sjf --instances tight --out other.json", "holds no settings"),
        ("--baseline sjf --instances tight --out notes.txt", "holds no settings"),
    ],
)
def test_bad_words_are_one_line_and_leave_nothing(
    words: str,
    told: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Before the work, where that can be told before it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "other.json").write_text('{"weights": {}}')
    (tmp_path / "notes.txt").write_text("notes")
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    capsys.readouterr()
    assert main(["tune", "batching", *words.split()]) == 2
    assert told in _error(capsys)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_files_and_folders_are_tuned_on_as_they_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """All of a folder's instances; a single one tells nothing."""
    for k in range(3):
        made = DOMAIN.generators["tight"](np.random.default_rng(k), "12@4")
        (tmp_path / f"i{k}.json").write_text(json.dumps(made.to_json()))
    out = tmp_path / "out" / "sjf.json"
    words = [*WORDS, *_knobs(HELD), "--out", str(out)]
    assert main([*words, "--instances", f"{tmp_path}/i0.json"]) == 2
    assert "expected 2 instances at least" in _error(capsys)
    assert not out.parent.exists()
    assert main([*words, "--instances", f"json@{tmp_path}"]) == 0
    assert json.loads(out.read_text())["judged"] == 3


def test_one_setting_alone_is_no_choice(capsys: pytest.CaptureFixture[str]) -> None:
    """Every knob held fast."""
    held = {**HELD, "budget": "128", "aging": "0"}
    assert main([*WORDS, *_knobs(held), "--instances", "tight:8"]) == 2
    assert "expected two settings at least" in _error(capsys)


def test_benchmarks_are_not_tuned_on(capsys: pytest.CaptureFixture[str]) -> None:
    """Results are told of them."""
    name = next(iter(DOMAIN.library.sets))
    assert main([*WORDS, "--instances", name]) == 2
    assert "benchmark" in _error(capsys)


@pytest.mark.parametrize(
    ("change", "told"),
    [({"baseline": "srtf"}, "baseline"), ({"settings": {"budget": -1}}, "settings.budget")],
)
def test_a_file_that_does_not_fit_is_one_line(
    tuned: Path,
    tmp_path: Path,
    change: dict[str, Any],
    told: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """For `solve` and for `eval`."""
    path = tmp_path / "s.json"
    path.write_text(json.dumps({**json.loads(tuned.read_text()), **change}))
    capsys.readouterr()
    assert main(["solve", "batching", "toy", "--baseline", f"sjf:{path}"]) == 2
    assert told in _error(capsys)
    words = ["eval", "batching", "--policy", "none", "--instances", "toy"]
    assert main([*words, "--baselines", f"sjf:{path}"]) == 2
    assert told in _error(capsys)
