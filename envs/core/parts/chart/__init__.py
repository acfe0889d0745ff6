"""Pictures of schedules: a domain says what is in a chart, and it is drawn here in three ways."""

from graphsched.envs.core.parts.chart.lines import text
from graphsched.envs.core.parts.chart.model import Bar, Chart, Group, Link, Mark, number, palette
from graphsched.envs.core.parts.chart.page import html
from graphsched.envs.core.parts.chart.pixels import rgb

__all__ = ["Bar", "Chart", "Group", "Link", "Mark", "html", "number", "palette", "rgb", "text"]
