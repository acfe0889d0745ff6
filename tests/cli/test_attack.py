"""`graphsched attack` from its words to a gallery whose instances can be named again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from graphsched.cli.main import main

if TYPE_CHECKING:
    from pathlib import Path

QUICK = "--size 6x2@1 --draws 2 --steps 6 --restarts 2"


def test_an_attack_writes_a_gallery_that_eval_reads(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "gallery"
    words = f"attack soc --solver minmin --against heft {QUICK} --out {out}"
    assert main(words.split()) == 0
    told = capsys.readouterr().out
    facts = json.loads((out / "attack.json").read_text())
    assert len(facts["instances"]) == 2
    scores = [found["score"] for found in facts["instances"]]
    assert scores == sorted(scores, reverse=True)
    assert all(found["file"] in told for found in facts["instances"])
    words = f"eval soc --policy none --instances {out / 'instances'} --baselines minmin,heft"
    assert main([*words.split(), "--out", str(tmp_path / "again")]) == 0
    rows = json.loads((tmp_path / "again" / "report.json").read_text())["rows"]
    costs = {(row["instance"], row["solver"]): row["cost"] for row in rows}
    for k, found in enumerate(facts["instances"], start=1):
        name = f"soc-attack-{k}"
        assert costs[name, "minmin"] == pytest.approx(found["cost"])
        assert costs[name, "heft"] == pytest.approx(found["cost_against"])
        assert found["score"] == pytest.approx(found["cost"] / found["cost_against"])


def test_the_same_seed_finds_the_same(tmp_path: Path) -> None:
    for name in ("one", "two"):
        words = f"attack soc --solver minmin --against heft {QUICK} --out {tmp_path / name}"
        assert main(words.split()) == 0
    first, second = (tmp_path / name / "instances" / "01.json" for name in ("one", "two"))
    assert first.read_text() == second.read_text()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("--solver heft --against heft", "--against: expected another solver"),
        ("--solver heft --against nothing", "nothing"),
        ("--solver heft --against peft --draws 0", "--draws: expected at least 1"),
        ("--solver heft --against peft --keep 0", "--keep: expected at least 1"),
        ("--solver heft --against peft --steps 0", "steps"),
        ("--solver heft --against peft --time-limit nan", "--time-limit"),
        ("--solver heft --against peft --solve-time 0", "--solve-time"),
        ("--solver heft --against peft --start toy --size 3x2@1", "--start: excludes"),
        ("--solver heft --against peft --generator nothing", "nothing"),
    ],
)
def test_what_does_not_fit_is_told_in_a_line(
    words: str, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "gallery"
    assert main(["attack", "soc", *words.split(), "--out", str(out)]) == 2
    error = capsys.readouterr().err.strip()
    assert told in error
    assert "\n" not in error
    assert not out.exists()


def test_a_gallery_is_not_written_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = f"attack soc --solver minmin --against heft {QUICK} --out {tmp_path}".split()
    assert main(words) == 0
    assert main(words) == 2
    assert "holds instances already" in capsys.readouterr().err
