"""Plain pictures of a crew's work: one line a worker, one column a minute."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tests.toy_domain.instance import CrewInstance
    from tests.toy_domain.solution import CrewSolution


def _cells(instance: CrewInstance, solution: CrewSolution) -> NDArray[np.int64]:
    """(workers, minutes) int64: the job worked on, or -1."""
    width = max(run.end for run in solution.runs)
    cells = np.full((len(instance.workers), width), -1)
    for run in solution.runs:
        cells[run.worker, run.start : run.end] = run.job
    return cells


def render_text(instance: CrewInstance, solution: CrewSolution) -> str:
    """A line per worker, a letter per minute."""
    lines = [
        "".join(chr(65 + c % 26) if c >= 0 else "." for c in row)
        for row in _cells(instance, solution).tolist()
    ]
    return "\n".join([*lines, f"total flow time {solution.flow} minutes"])


def render_rgb(instance: CrewInstance, solution: CrewSolution) -> NDArray[np.uint8]:
    """(10 x workers, 4 x minutes, 3) uint8."""
    cells = np.kron(_cells(instance, solution) + 1, np.ones((10, 4), np.int64))
    return np.stack([cells * 97 % 256, cells * 57 % 256, cells * 17 % 256], axis=2).astype(np.uint8)


def render_html(instance: CrewInstance, solution: CrewSolution) -> str:
    """The text picture as a page."""
    text = escape(render_text(instance, solution))
    return f"<!doctype html><title>{escape(instance.name)}</title><pre>{text}</pre>"
