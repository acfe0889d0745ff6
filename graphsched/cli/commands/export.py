"""``graphsched export``: a training run's policy as a bundle that runs without torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path  # noqa: TC003 - read at run time by tyro
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from graphsched.cli.arguments import parse
from graphsched.envs.core.errors import InputError
from graphsched.envs.core.extras import require
from graphsched.envs.core.parts.writing import prepare_file, prepare_folder

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class ExportArguments:
    """Write the bundle of a run, finished or not, from its latest checkpoint."""

    run: Annotated[Path, tyro.conf.Positional]
    """Folder of the run."""
    out: Path
    """Folder of the bundle; an older bundle there is replaced."""
    weights: Literal["best", "last"] = "best"
    """Those of the best validation, or the latest."""


def main(argv: Sequence[str]) -> int:
    """Run the command; raises InputError for bad input."""
    arguments = parse(ExportArguments, argv, "export")
    require("export", "torch", "torch_geometric", "stable_baselines3", "onnx", "onnxscript")
    if not arguments.run.is_dir():
        raise InputError(arguments.run, "no such folder; expected that of a training run")
    _check_target(arguments.out)
    from graphsched.training.paired import row_gap
    from graphsched.training.running.outcome import export_run  # torch takes seconds to import

    result = export_run(arguments.run, arguments.out, arguments.weights)
    print(f"validation gap {row_gap(result.best)}, policy: {result.bundle}")
    return 0


def _check_target(out: Path) -> None:
    """Refuse to replace anything but a bundle."""
    if out.exists() and not out.is_dir():
        raise InputError(out, "is a file, expected a folder")
    if out.is_dir() and any(out.iterdir()) and not (out / "config.json").exists():
        raise InputError(out, "a folder that is neither empty nor a bundle; choose another")
    if out.is_dir():
        prepare_folder(out.parent)
    else:
        prepare_file(out)  # makes nothing: the folders come with the bundle
