"""The command line answers, writes whole files, and says in one line what is wrong."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from graphsched import __version__
from graphsched.cli import main as cli
from graphsched.cli.main import main
from graphsched.envs.core.errors import InputError
from graphsched.envs.core.registry import get_domain

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TWO_JOBS = "2 2\n0 3 1 2\n1 4 0 1\n"


def _error(capsys: pytest.CaptureFixture[str]) -> str:
    """The only line on the standard error stream, without its beginning."""
    output = capsys.readouterr()
    lines = output.err.splitlines()
    assert len(lines) == 1, output.err
    assert lines[0].startswith("graphsched: error: ")
    return lines[0].removeprefix("graphsched: error: ")


@pytest.fixture
def instance(tmp_path: Path) -> str:
    """A file with two jobs on two machines."""
    path = tmp_path / "two.txt"
    path.write_text(TWO_JOBS)
    return str(path)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A small policy with random weights, in a folder called ``tiny``."""
    from graphsched.agents.bundles.bundle import write_bundle
    from graphsched.agents.bundles.export import networks
    from graphsched.training.model import build_policy
    from tests.training.runs import small_config

    path = tmp_path_factory.mktemp("bundles") / "tiny"
    domain = get_domain("jobshop")
    policy = build_policy(small_config(path, network={"layers": 1}), domain)
    curve = [
        {"minutes": m, "steps": 1, "gap_pct": 9.0, "best_rule_gap_pct": 12.0} for m in (0.0, 1.0)
    ]
    write_bundle(path, domain, networks(policy.encoder, policy.decoder), metrics={"curve": curve})
    return str(path)


def test_help_and_version_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    told = capsys.readouterr().out
    assert all(f"\n  {name} " in told for name in cli.COMMANDS)
    assert main(["--version"]) == 0
    assert __version__ in capsys.readouterr().out
    assert main(["solve", "--help"]) == 0
    assert "--baseline" in capsys.readouterr().out
    assert main([]) == 2


def test_list_tells_of_every_domain(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["schema"] == 1
    (shop,) = [d for d in document["domains"] if d["name"] == "jobshop"]
    assert shop["sets"]["taillard"] == 80
    assert {"name", "summary", "is_rule", "is_exact", "knobs"} == set(shop["baselines"][0])
    assert main(["list"]) == 0
    page = capsys.readouterr().out
    assert "taillard (80)" in page
    assert all(b["summary"] in page for b in shop["baselines"])
    assert all(summary in page for summary in shop["improvers"].values())


def test_a_solution_is_solved_written_drawn_and_checked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "new" / "solution.json"
    words = ["solve", "jobshop", "ft06", "--baseline", "mwkr", "--out", str(out), "--json"]
    for suffix in ("html", "png", "txt"):
        assert main([*words, "--gantt", str(tmp_path / f"gantt.{suffix}")]) == 0
    facts = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert facts["schema"] == 1
    assert (facts["domain"], facts["instance"], facts["solver"]) == ("jobshop", "ft06", "mwkr")
    assert facts["cost"] >= facts["best_known"] == 55 >= facts["lower_bound"] > 0
    assert facts["feasible"] is True
    assert (tmp_path / "gantt.html").read_text().startswith("<!doctype html>")
    assert (tmp_path / "gantt.png").read_bytes().startswith(b"\x89PNG")
    assert "machine 0" in (tmp_path / "gantt.txt").read_text()
    assert main(["check", "jobshop", "ft06", str(out)]) == 0
    assert f"makespan {facts['cost']:g}" in capsys.readouterr().out


def test_check_lists_every_violation(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "solution.json"
    assert main(["solve", "jobshop", "ft06", "--baseline", "spt", "--out", str(out)]) == 0
    document = json.loads(out.read_text())
    document["makespan"] = 1
    document["operations"][3]["end"] += 1
    out.write_text(json.dumps(document))
    capsys.readouterr()
    assert main(["check", "jobshop", "ft06", str(out)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("makespan: ") for line in lines)
    assert any(line.startswith("duration: ") for line in lines)
    assert main(["check", "jobshop", "ft06", str(out), "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["feasible"] is False
    assert len(told["violations"]) == len(lines)


def test_a_policy_solves_however_it_is_decoded(
    bundle: str, instance: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["solve", "jobshop", instance, "--policy", bundle, "--json"]
    costs = {}
    for options in ("", "--samples 4", "--beam 2", "--symmetry reverse", "--time-limit 0.05"):
        assert main([*words, *options.split()]) == 0
        facts = json.loads(capsys.readouterr().out)
        costs[facts["solver"]] = facts["cost"]
    known = [
        "policy tiny",
        "policy tiny@4",
        "policy tiny@beam2",
        "policy tiny+reverse",
        "policy tiny@0.05s",
    ]
    assert list(costs) == known
    assert costs["policy tiny@4"] <= costs["policy tiny"]


def test_a_bundle_may_have_any_name(
    bundle: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A folder's name isn't read as a word: nothing in it is a number of samples or a view."""
    odd = tmp_path / "run+1@2&3>4"
    shutil.copytree(bundle, odd)
    assert main(["solve", "jobshop", "ft06", "--policy", str(odd), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["solver"] == f"policy {odd.name}"
    words = ["eval", "jobshop", "--instances", "ft06", "--baselines", "none", "--beam", "2"]
    assert main([*words, "--policy", str(odd)]) == 0
    told = capsys.readouterr().out
    assert f"policy {odd.name} " in told
    assert f"policy {odd.name}@beam2" in told


def test_a_beam_keeps_to_the_limit_and_does_not_sample(
    bundle: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["solve", "jobshop", "ta71", "--policy", bundle, "--beam", "64", "--json"]
    assert main([*words, "--time-limit", "0.001"]) == 0
    cut = json.loads(capsys.readouterr().out)
    assert cut["solver"].endswith("@beam64@0.001s")
    assert main(["solve", "jobshop", "ta71", "--policy", bundle, "--json"]) == 0
    assert cut["cost"] == json.loads(capsys.readouterr().out)["cost"]  # the greedy rollout's
    assert main([*words, "--samples", "4"]) == 2
    assert "samples: expected 1 with a beam, found 4" in capsys.readouterr().err


def test_eval_of_a_suite_tells_where_a_policy_stops_to_help(
    bundle: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The words of the suite hold where the command line says nothing else."""
    file, out = tmp_path / "mine.toml", tmp_path / "report"
    shifts = '"small" = "uniform:3x3:n=10"\n"wide" = "uniform:2x5:n=10"\n'
    file.write_text(f'policy = "{bundle}"\nbaselines = "spt,mwkr"\n[shifts]\n{shifts}')
    assert main(["eval", "jobshop", "--suite", str(file), "--out", str(out)]) == 0
    told = capsys.readouterr().out
    assert "suite mine: mean gap, %, where policy tiny helps" in told
    assert all(label in told for label in ("small", "wide"))
    document = json.loads((out / "report.json").read_text())
    assert document["suite"] == "mine"
    assert [s["name"] for s in document["solvers"]] == ["policy tiny", "spt", "mwkr"]
    assert {row["group"] for row in document["rows"]} == {"small", "wide"}
    assert "Where it stops to help" in (out / "report.html").read_text()
    assert main(["eval", "jobshop", "--suite", str(file), "--baselines", "lpt"]) == 0
    assert "mwkr" not in capsys.readouterr().out


def test_eval_tunes_the_temperature_of_whoever_samples(bundle: str, tmp_path: Path) -> None:
    """Of the policy and of the rule, on other instances, and the report says so."""
    words = f"eval jobshop --policy {bundle} --samples 2 --instances ft06 --baselines mwkr@2,spt"
    words += f" --tune-temperature uniform:3x3:n=2 --out {tmp_path / 'report'}"
    assert main(words.split()) == 0
    document = json.loads((tmp_path / "report" / "report.json").read_text())
    summaries = {solver["name"]: solver["summary"] for solver in document["solvers"]}
    assert "as tuned" in summaries["policy tiny@2"]
    assert "as tuned" in summaries["mwkr@2"]
    assert "as tuned" not in summaries["spt"]


def test_eval_writes_a_report(
    bundle: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "report"
    words = f"eval jobshop --policy {bundle} --instances ft06,uniform:4x3 --out {out}"
    words += " --baselines rules,mwkr@4,cp-sat --samples 1,2 --symmetry none,reverse"
    words += " --time-limit 0.1 --seed 0,1"
    assert main(words.split()) == 0
    told = capsys.readouterr()
    document = json.loads((out / "report.json").read_text())
    names = [solver["name"] for solver in document["solvers"]]
    assert names[:4] == [
        "policy tiny@0.1s",
        "policy tiny+reverse@0.1s",
        "policy tiny@2@0.1s",
        "policy tiny@2+reverse@0.1s",
    ]
    assert {"cp-sat@0.1s", "mwkr@4@0.1s"} <= set(names)
    assert len(document["rows"]) == len(names) * 2 * 2
    assert all(row["feasible"] for row in document["rows"])
    assert document["gap_reference"] == {"best_known": 1, "lower_bound": 1}
    assert all(s["ms_per_decision"] > 0 for s in document["summary"] if "policy" in s["solver"][:6])
    page = (out / "report.html").read_text()
    assert "How policy tiny learned" in page
    assert "srcdoc=" in page
    assert all(name in told.out for name in names)
    assert str(out / "report.html") in told.out


def test_eval_needs_no_policy_and_no_folder(capsys: pytest.CaptureFixture[str]) -> None:
    words = "eval jobshop --policy none --instances ft06 --baselines spt,mwkr"
    assert main(words.split()) == 0
    assert "Mwkr comes closest" in capsys.readouterr().out


def test_eval_measures_against_a_solver_and_shows_further_measures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = "eval soc --policy none --instances ds3gym:0.5@300:n=2 --baselines met,etf"
    assert main([*words.split(), "--reference", "met", "--out", str(tmp_path / "report")]) == 0
    told = capsys.readouterr().out
    assert "oldest unfinished" in told
    document = json.loads((tmp_path / "report" / "report.json").read_text())
    assert document["gap_reference"] == {"met": 2}
    gaps = {row["solver"]: row["gap_pct"] for row in document["rows"]}
    assert gaps["met"] == 0.0
    assert gaps["etf"] != 0.0
    page = (tmp_path / "report" / "report.html").read_text()
    assert "the cost of met on 2 instances" in page
    assert "oldest unfinished" in page
    assert main([*words.split(), "--reference", "nothing"]) == 2
    assert "'nothing'" in _error(capsys)


def test_a_reference_runs_to_its_end_beside_contenders_with_limits(tmp_path: Path) -> None:
    """So that every time limit is measured against the same costs."""
    words = "eval soc --policy none --instances random:8x3@1:n=2 --baselines local-search"
    words += f" --time-limit 0.02,0.04 --reference heft --out {tmp_path}"
    assert main(words.split()) == 0
    document = json.loads((tmp_path / "report.json").read_text())
    assert [(s["name"], s["time_limit_s"]) for s in document["solvers"]] == [
        ("local-search@0.02s", 0.02),
        ("local-search@0.04s", 0.04),
        ("heft", None),
    ]
    assert document["gap_reference"] == {"heft": 2}
    assert all(row["gap_pct"] <= 0 for row in document["rows"])


def test_the_shipped_policy_fits_the_instance(capsys: pytest.CaptureFixture[str]) -> None:
    for instance, name in (("top", "static"), ("ds3gym:0@100", "streaming")):
        assert main(["solve", "soc", instance, "--json"]) == 0
        facts = json.loads(capsys.readouterr().out)
        assert facts["solver"] == f"policy {name}"
        assert facts["feasible"]
    assert main(["eval", "soc", "--instances", "top,ds3gym:0@100", "--baselines", "heft"]) == 2
    assert "different policies (static, streaming)" in _error(capsys)


def test_an_infeasible_solver_is_reported_loudly(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = get_domain("jobshop")

    def make(options: Any) -> Callable[[Any], Any]:
        solve = honest.baseline("spt", options)
        return lambda instance: replace(solve(instance), makespan=1)

    spt = replace(honest.baselines["spt"], make=make)
    liar = replace(honest, baselines={**honest.baselines, "spt": spt})
    for command in ("solve", "evaluate"):
        monkeypatch.setattr(f"graphsched.cli.commands.{command}.get_domain", lambda _: liar)
    assert main(["solve", "jobshop", "ft06", "--baseline", "spt"]) == 1
    assert "infeasible: makespan" in capsys.readouterr().err
    words = f"eval jobshop --policy none --instances ft06 --baselines spt,lpt --out {tmp_path}"
    assert main(words.split()) == 1
    assert "INFEASIBLE: spt on ft06, seed 0: makespan" in capsys.readouterr().err
    assert "broke the rules" in (tmp_path / "report.html").read_text()


def test_bench_prints_metrics_of_the_simulator(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "jobshop", "--json", "--seconds", "0.05", "--simulator-only"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["schema"], document["domain"]) == (1, "jobshop")
    assert document["metrics"]["simulator_steps_per_cpu_s_b64"] > 0
    assert document["machine"]["cores"] >= 1
    assert main(["bench", "jobshop", "--seconds", "0.05", "--simulator-only"]) == 0
    assert "simulator_steps_per_cpu_s_b1" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("evl", "did you mean eval?"),
        ("frobnicate", "not one of list"),
        ("solve", "DOMAIN"),
        ("solve jobshop", "INSTANCE"),
        ("solve jopshop ft06", "domain 'jopshop'"),
        ("solve jobshop ft99", "'ft99'"),
        ("solve jobshop taillard", "expected one instance, found several"),
        ("solve jobshop no/such/file", "no such file"),
        ("solve jobshop ft06 --baseline best", "baseline 'best'"),
        ("solve jobshop ft06 --baseline spt --policy x", "found both"),
        ("solve jobshop ft06 --baseline spt --samples 0", "--samples"),
        ("solve jobshop ft06 --baseline spt --samples two", "--samples"),
        ("solve jobshop ft06 --baseline spt --seed -1", "--seed"),
        ("solve jobshop ft06 --baseline spt --time-limit nan", "--time-limit"),
        ("solve jobshop ft06 --baseline spt --beam 2", "is for policies"),
        ("solve jobshop ft06 --baseline spt --rollouts 2", "are for policies"),
        ("solve jobshop ft06 --improve tabu --rollouts 2", "is for policies"),
        ("solve jobshop ft06 --baseline spt --symmetry mirror", "symmetry 'mirror'"),
        ("solve jobshop ft06 --baseline spt --gantt x.pdf", ".html, .png, .txt"),
        ("solve jobshop ft06 --baseline spt --sampels 2", "--sampels"),
        ("solve jobshop ft06 --policy no-such-bundle", "no such bundle, and not one of default"),
        ("eval jobshop", "--instances"),
        ("eval jobshop --suite robustness --instances ft06", "expected one of them, found both"),
        ("eval jobshop --suite robust", "expected one of robustness, or a TOML file"),
        ("eval jobshop --instances ft06 --tune-temperature nothing", "nothing"),
        ("eval jobshop --policy none --instances ft06 --baselines none", "found neither"),
        ("eval jobshop --policy none --instances ft06 --baselines spt,", "Spt"),
        ("eval jobshop --policy none --instances ft06 --baselines spt@0", "'spt@0'"),
        ("eval jobshop --policy none --instances ft06 --seed a", "--seed"),
        ("eval jobshop --policy none --instances ft06 --time-limit 0", "--time-limit"),
        ("eval jobshop --policy none --instances ft06 --workers 0", "--workers"),
        ("check jobshop ft06 no-such.json", "no-such.json"),
        ("export no-such-run --out x", "no-such-run"),
        ("bench no-such-domain", "no-such-domain"),
        ("demo no-such-domain", "no-such-domain"),
    ],
)
def test_bad_words_end_in_one_line_and_status_2(
    words: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if words.endswith(","):  # a blank word is none
        assert main(words.split()) == 0
        assert told in capsys.readouterr().out
        return
    assert main(words.split()) == 2
    assert told in _error(capsys)


@pytest.mark.parametrize("content", ["", "[", "{}", "[]", '{"operations": [1]}', "\x00\x01"])
def test_what_is_no_solution_is_bad_input(
    content: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "solution.json"
    path.write_text(content)
    assert main(["check", "jobshop", "ft06", str(path)]) == 2
    assert str(path) in _error(capsys)


def test_a_damaged_bundle_is_bad_input(
    bundle: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import shutil

    broken = tmp_path / "broken"
    shutil.copytree(bundle, broken)
    (broken / "decoder.onnx").write_bytes(b"nothing")
    assert main(["solve", "jobshop", "ft06", "--policy", str(broken)]) == 2
    assert "decoder.onnx: damaged" in _error(capsys)
    assert main(["solve", "jobshop", "ft06", "--policy", bundle, "--symmetry", "mirror"]) == 2
    assert "symmetry 'mirror'" in _error(capsys)


def test_places_are_checked_before_the_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    out = str(tmp_path / "file" / "out")
    monkeypatch.setattr("graphsched.envs.core.domain.Domain.baseline", _must_not_run)
    assert main(["solve", "jobshop", "ft06", "--baseline", "spt", "--out", out]) == 2
    assert "can't write there" in _error(capsys)
    assert main(["solve", "jobshop", "ft06", "--baseline", "spt", "--gantt", f"{out}.png"]) == 2
    assert "can't write there" in _error(capsys)


def _must_not_run(*_: object) -> None:
    raise AssertionError("the work began")


@pytest.mark.parametrize(
    ("raised", "status", "told"),
    [
        (InputError("field", "is\nbad"), 2, "graphsched: error: field: is bad"),
        (PermissionError(13, "Permission denied", "/x"), 2, "/x: Permission denied"),
        (OSError("no space"), 2, "no space"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (SystemExit(2), 2, ""),
        (SystemExit(None), 0, ""),
    ],
)
def test_errors_become_a_status_and_a_line(
    raised: BaseException,
    status: int,
    told: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(words: list[str]) -> int:
        raise raised

    monkeypatch.setattr(cli, "_run", fail)
    assert main(["list"]) == status
    error = capsys.readouterr().err
    assert told in error
    assert len(error.splitlines()) <= 1


def test_commands_of_a_domain_are_found(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def extract(words: object) -> int:
        print("extracting", words)
        return 7

    domain = replace(get_domain("jobshop"), commands={"extract": extract})
    monkeypatch.setattr("graphsched.envs.core.registry.get_domain", lambda _: domain)
    assert main(["extract", "jobshop", "a", "--b"]) == 7
    assert capsys.readouterr().out == "extracting ['a', '--b']\n"
    assert main(["extract", "elsewhere"]) == 2


def test_commands_that_need_no_torch_import_none() -> None:
    code = "import sys; from graphsched.cli.main import main; status = main(sys.argv[1:]); "
    code += "assert 'torch' not in sys.modules, 'torch was imported'; sys.exit(status)"
    for words in ("list", "solve jobshop ft06 --baseline spt", "bench --help"):
        command = [sys.executable, "-c", code, *words.split()]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
