"""How much time went into compiling kernels and loading compiled ones, apart from all other time."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from numba.core import event

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@dataclass(frozen=True)
class Spent:
    """Time so far: by the clock on the wall, and of this process's processors."""

    wall_s: float = 0.0
    cpu_s: float = 0.0

    def __add__(self, other: Spent) -> Spent:
        return Spent(self.wall_s + other.wall_s, self.cpu_s + other.cpu_s)

    def __sub__(self, other: Spent) -> Spent:
        return Spent(self.wall_s - other.wall_s, self.cpu_s - other.cpu_s)


class _Meter(event.Listener):
    """Sums the outermost of nested stretches."""

    def __init__(self) -> None:
        self._depth = 0
        self._began = Spent()
        self._total = Spent()
        self.watchers: list[Callable[[], None]] = []

    def begin(self) -> None:
        if self._depth == 0:
            self._began = _now()
        self._depth += 1

    def end(self) -> None:
        if self._depth == 1:
            self._total = self.spent()
        self._depth -= 1

    def spent(self) -> Spent:
        return self._total + (_now() - self._began) if self._depth else self._total

    def on_start(self, event: Any) -> None:
        if self._depth == 0:
            for watcher in self.watchers:
                watcher()
        self.begin()

    def on_end(self, event: Any) -> None:
        self.end()


def _now() -> Spent:
    return Spent(time.perf_counter(), time.process_time())


_METER = _Meter()
event.register("numba:compile", _METER)


def spent() -> Spent:
    """Time that this process has spent on compiling and loading kernels so far."""
    return _METER.spent()


@contextmanager
def loading() -> Iterator[None]:
    """What happens inside counts as well."""
    _METER.begin()
    try:
        yield
    finally:
        _METER.end()


@contextmanager
def watched(watcher: Callable[[], None]) -> Iterator[None]:
    """Call ``watcher`` whenever compiling begins (not for kernels that others' compiling needs)."""
    _METER.watchers.append(watcher)
    try:
        yield
    finally:
        _METER.watchers.remove(watcher)


class Stopwatch:
    """Time since its making, compiling left out."""

    def __init__(self) -> None:
        """Start."""
        self._began = _now() - spent()

    def read(self) -> Spent:
        """Time so far."""
        return _now() - spent() - self._began
