"""What Ctrl-C and a request to end do to a command."""

from __future__ import annotations

import signal
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from graphsched import _quits_at_interrupts
from graphsched.envs.core.errors import Interrupted

if TYPE_CHECKING:
    from collections.abc import Iterator

AGAIN_S = 0.05


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """A request to end, as schedulers of clusters send it, cleans up as Ctrl-C does."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(number: int, frame: Any) -> None:
        del frame
        raise Interrupted(number)

    before = signal.signal(signal.SIGTERM, end)
    if _quits_at_interrupts():
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with _none_lost():
            yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _none_lost() -> Iterator[None]:
    """A signal that came where Python can't raise comes once more, a moment later.

    In a callback of LLVM's or a finalizer, say, where it would be printed and forgotten.
    """
    waiting: list[threading.Timer] = []
    before, main_thread = sys.unraisablehook, threading.main_thread()

    def hear(lost: sys.UnraisableHookArgs) -> None:
        if not isinstance(lost.exc_value, KeyboardInterrupt):
            before(lost)
            return
        number = (
            lost.exc_value.status - 128
            if isinstance(lost.exc_value, Interrupted)
            else signal.SIGINT
        )
        again = threading.Timer(AGAIN_S, signal.pthread_kill, (main_thread.ident, number))
        again.daemon = True
        waiting.append(again)
        again.start()

    sys.unraisablehook = hear
    try:
        yield
    finally:
        sys.unraisablehook = before
        for timer in waiting:
            timer.cancel()
