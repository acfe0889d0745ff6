"""Crash-safe writing: a killed writer leaves the old content or the new, never a part."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from queue import Queue
from threading import Thread
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType


def write_atomic(path: Path | str, data: bytes) -> None:
    """Replace a file: written beside it, flushed to disk, renamed over it."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o644)  # mkstemp's own mode keeps other users out
        Path(temporary).replace(path)
    except BaseException:
        with suppress(FileNotFoundError):
            Path(temporary).unlink()
        raise
    _sync_folder(path.parent)


def replace_folder(path: Path | str, files: Mapping[str, bytes]) -> None:
    """Replace a folder by one of the given files.

    A folder can't be renamed over another, so the old one steps aside for the moment between two
    renames. A writer killed in that moment leaves it where `find_folder` still finds it.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    try:
        fresh.chmod(0o755)
        for name, data in files.items():
            with (fresh / name).open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        _sync_folder(fresh)
        if path.exists():
            shutil.rmtree(_aside(path), ignore_errors=True)
            path.rename(_aside(path))
        fresh.rename(path)
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise
    _sync_folder(path.parent)
    shutil.rmtree(_aside(path), ignore_errors=True)


def find_folder(path: Path | str) -> Path:
    """The folder, or what a writer that was killed while replacing it has left of it."""
    path = Path(path)
    return path if path.exists() or not _aside(path).exists() else _aside(path)


def _aside(path: Path) -> Path:
    return path.with_name(f".{path.name}.old")


def _sync_folder(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class BackgroundWriter:
    """Runs write jobs one after another in a thread, so that training does not wait for disks.

    A job must hold a snapshot of what it writes: the caller goes on changing the original. Use as
    a context manager, or call `close`.
    """

    def __init__(self, pending: int = 2) -> None:
        """Args: pending: jobs that may wait before `submit` blocks, which bounds the memory."""
        self._jobs: Queue[Callable[[], None] | None] = Queue(pending)
        self._error: BaseException | None = None
        self._thread = Thread(target=self._run, name="writer", daemon=True)
        self._thread.start()

    def submit(self, job: Callable[[], None]) -> None:
        """Queue a job. Raises what an earlier job raised, or RuntimeError once closed."""
        self._raise()
        if not self._thread.is_alive():
            raise RuntimeError("the writer is closed")
        self._jobs.put(job)

    def close(self) -> None:
        """Wait for all jobs; raises what one of them raised. May be called again."""
        if self._thread.is_alive():
            self._jobs.put(None)
            self._thread.join()
        self._raise()

    def __enter__(self) -> BackgroundWriter:
        """The writer."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close; an error of the body takes precedence over one of a job."""
        try:
            self.close()
        except BaseException:
            if error is None:
                raise

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                job()
            except BaseException as error:  # raised again in the caller's thread
                self._error = self._error or error

    def _raise(self) -> None:
        error, self._error = self._error, None
        if error is not None:
            raise error
