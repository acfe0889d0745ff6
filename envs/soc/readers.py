"""Readers: own JSON, WfCommons workflows, and the text files of the DS3 simulator."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphsched.envs.core.errors import InputError
from graphsched.envs.core.parts.reading import read_document, within
from graphsched.envs.soc.instance import SocInstance, instance_from_json
from graphsched.envs.soc.sources.ds3 import read_ds3
from graphsched.envs.soc.sources.wfcommons import read_wfcommons

if TYPE_CHECKING:
    from pathlib import Path


def read_json(path: Path) -> SocInstance:
    """The project's own format; raises InputError naming file and field."""
    document = read_document(path)
    return within(path, lambda: instance_from_json(document))


def read_auto(path: Path) -> SocInstance:
    """Whatever format the file has; raises InputError if it is none of them."""
    try:
        head = path.read_bytes()[:4096]
    except OSError as error:
        raise InputError(path, f"can't be read: {error.strerror}") from None
    if b"add_new_tasks" in head or b"job_name" in head:
        return read_ds3(path)
    document = read_document(path)
    return read_wfcommons(path) if "workflow" in document else read_json(path)


READERS = {"auto": read_auto, "json": read_json, "wfcommons": read_wfcommons, "ds3": read_ds3}
