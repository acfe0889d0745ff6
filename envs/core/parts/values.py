"""Checks of single values in instances."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from graphsched.envs.core.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray


def words(values: Any, where: str) -> tuple[str, ...]:
    """A tuple of strings; raises InputError."""
    out = tuple(values)
    if isinstance(values, str) or not all(isinstance(value, str) for value in out):
        raise InputError(where, f"expected a list of names, found {values!r:.60}")
    return out


def number(value: Any, where: str) -> float:
    """A finite number; raises InputError."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not np.isfinite(value):
        raise InputError(where, f"expected a finite number, found {value!r:.60}")
    return float(value)


def matrix(values: Any, where: str, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """A read-only float64 array of the shape, without NaN; raises InputError."""
    try:
        out = np.array(values, np.float64)
    except (TypeError, ValueError):
        raise InputError(where, f"expected numbers, found {values!r:.60}") from None
    if out.shape != shape:
        raise InputError(where, f"expected shape {shape}, found {out.shape}")
    if np.isnan(out).any():
        raise InputError(where, "expected numbers, found NaN")
    out.setflags(write=False)
    return out


def count(value: Any, where: str, minimum: int = 0) -> int:
    """An integer of at least `minimum`; raises InputError."""
    if isinstance(value, bool) or not isinstance(value, int) or not minimum <= value < 2**53:
        raise InputError(where, f"expected an integer >= {minimum}, found {value!r:.60}")
    return value
