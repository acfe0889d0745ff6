"""Checks of single values in instances."""

from __future__ import annotations

import math
from typing import Any

from graphsched.envs.core.errors import InputError


def number(value: Any, where: str) -> float:
    """A finite number; raises InputError."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise InputError(where, f"expected a finite number, found {value!r:.60}")
    return float(value)


def count(value: Any, where: str, minimum: int = 0) -> int:
    """An integer of at least `minimum`; raises InputError."""
    if isinstance(value, bool) or not isinstance(value, int) or not minimum <= value < 2**53:
        raise InputError(where, f"expected an integer >= {minimum}, found {value!r:.60}")
    return value
