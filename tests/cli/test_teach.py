"""`graphsched teach` from its words to a dataset, and the lines for what it refuses."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from graphsched.cli.main import main
from graphsched.envs.core.registry import get_domain
from graphsched.training.running.lock import alone_in
from graphsched.training.teaching.dataset import read_dataset

if TYPE_CHECKING:
    from pathlib import Path

QUICK = "teach jobshop --solver spt --instances uniform:3x3 --set delay_window=1.0"


def test_a_dataset_is_written_and_told_of(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "new" / "d"
    words = f"{QUICK} pilot_steps=5 --count 70 --out {out}"
    assert main(words.split()) == 0
    told = capsys.readouterr().out
    assert f"dataset: {out}" in told
    assert " spt " in told
    assert " 70 " in told
    jobshop = get_domain("jobshop")
    options = jobshop.options(delay_window=1.0, look_ahead="rules", pilot_steps=5)
    card, episodes = read_dataset(out, jobshop, options)
    assert [shard.episodes for shard in card.shards] == [60, 10]
    assert len(episodes) == 70
    files = {path.name: path.read_bytes() for path in out.iterdir()}
    assert main(words.split()) == 0
    assert f"{out} is finished already" in capsys.readouterr().out
    assert files == {path.name: path.read_bytes() for path in out.iterdir()}


def test_given_instances_weights_and_presets(tmp_path: Path) -> None:
    words = f"teach jobshop --solver spt --given ft06,la01-la02 --out {tmp_path / 'a'}"
    assert main(words.split()) == 0
    card = json.loads((tmp_path / "a" / "card.json").read_text())
    assert card["count"] == 3
    assert card["instances"].startswith("ft06,la01-la02 (SHA-256 ")
    kinds = "uniform:3x3=3,mixed:3x3-4x3"
    words = f"teach jobshop --solver tabu --time-limit 0.01 --instances {kinds} --count 2"
    assert main([*words.split(), "--out", str(tmp_path / "b")]) == 0
    card = json.loads((tmp_path / "b" / "card.json").read_text())
    assert (card["teacher"], card["time_limit_s"]) == ("tabu@0.01s", 0.01)
    assert card["instances"] == "uniform:3x3=3,mixed:3x3-4x3=1"
    words = f"teach soc --solver heft --preset static --count 2 --out {tmp_path / 'c'}"
    assert main(words.split()) == 0
    card = json.loads((tmp_path / "c" / "card.json").read_text())
    assert card["simulator"]["max_ready"] == 12
    assert card["instances"].startswith("random:10..50x3..16@0.001..12=0.5,")


def test_a_policy_teaches_itself(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = "teach soc --preset streaming --policy streaming --rollouts 3 --horizon 0.3 --count 2"
    assert main([*words.split(), "--instances", "ds3gym:0.5@100", "--out", str(tmp_path)]) == 0
    card = json.loads((tmp_path / "card.json").read_text())
    assert card["teacher"] == "rollouts"
    assert "3 candidates x 2 futures, horizon 0.3, 15% of decisions" in card["policy"]
    assert card["quality"]["noise_pct"] > 0.0
    told = capsys.readouterr().out
    assert "another is better" in told
    assert "noise" in told


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("jobshop --solver spt --count 0", "--count: expected 1 to"),
        ("jobshop", "--solver: expected a teacher, or --rollouts and a --policy"),
        ("jobshop --rollouts 3", "--rollouts: expected a --policy that is to be tried out"),
        ("jobshop --solver spt --rollouts 3 --policy fast", "--rollouts: excludes --solver"),
        ("jobshop --rollouts 1 --policy fast", "--rollouts: expected 2 to"),
        ("jobshop --rollouts 3 --policy fast --futures 0", "--futures: expected 1 to"),
        ("jobshop --rollouts 3 --policy fast --horizon 0", "--horizon: expected more than 0"),
        ("jobshop --rollouts 3 --policy fast --share 2", "--share: expected more than 0"),
        ("jobshop --solver tubu", "baseline 'tubu': not one of"),
        ("jobshop --solver spt --set delay_windo=1", "did you mean delay_window?"),
        ("jobshop --solver spt --set delay_window=7", "delay_window: expected a number in [0, 1]"),
        ("jobshop --solver spt --set delay_window", "expected KEY=VALUE"),
        ("jobshop --solver spt --preset nothing", "preset 'nothing'"),
        ("jobshop --solver spt --instances nothing:3", "no generator 'nothing'"),
        ("jobshop --solver spt --instances uniform:3x3=x", "--instances: expected different kinds"),
        ("jobshop --solver spt --instances uniform:3x3,uniform:3x3", "--instances: expected"),
        ("jobshop --solver spt --instances uniform:3x3=0", "--instances: expected"),
        ("jobshop --solver spt --given ft06 --instances uniform:3x3", "--given: excludes"),
        ("jobshop --solver spt --given ft06 --count 2", "at most the 1 given instances"),
        ("jobshop --solver spt --given nothing", "nothing"),
        ("jobshop --solver spt --time-limit 0", "--time-limit"),
        ("jobshop --solver spt --seed -1", "--seed"),
        ("batching --solver sarathi --preset routing", "solutions don't tell their decisions"),
        ("soc --solver met --preset streaming", "a stream"),
        ("memory --solver step-greedy --count 1", "expected a mapping that came of an order"),
        ("jobshop", "solver"),
        ("nothing --solver spt", "nothing"),
    ],
)
def test_bad_words(
    words: str, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line, status 2."""
    assert main(["teach", *words.split(), "--out", str(tmp_path / "d")]) == 2
    lines = [
        line
        for line in capsys.readouterr().err.strip().splitlines()
        if not line.startswith("compiling kernels")
    ]
    assert len(lines) == 1
    assert told in lines[0]


def test_folders_that_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Before anything is solved, and they stay as they were."""
    foreign, file = tmp_path / "foreign", tmp_path / "file"
    foreign.mkdir()
    (foreign / "notes.txt").write_text("mine")
    file.write_text("mine")
    dataset = tmp_path / "d"
    assert main(f"{QUICK} --count 2 --out {dataset}".split()) == 0
    for out, more, told in (
        (foreign, "", "not empty, and there is no dataset"),
        (file, "", "is a file; expected a folder"),
        (file / "below", "", "can't write there"),
        (dataset, "--seed 1", "card.json: seed: the dataset there has 0, asked for is 1"),
        (dataset, "pilot_steps=3", "simulator.pilot_steps: expected 3, found 120"),
    ):
        before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
        capsys.readouterr()
        options = more if "=" not in more else f"--set {more} delay_window=1.0"
        words = QUICK.replace(" --set delay_window=1.0", "") if "=" in more else QUICK
        assert main(f"{words} --count 2 --out {out} {options}".split()) == 2
        assert told in capsys.readouterr().err
        assert before == {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    out = tmp_path / "busy"
    out.mkdir()
    with alone_in(out):
        assert main(f"{QUICK} --count 2 --out {out}".split()) == 2
    assert "another teaching is writing there" in capsys.readouterr().err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_killed_one_goes_on(number: int, tmp_path: Path) -> None:
    """To the shards of one that nobody disturbed; an interrupt tells how."""
    out, whole = tmp_path / "a b", tmp_path / "whole"
    command = f"{QUICK.replace('3x3', '7x7')} --count 300 --out".split()
    process = subprocess.Popen(
        [sys.executable, "-m", "graphsched", *command, str(out)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        text=True,
    )
    try:
        for _ in range(3000):
            if (out / "shard-00001.json.gz").exists() or process.poll() is not None:
                break
            time.sleep(0.005)
        process.send_signal(number)
        _, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    begun = json.loads((out / "card.json").read_text())
    assert 1 <= len(begun["shards"]) < 5
    if number == signal.SIGINT:
        assert process.returncode == 130
        told = next(
            line for line in errors.splitlines() if line.startswith("stopped; go on with: ")
        )
        words = shlex.split(told.partition(": ")[2])
        assert words[:2] == ["graphsched", "teach"]
        assert main(words[1:]) == 0
    else:
        assert process.returncode == -9
        assert main([*command, str(out)]) == 0
    assert main([*command, str(whole)]) == 0
    shards = sorted(path.name for path in whole.glob("shard-*"))
    assert shards == sorted(path.name for path in out.glob("*shard-*"))
    for name in shards:
        assert (out / name).read_bytes() == (whole / name).read_bytes()
