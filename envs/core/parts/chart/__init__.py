"""Pictures of schedules: a domain says what is in a chart, and it is drawn here in three ways."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from graphsched.envs.core.parts.chart.lines import text
from graphsched.envs.core.parts.chart.model import Bar, Chart, Group, Link, Mark, palette
from graphsched.envs.core.parts.chart.page import html
from graphsched.envs.core.parts.chart.pixels import rgb

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from graphsched.envs.core.domain import InstanceT, SolutionT

__all__ = ["Bar", "Chart", "Group", "Link", "Mark", "drawers", "html", "palette", "rgb", "text"]
Picture = TypeVar("Picture")


def drawers(
    chart: Callable[[InstanceT, SolutionT], Chart],
) -> tuple[
    Callable[[InstanceT, SolutionT], str],
    Callable[[InstanceT, SolutionT], NDArray[np.uint8]],
    Callable[[InstanceT, SolutionT], str],
]:
    """A domain's `render_text`, `render_rgb` and `render_html`, given what makes its charts."""

    def drawn(draw: Callable[[Chart], Picture]) -> Callable[[InstanceT, SolutionT], Picture]:
        return lambda instance, solution: draw(chart(instance, solution))

    return drawn(text), drawn(rgb), drawn(html)
