"""Names of instances that were made from others."""

from __future__ import annotations

MARK = "~"


def perturbed_name(name: str) -> str:
    """A name that no benchmark instance has, so that none of its known values is looked up."""
    return name if name.endswith(MARK) else name + MARK
