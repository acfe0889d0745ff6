"""Reading of files: what is wrong becomes one line that names the file."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TypeVar

from graphsched.envs.core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

T = TypeVar("T")


def read_document(path: Path) -> dict[str, Any]:
    """The object in a JSON file; raises InputError naming the file."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(path, f"can't be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InputError(path, "expected a text file, found binary data") from None
    except ValueError as error:
        raise InputError(path, f"expected JSON: {error}") from None
    if not isinstance(document, dict):
        raise InputError(path, "expected a JSON object")
    return document


def within(path: Path, make: Callable[[], T]) -> T:
    """What `make` makes; its InputError names the file as well."""
    try:
        return make()
    except InputError as error:
        raise InputError(path, str(error)) from None
