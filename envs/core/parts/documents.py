"""Reading of solutions' JSON documents: what is wrong becomes one line that names field and row."""

from __future__ import annotations

import difflib
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from graphsched.envs.core.errors import InputError

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
) -> int:
    """The schema of a domain's solution, which has all of its fields and no other.

    Args:
        document: as it comes out of JSON.
        domain: that it must belong to if it names one.
        needed: fields that must be there.
        optional: fields that may be there.
        schemas: that are known; a document that names none has the first.

    Raises:
        InputError: no object, another domain or schema, a missing or an unknown field.
    """
    if not isinstance(document, dict):
        raise InputError("solution", f"expected an object, found {type(document).__name__}")
    found = document.get("domain", domain)
    if found != domain:
        raise InputError("domain", f"expected {domain!r}, found {found!r:.40}")
    schema = document.get("schema", schemas[0])
    if type(schema) is not int or schema not in schemas:
        known = " or ".join(map(str, schemas))
        raise InputError("schema", f"expected {known}, found {schema!r:.40}")
    _check_names(document, needed, (*_HEAD, *optional), "")
    return schema


def _check_names(
    entry: Mapping[str, Any], needed: Collection[str], optional: Collection[str], where: str
) -> None:
    for name in entry:
        if name not in needed and name not in optional:
            known = [*needed, *optional]
            close = difflib.get_close_matches(name, known, 1)
            hint = f"is it {close[0]!r}?" if close else f"expected {', '.join(known)}"
            raise InputError(f"{where}{name!r:.40}", f"unknown field; {hint}")
    for name in needed:
        if name not in entry:
            raise InputError(f"{where}{name}", "missing")


def read_list(value: Any, where: str, what: str) -> list[Any]:
    """A list; raises InputError, which says what was expected in it."""
    if not isinstance(value, list):
        raise InputError(where, f"expected a list of {what}, found {value!r:.60}")
    return value


def read_entries(value: Any, where: str, keys: Sequence[str]) -> list[dict[str, Any]]:
    """A list of objects that have the keys and no other; raises InputError with the row."""
    shape = f"{{{', '.join(keys)}}}"
    out = read_list(value, where, shape)
    for i, row in enumerate(out):
        if not isinstance(row, dict):
            raise InputError(f"{where}[{i}]", f"expected {shape}, found {row!r:.60}")
        _check_names(row, keys, (), f"{where}[{i}].")
    return out


def read_integer(value: Any, where: str, least: int = -LARGEST, most: int = LARGEST) -> int:
    """An integer in [least, most]; raises InputError."""
    if type(value) is not int:
        raise InputError(where, f"expected an integer, found {value!r:.60}")
    if not least <= value <= most:
        raise InputError(where, f"expected in [{least}, {most + 1}), found {_short(value)}")
    return value


def read_number(value: Any, where: str) -> float:
    """A finite number, of which the integer part survives JSON; raises InputError."""
    if type(value) not in (int, float) or not abs(value) <= LARGEST:
        raise InputError(where, f"expected a number, found {_short(value)}")
    return float(value)


def _short(value: Any) -> str:
    """A value for a message; an integer may have thousands of digits."""
    if type(value) is int and abs(value) > 10**20:
        return f"one of {int(math.log10(abs(value))) + 1} digits"
    return f"{value!r:.60}"


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
