"""Readers: own JSON, WfCommons workflows, and the text files of the DS3 simulator.

A file has at most 64 MiB unpacked; a job has at most 20,000 tasks and 1,000,000 edges, a platform
runs at most 1,024 tasks at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphsched.envs.core.errors import InputError
from graphsched.envs.core.parts.reading import parse_json, read_object, read_text, within
from graphsched.envs.soc.instance import SocInstance, instance_from_json
from graphsched.envs.soc.sources.ds3 import read_ds3
from graphsched.envs.soc.sources.wfcommons import from_workflow, read_wfcommons

if TYPE_CHECKING:
    from pathlib import Path


def read_json(path: Path) -> SocInstance:
    """The project's own format; raises InputError naming file and field."""
    return read_object(path, instance_from_json)


def read_auto(path: Path) -> SocInstance:
    """Whatever format the file has; raises InputError if it is none of them."""
    if "+" in str(path) and not path.exists():
        return read_ds3(path)
    text = read_text(path)
    if "add_new_resource" in text:
        problem = "a DS3 SoC file; expected a job, as job.txt beside it or job.txt+SoC.txt"
        raise InputError(path, problem)
    if "add_new_tasks" in text[:4096] or "job_name" in text[:4096]:
        return read_ds3(path)
    document = parse_json(text, path)
    if "workflow" in document:
        return within(path, lambda: from_workflow(document, path.stem))
    return within(path, lambda: instance_from_json(document))


READERS = {"auto": read_auto, "json": read_json, "wfcommons": read_wfcommons, "ds3": read_ds3}
