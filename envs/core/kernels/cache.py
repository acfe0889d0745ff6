"""Where compiled kernels are kept: outside the tree, a folder for each state of the sources.

The folder is ``MODULE/HASH`` under `cache_root`, with `source_hash` of the kernel's module. Another
state of the sources is another folder, so nothing in a folder can be stale, two checkouts don't
disturb each other, and a wheel and a tree with the same sources share. Folders that have not
been used for a while are removed. Where nothing can be written, or what is there is damaged,
kernels are compiled: a cache never stops a program.
"""

from __future__ import annotations

import logging
import os
import pickle
import shutil
import sys
import tempfile
import time
from contextlib import suppress
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import platformdirs
from filelock import BaseFileLock, FileLock
from numba import config
from numba.core.caching import CompileResultCacheImpl, FunctionCache, IndexDataCacheFile

from graphsched.envs.core.clock import paused
from graphsched.envs.core.kernels.compiling import is_compiling, package_of
from graphsched.envs.core.kernels.sources import source_hash

if TYPE_CHECKING:
    from collections.abc import Callable

KEPT = 8  # states of a module's sources, the ones used last
KEPT_S = 30 * 24 * 3600.0  # and none that was not used for so long
PATIENCE_S = 300.0  # for another process that compiles or writes the same
WAITED_S = 0.05  # more than taking a free lock takes
DIGEST_BYTES = 32  # of SHA-256

_log = logging.getLogger("graphsched")


def cache_root() -> Path:
    """``NUMBA_CACHE_DIR`` if it is set, else the user's cache folder."""
    chosen: str = config.CACHE_DIR  # type: ignore[attr-defined]  # set at numba's import
    return Path(chosen) / "graphsched" if chosen else platformdirs.user_cache_path("graphsched")


@cache
def _usable_root() -> Path | None:
    """The root if it can be written to; else None, and one line says so."""
    try:
        root = cache_root()
        root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=root):
            return root
    except (OSError, RuntimeError) as error:  # RuntimeError: there is no home
        reason = getattr(error, "strerror", None) or error
        _complain(f"can't keep compiled kernels ({reason}); NUMBA_CACHE_DIR names another folder")
        return None


@cache  # each line once
def _complain(line: str) -> None:
    _log.warning("graphsched: %s", line)


@cache
def kernel_folder(module: str) -> Path | None:
    """Folder of a loaded module's compiled kernels; None where they can't be kept."""
    root = _usable_root()
    key = source_hash(module) if root is not None else None
    if root is None or key is None:
        return None
    folder = root / module / key
    try:
        folder.mkdir(parents=True, exist_ok=True)
        os.utime(folder)  # used now
        _prune(folder.parent)
    except OSError:
        return None
    return folder


def _prune(parent: Path) -> None:
    """Remove the folders that were not used lately."""
    ages = {path: time.time() - path.stat().st_mtime for path in parent.iterdir() if path.is_dir()}
    for i, path in enumerate(sorted(ages, key=lambda path: ages[path])):
        if i >= KEPT or ages[path] > KEPT_S:
            shutil.rmtree(path, ignore_errors=True)


class _Place:
    """Numba's protocol of a cache locator, for a folder that is known."""

    def __init__(self, function: Callable[..., Any], folder: Path) -> None:
        self._py_file = function.__code__.co_filename  # numba names it in warnings
        self._lineno = function.__code__.co_firstlineno
        self._folder = folder

    def ensure_cache_path(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)

    def get_cache_path(self) -> str:
        return str(self._folder)

    def get_source_stamp(self) -> str:
        return self._folder.name

    def get_disambiguator(self) -> str:
        return str(self._lineno)


class _Results(CompileResultCacheImpl):
    """What is kept, and where; numba's own way of finding the place is not asked."""

    def __init__(self, function: Callable[..., Any]) -> None:
        folder = kernel_folder(function.__module__)
        assert folder is not None, "asked for by KernelCache before"
        self._lineno = function.__code__.co_firstlineno
        self._locator = _Place(function, folder)
        names = function.__qualname__, sys.abiflags
        self._filename_base = self.get_filename_base(*names)  # type: ignore[no-untyped-call]


class _DataFile(IndexDataCacheFile):
    """Numba's files of a kernel, whose code is checked before LLVM gets it.

    LLVM ends the process where code is damaged, with zeros of a power cut, say; and it would do so
    again at each start.
    """

    def _save_data(self, name: str, data: Any) -> None:
        dumped = self._dump(data)  # type: ignore[no-untyped-call]
        path = self._data_path(name)  # type: ignore[no-untyped-call]
        with self._open_for_write(path) as file:
            file.write(sha256(dumped).digest() + dumped)

    def _load_data(self, name: str) -> Any:
        whole = Path(self._data_path(name)).read_bytes()  # type: ignore[no-untyped-call]
        digest, dumped = whole[:DIGEST_BYTES], whole[DIGEST_BYTES:]
        if sha256(dumped).digest() != digest:
            raise ValueError(f"{name}: damaged")
        return pickle.loads(dumped)


class _Files(FunctionCache):
    _impl_class = _Results

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)  # type: ignore[no-untyped-call]
        self._cache_file = _DataFile(
            cache_path=self._cache_path,
            filename_base=self._impl.filename_base,
            source_stamp=self._impl.locator.get_source_stamp(),
        )  # type: ignore[no-untyped-call]


class _Turn:
    """One process at a time compiles the kernels of a domain; others wait and then load them.

    It is taken for the outermost kernel that has to be compiled and lasts until that is saved, so
    that no process waits while it holds one.
    """

    def __init__(self) -> None:
        self._lock: BaseFileLock | None = None

    def take(self, folder: Path) -> bool:
        """Whether there was waiting, after which the kernel may be there."""
        if is_compiling():
            return False
        self.give()  # of a compilation that failed
        lock = FileLock(folder.parent.parent / f".{package_of(folder.parent.name)}.lock")
        began = time.monotonic()
        with suppress(OSError):  # Timeout is one: then both compile
            lock.acquire(timeout=PATIENCE_S)
            self._lock = lock
        return time.monotonic() - began > WAITED_S

    def give(self) -> None:
        """Let others go on, unless this was for a callee."""
        if self._lock is not None and not is_compiling():
            self._lock.release()
            self._lock = None


_turn = _Turn()


class KernelCache:
    """Numba's protocol of a dispatcher's cache. Nothing is read before the first call."""

    def __init__(self, function: Callable[..., Any]) -> None:
        """Args: function: the kernel's Python source."""
        self._function = function
        self._opened: Any = None  # _Files, which mypy knows as untyped
        self._enabled = True

    @property
    def cache_path(self) -> str | None:
        """The folder, for numba's statistics."""
        files = self._files()
        return None if files is None else files.cache_path

    def _files(self) -> Any:
        if not self._enabled:
            return None
        if self._opened is None and kernel_folder(self._function.__module__) is not None:
            self._opened = _Files(self._function)
        return self._opened

    def load_overload(self, signature: Any, target: Any) -> Any:
        """Compiled code for a signature, or None; then it will be compiled and saved."""
        with paused():
            target.refresh()
            if (files := self._files()) is None:
                return None
            found = _load(files, signature, target)
            if found is None and _turn.take(Path(files.cache_path)):
                found = _load(files, signature, target)
            if found is not None:
                _turn.give()
            return found

    def save_overload(self, signature: Any, compiled: Any) -> None:
        """Keep compiled code; if that can't be, it will be compiled again by the next process."""
        with paused():
            if (files := self._files()) is None:
                return
            try:
                # Numba numbers a kernel's files: two writers might take the same number.
                with FileLock(f"{files.cache_path}/{self._function.__name__}.lock", PATIENCE_S):
                    files.save_overload(signature, compiled)
            except Exception as error:  # a full disk, or an index damaged meanwhile
                reason = getattr(error, "strerror", None) or error
                _complain(f"{files.cache_path}: compiled kernels can't be kept: {reason}")
            finally:
                _turn.give()

    def enable(self) -> None:
        """Use it, as it does from the start."""
        self._enabled = True

    def disable(self) -> None:
        """Compile anew, and keep nothing."""
        self._enabled = False

    def flush(self) -> None:
        """Forget what was kept of this kernel."""
        if (files := self._files()) is not None:
            files.flush()


def _load(files: Any, signature: Any, target: Any) -> Any:
    try:
        return files.load_overload(signature, target)
    except Exception as error:  # whatever unpickling a damaged file raises
        _log.debug("%s: compiled again: %r", files.cache_path, error)
        with suppress(OSError):
            files.flush()
        return None
