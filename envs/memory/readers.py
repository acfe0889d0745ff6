"""Reader of the project's own JSON, plain or gzipped."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphsched.envs.core.parts.reading import MIB, read_object
from graphsched.envs.memory.instance import MemoryInstance, instance_from_json

if TYPE_CHECKING:
    from pathlib import Path

MAX_BYTES = 64 * MIB  # unpacked: about a million instructions


def read_json(path: Path) -> MemoryInstance:
    """A program with its machine, at most 64 MiB unpacked; raises InputError naming file and field."""
    return read_object(path, instance_from_json, MAX_BYTES)


READERS = {"auto": read_json, "json": read_json}
