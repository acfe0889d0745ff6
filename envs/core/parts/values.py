"""Checks of single values in instances."""

from __future__ import annotations

import dataclasses
import math
import reprlib
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

import numpy as np

from graphsched.envs.core.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray


def python_scalars(record: Any) -> None:
    """Make NumPy's scalars in a dataclass Python's, which JSON and `type` know; tuples too."""
    for field in dataclasses.fields(record):
        value = getattr(record, field.name)
        plain = python_value(value)
        if plain is not value:
            object.__setattr__(record, field.name, plain)


class PythonScalars:
    """Base of dataclasses that have nothing else to check when they are built."""

    def __post_init__(self) -> None:
        """See `python_scalars`."""
        python_scalars(self)


def python_value(value: Any) -> Any:
    """A value whose NumPy scalars are Python's, in tuples, lists and tables as well."""
    if isinstance(value, np.generic):
        return value.item()
    if type(value) is dict:
        return {key: python_value(entry) for key, entry in value.items()}
    if type(value) in (list, tuple):
        plain = type(value)(map(python_value, value))
        return plain if any(a is not b for a, b in zip(plain, value, strict=True)) else value
    return value


def words(values: Any, where: str) -> tuple[str, ...]:
    """A tuple of strings; raises InputError."""
    out = tuple(values)
    if isinstance(values, str) or not all(isinstance(value, str) for value in out):
        raise InputError(where, f"expected a list of names, found {values!r:.60}")
    return out


def number(value: Any, where: str) -> float:
    """A finite number, perhaps of NumPy's; raises InputError."""
    try:
        out = float(value) if isinstance(value, Real) and not isinstance(value, bool) else math.nan
    except OverflowError:
        out = math.inf
    if not math.isfinite(out):
        raise InputError(where, f"expected a finite number, found {shown(value)}")
    return out


def shown(value: Any) -> str:
    """A value for a message, shortened; it may have thousands of digits, or nest without end."""
    if isinstance(value, int) and abs(value) > 10**20:
        return "an integer beyond 64 bits"
    try:
        return f"{value!r:.60}"
    except (RecursionError, ValueError):
        return f"{reprlib.repr(value):.60}"


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
    """An integer of at least `minimum`, perhaps of NumPy's; raises InputError."""
    whole = isinstance(value, Integral) and not isinstance(value, bool)
    if not whole or not minimum <= value < 2**53:
        raise InputError(where, f"expected an integer >= {minimum}, found {shown(value)}")
    return int(value)
