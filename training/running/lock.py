"""One training at a time in a run's folder."""

from __future__ import annotations

import logging
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from graphsched.envs.core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LOCK = ".lock"

_log = logging.getLogger("graphsched")


@contextmanager
def alone_in(folder: Path, work: str = "training") -> Iterator[None]:
    """Nobody else trains in the folder meanwhile, or does other work that takes this lock.

    The system frees the lock when the process dies, however that happens; the empty file stays.
    On a file system that knows no locks a line says so, and the run goes on without.

    Raises:
        InputError: another process, or this one, trains there.
    """
    lock = FileLock(folder / LOCK, blocking=False, fallback_to_soft=False)
    held = False
    try:
        lock.acquire()
        held = True
    except Timeout:
        raise InputError(folder, f"another {work} is writing there; choose another --out") from None
    except (OSError, NotImplementedError) as error:
        reason = getattr(error, "strerror", None) or error
        _log.warning("graphsched: %s: not locked against a second %s: %s", folder, work, reason)
    try:
        yield
    finally:
        if held:
            lock.release()


@contextmanager
def made_for_run(folder: Path, verb: str = "train") -> Iterator[None]:
    """The folder exists inside; if what begins there fails, what was made for it goes again.

    Raises:
        InputError: it can't be made, or a file is in its place.
    """
    made = _missing(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        problem = "is a file; expected a folder" if folder.is_file() else error.strerror or error
        raise InputError(folder, f"can't {verb} there: {problem}") from None
    try:
        yield
    except BaseException:
        _remove(made, folder)
        raise


def is_unused(folder: Path) -> bool:
    """Whether nothing but a lock is in it."""
    return all(path.name == LOCK for path in folder.iterdir())


def _missing(folder: Path) -> list[Path]:
    """The folders that have to be made, the outermost last."""
    return [path for path in (folder, *folder.parents) if not path.exists()]


def _remove(made: list[Path], folder: Path) -> None:
    if folder not in made or not is_unused(folder):
        return
    shutil.rmtree(folder, ignore_errors=True)
    for parent in made[1:]:
        try:
            parent.rmdir()
        except OSError:  # somebody uses it by now
            return
