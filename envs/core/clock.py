"""The clock of solvers, budgets and reports: it stands still while kernels are compiled or loaded.

A kernel is compiled once on a machine, at a moment that has nothing to do with what is measured.
"""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LOOK_S = 0.002  # between two looks at the clock


class _Pause:
    """Sums what was spent in pauses; of nested ones the outermost counts."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._depth = 0
        self._began = 0.0
        self._total = 0.0

    def begin(self) -> None:
        if self._depth == 0:
            self._began = self._now()
        self._depth += 1

    def end(self) -> None:
        self._depth -= 1
        if self._depth == 0:
            self._total += self._now() - self._began

    def working(self) -> float:
        """The time that was not spent in pauses."""
        now = self._now()
        return now - self._total - (now - self._began if self._depth else 0.0)


_WALL, _CPU = _Pause(time.perf_counter), _Pause(time.process_time)


def wall_s() -> float:
    """Seconds by the clock on the wall since some moment, pauses left out."""
    return _WALL.working()


def cpu_s() -> float:
    """Seconds of this process's processor time, pauses left out."""
    return _CPU.working()


def begin_pause() -> None:
    """Stop the clocks; `paused` where both ends are in one place."""
    _WALL.begin()
    _CPU.begin()


def end_pause() -> None:
    """Let the clocks go on, if no other pause is left."""
    _CPU.end()
    _WALL.end()


@contextmanager
def paused() -> Iterator[None]:
    """The clocks stand still inside."""
    begin_pause()
    try:
        yield
    finally:
        end_pause()


def fitting(done: int, spent_s: float, limit_s: float) -> int:
    """Units of work that fit in until the next look at the clock, one at least.

    Args:
        done: units so far.
        spent_s: time that they took.
        limit_s: of all.
    """
    return max(1, int(done / max(spent_s, 1e-6) * min(LOOK_S, limit_s - spent_s)))


@contextmanager
def stopping(stop: Callable[[], None], cpu_limit_s: float) -> Iterator[None]:
    """Call ``stop`` once the work inside has taken so much processor time.

    For libraries that only know a clock on the wall, which runs on while other programs have the
    processor. ``stop`` is called from a thread of its own, perhaps more than once.
    """
    began, done = cpu_s(), threading.Event()

    def watch() -> None:
        while not done.wait(LOOK_S):
            if cpu_s() - began >= cpu_limit_s:
                stop()

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()
