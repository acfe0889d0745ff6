"""Train, judge and ship learned schedulers.

Importing the package registers every domain with Gymnasium, those of other packages included, so
that ``gymnasium.make("graphsched:JobShop-v0")`` works; no domain is imported before it is used,
and torch only by training.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from graphsched.agents.runtime import load_policy
    from graphsched.envs.core.registry import get_domain
    from graphsched.eval.api import evaluate, solve
    from graphsched.training.api import train

__version__ = "0.1.0"
__all__ = ["__version__", "evaluate", "get_domain", "load_policy", "solve", "train"]

_PLACES = {
    "evaluate": "graphsched.eval.api",
    "get_domain": "graphsched.envs.core.registry",
    "load_policy": "graphsched.agents.runtime",
    "solve": "graphsched.eval.api",
    "train": "graphsched.training.api",
}


def _is_command() -> bool:
    """Whether Python was started as the command ``graphsched``, not by a program that uses it."""
    words, count = sys.orig_argv, len(sys.argv)
    started = words[-count] if 0 < count < len(words) else ""
    return os.path.basename(started) in ("graphsched", "-mgraphsched")


def _quit(number: int, frame: object) -> NoReturn:
    """End a command that hasn't begun: nothing to clean up, and no half-imported module told of."""
    del frame
    try:
        os.write(2, b"graphsched: interrupted\n")
    finally:
        os._exit(128 + number)


def _quits_at_interrupts() -> bool:
    """Whether this process ends at Ctrl-C as it begins to, until the command line is there."""
    return signal.getsignal(signal.SIGINT) is _quit


if _is_command() and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    with suppress(ValueError):  # another thread than the main one
        signal.signal(signal.SIGINT, _quit)


def __getattr__(name: str) -> Any:
    """The functions of `__all__`, imported when they are first asked for."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(importlib.import_module(_PLACES[name]), name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


from graphsched.envs.core.gym.registration import register_domains  # noqa: E402 - it takes a while

register_domains()
