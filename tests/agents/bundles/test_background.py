"""Jobs run in order off the caller's thread, and their errors surface."""

import threading
from functools import partial

import pytest

from graphsched.agents.bundles.background import BackgroundWriter


def test_jobs_run_in_order_off_the_caller() -> None:
    seen: list[tuple[int, str]] = []

    def note(i: int) -> None:
        seen.append((i, threading.current_thread().name))

    with BackgroundWriter() as writer:
        for i in range(5):
            writer.submit(partial(note, i))
    assert seen == [(i, "writer") for i in range(5)]


def divide_by_zero() -> None:
    raise ZeroDivisionError


def test_errors_surface_once_and_later_jobs_still_run() -> None:
    done = threading.Event()
    writer = BackgroundWriter()
    writer.submit(divide_by_zero)
    writer.submit(done.set)
    assert done.wait(5)
    with pytest.raises(ZeroDivisionError):
        writer.submit(lambda: None)
    writer.close()
    writer.close()
    with pytest.raises(RuntimeError, match="closed"):
        writer.submit(lambda: None)


def test_close_raises_what_the_last_job_raised() -> None:
    writer = BackgroundWriter()
    writer.submit(divide_by_zero)
    with pytest.raises(ZeroDivisionError):
        writer.close()
