"""Struct-of-arrays state, declared once: from a NamedTuple's fields follow dtypes and shapes.

A field is ``Annotated[Ints, "B", "J+1"]``: its dtype, then its axes. An axis is the letter of a size,
such a letter with a constant added, or a number. A ``np.dtype`` among them makes the field a table of
records. The first axis of every field is that of the slots. A field may also be such a NamedTuple
itself: a state of parts, whose sizes, and arrays in files, are those of its parts by name.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, cast, get_args, get_type_hints

import numpy as np
from numba import config
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Records = NDArray[Any]
StateT = TypeVar("StateT", bound=tuple[Any, ...])


class _Field(NamedTuple):
    dtype: np.dtype[Any]
    axes: tuple[tuple[str, int], ...]  # letter, or "" for a number, and what is added to its size


@cache
def _declared(kind: type) -> dict[str, _Field | type]:
    """Fields of a state by name: how each is made, or its type where it is a part."""
    hints = get_type_hints(kind, include_extras=True)
    return {name: _field(h) if hasattr(h, "__metadata__") else h for name, h in hints.items()}


def _field(hint: Any) -> _Field:
    told = hint.__metadata__
    (record,) = [part for part in told if isinstance(part, np.dtype)] or (None,)
    if record is None:
        record = _scalar(hint.__origin__)
    axes = [part for part in told if not isinstance(part, np.dtype)]
    return _Field(record, tuple(map(_axis, axes)))


def _scalar(array: Any) -> np.dtype[Any]:
    """Of ``NDArray[...]``, which is an alias of its own from NumPy 2.5 on."""
    last = get_args(array)[-1]
    scalar: np.dtype[Any] = np.dtype((get_args(last) or (last,))[0])
    return scalar


def _axis(part: str | int) -> tuple[str, int]:
    if isinstance(part, int):
        return "", part
    letter, _, added = part.partition("+")
    return letter, int(added or 0)


def empty(kind: type[StateT], sizes: Mapping[str, Any]) -> StateT:
    """Arrays of zeros for the sizes of all letters."""
    return kind(
        **{
            name: _zeros(field, sizes)
            if isinstance(field, _Field)
            else empty(cast("type[tuple[Any, ...]]", field), sizes[name])
            for name, field in _declared(kind).items()
        }
    )


def _zeros(field: _Field, sizes: Mapping[str, int]) -> NDArray[Any]:
    shape = tuple(added + (sizes[letter] if letter else 0) for letter, added in field.axes)
    return _viewed(np.zeros(shape, field.dtype))


def _viewed(array: NDArray[Any]) -> NDArray[Any]:
    """Records whose fields are attributes, also where kernels run interpreted; others as they are."""
    interpreted = config.DISABLE_JIT  # type: ignore[attr-defined]  # set at numba's import
    return array.view(np.recarray) if array.dtype.names and interpreted else array


@cache
def _measured(kind: type) -> dict[str, tuple[int, int, int] | None]:
    """Where a size shows: number of a field, axis, and what is added there; None for parts by name."""
    found: dict[str, tuple[int, int, int] | None] = {}
    for number, (name, field) in enumerate(_declared(kind).items()):
        if isinstance(field, _Field):
            for axis, (letter, added) in enumerate(field.axes):
                found |= {letter: (number, axis, added)} if letter else {}
        else:
            found[name] = None
    return found


def sizes_of(state: tuple[Any, ...]) -> dict[str, Any]:
    """Size of each letter in a state's declaration."""
    return {
        name: sizes_of(getattr(state, name)) if at is None else state[at[0]].shape[at[1]] - at[2]
        for name, at in _measured(type(state)).items()
    }


def grown(state: StateT, need: Mapping[str, Any]) -> StateT:
    """The same state with room for at least the sizes needed; itself where there already is."""
    have = sizes_of(state)
    want = _most(have, need)
    if want == have:
        return state
    larger = empty(type(state), want)
    for old, new in zip(arrays_of(state), arrays_of(larger), strict=True):
        new[tuple(slice(0, n) for n in old.shape)] = old
    return larger


def _most(have: Mapping[str, Any], need: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: _most(size, need.get(key, {}))
        if isinstance(size, dict)
        else max(size, need.get(key, 0))
        for key, size in have.items()
    }


def arrays_of(state: tuple[Any, ...]) -> Iterator[NDArray[Any]]:
    """All arrays of a state, those of its parts included."""
    for value in state:
        if isinstance(value, tuple):
            yield from arrays_of(value)
        else:
            yield value


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
    for array in arrays_of(state):
        array[target] = array[source]


def plain_arrays(state: tuple[Any, ...]) -> dict[str, Any]:
    """Copies of all arrays by name, records as the int64 of their bits: files know no records."""
    return {
        name: plain_arrays(value)
        if isinstance(value, tuple)
        else value.copy().view(np.int64)
        if value.dtype.names
        else value.copy()
        for name, value in zip(_declared(type(state)), state, strict=True)
    }


def from_plain(kind: type[StateT], arrays: Mapping[str, Any]) -> StateT:
    """Inverse of `plain_arrays`."""
    found: dict[str, Any] = {}
    for name, field in _declared(kind).items():
        if isinstance(field, _Field):
            copy = arrays[name].copy()
            found[name] = _viewed(copy.view(field.dtype)) if field.dtype.names else copy
        else:
            found[name] = from_plain(cast("type[tuple[Any, ...]]", field), arrays[name])
    return kind(**found)
