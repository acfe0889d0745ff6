"""Crash-safe writing: a killed writer leaves the old content or the new, never a part.

A link is written through, devices and open descriptors (``/dev/stdout``) are written to, modes and
umask hold. Whatever is wrong becomes one line that names the file.
"""

from __future__ import annotations

import errno
import json
import os
import secrets
import shutil
import stat
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphsched.envs.core.errors import InputError, NotWritten

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

DEVICES = ("/dev/", "/proc/")
CANT_SYNC = (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS, errno.EBADF, errno.EACCES, errno.EPERM)


def write_files(files: Mapping[Path, bytes]) -> None:
    """Replace files, all or none: written beside them, flushed to disk, renamed over them.

    Folders are made. Raises NotWritten if a file can't be written; then all are as they were, and
    there is no folder that wasn't there.
    """
    fresh: dict[Path, Path] = {}  # what is to be replaced: by what
    through: dict[Path, bytes] = {}
    made: list[Path] = []
    try:
        for path, data in files.items():
            with naming(path):
                if _is_special(path):
                    through[path] = data
                else:
                    target = _target(path)
                    _make_folder(target.parent, made)
                    fresh[target] = _beside(target)  # noted first: an interrupt may come any time
                    _write_beside(target, fresh[target], data)
        for target, temporary in fresh.items():
            with naming(target):
                temporary.replace(target)
    finally:
        for temporary in fresh.values():
            with suppress(OSError):
                temporary.unlink()
        _remove_empty(made)
    for folder in {target.parent for target in fresh}:
        _sync_folder(folder)
    for path, data in through.items():
        with naming(path), open(path, "ab", buffering=0, opener=_open_device) as device:
            _write_whole(device.fileno(), data)


def write_file(path: Path | str, data: bytes) -> None:
    """`write_files` of one."""
    write_files({Path(path): data})


def write_text(path: Path, content: str) -> Path:
    """`write_file` of UTF-8 text; returns the path."""
    write_file(path, content.encode())
    return path


def write_json(path: Path, document: Any) -> Path:
    """`write_text` of `json_text`."""
    return write_text(path, json_text(document))


def json_text(document: Any) -> str:
    """An indented JSON document; NaN and infinities are refused with a ValueError."""
    return json.dumps(document, indent=1, allow_nan=False) + "\n"


def replace_folder(path: Path | str, files: Mapping[str, bytes]) -> None:
    """Replace a folder by one of the given files; raises NotWritten if it can't be.

    A folder can't be renamed over another, so the old one steps aside for the moment between two
    renames. A writer killed in that moment leaves it where `find_folder` still finds it.
    """
    made: list[Path] = []
    try:
        with naming(Path(path)):
            path = _target(Path(path))
            _make_folder(path.parent, made)
            _replace_folder(path, files)
            _sync_folder(path.parent)
            shutil.rmtree(_aside(path), ignore_errors=True)
    finally:
        _remove_empty(made)


def _replace_folder(path: Path, files: Mapping[str, bytes]) -> None:
    """Fill a new folder and put it in the place of the old one, which is aside then."""
    fresh, aside = _beside(path), _aside(path)
    try:
        fresh.mkdir()
        if path.exists():
            fresh.chmod(stat.S_IMODE(path.stat().st_mode) | stat.S_IRWXU)
        for name, data in files.items():
            _write_new(fresh / name, data, 0o666)
        _sync_folder(fresh)
        if path.exists():
            shutil.rmtree(aside, ignore_errors=True)
            path.rename(aside)
        fresh.rename(path)
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        if aside.exists() and not path.exists():
            with suppress(OSError):
                aside.rename(path)
        raise


def find_folder(path: Path | str) -> Path:
    """The folder, or what a writer that was killed while replacing it has left of it."""
    path = Path(path)
    aside = _aside(_target(path))
    return path if path.exists() or not aside.exists() else aside


def prepare_folder(folder: Path) -> Path:
    """Make a folder for results. Raises InputError if it can't be written to."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _probe(folder)
    except OSError as error:
        raise InputError(folder, f"can't write there: {error.strerror or error}") from None
    return folder


def prepare_file(path: Path) -> Path:
    """Check, before the work, that a file can be written at this path; raises InputError if not.

    Nothing is made: the folder comes with the file.
    """
    try:
        if path.is_dir():
            raise InputError(path, "is a folder, expected the path of a file")
        if _is_special(path):
            return path
        target = _target(path)
        if target.exists() and not os.access(target, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        _probe(next(folder for folder in target.parents if folder.exists()))
    except InputError:
        raise
    except (OSError, ValueError) as error:
        problem = getattr(error, "strerror", None) or error
        raise InputError(path, f"can't write there: {problem}") from None
    return path


def _probe(folder: Path) -> None:
    # Without a name where the system can do that: nothing is left, whatever interrupts.
    with tempfile.TemporaryFile(dir=folder, prefix=".writable-"):
        pass


@contextmanager
def naming(path: Path, hint: str = "") -> Iterator[None]:
    """An error of the system's becomes NotWritten, which names the file and what to do then."""
    try:
        yield
    except OSError as error:
        raise NotWritten(path, f"can't be written: {error.strerror or error}{hint}") from None


def _is_special(path: Path) -> bool:
    """Whether it is written to, not replaced. Raises InputError for what is neither.

    A named pipe may have no reader yet, who would have to be waited for, and opening it to find
    out would end a reader's reading. So it is refused before the work, not after it.
    """
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return False
    if str(path.absolute()).startswith(DEVICES) and not stat.S_ISBLK(mode):
        return True
    if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or stat.S_ISBLK(mode):
        raise InputError(path, "is a pipe, socket or disk, expected the path of a file")
    return stat.S_ISCHR(mode)


def _target(path: Path) -> Path:
    """Where links lead: what is there is replaced, not the link."""
    return Path(os.path.realpath(path))


def _beside(path: Path) -> Path:
    """A free name in the same folder, short enough beside the longest name that may be."""
    return path.with_name(f".{path.name[:32]}.{secrets.token_hex(4)}.tmp")


def _make_folder(folder: Path, made: list[Path]) -> None:
    """Make a folder and those that it is in; notes the new ones, the innermost last."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    made += reversed(missing)
    folder.mkdir(parents=True, exist_ok=True)


def _remove_empty(made: list[Path]) -> None:
    """Remove the folders that were made, if nothing came into them."""
    for folder in reversed(made):
        with suppress(OSError):
            folder.rmdir()


def _write_beside(target: Path, temporary: Path, data: bytes) -> None:
    """Make a new file with the mode of the one that it shall replace."""
    if target.is_dir():  # or renaming fails, when other files are replaced already
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    mode = stat.S_IMODE(target.stat().st_mode) if target.exists() else None
    _write_new(temporary, data, 0o666 if mode is None else 0o600)
    if mode is not None:
        temporary.chmod(mode)


def _write_new(path: Path, data: bytes, mode: int) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        _write_whole(handle, data)
        _sync(handle)
    finally:
        os.close(handle)


def _write_whole(handle: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(handle, rest) :]


def _open_device(name: str, flags: int) -> int:
    return os.open(name, (flags | os.O_NOCTTY) & ~os.O_CREAT)


def _sync(handle: int) -> None:
    """Flush to disk, where the file system can do that."""
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in CANT_SYNC:
            raise


def _sync_folder(path: Path) -> None:
    with suppress(OSError):  # what was renamed is there; after a power cut it may be the old one
        handle = os.open(path, os.O_RDONLY)
        try:
            _sync(handle)
        finally:
            os.close(handle)


def _aside(path: Path) -> Path:
    return path.with_name(f".{path.name}.old")
