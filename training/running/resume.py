"""Checkpoints from which a run continues bit-exactly (on the CPU, with a budget in steps)."""

from __future__ import annotations

import json
import random
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from graphsched.agents.bundles.atomic import find_folder, replace_folder
from graphsched.agents.learning.vec_env import BatchVecEnv
from graphsched.envs.core.errors import InputError
from graphsched.training.running.disk import naming
from graphsched.training.running.encoding import STATE, TENSORS, from_files, pack, to_files, unpack
from graphsched.training.settings.config import TrainConfig
from graphsched.training.settings.schedules import AutomaticDiscount

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from graphsched.training.running.run import Run

VERSION = 1
CHECKPOINT, CONFIG = "checkpoint", "config.json"
PLAIN = ("history", "best_score", "best_weights", "gradient_norms", "steps", "updates_seen")
DUE = ("next_validation", "next_checkpoint")


def snapshot(run: Run) -> Callable[[], None]:
    """Copy what the next rollout depends on; the returned job writes the copy.

    To be called between an update and the next rollout. The run itself goes on in a new simulator
    that is restored from the copy, as a resumed run would: where its graphs lie in memory, which
    the last bits of matrix products depend on, is then the same for both.
    """
    arrays: dict[str, np.ndarray] = {}
    state = _state(run)
    document = pack(state, arrays)
    env = run.model.env
    assert isinstance(env, BatchVecEnv)
    env.sim = run.domain.simulator(env.num_envs, run.config.simulator_options())
    run.model.load_training_state(state["training"])
    folder = run.folder / CHECKPOINT

    def write() -> None:
        with naming(folder):
            replace_folder(folder, to_files(document, arrays))

    return write


def _state(run: Run) -> dict[str, Any]:
    model = run.model
    return {
        "schema": VERSION,
        "domain": run.domain.name,
        "elapsed_s": run.budget.elapsed_s,
        "core_s": run.budget.core_s,
        "machine": run.machine,
        "updates": model._n_updates,  # noqa: SLF001 - the only place where SB3 keeps it
        "policy": dict(model.policy.state_dict()),
        "optimizer": model.policy.optimizer.state_dict(),
        "training": model.training_state(),
        "average": {
            "weights": dict(run.average.module.named_parameters()),
            "updates": int(run.average.n_averaged) - 1,
        },
        "discount": asdict(run.discount) if run.discount else None,
        "torch_rng": torch.get_rng_state(),
        "numpy_rng": np.random.get_state(),  # noqa: NPY002 - SB3 seeds it, so others may draw
        "python_rng": random.getstate(),
        **{name: getattr(run, name) for name in (*PLAIN, *DUE)},
    }


def restore(run: Run, state: Mapping[str, Any]) -> None:
    """Put a state that `read_checkpoint` gave into a newly built run.

    Raises:
        InputError: its networks have other shapes.
    """
    model = run.model
    try:
        model.policy.load_state_dict(state["policy"])
    except RuntimeError:
        problem = "made with other features than the domain has now, or other widths"
        raise InputError(run.folder / CHECKPOINT, problem) from None
    model.policy.optimizer.load_state_dict(state["optimizer"])
    model.load_training_state(state["training"])
    model.num_timesteps = state["steps"]
    model._n_updates = state["updates"]  # noqa: SLF001
    run.average.module.load_state_dict(state["average"]["weights"])
    run.average.n_averaged.fill_(state["average"]["updates"] + 1)
    if state["discount"] is not None:
        run.discount = AutomaticDiscount(**state["discount"])
    for name in (*PLAIN, *DUE):
        setattr(run, name, state[name])
    torch.set_rng_state(state["torch_rng"])
    np.random.set_state(state["numpy_rng"])  # noqa: NPY002
    random.setstate(state["python_rng"])
    run.budget.start(state["elapsed_s"], core_seconds(state))


def core_seconds(state: Mapping[str, Any]) -> float:
    """Processor time of the run; checkpoints from before it was kept know the wall's alone."""
    seconds: float = state.get("core_s", state["elapsed_s"])
    return seconds


def read_checkpoint(
    folder: Path, instance_from_json: Callable[[Mapping[str, Any]], Any]
) -> dict[str, Any] | None:
    """State of a run's latest checkpoint; None if it died before the first.

    Args:
        folder: of the run.
        instance_from_json: of the run's domain.

    Raises:
        InputError: the checkpoint is damaged or of another version.
    """
    path = find_folder(folder / CHECKPOINT)
    if not path.is_dir():
        return None
    try:
        files = {name: (path / name).read_bytes() for name in (STATE, TENSORS)}
    except OSError as error:
        raise InputError(path, f"damaged checkpoint ({error.strerror}: {error.filename})") from None
    document, arrays = from_files(files, path)
    if not isinstance(document, dict) or document.get("schema") != VERSION:
        raise InputError(path, f"expected a checkpoint of schema {VERSION}")
    try:
        state: dict[str, Any] = unpack(document, arrays, instance_from_json)
    except KeyError as error:
        raise InputError(path, f"damaged checkpoint (missing {error})") from None
    return state


def read_run_config(folder: Path) -> TrainConfig:
    """Configuration that a run folder was made with; raises InputError if it is no run folder."""
    file = folder / CONFIG
    try:
        document = json.loads(file.read_text())
    except OSError:
        raise InputError(folder, f"no training run: expected a folder with {CONFIG}") from None
    except ValueError as error:
        raise InputError(file, f"not JSON ({error})") from None
    return TrainConfig.from_dict(document, str(file))
