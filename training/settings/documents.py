"""JSON and TOML documents read into frozen dataclasses, strictly."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from difflib import get_close_matches
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from graphsched.envs.core.errors import InputError
from graphsched.envs.core.parts.values import shown

DataT = TypeVar("DataT")


def read_dataclass(cls: type[DataT], document: object, where: str, key: str = "") -> DataT:
    """An instance of a dataclass from a document with its field names.

    Args:
        cls: dataclass whose fields are numbers, words, mappings, tuples and such dataclasses.
        document: what JSON or TOML gave.
        where: file or option, for errors.
        key: dotted place of the document within ``where``.

    Raises:
        InputError: an unknown key or a value of the wrong type.
    """
    if not isinstance(document, Mapping):
        raise InputError(_place(where, key), f"expected a table, found {shown(document)}")
    hints = get_type_hints(cls)
    known = [f.name for f in fields(cls)]  # type: ignore[arg-type]
    for name in document:
        check_key(str(name), known, where, key)
    values = {
        name: _convert(value, hints[name], where, _join(key, name))
        for name, value in document.items()
    }
    missing = [name for name in getattr(cls, "REQUIRED", ()) if name not in values]
    if missing:
        raise InputError(_place(where, key), f"missing key {missing[0]!r}")
    try:
        return cls(**values)
    except InputError as error:
        raise InputError(where, f"{key}.{error}" if key else str(error)) from None


def check_key(name: str, known: Sequence[str], where: str, key: str = "") -> None:
    """Raises InputError with close matches if a name isn't known."""
    if name in known:
        return
    close = get_close_matches(name, known, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(close)}?" if close else f"expected one of {', '.join(known)}"
    raise InputError(where, f"unknown key {_join(key, name)!r}; {hint}")


def write_dataclass(value: object) -> Any:
    """The JSON document that `read_dataclass` reads back; fields that are None are left out."""
    if is_dataclass(value):
        pairs = ((f.name, getattr(value, f.name)) for f in fields(value))
        return {name: write_dataclass(item) for name, item in pairs if item is not None}
    if isinstance(value, Mapping):
        return {str(k): write_dataclass(v) for k, v in value.items()}
    if isinstance(value, tuple | list):
        return [write_dataclass(item) for item in value]
    return value


def _join(key: str, name: str) -> str:
    return f"{key}.{name}" if key else name


def _place(where: str, key: str) -> str:
    return f"{where}: {key}" if key else where


def _convert(value: Any, hint: Any, where: str, key: str) -> Any:
    origin, arguments = get_origin(hint), get_args(hint)
    if hint is Any:
        return _numbers(value, where, key)
    if origin is UnionType:
        if value is None:
            return None
        (hint,) = (h for h in arguments if h is not NoneType)
        return _convert(value, hint, where, key)
    if origin is Literal:
        if value in arguments:
            return value
        words = ", ".join(map(str, arguments))
        raise InputError(_place(where, key), f"expected one of {words}, found {shown(value)}")
    if origin is Mapping and isinstance(value, Mapping):
        return {
            str(k): _convert(v, arguments[1], where, _join(key, str(k))) for k, v in value.items()
        }
    if origin is tuple and isinstance(value, list | tuple):
        return tuple(_convert(v, arguments[0], where, f"{key}[{i}]") for i, v in enumerate(value))
    if is_dataclass(hint):
        return read_dataclass(hint, value, where, key)  # type: ignore[arg-type]
    return _plain(value, hint, where, key)


def _plain(value: Any, hint: Any, where: str, key: str) -> Any:
    _numbers(value, where, key)
    if hint is float and type(value) is int:
        return float(value)
    if type(value) is hint:
        return value
    kinds = {int: "a whole number", float: "a number", str: "a word", bool: "true or false"}
    expected = kinds.get(hint, "a list" if get_origin(hint) is tuple else "a table")
    raise InputError(_place(where, key), f"expected {expected}, found {shown(value)}")


def _numbers(value: Any, where: str, key: str) -> Any:
    """The value; raises InputError for a number that no setting can mean."""
    if isinstance(value, float) and not math.isfinite(value):
        raise InputError(_place(where, key), f"expected a finite number, found {value}")
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise InputError(_place(where, key), "expected a number of 64 bits, found a larger one")
    return value
