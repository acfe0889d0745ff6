"""However a run ends, what it learned is kept, and going on repeats nothing."""

from __future__ import annotations

import errno
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from graphsched.cli.main import main
from graphsched.envs.core.errors import InputError, Interrupted
from graphsched.envs.core.parts.writing import find_folder
from graphsched.training.running.encoding import STATE
from graphsched.training.running.lock import alone_in
from graphsched.training.running.resume import CHECKPOINT, read_checkpoint
from graphsched.training.running.signals import Stopping
from graphsched.training.train import resumed_config, train
from tests.training.runs import CODE, ROOT, small_config, state_of
from tests.training.test_resume import differences

if TYPE_CHECKING:
    from graphsched.training.settings.config import TrainConfig

KILLS = int(os.environ.get("GRAPHSCHED_KILLS", "3"))
BUSY: dict[str, Any] = {
    "steps": 3_000,
    "instances": {"uniform:3x3": 1.0},
    "network": {"width": 4, "layers": 1, "decoder_width": 4},
    "ppo": {"instances_per_rollout": 2, "rollouts_per_instance": 2, "num_minibatches": 1},
    "validation": {"instances": {"uniform:3x3": 1.0}, "count": 2, "every": 0.02},
    "checkpoint_every": 0.001,
}
RESUME = """
import sys
from pathlib import Path
from graphsched.training.train import resumed_config, train
train(resumed_config(Path(sys.argv[1])), resume=True, export=False)
"""


def test_a_second_training_in_a_folder_is_refused(tmp_path: Path) -> None:
    """Whether it begins or goes on; afterwards the folder is free again."""
    folder = tmp_path / "run"
    train(small_config(folder, steps=100), export=False)
    with alone_in(folder), pytest.raises(InputError, match="another training is writing there"):
        train(resumed_config(folder, steps=200), resume=True, export=False)
    assert train(resumed_config(folder, steps=200), resume=True, export=False).steps >= 200


def test_without_locks_one_line_and_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A file system that knows no locks is no reason not to train."""

    def fails(self: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("filelock.FileLock.acquire", fails)
    with alone_in(tmp_path), caplog.at_level("WARNING", "graphsched"):
        pass
    with alone_in(tmp_path):
        assert "not locked" in caplog.text or caplog.text == ""


def test_the_first_signal_waits_for_the_update(tmp_path: Path) -> None:
    """The second doesn't, nor does one with nothing to lose."""
    stopping = Stopping()
    with pytest.raises(Interrupted) as caught:
        stopping.hear(signal.SIGTERM, None)
    assert caught.value.status == 143
    stopping.can_wait = True
    stopping.hear(signal.SIGINT, None)
    with pytest.raises(Interrupted):
        stopping.hear(signal.SIGINT, None)
    with pytest.raises(Interrupted):
        stopping.follow()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_run_with_a_checkpoint(tmp_path: Path, number: int) -> None:
    """One line with the command to go on, and not one update lost."""
    folder = tmp_path / "a run"
    config = small_config(folder, **{**BUSY, "steps": 10**6, "checkpoint_every": 1.0})
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(config.to_dict()))
    words = ["-m", "graphsched", "train", "jobshop", "--quiet", "--resume", "--out", str(folder)]
    with subprocess.Popen([sys.executable, *words], cwd=ROOT, stderr=subprocess.PIPE) as process:
        _wait(process, lambda: len(list((folder / "tensorboard").glob("*"))) > 0)
        time.sleep(1.0)
        process.send_signal(number)
        _, told = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    lines = [line for line in told.decode().splitlines() if "compiling" not in line]
    assert lines == [f"stopped; go on with: graphsched train jobshop --resume --out '{folder}'"]
    steps = state_of(folder)["steps"]
    assert steps > 0
    assert train(resumed_config(folder, steps=steps + 100), resume=True, export=False).steps > steps


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="asks Linux for a file's name")
def test_a_full_disk_names_the_file_and_keeps_the_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one line says how to go on."""
    folder = tmp_path / "run"
    train(small_config(folder, steps=100), export=False)
    kept = state_of(folder)["steps"]

    sync = os.fsync

    def full(handle: int) -> None:
        if CHECKPOINT in os.readlink(f"/proc/self/fd/{handle}"):
            raise OSError(errno.ENOSPC, "No space left on device")
        sync(handle)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError) as caught:
        train(resumed_config(folder, steps=400), resume=True, export=False)
    for word in (str(folder / CHECKPOINT), "No space left on device", "--resume --out"):
        assert word in str(caught.value)
    assert state_of(folder)["steps"] == kept


def test_curves_hold_every_step_once(tmp_path: Path) -> None:
    """Also where a killed run had written beyond its checkpoint."""
    folder = tmp_path / "run"
    train(small_config(folder, steps=300), export=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("graphsched.training.running.callbacks.snapshot", lambda run: lambda: None)
        train(resumed_config(folder, steps=900), resume=True, export=False)
    train(resumed_config(folder, steps=900), resume=True, export=False)
    events = EventAccumulator(str(folder / "tensorboard"))
    events.Reload()
    for tag in ("train/loss", "eval/gap_pct", "rollout/decisions"):
        steps = [event.step for event in events.Scalars(tag)]
        assert len(steps) > 2
        assert steps == sorted(set(steps))
    decisions = [event.step for event in events.Scalars("rollout/decisions")]
    assert decisions == [event.step for event in events.Scalars("train/loss")]
    rows = [json.loads(row)["steps"] for row in (folder / "metrics.jsonl").read_text().splitlines()]
    assert rows == sorted(set(rows))


@pytest.mark.parametrize(
    "text",
    ["", "null", "{}", '{"schema": 1}', "[" * 100_000, '{"schema": 1, "steps', "cut"],
)
def test_a_damaged_state_is_named(tmp_path: Path, text: str) -> None:
    """Without fields, null, deep, cut short."""
    folder = tmp_path / "run"
    train(small_config(folder, steps=50), export=False)
    file = find_folder(folder / CHECKPOINT) / STATE
    whole = file.read_text()
    file.write_text(whole[: len(whole) // 2] if text == "cut" else text)
    with pytest.raises(InputError, match="checkpoint"):
        train(resumed_config(folder, steps=200), resume=True, export=False)


def test_any_missing_or_null_field_of_a_state_is_named(tmp_path: Path) -> None:
    """Not one of them makes a traceback."""
    folder = tmp_path / "run"
    train(small_config(folder, steps=50), export=False)
    file = find_folder(folder / CHECKPOINT) / STATE
    document = json.loads(file.read_text())
    optional = {"schema", "domain", "core_s", "machine", "discount", "judged"}
    for name in document.keys() - optional:
        for damaged in ({**document, name: None}, {k: v for k, v in document.items() if k != name}):
            file.write_text(json.dumps(damaged))
            with pytest.raises(InputError, match="damaged checkpoint"):
                train(resumed_config(folder, steps=200), resume=True, export=False)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--device", "foo"], "device: expected auto, cpu, cuda"),
        (["--set", "network.width=100000000"], "network.width: expected at most 4,096"),
        (["--set", "ppo.instances_per_rollout=100000000"], "ppo.instances_per_rollout: expected"),
        (["--set", "ppo.learning_rate=inf"], "ppo.learning_rate: expected a finite number"),
        (["--set", "ppo.ent_coef=nan"], "ppo.ent_coef: expected a finite number"),
        (["--seed", "4294967296"], "seed: expected at most"),
        (["--seed", "-1"], "seed: expected at least 0"),
        (["--steps", "36893488147419103232"], "steps: expected a number of 64 bits"),
        (["--set", "network.width=" + "[" * 5000], "--set"),
        (["--set", "seed=" + "9" * 6000], "--set seed: expected TOML: nested too deeply, or a"),
        (["--preset", ""], "--preset: is empty"),
        (["--out="], "--out: is empty"),
        (["--config", "."], "is a directory"),
        (["--config", "/dev/zero"], "/dev/zero: is a device"),
    ],
)
def test_bad_settings_leave_no_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], told: str
) -> None:
    """One line that names the field, status 2."""
    out = [] if "--out=" in words else ["--out", str(tmp_path / "run")]
    assert main(["train", "jobshop", "--quiet", *words, *out]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1, lines
    assert told in lines[0]
    assert list(tmp_path.iterdir()) == []


def test_a_file_of_infinite_weights_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With file and field; a pipe without a writer doesn't hang."""
    file, pipe = tmp_path / "a.toml", tmp_path / "pipe"
    file.write_text('[instances]\n"uniform:3x3" = inf\n')
    os.mkfifo(pipe)
    for path, told in ((file, "instances.uniform:3x3: expected a finite"), (pipe, "is empty")):
        words = ["train", "jobshop", "--config", str(path), "--out", str(tmp_path / "run")]
        assert main(words) == 2
        error = capsys.readouterr().err
        assert str(path) in error
        assert told in error
    assert not (tmp_path / "run").exists()


def test_a_file_in_the_folder_s_place(tmp_path: Path) -> None:
    """Is not a folder."""
    (tmp_path / "x").write_text("")
    with pytest.raises(InputError, match="is a file; expected a folder"):
        train(small_config(tmp_path / "x"), export=False)


def test_repeated_options_all_hold() -> None:
    """Given once with two values, or twice."""
    from graphsched.cli.arguments import parse
    from graphsched.cli.commands.train import TrainArguments, _overrides

    words = ["jobshop", "--set", "seed=1", "steps=2", "--set", "network.width=3"]
    found = _overrides(parse(TrainArguments, words, "train"))
    assert found == {"seed": 1, "steps": 2, "network": {"width": 3}}


@pytest.mark.slow
def test_killed_again_and_again(tmp_path: Path) -> None:
    """The newest checkpoint always loads, and the end is that of a run that nobody disturbed."""
    train(small_config(tmp_path / "whole", **BUSY), export=False)
    folder = tmp_path / "broken"
    config = small_config(folder, **BUSY)
    kills, rng = 0, random.Random(0)
    while kills < KILLS:
        if not _killed(config, rng.uniform(0.05, 0.6)):
            break
        kills += 1
        read_checkpoint(folder, _instances())
    print(f"{kills} kills at steps up to {state_of(folder)['steps']}")
    assert kills >= min(KILLS, 3)
    train(resumed_config(folder), resume=True, export=False)
    whole, resumed = state_of(tmp_path / "whole"), state_of(folder)
    for name in ("policy", "best_weights", "optimizer", "average"):
        assert differences(whole[name], resumed[name]) == []


def _instances() -> Any:
    from graphsched.envs.core.registry import get_domain

    return get_domain("jobshop").instance_from_json


def _killed(config: TrainConfig, delay: float) -> bool:
    """Begin or go on, and kill some time after the first sign of life; False if it had ended."""
    folder = Path(str(config.out))
    words = ["-c", CODE, json.dumps(config.to_dict())]
    if (folder / "config.json").exists():
        words = ["-c", RESUME, str(folder)]
    began = time.time()
    with subprocess.Popen([sys.executable, *words], cwd=ROOT) as process:
        metrics = folder / "metrics.jsonl"
        _wait(process, lambda: metrics.exists() and metrics.stat().st_mtime > began)
        time.sleep(delay)
        process.kill()
    return process.returncode == -signal.SIGKILL


def _wait(process: subprocess.Popen[bytes], done: Any) -> None:
    deadline = time.monotonic() + 120
    while not done() and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
