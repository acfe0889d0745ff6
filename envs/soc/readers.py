"""Readers: own JSON, WfCommons workflows, and the text files of the DS3 simulator."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from graphsched.envs.core.errors import InputError
from graphsched.envs.soc.ds3 import read_ds3
from graphsched.envs.soc.instance import Job, Platform, SocInstance, instance_from_json

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

WFCOMMONS_PES = (0.5, 1.0, 1.0, 2.0)  # speeds of the machines that a workflow is planned for
WFCOMMONS_BANDWIDTH = 125e6  # bytes per second: 1 Gbit/s


def _document(path: Path) -> dict[str, Any]:
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


def _within(path: Path, make: Callable[[], SocInstance]) -> SocInstance:
    try:
        return make()
    except InputError as error:
        raise InputError(path, str(error)) from None


def read_json(path: Path) -> SocInstance:
    """The project's own format; raises InputError naming file and field."""
    document = _document(path)
    return _within(path, lambda: instance_from_json(document))


def read_wfcommons(path: Path) -> SocInstance:
    """A WfCommons workflow (wfformat 1.4 or 1.5) on four machines of speeds 0.5, 1, 1 and 2.

    Execution times come from the recorded run, transfers from the files that tasks share, over
    links of 1 Gbit/s; raises InputError naming file and field.
    """
    document = _document(path)
    return _within(path, lambda: _from_workflow(document, path.stem))


def _from_workflow(document: Mapping[str, Any], name: str) -> SocInstance:
    try:
        workflow = document["workflow"]
        runs = {r["id"]: r for r in workflow["execution"]["tasks"]}
        tasks = workflow["specification"]["tasks"]
        sizes = {f["id"]: f["sizeInBytes"] for f in workflow["specification"].get("files", [])}
        ids = [task["id"] for task in tasks]
        number = {key: i for i, key in enumerate(ids)}
        seconds = np.array([float(runs[key]["runtimeInSeconds"]) for key in ids])
        edges, volumes = [], []
        for task in tasks:
            made = set(task.get("outputFiles", []))
            for child in task.get("children", []):
                used = made & set(tasks[number[child]].get("inputFiles", []))
                edges.append((number[task["id"]], number[child]))
                volumes.append(float(sum(sizes[f] for f in used)))
    except KeyError as error:
        raise InputError("workflow", f"the field or task {error} is missing") from None
    except (TypeError, ValueError, AttributeError) as error:
        raise InputError("workflow", f"expected a WfCommons workflow: {error}") from None
    pes = len(WFCOMMONS_PES)
    platform = Platform(
        "4 machines",
        tuple(f"machine-{p}" for p in range(pes)),
        np.full((pes, pes), WFCOMMONS_BANDWIDTH),
    )
    job = Job(
        str(document.get("name", name)),
        tuple(ids),
        seconds[:, None] / np.array(WFCOMMONS_PES),
        np.array(edges, np.int64).reshape(-1, 2).T.copy(),
        np.array(volumes),
    )
    return SocInstance(name, platform, (job,))


def read_auto(path: Path) -> SocInstance:
    """Whatever format the file has; raises InputError if it is none of them."""
    try:
        head = path.read_bytes()[:4096]
    except OSError as error:
        raise InputError(path, f"can't be read: {error.strerror}") from None
    if b"add_new_tasks" in head or b"job_name" in head:
        return read_ds3(path)
    document = _document(path)
    return read_wfcommons(path) if "workflow" in document else read_json(path)


READERS = {"auto": read_auto, "json": read_json, "wfcommons": read_wfcommons, "ds3": read_ds3}
