"""No command leaves a part of a file: whatever breaks, and whenever, each file is old or new.

What is done to files is broken in the process, at every step of every command: by a full disk, a
broken one, an interrupt, a kill. A few real ones come on top.
"""

from __future__ import annotations

import importlib.util
import itertools
import multiprocessing
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from graphsched.cli.main import COMMANDS, main
from graphsched.envs.core.registry import domain_names, get_domain
from tests.surroundings.breaking import WAYS, Breaking, Killed
from tests.surroundings.writers import (
    MADE_OF_OTHERS,
    ONLY_PRINT,
    TOML,
    TRACE,
    WRITERS,
    complaints,
    hidden,
    problem,
    quicken,
    visible,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

ROUNDS = int(os.environ.get("GRAPHSCHED_KILLS", "3"))
EVERY = bool(os.environ.get("GRAPHSCHED_BREAK_ALL"))  # each way at each step: minutes
OLD = b'{"older": "and of another length"}\n</html>'
STEPS = {"train": 6, "export": 6, "eval": 12}  # tried of those that take longer

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/fd").exists(), reason="asks Linux for the name of an open file"
)


@pytest.fixture(scope="module", autouse=True)
def _quick() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        if importlib.util.find_spec("torch"):
            quicken(patch)
        yield


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run."""
    folder = tmp_path_factory.mktemp("trained")
    (folder / "settings.toml").write_text(TOML)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert main(WRITERS["train"].words.split()) == 0
    return folder / "run"


def test_every_command_is_broken_here_or_writes_nothing() -> None:
    own = {name for domain in domain_names() for name in get_domain(domain).commands}
    known = {writer.words.split()[0] for writer in WRITERS.values()} | ONLY_PRINT | MADE_OF_OTHERS
    assert known == own | set(COMMANDS)


@pytest.mark.parametrize("name", WRITERS)
def test_each_file_is_old_or_new(
    name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    request: pytest.FixtureRequest,
) -> None:
    """Whatever breaks at whichever step; then the command, or its --resume, makes good."""
    writer = WRITERS[name]
    if writer.torch:
        pytest.importorskip("torch")
    sources = [request.getfixturevalue("trained")] if name == "export" else []
    folders = (tmp_path / str(i) for i in itertools.count())

    def fresh(old: bool) -> Path:
        folder = next(folders)
        folder.mkdir()
        monkeypatch.chdir(folder)
        (folder / "settings.toml").write_text(TOML)
        (folder / "trace.csv").write_text(TRACE)
        for source in sources:
            shutil.copytree(source, folder / "trained")
        for output in writer.outputs if old else ():
            if not output.endswith("/"):
                (folder / output).parent.mkdir(parents=True, exist_ok=True)
                (folder / output).write_bytes(OLD)
        return folder

    _run(name, fresh(False), None, "")  # compiles, imports
    total = _run(name, fresh(False), None, "")
    assert total > 2
    rng = random.Random(name)
    steps = list(range(1, total + 1))
    if not EVERY and total > STEPS.get(name, total):
        steps = sorted(rng.sample(steps, STEPS[name]))
    for at in steps:
        for way in WAYS if EVERY else (WAYS[(at + rng.randrange(2)) % 4],):
            _run(name, fresh(rng.random() < 0.5), at, way, capsys)


def _run(
    name: str,
    folder: Path,
    at: int | None,
    way: str,
    capsys: pytest.CaptureFixture[str] | None = None,
) -> int:
    """Run a command that breaks; check what is there then; make good. Gives the steps it took."""
    writer, before = WRITERS[name], visible(folder)
    places = set(folder.rglob("*"))
    breaking = Breaking(folder, at, way)
    if capsys is not None:
        capsys.readouterr()
    with breaking.watching():
        try:
            status = main(writer.words.split())
        except Killed:
            status = -9
    where = f"{name}: {way} at {at} of {breaking.count}, status {status}"
    after = visible(folder)
    wrong = [problem(folder / path) for path in after if after[path] != before.get(path)]
    assert not any(wrong), where
    assert not before.keys() - after.keys(), where
    expected = {"": {0}, "killed": {-9, 0}, "interrupted": {130, 0}}.get(way, {0, 2})
    assert status in expected, where
    if breaking.count >= (at or 1) and not breaking.dead:
        assert hidden(folder) == [], where
    if status == 2 and capsys is not None:
        lines = complaints(capsys.readouterr().err)
        assert len(lines) == 1, (where, lines)
        assert any(o.split("/")[0] in lines[0] for o in writer.outputs), (where, lines)
        if name not in ("eval", "attack", "train", "teach"):  # which can go on with what they wrote
            assert set(folder.rglob("*")) == places, where
    if status != 0:
        words = writer.again or writer.words
        begun = name != "train" or (folder / "run" / "config.json").exists()
        assert main((words if begun else writer.words).split()) == 0, where
    for output in writer.outputs:
        if name != "attack" or status == 0:
            new = [p for p in visible(folder) if p.startswith(output)]
            assert new, where
            assert not any(problem(folder / path) for path in new), where
            assert all((folder / path).read_bytes() != OLD for path in new), where
    return breaking.count


QUICK = ("solve", "solve txt", "tune", "costs")


class Afternoon(RuleBasedStateMachine):
    """Commands one after another in one folder, some of which break."""

    @initialize()
    def begin(self) -> None:
        """A new folder."""
        self.before = os.getcwd()
        self.folder = Path(tempfile.mkdtemp()).resolve()
        os.chdir(self.folder)

    @rule(name=st.sampled_from(QUICK), at=st.none() | st.integers(1, 14), way=st.sampled_from(WAYS))
    def run(self, name: str, at: int | None, way: str) -> None:
        """A command to its end, or to where it breaks; what it doesn't write stays as it was."""
        before = visible(self.folder)
        breaking = Breaking(self.folder, at, way)
        status = -9
        with breaking.watching(), suppress(Killed):
            status = main(WRITERS[name].words.split())
        after = visible(self.folder)
        changed = {p for p in before | after if before.get(p) != after.get(p)}
        assert changed <= set(WRITERS[name].outputs)
        if status == 0:
            assert set(WRITERS[name].outputs) <= set(after)

    @invariant()
    def all_are_whole(self) -> None:
        """Every file that a user sees."""
        if hasattr(self, "folder"):
            assert not any(problem(self.folder / path) for path in visible(self.folder))

    def teardown(self) -> None:
        """Back to where it began."""
        if hasattr(self, "folder"):
            os.chdir(self.before)
            shutil.rmtree(self.folder)


Afternoon.TestCase.settings = settings(
    max_examples=200 if EVERY else 12, stateful_step_count=12, deadline=None
)
TestAfternoon = pytest.mark.skipif(
    not importlib.util.find_spec("torch"), reason="the names of its commands need torch"
)(Afternoon.TestCase)


def _again_and_again(folder: str) -> None:
    os.chdir(folder)
    sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: SIM115
    try:
        while (status := main(WRITERS["solve"].words.split())) == 0:
            pass
    except KeyboardInterrupt:  # between two commands
        status = 130
    os._exit(status)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_real_signal_leaves_whole_files(tmp_path: Path, number: int) -> None:
    """At any moment; what a killed one leaves is hidden, and nothing else leaves anything."""
    context, rng = multiprocessing.get_context("fork"), random.Random(number)
    for _ in range(ROUNDS):
        shutil.rmtree(tmp_path / "new", ignore_errors=True)
        process = context.Process(target=_again_and_again, args=(str(tmp_path),))
        process.start()
        while not (tmp_path / "new" / "s.html").exists():
            time.sleep(0.01)
        time.sleep(rng.uniform(0.0, 0.3))
        try:
            for _ in range(30):  # one that falls into a callback of some library may be lost
                os.kill(process.pid or 0, number)
                process.join(1)
                if process.exitcode is not None:
                    break
            assert process.exitcode in (128 + number, -number)
        finally:
            process.kill()
        assert not any(problem(tmp_path / path) for path in visible(tmp_path))
        if number != signal.SIGKILL:
            assert hidden(tmp_path) == []


def _limited(folder: str, size: int) -> None:
    os.chdir(folder)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: SIM115
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    os._exit(main(WRITERS["solve"].words.split()))


@pytest.mark.parametrize("size", [0, 1, 300, 5000])
def test_files_that_may_not_grow(tmp_path: Path, size: int) -> None:
    """The system refuses after so many bytes."""
    process = multiprocessing.get_context("fork").Process(
        target=_limited, args=(str(tmp_path), size)
    )
    process.start()
    process.join(30)
    assert process.exitcode == 2
    assert not any(problem(tmp_path / path) for path in visible(tmp_path))
    assert hidden(tmp_path) == []


@pytest.mark.parametrize("name", ["solve", "eval"])
def test_a_disk_that_is_really_full(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A tiny one, where the machine lets a test mount it."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8k", "tmpfs", str(disk)]
    if not shutil.which("mount") or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("may not mount a file system")
    try:
        monkeypatch.chdir(disk)
        assert main(WRITERS[name].words.split()) == 2
        lines = complaints(capsys.readouterr().err)
        assert len(lines) == 1
        assert "new/" in lines[0]
        assert "No space left on device" in lines[0]
        assert not any(problem(disk / path) for path in visible(disk))
        assert hidden(disk) == []
    finally:
        monkeypatch.undo()
        subprocess.run(["umount", "-l", str(disk)], check=True)
