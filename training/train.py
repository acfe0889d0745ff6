"""Training runs: `train` does everything from a configuration to an exported policy."""

from __future__ import annotations

import json
import shlex
import shutil
import sys
from contextlib import closing, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from graphsched.agents.bundles.background import BackgroundWriter
from graphsched.agents.learning.ppo import Diverged
from graphsched.envs.core.errors import InputError, NotWritten
from graphsched.envs.core.parts.documents import number_row
from graphsched.envs.core.parts.reading import read_text
from graphsched.envs.core.parts.writing import find_folder, write_file
from graphsched.envs.core.registry import get_domain
from graphsched.training.model import check_device
from graphsched.training.running.beginning import absolute, sharpen, start_from_bundle
from graphsched.training.running.callbacks import METRICS, run_callbacks
from graphsched.training.running.curves import curves, told_once
from graphsched.training.running.lock import LOCK, alone_in, is_unused, made_for_run
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
from graphsched.training.running.signals import stopping
from graphsched.training.teaching.imitation import IMITATION, imitate, read_teachers, remind

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from graphsched.training.running.progress import Display
    from graphsched.training.running.signals import Stopping
    from graphsched.training.settings.config import TrainConfig
    from graphsched.training.teaching.imitation import Taught

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
        InputError: the configuration doesn't fit the domain, the folder is in use, there is
            nothing to resume, or the weights diverged.
        NotWritten: the disk is full, say; the last checkpoint is whole.
        Interrupted: SIGINT or SIGTERM, once the update in progress is done and in a checkpoint.
    """
    check_device(config.device)
    folder = Path(config.out) if config.out else free_folder(config)
    config = absolute(replace(config, out=str(folder)))
    if folder.is_dir() or resume:
        _check_folder(folder, resume)  # before anything is written, be it a lock
    # Before anything is written as well, and once: what is damaged shouldn't leave a folder.
    taught = read_teachers(config) if config.teacher.data and not resume else None
    with stopping() as signals, made_for_run(folder), alone_in(folder):
        _check_folder(folder, resume)  # another run may have been quicker
        run = Run(config, folder)
        try:
            return _trained(run, signals, resume, show, export, taught)
        except NotWritten as error:
            raise NotWritten(error, _remedy(run)) from None
        except OSError as error:
            place = error.filename or folder
            raise NotWritten(place, f"{error.strerror or error}; {_remedy(run)}") from None
        except Diverged as error:
            raise InputError(folder, f"{error}; a smaller ppo.learning_rate may help") from None


def _check_folder(folder: Path, resume: bool) -> None:
    if resume:
        read_run_config(folder)
    elif not is_unused(folder):
        raise InputError(folder, "not empty; resume the run in it or choose another folder")


def resume_command(config: TrainConfig) -> str:
    """What to type to go on with a run."""
    return f"graphsched train {config.domain} --resume --out {shlex.quote(str(config.out))}"


def _remedy(run: Run) -> str:
    if not (run.folder / CONFIG).exists():
        return "nothing was trained"
    kept = find_folder(run.folder / CHECKPOINT).exists()
    words = "the last checkpoint is kept" if kept else "there is no checkpoint yet"
    return f"{words}, go on with: {resume_command(run.config)}"


def _trained(
    run: Run,
    signals: Stopping,
    resume: bool,
    show: bool,
    export: bool,
    taught: Taught | None,
) -> RunResult:
    folder, config = run.folder, run.config
    state = None
    if resume:
        state = read_checkpoint(folder, get_domain(config.domain).instance_from_json)
        if state is not None:
            restore(run, state)
    if state is None and config.init is not None:
        start_from_bundle(run)
    write_file(folder / CONFIG, (json.dumps(config.to_dict(), indent=1) + "\n").encode())
    _begin(run, anew=state is None)
    if run.history:
        remind(run)
    else:
        run.budget.start()  # what was built and compiled before isn't training
        if config.teacher.data:
            taught = taught or read_teachers(config)
            run.judge_start()
            imitate(run, taught, _told if show else lambda epoch, loss: None)
        sharpen(run)
    _learn(run, show, signals)
    norms = json.dumps(run.gradient_norms).encode()
    write_file(folder / GRADIENT_NORMS, norms)
    bundle, rules = folder / "bundle", run.validation.rules
    if export:
        return export_run(folder, bundle, rules=rules)
    gain = run.judged.improvement()
    return result_of(folder, bundle, run.steps, run.history, rules, gain=gain)


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
    if not file.exists():
        raise InputError(file, "no such file; expected the norms of a finished run")
    text = read_text(file)
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(file, f"expected the norms of a finished run ({error})") from None
    norms = number_row(found, str(file), 0.0)
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


def _begin(run: Run, anew: bool) -> None:
    """Drop what was recorded after the checkpoint, and what writers that were killed left."""
    for name in (CHECKPOINT, CONFIG, METRICS, GRADIENT_NORMS, IMITATION):
        for leftover in run.folder.glob(f".{name}.*"):
            if leftover.is_dir() and leftover.name != f".{CHECKPOINT}.old":
                shutil.rmtree(leftover, ignore_errors=True)
            elif leftover.is_file() and leftover.name != LOCK:
                leftover.unlink(missing_ok=True)
    rows = "".join(json.dumps(row) + "\n" for row in run.history)
    write_file(run.folder / METRICS, rows.encode())
    # All that a checkpoint knows of was logged at its step or before.
    first_step = 0 if anew else run.steps + 1
    run.model.set_logger(curves(run.folder / "tensorboard", first_step))


def _told(epoch: int, loss: float) -> None:
    print(f"teacher: epoch {epoch + 1}, cross-entropy {loss:.4f}", file=sys.stderr)


def _learn(run: Run, show: bool, signals: Stopping) -> None:
    model, steps = run.model, run.config.steps
    bar: AbstractContextManager[Display] = (
        Bar(run.config.domain, run.validation) if show else nullcontext(Silence())
    )
    with told_once(), closing(model.logger), bar as display, BackgroundWriter() as writer:
        signals.told = display.stopping
        remaining = max(0, (ENDLESS if steps is None else steps) - model.num_timesteps)
        model.learn(
            remaining,
            callback=run_callbacks(run, writer, display, signals),
            reset_num_timesteps=False,
        )
    signals.can_wait = False
    signals.follow()
