"""Reader of the project's own JSON, plain or gzipped."""

from __future__ import annotations

import gzip
import json
import zlib
from typing import TYPE_CHECKING

from graphsched.envs.core.errors import InputError
from graphsched.envs.memory.instance import MemoryInstance, instance_from_json

if TYPE_CHECKING:
    from pathlib import Path


def read_json(path: Path) -> MemoryInstance:
    """A program with its machine; raises InputError naming file and field."""
    try:
        raw = path.read_bytes()
        text = (gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw).decode("utf-8")
        document = json.loads(text)
    except OSError as error:
        raise InputError(path, f"can't be read: {error.strerror or error}") from None
    except (zlib.error, EOFError):
        raise InputError(path, "expected gzipped JSON, found a damaged file") from None
    except UnicodeDecodeError:
        raise InputError(path, "expected a text file, found binary data") from None
    except (ValueError, RecursionError) as error:
        raise InputError(path, f"expected JSON: {error}") from None
    try:
        return instance_from_json(document)
    except InputError as error:
        raise InputError(path, str(error)) from None


READERS = {"auto": read_json, "json": read_json}
