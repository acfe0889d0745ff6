"""What every reader owes whoever hands it a file, and how many files it is tried on."""

from __future__ import annotations

import json
import os
import random
import resource
import signal
import sys
import threading
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from hypothesis import HealthCheck, event, settings
from hypothesis import strategies as st

from graphsched.envs.core.errors import InputError
from graphsched.envs.core.parts.reading import parse_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from graphsched.envs.core.domain import Domain

T = TypeVar("T")
EXAMPLES = int(os.environ.get("GRAPHSCHED_FUZZ", "0"))  # of each test; 0: a few for every commit
SECONDS = 5  # that a reader may take
LONGEST = 600  # characters of a message, the file's path apart
MEMORY = 512 * 2**20  # bytes by which the largest memory of the process may grow

rngs = st.integers(0, 2**32).map(random.Random)


def fuzz(few: int) -> settings:
    """Settings of a test with so many examples; `EXAMPLES` if the environment asks for more."""
    return settings(
        max_examples=EXAMPLES or few,
        derandomize=not EXAMPLES,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


def judged(read: Callable[[], T], names: str, longest: int = LONGEST) -> T | None:
    """What is read, or None where it is refused by one line that names the file.

    Raises:
        AssertionError: another error or a warning, too much time or memory, a message of several
            lines or of many, or one that doesn't have `names` in it.
    """
    before = peak_bytes()
    try:
        with _in_time(), warnings.catch_warnings():
            warnings.simplefilter("error")
            found = read()
    except InputError as error:
        event("refused")
        message = str(error)
        assert len(message.splitlines()) == 1, message
        assert names in message, message
        assert len(message.replace(names, "")) < longest, message
        found = None
    else:
        event("read")
    assert peak_bytes() - before < MEMORY
    return found


def comes_back(domain: Domain[Any, Any], instance: Any) -> None:
    """An instance that was read is finite, and can be written and read again."""
    assert isinstance(instance.name, str)
    document = instance.to_json()
    text = json.dumps(document, allow_nan=False, ensure_ascii=False)
    text.encode()
    again = domain.instance_from_json(parse_json(text, "again"))
    assert again.to_json() == document


@contextmanager
def _in_time() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def late(number: int, frame: Any) -> NoReturn:
        raise AssertionError(f"took more than {SECONDS} seconds")

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def peak_bytes() -> int:
    """The most memory that this process has held so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
