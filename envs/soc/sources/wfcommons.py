"""WfCommons workflows: its files, and its recipes (PyPI ``wfcommons``, an extra)."""

from __future__ import annotations

import random
import re
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from graphsched.envs.core.errors import InputError
from graphsched.envs.core.parts.reading import read_object
from graphsched.envs.soc.instance import Job, Platform, SocInstance

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


WFCOMMONS_PES = (0.5, 1.0, 1.0, 2.0)  # speeds of the machines that a workflow is planned for
WFCOMMONS_BANDWIDTH = 125e6  # bytes per second: 1 Gbit/s
DEFAULT = "montage-100"
INSTALLED = find_spec("wfcommons") is not None


def read_wfcommons(path: Path) -> SocInstance:
    """A WfCommons workflow (wfformat 1.4 or 1.5) on four machines of speeds 0.5, 1, 1 and 2.

    Execution times come from the recorded run, transfers from the files that tasks share, over
    links of 1 Gbit/s; raises InputError naming file and field.
    """
    return read_object(path, lambda document: _from_workflow(document, path.stem))


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


def _recipe(size: str) -> tuple[Any, int]:  # pragma: no cover - needs the extra
    """Recipe class and number of tasks; raises InputError."""
    import wfcommons.wfchef.recipes as recipes

    known = {
        name.removesuffix("Recipe").lower(): getattr(recipes, name)
        for name in dir(recipes)
        if name.endswith("Recipe")
    }
    match = re.fullmatch(r"([a-z]+)-([0-9]{1,5})", size or DEFAULT, re.ASCII)
    if not match or match[1] not in known:
        names = ", ".join(sorted(known))
        problem = f"expected RECIPE-TASKS such as {DEFAULT}; recipes: {names}"
        raise InputError(f"size {size!r:.40}", problem)
    return known[match[1]], int(match[2])


def workflow(  # pragma: no cover - needs the extra
    rng: np.random.Generator, size: str = ""
) -> SocInstance:
    """A workflow of about that many tasks on four machines, see `read_wfcommons`."""
    from wfcommons import WorkflowGenerator

    recipe, tasks = _recipe(size)
    seed = int(rng.integers(2**32))
    before = random.getstate(), np.random.get_state()  # noqa: NPY002 - WfCommons draws from both
    try:
        random.seed(seed)
        np.random.seed(seed)  # noqa: NPY002
        try:
            made = WorkflowGenerator(recipe.from_num_tasks(tasks)).build_workflow()
        except ValueError as error:  # too few tasks for the recipe
            raise InputError(f"size {size!r:.40}", str(error)) from None
    finally:
        random.setstate(before[0])
        np.random.set_state(before[1])  # noqa: NPY002
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{size or DEFAULT}.json"
        made.write_json(path)
        return read_wfcommons(path)


GENERATORS: dict[str, Callable[[np.random.Generator, str], SocInstance]] = (
    {"workflow": workflow} if INSTALLED else {}
)
