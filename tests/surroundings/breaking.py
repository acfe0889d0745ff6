"""Breaks the n-th thing that is done to files of a folder: a full disk, an interrupt, a death."""

from __future__ import annotations

import errno
import io
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

WAYS = ("full", "broken", "interrupted", "killed")
CHANGES = ("replace", "rename", "mkdir", "chmod")  # counted
REMOVALS = ("unlink", "remove", "rmdir")  # not counted, but the dead remove nothing


class Killed(BaseException):
    """Stands for SIGKILL: from the moment that it is raised on, nothing has an effect any more."""


class Breaking:
    """Counts what is done to files of a folder, and breaks one of it.

    Attributes:
        count: of what was done so far.
        dead: whether the process stands for a killed one.
    """

    def __init__(self, folder: Path, at: int | None, way: str) -> None:
        """Args: folder: watched. at: which one breaks, from 1; none if None. way: of `WAYS`."""
        self._folder = str(folder.resolve())
        self._at = at
        self._way = way
        self.count = 0
        self.dead = False

    @contextmanager
    def watching(self) -> Iterator[Breaking]:
        """While inside."""
        with pytest.MonkeyPatch.context() as patch:
            for name in CHANGES:
                patch.setattr(os, name, self._counted(getattr(os, name)))
            for name in REMOVALS:
                patch.setattr(os, name, self._unless_dead(getattr(os, name)))
            patch.setattr(os, "open", self._opened(os.open))
            patch.setattr(os, "fsync", self._counted(os.fsync))
            patch.setattr(os, "write", self._written(os.write))
            patch.setattr(io, "open", self._appended(io.open))
            yield self

    def _step(self, half: Callable[[], Any] = lambda: None) -> None:
        """Count one; break where it is that one's turn, after doing it by half."""
        if self.dead:
            raise Killed
        self.count += 1
        if self.count != self._at:
            return
        half()
        self.dead = self._way == "killed"
        if self.dead:
            raise Killed
        if self._way == "interrupted":
            raise KeyboardInterrupt
        code = errno.ENOSPC if self._way == "full" else errno.EIO
        raise OSError(code, os.strerror(code))

    def _is_watched(self, place: Any) -> bool:
        if isinstance(place, int):
            place = os.readlink(f"/proc/self/fd/{place}")
        path = os.path.abspath(os.fspath(place))
        return isinstance(path, str) and f"{path}/".startswith(f"{self._folder}/")

    def _counted(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def change(place: Any, *rest: Any, **options: Any) -> Any:
            if self._is_watched(place):
                self._step()
            return real(place, *rest, **options)

        return change

    def _unless_dead(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def remove(place: Any, *rest: Any, **options: Any) -> Any:
            if self.dead:
                raise Killed
            return real(place, *rest, **options)

        return remove

    def _opened(self, real: Callable[..., int]) -> Callable[..., int]:
        def opened(place: Any, flags: int, *rest: Any, **options: Any) -> int:
            if flags & (os.O_WRONLY | os.O_RDWR) and self._is_watched(place):
                self._step()
            return real(place, flags, *rest, **options)

        return opened

    def _written(self, real: Callable[[int, Any], int]) -> Callable[[int, Any], int]:
        def write(handle: int, data: Any) -> int:
            if self._is_watched(handle):
                self._step(lambda: real(handle, bytes(data)[: len(data) // 2]))
            return real(handle, data)

        return write

    def _appended(self, real: Callable[..., Any]) -> Callable[..., Any]:
        """What is written through Python's own files, such as the lines of a journal."""

        def opened(place: Any, mode: str = "r", *rest: Any, **options: Any) -> Any:
            if not set(mode) & set("wax+") or not self._is_watched(place):
                return real(place, mode, *rest, **options)
            self._step()
            file = real(place, mode, *rest, **options)
            write = file.write

            def by_half(text: Any) -> None:
                write(text[: len(text) // 2])
                file.flush()

            def whole(text: Any) -> Any:
                self._step(lambda: by_half(text))
                return write(text)

            file.write = whole
            return file

        return opened
