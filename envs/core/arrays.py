"""Struct-of-arrays state, declared once: from a NamedTuple's fields follow dtypes and shapes.

A field is ``Annotated[Ints, "B", "J+1"]``: its dtype, then its axes. An axis is the letter of a size,
such a letter with a constant added, or a number. A ``np.dtype`` among them makes the field a table of
records. The first axis of every field is that of the slots.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, get_args, get_type_hints

import numpy as np
from numba import config
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Records = NDArray[Any]
StateT = TypeVar("StateT", bound=tuple[Any, ...])


class _Field(NamedTuple):
    dtype: np.dtype[Any]
    axes: tuple[tuple[str, int], ...]  # letter, or "" for a number, and what is added to its size


@cache
def _fields(kind: type) -> dict[str, _Field]:
    return {
        name: _field(hint)
        for name, hint in get_type_hints(kind, include_extras=True).items()
        if hasattr(hint, "__metadata__")
    }


def _field(hint: Any) -> _Field:
    told = hint.__metadata__
    (record,) = [part for part in told if isinstance(part, np.dtype)] or (None,)
    if record is None:
        record = np.dtype(get_args(get_args(hint.__origin__)[1])[0])  # of NDArray[...]
    axes = [part for part in told if not isinstance(part, np.dtype)]
    return _Field(record, tuple(map(_axis, axes)))


def _axis(part: str | int) -> tuple[str, int]:
    if isinstance(part, int):
        return "", part
    letter, _, added = part.partition("+")
    return letter, int(added or 0)


def empty(kind: type[StateT], sizes: Mapping[str, int]) -> StateT:
    """Arrays of zeros for the sizes of all letters."""
    arrays = {}
    for name, (dtype, axes) in _fields(kind).items():
        shape = tuple(added + (sizes[letter] if letter else 0) for letter, added in axes)
        arrays[name] = viewed(np.zeros(shape, dtype))
    return kind(**arrays)


def viewed(array: NDArray[Any]) -> NDArray[Any]:
    """Records whose fields are attributes, also where kernels run interpreted; others as they are."""
    interpreted = config.DISABLE_JIT  # type: ignore[attr-defined]  # set at numba's import
    return array.view(np.recarray) if array.dtype.names and interpreted else array


def sizes_of(state: tuple[Any, ...]) -> dict[str, int]:
    """Size of each letter in a state's declaration."""
    return {
        letter: length - added
        for array, field in zip(state, _fields(type(state)).values(), strict=True)
        for length, (letter, added) in zip(array.shape, field.axes, strict=True)
        if letter
    }


def grown(state: StateT, need: Mapping[str, int]) -> StateT:
    """The same state with room for at least the sizes needed; itself where there already is."""
    have = sizes_of(state)
    want = {letter: max(size, need.get(letter, 0)) for letter, size in have.items()}
    if want == have:
        return state
    larger = empty(type(state), want)
    for old, new in zip(state, larger, strict=True):
        new[tuple(slice(0, n) for n in old.shape)] = old
    return larger


def write(state: tuple[Any, ...], slot: int, values: Mapping[str, Any]) -> None:
    """Write fields of a slot by name: arrays into the first places, single values into all."""
    for name, value in values.items():
        row, value = getattr(state, name), np.asarray(value)
        row[(slot, *(slice(0, n) for n in value.shape))] = value


def copy_slots(
    state: tuple[Any, ...], sources: Sequence[int] | Ints, targets: Sequence[int] | Ints
) -> None:
    """Copy slots within a state; all sources are read before any target is written."""
    source, target = np.asarray(sources, np.int64), np.asarray(targets, np.int64)
    for array in state:
        array[target] = array[source]


def plain_arrays(state: tuple[Any, ...]) -> dict[str, NDArray[Any]]:
    """Copies of all arrays by name, records as the int64 of their bits: files know no records."""
    fields = _fields(type(state))
    return {
        name: array.copy().view(np.int64) if fields[name].dtype.names else array.copy()
        for name, array in zip(fields, state, strict=True)
    }


def from_plain(kind: type[StateT], arrays: Mapping[str, NDArray[Any]]) -> StateT:
    """Inverse of `plain_arrays`."""
    found = {}
    for name, (dtype, _) in _fields(kind).items():
        copy = arrays[name].copy()
        found[name] = viewed(copy.view(dtype)) if dtype.names else copy
    return kind(**found)
