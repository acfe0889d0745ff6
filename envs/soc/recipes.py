"""Workflows by the recipes of WfCommons (PyPI ``wfcommons``, an extra)."""

from __future__ import annotations

import random
import re
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from graphsched.envs.core.errors import InputError
from graphsched.envs.soc.readers import read_wfcommons

if TYPE_CHECKING:
    from collections.abc import Callable

    from graphsched.envs.soc.instance import SocInstance

DEFAULT = "montage-100"
INSTALLED = find_spec("wfcommons") is not None


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
