"""WfCommons workflows: its files, and its recipes (PyPI ``wfcommons``, an extra)."""

from __future__ import annotations

import random
import re
import tempfile
from collections import Counter
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from graphsched.envs.core.errors import InputError
from graphsched.envs.core.parts.documents import read_list, read_name, read_names, read_number
from graphsched.envs.core.parts.reading import read_object
from graphsched.envs.soc.instance import Job, Platform, SocInstance

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping


WFCOMMONS_PES = (0.5, 1.0, 1.0, 2.0)  # speeds of the machines that a workflow is planned for
WFCOMMONS_BANDWIDTH = 125e6  # bytes per second: 1 Gbit/s
DEFAULT = "montage-100"
INSTALLED = find_spec("wfcommons") is not None


def read_wfcommons(path: Path) -> SocInstance:
    """A WfCommons workflow (wfformat 1.2 to 1.6) on four machines of speeds 0.5, 1, 1 and 2.

    Execution times come from the recorded run, transfers from the files that tasks share, over
    links of 1 Gbit/s; raises InputError naming file and field.
    """
    return read_object(path, lambda document: from_workflow(document, path.stem))


class _Task(NamedTuple):
    """A task as any version of the format has it."""

    name: str
    seconds: float
    parents: list[str]
    children: list[str]
    inputs: dict[str, float]  # bytes by name of file
    outputs: dict[str, float]


def from_workflow(document: Mapping[str, Any], name: str) -> SocInstance:
    """See `read_wfcommons`. Raises InputError naming the field."""
    workflow = _object(document.get("workflow"), "workflow")
    read = _split_tasks if "specification" in workflow else _whole_tasks
    tasks = read(workflow)
    number = {task.name: i for i, task in enumerate(tasks)}
    if len(number) < len(tasks):
        twice = Counter(task.name for task in tasks).most_common(1)[0][0]
        raise InputError("workflow", f"expected tasks of unlike ids, found {twice!r:.40} twice")
    volumes: dict[tuple[int, int], float] = {}
    for a, b in _dependencies(tasks, number):
        shared = tasks[a].outputs.keys() & tasks[b].inputs.keys()
        volumes[a, b] = float(sum(tasks[a].outputs[file] for file in shared))
    pes = len(WFCOMMONS_PES)
    platform = Platform(
        "4 machines",
        tuple(f"machine-{p}" for p in range(pes)),
        np.full((pes, pes), WFCOMMONS_BANDWIDTH),
    )
    seconds = np.array([task.seconds for task in tasks])
    job = Job(
        read_name(document.get("name", name), "name"),
        tuple(task.name for task in tasks),
        seconds[:, None] / np.array(WFCOMMONS_PES),
        np.array(list(volumes), np.int64).reshape(-1, 2).T.copy(),
        np.array(list(volumes.values())),
    )
    return SocInstance(name, platform, (job,))


def _dependencies(tasks: list[_Task], number: dict[str, int]) -> Iterator[tuple[int, int]]:
    """Pairs of a task and one that follows it, said by either of them."""
    for i, task in enumerate(tasks):
        for word in task.children + task.parents:
            if word not in number:
                raise InputError(f"task {task.name!r:.40}", f"there is no task {word!r:.40}")
        yield from ((i, number[child]) for child in task.children)
        yield from ((number[parent], i) for parent in task.parents)


def _split_tasks(workflow: dict[str, Any]) -> list[_Task]:
    """Versions 1.5 and later: what there is to do apart from how it ran."""
    todo = _object(workflow["specification"], "workflow.specification")
    ran = _object(workflow.get("execution"), "workflow.execution")
    runs = {_name(r, at): r for r, at in _rows(ran.get("tasks"), "workflow.execution.tasks")}
    files = _rows(todo.get("files", []), "workflow.specification.files")
    sizes = {_name(f, at): _number(f, "sizeInBytes", at) for f, at in files}
    rows = list(_rows(todo.get("tasks"), "workflow.specification.tasks"))
    made = {word for row, at in rows for word in _words(row, "outputFiles", at)}
    out = []
    for row, at in rows:
        name = _name(row, at)
        if name not in runs:
            raise InputError("workflow.execution.tasks", f"task {name!r:.40} is missing")
        used = [_words(row, key, at) for key in ("inputFiles", "outputFiles")]
        for word in {*used[0]} & made:
            if word not in sizes:
                raise InputError(at, f"there is no file {word!r:.40} in the specification")
        inputs, outputs = ({word: sizes.get(word, 0.0) for word in words} for words in used)
        parents, children = _words(row, "parents", at), _words(row, "children", at)
        seconds = _number(runs[name], "runtimeInSeconds", f"execution of task {name!r:.40}")
        out.append(_Task(name, seconds, parents, children, inputs, outputs))
    return out


def _whole_tasks(workflow: dict[str, Any]) -> list[_Task]:
    """Versions 1.2 to 1.4: each task with its run and its files; dependencies may go by name."""
    key = "jobs" if "jobs" in workflow else "tasks"
    rows = list(_rows(workflow.get(key), f"workflow.{key}"))
    names = [_name(row, at) for row, at in rows]
    titles = [row.get("name") for row, _ in rows]
    known = {t: name for t, name in zip(titles, names, strict=True) if isinstance(t, str)}
    known |= {name: name for name in names}
    out = []
    for (row, at), name in zip(rows, names, strict=True):
        files: dict[str, dict[str, float]] = {"input": {}, "output": {}}
        for file, where in _rows(row.get("files", []), f"{at}.files"):
            link = file.get("link")
            if not isinstance(link, str) or link not in files:
                raise InputError(f"{where}.link", f"expected input or output, found {link!r:.40}")
            size = _number(file, "sizeInBytes" if "sizeInBytes" in file else "size", where)
            files[link][_name(file, where)] = size
        seconds = _number(row, "runtimeInSeconds" if "runtimeInSeconds" in row else "runtime", at)
        parents, children = (
            [known.get(word, word) for word in _words(row, field, at)]
            for field in ("parents", "children")
        )
        out.append(_Task(name, seconds, parents, children, files["input"], files["output"]))
    return out


def _object(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InputError(where, f"expected an object, found {value!r:.40}")
    return value


def _rows(value: Any, where: str) -> Iterator[tuple[dict[str, Any], str]]:
    rows = read_list(value, where, "objects")
    return ((_object(row, f"{where}[{i}]"), f"{where}[{i}]") for i, row in enumerate(rows))


def _name(row: dict[str, Any], where: str) -> str:
    return read_name(row.get("id", row.get("name")), f"{where}.id")


def _words(row: dict[str, Any], key: str, where: str) -> list[str]:
    return list(read_names(row.get(key, []), f"{where}.{key}"))


def _number(row: dict[str, Any], key: str, where: str) -> float:
    return read_number(row.get(key), f"{where}.{key}", 0.0)


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
