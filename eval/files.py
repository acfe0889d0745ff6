"""Writing results: places are checked before the work starts, files are never half-written."""

from __future__ import annotations

import json
import tempfile
from typing import TYPE_CHECKING, Any

from graphsched.agents.bundles.atomic import write_atomic
from graphsched.envs.core.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path


def prepare_folder(folder: Path) -> Path:
    """Make a folder for results. Raises InputError if it can't be written to."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".writable-"):
            pass
    except OSError as error:
        raise InputError(folder, f"can't write there: {error.strerror or error}") from None
    return folder


def prepare_file(path: Path) -> Path:
    """Check that a file can be written at this path. Raises InputError if not."""
    if path.is_dir():
        raise InputError(path, "is a folder, expected the path of a file")
    prepare_folder(path.parent)
    return path


def write_text(path: Path, content: str) -> Path:
    """Write a whole file of UTF-8 text or, if anything fails, leave what was there."""
    write_atomic(path, content.encode())
    return path


def write_json(path: Path, document: Any) -> Path:
    """`write_text` of an indented JSON document; NaN and infinities are refused."""
    return write_text(path, json.dumps(document, indent=1, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """A JSON file's content; raises InputError if it can't be read or isn't JSON."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(path, f"can't be read: {error.strerror or error}") from None
    except (ValueError, RecursionError) as error:
        raise InputError(path, f"not a JSON document: {error}") from None
