"""Writing in the background, so that training does not wait for disks."""

from __future__ import annotations

from queue import Queue
from threading import Thread
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType


class BackgroundWriter:
    """Runs write jobs one after another in a thread, so that training does not wait for disks.

    A job must hold a snapshot of what it writes: the caller goes on changing the original. Use as
    a context manager, or call `close`.
    """

    def __init__(self, pending: int = 2) -> None:
        """Args: pending: jobs that may wait before `submit` blocks, which bounds the memory."""
        self._jobs: Queue[Callable[[], None] | None] = Queue(pending)
        self._error: BaseException | None = None
        self._thread = Thread(target=self._run, name="writer", daemon=True)
        self._thread.start()

    def submit(self, job: Callable[[], None]) -> None:
        """Queue a job. Raises what an earlier job raised, or RuntimeError once closed."""
        self._raise()
        if not self._thread.is_alive():
            raise RuntimeError("the writer is closed")
        self._jobs.put(job)

    def close(self) -> None:
        """Wait for all jobs; raises what one of them raised. May be called again."""
        if self._thread.is_alive():
            self._jobs.put(None)
            self._thread.join()
        self._raise()

    def __enter__(self) -> BackgroundWriter:
        """The writer."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close; an error of the body takes precedence over one of a job."""
        try:
            self.close()
        except BaseException:
            if error is None:
                raise

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                job()
            except BaseException as error:  # raised again in the caller's thread
                self._error = self._error or error

    def _raise(self) -> None:
        error, self._error = self._error, None
        if error is not None:
            raise error
