"""Stops the clock while numba compiles, logs that it does, and lets signals wait meanwhile."""

from __future__ import annotations

import logging
import signal
import threading
from functools import cache
from typing import Any

from numba.core import event

from graphsched.envs.core.clock import begin_pause, end_pause

SIGNALS = (signal.SIGINT, signal.SIGTERM)

_log = logging.getLogger("graphsched.compiling")


def package_of(module: str) -> str:
    """The part of the tree whose kernels call each other: a domain, say."""
    return ".".join(module.split(".")[:3])


class _Compiling(event.Listener):
    """Hears of every compilation in this process; one of a callee is inside its caller's."""

    depth = 0
    mask: set[int] | None = None  # of the signals before

    def on_start(self, event: Any) -> None:
        self._hold()
        module = event.data["dispatcher"].py_func.__module__
        if not module.startswith("numba."):  # of numba's own, which ours need
            _tell(package_of(module))
        self.depth += 1
        begin_pause()

    def on_end(self, event: Any) -> None:
        end_pause()
        self.depth -= 1
        self._release()
        if self.depth > 0:
            self._hold()

    def _hold(self) -> None:
        """Let signals wait until a kernel is compiled, a second or so.

        What they raise between llvmlite and LLVM is lost in a callback and leaves objects half
        made, which crash the process in its end.
        """
        if threading.current_thread() is threading.main_thread():
            before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
            self.mask = before if self.mask is None else self.mask

    def _release(self) -> None:
        """Deliver those that came; raises what their handlers raise."""
        if threading.current_thread() is threading.main_thread() and self.mask is not None:
            before, self.mask = self.mask, None
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


@cache  # once for each
def _tell(package: str) -> None:
    name = package.partition(".")[2].removeprefix("envs.") or package
    _log.info("compiling kernels of %s, once on this machine: a minute or so", name)


_compiling = _Compiling()
event.register("numba:compile", _compiling)


def is_compiling() -> bool:
    """Whether a compilation is under way, so that what happens now happens inside it."""
    return _compiling.depth > 0
