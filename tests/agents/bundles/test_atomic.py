"""A reader finds the old content or the new whatever happens to the writer; jobs' errors surface."""

import multiprocessing
import os
import signal
import threading
import time
from functools import partial
from pathlib import Path

import pytest

from graphsched.agents.bundles.atomic import (
    BackgroundWriter,
    find_folder,
    replace_folder,
    write_atomic,
)


def test_write_atomic_replaces_and_leaves_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "new" / "state.bin"
    write_atomic(path, b"one")
    write_atomic(path, b"two")
    assert path.read_bytes() == b"two"
    assert [p.name for p in path.parent.iterdir()] == ["state.bin"]


def test_a_failing_write_keeps_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "state.bin"
    write_atomic(path, b"old")

    def full(handle: int) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="disk full"):
        write_atomic(path, b"new")
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["state.bin"]


def test_replace_folder_drops_old_files(tmp_path: Path) -> None:
    path = tmp_path / "bundle"
    replace_folder(path, {"a": b"1", "b": b"2"})
    replace_folder(path, {"a": b"3"})
    assert {p.name: p.read_bytes() for p in path.iterdir()} == {"a": b"3"}
    assert [p.name for p in tmp_path.iterdir()] == ["bundle"]


@pytest.mark.parametrize("renames", [0, 1, 2])
def test_a_folder_survives_a_crash_between_any_two_renames(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, renames: int
) -> None:
    path = tmp_path / "bundle"
    replace_folder(path, {"a": b"old"})
    left = [renames]
    rename = Path.rename

    def stop_after(self: Path, target: Path) -> Path:
        if left[0] == 0:
            raise KeyboardInterrupt
        left[0] -= 1
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", stop_after)
    if renames < 2:
        with pytest.raises(KeyboardInterrupt):
            replace_folder(path, {"a": b"new"})
    else:
        replace_folder(path, {"a": b"new"})
    expected = b"new" if renames == 2 else b"old"
    assert (find_folder(path) / "a").read_bytes() == expected
    monkeypatch.undo()
    replace_folder(path, {"a": b"later"})
    assert [p.name for p in tmp_path.iterdir()] == ["bundle"]
    assert (path / "a").read_bytes() == b"later"


def _write_forever(path: str) -> None:
    for i in range(10**9):
        replace_folder(path, {"a": b"%d" % i * 1000, "b": b"%d" % i * 1000})


def test_a_killed_writer_leaves_whole_folders(tmp_path: Path) -> None:
    path = tmp_path / "bundle"
    context = multiprocessing.get_context("fork")
    for delay in (0.05, 0.08, 0.13):
        writer = context.Process(target=_write_forever, args=(str(path),))
        writer.start()
        while not find_folder(path).exists():
            time.sleep(0.001)
        time.sleep(delay)
        os.kill(writer.pid or 0, signal.SIGKILL)
        writer.join()
        folder = find_folder(path)
        assert (folder / "a").read_bytes() == (folder / "b").read_bytes() != b""


def test_jobs_run_in_order_off_the_caller() -> None:
    seen: list[tuple[int, str]] = []

    def note(i: int) -> None:
        seen.append((i, threading.current_thread().name))

    with BackgroundWriter() as writer:
        for i in range(5):
            writer.submit(partial(note, i))
    assert seen == [(i, "writer") for i in range(5)]


def divide_by_zero() -> None:
    raise ZeroDivisionError


def test_errors_surface_once_and_later_jobs_still_run() -> None:
    done = threading.Event()
    writer = BackgroundWriter()
    writer.submit(divide_by_zero)
    writer.submit(done.set)
    assert done.wait(5)
    with pytest.raises(ZeroDivisionError):
        writer.submit(lambda: None)
    writer.close()
    writer.close()
    with pytest.raises(RuntimeError, match="closed"):
        writer.submit(lambda: None)


def test_close_raises_what_the_last_job_raised() -> None:
    writer = BackgroundWriter()
    writer.submit(divide_by_zero)
    with pytest.raises(ZeroDivisionError):
        writer.close()
