"""What Ctrl-C and SIGTERM do to a run: it ends after the update in progress, with a checkpoint."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from graphsched.envs.core.errors import Interrupted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stopping:
    """Hears of signals.

    Attributes:
        can_wait: there is work that would be lost, and somebody who looks at `asked`. Otherwise a
            signal ends the work at once, and so does a second one.
        asked: number of the signal that asked for the end; None so far.
        told: called when a signal is going to be followed after the update.
    """

    def __init__(self) -> None:
        """Nobody asked yet."""
        self.can_wait = False
        self.asked: int | None = None
        self.told: Callable[[], None] = lambda: None

    def hear(self, number: int, frame: Any) -> None:
        """A handler of signals; raises Interrupted if the work is to end at once."""
        del frame
        if not self.can_wait or self.asked is not None:
            raise Interrupted(number)
        self.asked = number
        self.told()

    def follow(self) -> None:
        """Raise Interrupted if a signal was heard."""
        if self.asked is not None:
            raise Interrupted(self.asked)


@contextmanager
def stopping() -> Iterator[Stopping]:
    """Hear SIGINT and SIGTERM inside; only the main thread can, and ignored ones stay ignored."""
    out = Stopping()
    before = {}
    if threading.current_thread() is threading.main_thread():
        heard = [n for n in SIGNALS if signal.getsignal(n) is not signal.SIG_IGN]
        before = {number: signal.signal(number, out.hear) for number in heard}
    try:
        yield out
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
