"""Training runs: `train` does everything from a configuration to an exported policy."""

from __future__ import annotations

import json
import shutil
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from stable_baselines3.common.logger import Logger, TensorBoardOutputFormat
from torch.utils.tensorboard import SummaryWriter

from graphsched.agents.bundles.atomic import BackgroundWriter
from graphsched.envs.core.errors import InputError, Interrupted
from graphsched.envs.core.parts.documents import number_row
from graphsched.envs.core.parts.reading import read_text
from graphsched.envs.core.parts.writing import write_file
from graphsched.envs.core.registry import get_domain
from graphsched.training.running.callbacks import METRICS, run_callbacks
from graphsched.training.running.folder import claimed
from graphsched.training.running.outcome import RunResult, export_run, result_of
from graphsched.training.running.progress import Bar, Silence
from graphsched.training.running.resume import (
    CHECKPOINT,
    CONFIG,
    read_checkpoint,
    read_run_config,
    restore,
)
from graphsched.training.running.run import Run
from graphsched.training.running.stopping import stopping

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from graphsched.training.running.progress import Display
    from graphsched.training.settings.config import TrainConfig

RUNS = Path("runs")
ENDLESS = 2**62  # decisions of a run whose budget is time alone
GRADIENT_NORMS = "gradient_norms.json"


def train(
    config: TrainConfig, *, resume: bool = False, show: bool = False, export: bool = True
) -> RunResult:
    """Train a policy, keep its best weights and export them.

    The run's folder receives ``config.json``, ``metrics.jsonl``, ``tensorboard/``,
    ``checkpoint/`` and, in the end, ``bundle/``.

    Args:
        config: of the run; `resumed_config` for one that goes on.
        resume: go on from the folder's checkpoint, or begin if it has none yet.
        show: draw a progress bar on the standard error stream.
        export: write the bundle; `export_run` can do it later.

    Raises:
        InputError: the configuration doesn't fit the domain, the folder is in use, or there is
            nothing to resume.
        NotWritten: the disk is full, say; the last checkpoint is whole.
        Interrupted: SIGINT or SIGTERM asked for the end, and there is a checkpoint to go on from.
    """
    folder = Path(config.out) if config.out else free_folder(config)
    config = replace(config, out=str(folder))
    if resume:
        read_run_config(folder)
    with claimed(folder, resume):
        return _train(config, folder, resume, show, export)


def _train(config: TrainConfig, folder: Path, resume: bool, show: bool, export: bool) -> RunResult:
    run = Run(config, folder)
    write_file(folder / CONFIG, (json.dumps(config.to_dict(), indent=1) + "\n").encode())
    _begin(run, resume)
    _learn(run, show)
    norms = json.dumps(run.gradient_norms).encode()
    write_file(folder / GRADIENT_NORMS, norms)
    bundle, rules = folder / "bundle", run.validation.rules
    if export:
        return export_run(folder, bundle, rules=rules)
    return result_of(folder, bundle, run.steps, run.history, rules)


def resumed_config(
    folder: Path, minutes: float | None = None, steps: int | None = None
) -> TrainConfig:
    """Configuration of a run that is to go on, with another budget if one is given."""
    config = replace(read_run_config(folder), out=str(folder))
    if minutes is None and steps is None:
        return config
    return replace(config, minutes=minutes, steps=steps)


def gradient_norms(folder: Path) -> list[float]:
    """Norms that a finished run observed, for `schedules.refine`; raises InputError."""
    file = folder / GRADIENT_NORMS
    try:
        norms = json.loads(read_text(file))
    except (ValueError, RecursionError) as error:
        raise InputError(file, f"expected the norms of a finished run ({error})") from None
    norms = number_row(norms, str(file), 0.0)
    if len(norms) < 2:
        raise InputError(file, f"expected at least 2 updates, found {len(norms)}")
    return norms


def free_folder(config: TrainConfig) -> Path:
    """A folder under ``runs/`` that no run has taken yet."""
    name = f"{config.domain}-{config.preset}-seed{config.seed}"
    folder, number = RUNS / name, 1
    while folder.exists():
        number += 1
        folder = RUNS / f"{name}-{number}"
    return folder


def _begin(run: Run, resume: bool) -> None:
    """Restore the checkpoint if there is one, and drop what was recorded after it."""
    state = None
    if resume:
        state = read_checkpoint(run.folder, get_domain(run.config.domain).instance_from_json)
        for leftover in run.folder.glob(f".{CHECKPOINT}.*"):
            if leftover.name != f".{CHECKPOINT}.old":
                shutil.rmtree(leftover, ignore_errors=True)
    if state is not None:
        restore(run, state)
    rows = "".join(json.dumps(row) + "\n" for row in run.history)
    write_file(run.folder / METRICS, rows.encode())
    run.model.set_logger(_logger(run.folder / "tensorboard", run.steps))


def _logger(folder: Path, steps: int) -> Logger:
    """Curves for TensorBoard, which drops what was recorded after the step that a run resumes at."""
    curves = TensorBoardOutputFormat(str(folder))
    curves.writer.close()
    curves.writer = SummaryWriter(str(folder), purge_step=steps + 1)
    return Logger(str(folder), [curves])


def _learn(run: Run, show: bool) -> None:
    model, steps = run.model, run.config.steps
    bar: AbstractContextManager[Display] = (
        Bar(run.config.domain, run.validation) if show else nullcontext(Silence())
    )
    with bar as display, BackgroundWriter() as writer, stopping(run):
        if not run.history:
            run.budget.start()  # what was built and compiled before isn't training
        remaining = max(0, (steps or ENDLESS) - model.num_timesteps)
        model.learn(
            remaining,
            callback=run_callbacks(run, writer, display),
            reset_num_timesteps=False,
        )
    if run.interrupted:
        raise Interrupted(run.interrupted)
