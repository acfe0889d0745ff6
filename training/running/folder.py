"""The folder of a run: one process at a time has it."""

from __future__ import annotations

import logging
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from graphsched.envs.core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LOCK = ".lock"
_log = logging.getLogger(__name__)


@contextmanager
def claimed(folder: Path, resume: bool) -> Iterator[None]:
    """Have a run's folder for oneself; what is new and stays empty goes away again.

    The system frees the lock when the process ends, however it ends.

    Args:
        folder: is made if it isn't there.
        resume: the folder may hold a run.

    Raises:
        InputError: another process has it, it isn't empty, or it can't be written to.
    """
    new = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(folder, f"can't be made: {error.strerror or error}") from None
    lock = FileLock(folder / LOCK, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise InputError(folder, "in use by another training; wait or choose another") from None
    except (OSError, NotImplementedError) as error:
        if isinstance(error, PermissionError):
            raise InputError(folder, f"can't write there: {error.strerror or error}") from None
        _log.warning("%s: can't be locked (%s); two trainings there would mix", folder, error)
    try:
        if not resume and _content(folder):
            raise InputError(folder, "not empty; resume the run in it or choose another folder")
        yield
    finally:
        if new and not _content(folder):
            with suppress(OSError):
                (folder / LOCK).unlink(missing_ok=True)
                folder.rmdir()
        lock.release()


def _content(folder: Path) -> bool:
    return any(path.name != LOCK for path in folder.iterdir())
