"""Signals that ask a training to end: it ends after the update that it is at, with a checkpoint."""

from __future__ import annotations

import logging
import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from graphsched.envs.core.errors import Interrupted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from graphsched.training.running.run import Run

SIGNALS = (signal.SIGINT, signal.SIGTERM)
_log = logging.getLogger(__name__)


@contextmanager
def stopping(run: Run) -> Iterator[None]:
    """The first signal sets `Run.interrupted`, a second one raises Interrupted at once.

    Signals reach the main thread only; in others nothing changes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def ask(number: int, frame: Any) -> None:
        del frame
        if run.interrupted:
            raise Interrupted(number)
        run.interrupted = number
        _log.info("stopping after this update, with a checkpoint; again to stop at once")

    before = {number: signal.signal(number, ask) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
