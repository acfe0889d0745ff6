"""Reading of JSON documents: what is wrong becomes one line that names field and row."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

import numpy as np

from graphsched.envs.core.errors import InputError
from graphsched.envs.core.parts.values import shown

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from numpy.typing import NDArray

LARGEST = 2**53  # integers up to here survive JSON everywhere
_HEAD = ("schema", "domain")


def check_head(
    document: Any,
    domain: str,
    needed: Collection[str],
    optional: Collection[str] = (),
    schemas: Sequence[int] = (1,),
    what: str = "solution",
) -> int:
    """The schema of a domain's document, which has all of its fields and no other.

    Args:
        document: as it comes out of JSON.
        domain: that it must belong to if it names one.
        needed: fields that must be there.
        optional: fields that may be there.
        schemas: that are known; a document that names none has the first.
        what: kind of document.

    Raises:
        InputError: no object, another domain or schema, a missing or an unknown field.
    """
    if not isinstance(document, dict):
        raise InputError(what, f"expected an object, found {type(document).__name__}")
    found = document.get("domain", domain)
    if found != domain:
        raise InputError("domain", f"expected {domain!r}, found {found!r:.40}")
    schema = document.get("schema", schemas[0])
    if type(schema) is not int or schema not in schemas:
        known = " or ".join(map(str, schemas))
        raise InputError("schema", f"expected {known}, found {schema!r:.40}")
    check_names(document, needed, (*optional, *_HEAD), "")
    return schema


def check_names(
    entry: Any, needed: Collection[str], optional: Collection[str] = (), where: str = ""
) -> None:
    """Raises InputError unless it is an object with all needed fields and no unknown one.

    where: of the object, such as ``requests[3].``.
    """
    if not isinstance(entry, dict):
        expected = f"expected an object with {', '.join(needed)}"
        raise InputError(where.rstrip("."), f"{expected}, found {entry!r:.60}")
    for name in entry:
        if name not in needed and name not in optional:
            known = [*needed, *optional]
            close = difflib.get_close_matches(name, known, 1)
            hint = f"is it {close[0]!r}?" if close else f"expected {', '.join(known)}"
            raise InputError(f"{where}{name!r:.40}", f"unknown field; {hint}")
    for name in needed:
        if name not in entry:
            raise InputError(f"{where}{name}", "missing")


def read_name(value: Any, where: str) -> str:
    """A string; raises InputError."""
    if not isinstance(value, str):
        raise InputError(where, f"expected a name, found {value!r:.60}")
    return value


def read_names(value: Any, where: str) -> tuple[str, ...]:
    """A list of strings; raises InputError with the place."""
    rows = read_list(value, where, "names")
    return tuple(read_name(name, f"{where}[{i}]") for i, name in enumerate(rows))


def read_flag(value: Any, where: str) -> bool:
    """True or false; raises InputError."""
    if type(value) is not bool:
        raise InputError(where, f"expected true or false, found {value!r:.60}")
    return value


def read_list(value: Any, where: str, what: str) -> list[Any]:
    """A list; raises InputError, which says what was expected in it."""
    if not isinstance(value, list):
        raise InputError(where, f"expected a list of {what}, found {value!r:.60}")
    return value


def read_entries(
    value: Any, where: str, keys: Sequence[str], optional: Sequence[str] = ()
) -> list[dict[str, Any]]:
    """A list of objects that have the keys and no other; raises InputError with the row."""
    shape = f"{{{', '.join(keys)}}}"
    out = read_list(value, where, shape)
    for i, row in enumerate(out):
        if not isinstance(row, dict):
            raise InputError(f"{where}[{i}]", f"expected {shape}, found {row!r:.60}")
        check_names(row, keys, optional, f"{where}[{i}].")
    return out


def read_integer(value: Any, where: str, least: int = -LARGEST, most: int = LARGEST) -> int:
    """An integer in [least, most]; raises InputError."""
    if type(value) is not int:
        raise InputError(where, f"expected an integer, found {value!r:.60}")
    if not least <= value <= most:
        raise InputError(where, f"expected in [{least}, {most + 1}), found {shown(value)}")
    return value


def read_number(value: Any, where: str, least: float = -LARGEST) -> float:
    """A number of at least `least`, of which the integer part survives JSON; raises InputError."""
    if type(value) not in (int, float) or not least <= value <= LARGEST:
        raise InputError(where, f"expected a number, found {shown(value)}")
    return float(value)


def integers(
    rows: Sequence[Mapping[str, Any]],
    key: str,
    where: str,
    least: int = -LARGEST,
    limit: Any = LARGEST + 1,
) -> NDArray[np.int64]:
    """(R,) what rows have under a key: at least ``least``, below ``limit``; raises InputError.

    limit: for all rows or (R,) for each.
    """
    limits = np.broadcast_to(limit, len(rows)).tolist()
    values = [
        read_integer(row[key], f"{where}[{i}].{key}", least, limits[i] - 1)
        for i, row in enumerate(rows)
    ]
    return np.array(values, np.int64)


def numbers(rows: Sequence[Mapping[str, Any]], key: str, where: str) -> NDArray[np.float64]:
    """(R,) float64 what rows have under a key; raises InputError."""
    values = [read_number(row[key], f"{where}[{i}].{key}") for i, row in enumerate(rows)]
    return np.array(values, np.float64)


def number_row(
    value: Any, where: str, least: float = -LARGEST, most: float = LARGEST
) -> list[float]:
    """A list of numbers in [least, most]; raises InputError with the place."""
    out = [
        read_number(x, f"{where}[{i}]") for i, x in enumerate(read_list(value, where, "numbers"))
    ]
    for i, x in enumerate(out):
        if not least <= x <= most:
            raise InputError(f"{where}[{i}]", f"expected in [{least:g}, {most:g}], found {x:g}")
    return out


def integer_row(value: Any, where: str, least: int = -LARGEST, most: int = LARGEST) -> list[int]:
    """A list of integers in [least, most]; raises InputError with the place."""
    rows = read_list(value, where, "integers")
    return [read_integer(x, f"{where}[{i}]", least, most) for i, x in enumerate(rows)]


def read_edges(value: Any, where: str, nodes: int) -> NDArray[np.int64]:
    """(2, E) int64, a list of two lists of numbers below `nodes`; raises InputError."""
    rows = read_list(value, where, "two lists of numbers") or [[], []]
    if len(rows) != 2:
        raise InputError(where, f"expected two lists of numbers, found {len(rows)}")
    ends = [integer_row(row, f"{where}[{k}]", 0, nodes - 1) for k, row in enumerate(rows)]
    if len(ends[0]) != len(ends[1]):
        problem = f"expected two lists of one length, found {len(ends[0])} and {len(ends[1])}"
        raise InputError(where, problem)
    return np.array(ends, np.int64).reshape(2, -1)
