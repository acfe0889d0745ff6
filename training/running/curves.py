"""Curves for TensorBoard in which no step is there twice."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from stable_baselines3.common.logger import Logger, TensorBoardOutputFormat
from torch.utils.tensorboard import SummaryWriter

from graphsched.envs.core.parts.writing import naming

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Curves(TensorBoardOutputFormat):
    """Stable-Baselines3's, which can also begin in the middle of what a killed run has written."""

    def __init__(self, folder: Path, first_step: int) -> None:
        """Args: folder: of the events. first_step: from which on older events don't count."""
        self._folder = folder
        with naming(folder):
            # The parent's constructor knows no purge_step.
            self.writer = SummaryWriter(log_dir=str(folder), purge_step=first_step)
        self._is_closed = False

    def write(
        self,
        key_values: dict[str, Any],
        key_excluded: dict[str, tuple[str, ...]],
        step: int = 0,
    ) -> None:
        """As the parent; an OSError names the folder."""
        with naming(self._folder):
            super().write(key_values, key_excluded, step)

    def close(self) -> None:
        """As the parent; an OSError names the folder."""
        with naming(self._folder):
            super().close()


def curves(folder: Path, first_step: int) -> Logger:
    """A logger that writes them."""
    return Logger(str(folder), [Curves(folder, first_step)])


@contextmanager
def told_once() -> Iterator[None]:
    """A full disk is TensorBoard's writer's to raise in `Curves`, not to print from its thread."""
    before = threading.excepthook

    def hook(args: threading.ExceptHookArgs) -> None:
        of_writer = type(args.thread).__module__.startswith("tensorboard.")
        if not (of_writer and isinstance(args.exc_value, OSError)):
            before(args)

    threading.excepthook = hook
    try:
        yield
    finally:
        threading.excepthook = before
