"""Compiled kernels are used again while their sources are the same, and never otherwise."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from graphsched.envs.core.kernels import cache as kernel_cache
from graphsched.envs.core.kernels.sources import imported_names, source_files, source_hash

pytestmark = pytest.mark.compiled

ROOT = Path(__file__).parents[3]
FACTORS = "FACTOR = 2\n"
CALLEE = """
from graphsched.envs.core.kernels.jit import kernel
from . import factors
from probe.factors import (
    FACTOR,
)

@kernel(entry=False)
def scaled(value):
    return FACTOR * value
"""
CALLER = """
from graphsched.envs.core.kernels.jit import kernel
from probe.callee import scaled

@kernel
def answer(value):
    return scaled(value) + 1
"""
RUN = "from probe.caller import answer as f; print(f(20), sum(f.stats.cache_hits.values()))"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A package with a kernel that calls another module's, which reads a third one's constant."""
    package = tmp_path / "tree" / "probe"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "factors.py").write_text(FACTORS)
    (package / "callee.py").write_text(CALLEE)
    (package / "caller.py").write_text(CALLER)
    return package


def _start(tree: Path, cache: Path | str, **more: str) -> subprocess.Popen[str]:
    paths = os.pathsep.join([str(tree.parent), str(ROOT)])
    environment = {**os.environ, "PYTHONPATH": paths, "NUMBA_CACHE_DIR": str(cache), **more}
    command = [sys.executable, "-c", RUN]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, env=environment, stdout=pipe, stderr=pipe, text=True)


def _finish(process: subprocess.Popen[str]) -> tuple[int, int, str]:
    """Answer, number of kernels that were loaded, and what went to the error stream."""
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    answer, hits = out.split()
    return int(answer), int(hits), err


def _run(tree: Path, cache: Path | str, **more: str) -> tuple[int, int, str]:
    return _finish(_start(tree, cache, **more))


def test_unchanged_kernels_are_loaded(tree: Path, tmp_path: Path) -> None:
    assert _run(tree, tmp_path) == (41, 0, "")
    assert _run(tree, tmp_path) == (41, 1, "")


def test_a_changed_callee_in_another_file_is_seen(tree: Path, tmp_path: Path) -> None:
    _run(tree, tmp_path)
    (tree / "callee.py").write_text(CALLEE.replace("FACTOR * value", "FACTOR * value + 100"))
    assert _run(tree, tmp_path) == (141, 0, "")


def test_a_changed_constant_two_files_away_is_seen(tree: Path, tmp_path: Path) -> None:
    _run(tree, tmp_path)
    (tree / "factors.py").write_text("FACTOR = 3\n")
    assert _run(tree, tmp_path) == (61, 0, "")
    (tree / "factors.py").write_text(FACTORS)
    assert _run(tree, tmp_path) == (41, 1, ""), "the earlier state is still there"


def test_processes_that_compile_at_once_agree(tree: Path, tmp_path: Path) -> None:
    both = [_start(tree, tmp_path) for _ in range(2)]
    assert [_finish(process)[0] for process in both] == [41, 41]
    assert _run(tree, tmp_path) == (41, 1, "")


@pytest.mark.parametrize("suffix", [".nbc", ".nbi"])
def test_a_damaged_cache_is_compiled_again(tree: Path, tmp_path: Path, suffix: str) -> None:
    _run(tree, tmp_path)
    for path in tmp_path.rglob(f"*{suffix}"):
        path.write_bytes(path.read_bytes()[:40])
    assert _run(tree, tmp_path) == (41, 0, "")
    assert _run(tree, tmp_path) == (41, 1, "")


def test_without_a_writable_cache_kernels_work_and_one_line_says_so(
    tree: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    answer, hits, said = _run(tree, tmp_path / "file")
    assert (answer, hits) == (41, 0)
    assert said.count("\n") == 1
    assert "NUMBA_CACHE_DIR" in said


def test_without_a_home_kernels_work(tree: Path, tmp_path: Path) -> None:
    nowhere = {"HOME": "/dev/null", "XDG_CACHE_HOME": ""}
    answer, hits, said = _run(tree, "", **nowhere)
    assert (answer, hits) == (41, 0)
    assert said.count("\n") == 1


def test_a_full_disk_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class Full:
        cache_path = str(tmp_path)

        def save_overload(self, signature: object, compiled: object) -> None:
            raise OSError(28, "No space left on device")

    cache = kernel_cache.KernelCache(test_a_full_disk_stops_nothing)
    monkeypatch.setattr(cache, "_files", Full)
    cache.save_overload("signature", "code")
    cache.save_overload("another", "code")
    assert [record.getMessage() for record in caplog.records] == [
        f"graphsched: {tmp_path}: compiled kernels can't be kept: No space left on device"
    ]


def test_folders_not_used_lately_are_removed(tmp_path: Path) -> None:
    names = [f"{i:02d}" for i in range(kernel_cache.KEPT + 3)]
    for i, name in enumerate(names):
        (tmp_path / name).mkdir()
        os.utime(tmp_path / name, (0, time.time() - 60 * i))
    old = tmp_path / names[0]
    os.utime(old, (0, time.time() - kernel_cache.KEPT_S - 60))
    kernel_cache._prune(tmp_path)
    left = sorted(path.name for path in tmp_path.iterdir())
    assert left == names[1 : kernel_cache.KEPT + 1]


def test_a_source_newer_than_the_process_is_not_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    module = "graphsched.envs.jobshop.view.rows"
    __import__(module)
    assert source_hash.__wrapped__(module) is not None
    monkeypatch.setattr("graphsched.envs.core.kernels.sources.STARTED", 0.0)
    assert source_hash.__wrapped__(module) is None


def test_sources_are_those_of_all_modules_that_are_imported() -> None:
    module = "graphsched.envs.jobshop.view.rows"
    __import__(module)
    names = set(source_files(module))
    assert {
        module,
        "graphsched.envs.jobshop.view.pilot",
        "graphsched.envs.core.kernels.jit",
    } <= names
    assert "graphsched.envs.jobshop.checker" not in names, "it builds on no checker"


def test_imports_are_found_however_they_are_written() -> None:
    text = "import a.b, c as d\nfrom .e import (\n  f,\n  g as h,\n)\n    from ..i import j  # k\n"
    expected = {"a.b", "c", "p.q.e", "p.q.e.f", "p.q.e.g", "p.i", "p.i.j"}
    assert expected <= imported_names(text, "p.q")
