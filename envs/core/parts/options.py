"""Options of simulators: which of them change decisions, and which only what is seen of them."""

from __future__ import annotations

from dataclasses import field, fields
from typing import Any

_SEEN = "only changes what is seen"


def seen(default: Any) -> Any:
    """A dataclass field of an option that only changes what a policy sees.

    The decisions of an episode are the same whatever its value, so that they can be replayed under
    another one.
    """
    return field(default=default, metadata={_SEEN: True})


def seen_only(options: Any) -> set[str]:
    """Names of the options, of a dataclass or an instance of it, that are made by `seen`."""
    return {f.name for f in fields(options) if f.metadata.get(_SEEN, False)}
