"""Stops the clock while numba compiles, and logs that it does."""

from __future__ import annotations

import logging
from functools import cache
from typing import Any

from numba.core import event

from graphsched.envs.core.clock import begin_pause, end_pause

_log = logging.getLogger("graphsched.compiling")


def package_of(module: str) -> str:
    """The part of the tree whose kernels call each other: a domain, say."""
    return ".".join(module.split(".")[:3])


class _Compiling(event.Listener):
    """Hears of every compilation in this process; one of a callee is inside its caller's."""

    depth = 0

    def on_start(self, event: Any) -> None:
        module = event.data["dispatcher"].py_func.__module__
        if not module.startswith("numba."):  # of numba's own, which ours need
            _tell(package_of(module))
        self.depth += 1
        begin_pause()

    def on_end(self, event: Any) -> None:
        end_pause()
        self.depth -= 1


@cache  # once for each
def _tell(package: str) -> None:
    name = package.partition(".")[2].removeprefix("envs.") or package
    _log.info("compiling kernels of %s, once on this machine: a minute or so", name)


_compiling = _Compiling()
event.register("numba:compile", _compiling)


def is_compiling() -> bool:
    """Whether a compilation is under way, so that what happens now happens inside it."""
    return _compiling.depth > 0
