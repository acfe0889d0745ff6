"""A reader finds the old content or the new whatever happens to the writer.

Links, devices, modes and the umask are as they were; what can't be written is one line.
"""

from __future__ import annotations

import errno
import multiprocessing
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from graphsched.envs.core.errors import InputError
from graphsched.envs.core.parts.reading import parse_json, read_text
from graphsched.envs.core.parts.writing import (
    find_folder,
    prepare_file,
    prepare_folder,
    replace_folder,
    write_file,
    write_files,
    write_json,
)


def test_a_file_is_replaced_and_nothing_else_left(tmp_path: Path) -> None:
    path = tmp_path / "new" / "state.bin"
    write_file(path, b"one")
    write_file(path, b"two")
    assert path.read_bytes() == b"two"
    assert [p.name for p in path.parent.iterdir()] == ["state.bin"]


def test_a_failing_write_keeps_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "state.bin"
    write_file(path, b"old")

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "disk full")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError, match=r"state\.bin: can't be written: disk full"):
        write_file(path, b"new")
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


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def test_links_are_written_through(tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    target, link, loose = tmp_path / "far" / "real", tmp_path / "link", tmp_path / "loose"
    target.write_bytes(b"old")
    link.symlink_to(target)
    loose.symlink_to(tmp_path / "far" / "later")
    for path in (link, loose):
        write_file(prepare_file(path), b"new")
        assert path.is_symlink()
        assert path.resolve().read_bytes() == b"new"
    bundles = tmp_path / "bundles"
    bundles.symlink_to(tmp_path / "far")
    replace_folder(bundles, {"a": b"1"})
    assert bundles.is_symlink()
    assert [p.name for p in (tmp_path / "far").iterdir()] == ["a"]


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664])
def test_an_old_file_keeps_its_mode(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"old")
    path.chmod(mode)
    write_file(path, b"new")
    assert _mode(path) == mode
    replace_folder(tmp_path / "f", {"a": b"1"})
    (tmp_path / "f").chmod(0o750)
    replace_folder(tmp_path / "f", {"a": b"2"})
    assert _mode(tmp_path / "f") == 0o750


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
def test_new_files_and_folders_follow_the_umask(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        write_file(tmp_path / "new" / "x", b"1")
        replace_folder(tmp_path / "f", {"a": b"1"})
    finally:
        os.umask(before)
    assert _mode(tmp_path / "new" / "x") == _mode(tmp_path / "f" / "a") == 0o666 & ~umask
    assert _mode(tmp_path / "new") == _mode(tmp_path / "f") == 0o777 & ~umask


def test_pipes_and_sockets_are_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    for refuse in (prepare_file, lambda p: write_file(p, b"x")):
        with pytest.raises(InputError, match="pipe: is a pipe, socket or disk"):
            refuse(path)
    assert stat.S_ISFIFO(path.lstat().st_mode)


def test_devices_and_descriptors_are_written_to() -> None:
    write_file(prepare_file(Path("/dev/null")), b"x")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
    code = "from graphsched.envs.core.parts.writing import *; from pathlib import Path;"
    code += "write_file(prepare_file(Path('/dev/stdout')), b'seen')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert done.stdout == b"seen"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no such device here")
def test_a_full_device_is_one_line_and_stays_a_device() -> None:
    with pytest.raises(InputError, match="/dev/full: can't be written: No space left"):
        write_file(prepare_file(Path("/dev/full")), b"x")
    assert stat.S_ISCHR(os.stat("/dev/full").st_mode)


def test_several_files_are_written_all_or_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = tmp_path / "a", tmp_path / "b"
    write_files({a: b"1", b: b"1"})
    write = os.write

    def full(handle: int, data: bytes) -> int:
        if bytes(data) == b"3":
            raise OSError(errno.ENOSPC, "disk full")
        return write(handle, data)

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(InputError, match="b: can't be written: disk full"):
        write_files({a: b"2", b: b"3"})
    assert a.read_bytes() == b.read_bytes() == b"1"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "b"]


@pytest.mark.parametrize("code", [errno.EINVAL, errno.ENOTSUP])
def test_file_systems_that_refuse_to_sync_are_written_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def refuse(handle: int) -> None:
        raise OSError(code, "no syncing here")

    monkeypatch.setattr(os, "fsync", refuse)
    write_file(tmp_path / "x", b"1")
    replace_folder(tmp_path / "f", {"a": b"1"})
    assert (tmp_path / "x").read_bytes() == (tmp_path / "f" / "a").read_bytes() == b"1"


def test_the_longest_name_can_be_written(tmp_path: Path) -> None:
    path = tmp_path / ("x" * 255)
    write_file(prepare_file(path), b"1")
    assert path.read_bytes() == b"1"
    with pytest.raises(InputError, match="too long"):
        write_file(tmp_path / ("x" * 256), b"1")


def test_a_file_in_the_way_is_an_input_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="can't write there"):
        prepare_folder(tmp_path / "file" / "out")
    with pytest.raises(InputError, match="can't write there"):
        prepare_file(tmp_path / "file" / "out")
    with pytest.raises(InputError, match="is a folder"):
        prepare_file(tmp_path)


def test_preparing_a_file_makes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "c"
    prepare_file(path)
    assert list(tmp_path.iterdir()) == []
    write_file(path, b"1")
    assert path.read_bytes() == b"1"


def test_folders_are_made_and_left_empty(tmp_path: Path) -> None:
    folder = prepare_folder(tmp_path / "a" / "b")
    assert list(folder.iterdir()) == []


def test_a_document_that_is_no_json_leaves_the_old_file(tmp_path: Path) -> None:
    path = write_json(tmp_path / "x.json", {"a": 1})
    with pytest.raises(ValueError, match="JSON"):
        write_json(path, {"a": float("nan")})
    assert parse_json(read_text(path), path) == {"a": 1}
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_cant_be_put_in_place_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "bundle"
    replace_folder(path, {"a": b"old"})
    rename = Path.rename

    def fail(self: Path, target: Path) -> Path:
        if self.name.endswith(".tmp"):
            raise OSError(errno.EIO, "Input/output error")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(InputError, match="bundle: can't be written: Input/output error"):
        replace_folder(path, {"a": b"new"})
    assert (path / "a").read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["bundle"]


def test_a_folder_in_a_file_s_place_keeps_the_other_files(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"old")
    (tmp_path / "b").mkdir()
    with pytest.raises(InputError, match="b: can't be written: Is a directory"):
        write_files({tmp_path / "a": b"new", tmp_path / "b": b"new"})
    assert (tmp_path / "a").read_bytes() == b"old"


def test_what_cant_be_written_leaves_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "disk full")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError, match="disk full"):
        write_file(tmp_path / "new" / "deep" / "x", b"1")
    with pytest.raises(InputError, match="disk full"):
        replace_folder(tmp_path / "new" / "bundle", {"a": b"1"})
    assert list(tmp_path.iterdir()) == []
