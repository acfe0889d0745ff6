"""Checkpoints from which a run continues bit-exactly (on the CPU, with a budget in steps)."""

from __future__ import annotations

import random
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from graphsched.agents.learning.vec_env import BatchVecEnv
from graphsched.envs.core.errors import InputError
from graphsched.envs.core.parts.reading import parse_json, read_bytes, read_text
from graphsched.envs.core.parts.values import shown
from graphsched.envs.core.parts.writing import find_folder, replace_folder
from graphsched.training.running.encoding import STATE, TENSORS, from_files, pack, to_files, unpack
from graphsched.training.running.judged import judged_from
from graphsched.training.settings.config import TrainConfig
from graphsched.training.settings.schedules import AutomaticDiscount

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from graphsched.training.running.judged import Judged
    from graphsched.training.running.run import Run

VERSION = 1
CHECKPOINT, CONFIG = "checkpoint", "config.json"
PLAIN = ("history", "best_score", "best_weights", "gradient_norms", "steps", "updates_seen")
LARGEST_FILE = 2**34
NUMBER = (int, float)
KINDS: dict[str, type | tuple[type, ...]] = {
    "elapsed_s": NUMBER,
    "updates": int,
    "policy": dict,
    "optimizer": dict,
    "training": dict,
    "average": dict,
    "history": list,
    "best_score": NUMBER,
    "best_weights": dict,
    "gradient_norms": list,
    "steps": int,
    "updates_seen": int,
    "next_validation": NUMBER,
    "next_checkpoint": NUMBER,
}
ROW = ("minutes", "steps", "gap_pct", "vs_best_rule_pct")
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
    return lambda: replace_folder(folder, to_files(document, arrays))


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
            "weights": dict(run.average.module.state_dict()),
            "updates": int(run.average.n_averaged) - 1,
        },
        "discount": asdict(run.discount) if run.discount else None,
        "judged": run.judged.to_state(),
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
    with _damage(run.folder / CHECKPOINT):
        _restore_rest(run, state)


def _restore_rest(run: Run, state: Mapping[str, Any]) -> None:
    model = run.model
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
    run.judged.restore(state.get("judged"))
    torch.set_rng_state(state["torch_rng"])
    np.random.set_state(state["numpy_rng"])  # noqa: NPY002
    random.setstate(state["python_rng"])
    run.budget.start(state["elapsed_s"], core_seconds(state))


def core_seconds(state: Mapping[str, Any]) -> float:
    """Processor time of the run; checkpoints from before it was kept know the wall's alone."""
    seconds: float = state.get("core_s", state["elapsed_s"])
    return seconds


def judged_of(state: Mapping[str, Any], folder: Path) -> Judged | None:
    """What validations found for each instance; None if the checkpoint is older than that record.

    Raises:
        InputError: it is damaged.
    """
    if state.get("judged") is None:
        return None
    with _damage(folder / CHECKPOINT):
        return judged_from(state["judged"])


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
    found = _read_files(folder / CHECKPOINT)
    if found is None:
        return None
    path, files = found
    document, arrays = from_files(files, path)
    if not isinstance(document, dict) or document.get("schema") != VERSION:
        raise InputError(path, f"expected a checkpoint of schema {VERSION}")
    with _damage(path):
        state: dict[str, Any] = unpack(document, arrays, instance_from_json)
    _check(state, path / STATE)
    return state


def _read_files(checkpoint: Path) -> tuple[Path, dict[str, bytes]] | None:
    """Both files of one checkpoint, though a run may be replacing it meanwhile."""
    for last in (False, False, True):
        path = find_folder(checkpoint)
        if not path.is_dir():
            return None
        try:
            before = path.stat().st_ino
            files = {name: read_bytes(path / name, LARGEST_FILE) for name in (STATE, TENSORS)}
            if path.stat().st_ino == before:
                return path, files
        except (InputError, OSError) as error:
            if last:
                raise InputError(path, f"damaged checkpoint ({error})") from None
    raise InputError(checkpoint, "is being written; try again")


@contextmanager
def _damage(path: Path) -> Iterator[None]:
    """Whatever a damaged document makes its readers raise is one InputError."""
    try:
        yield
    except InputError:
        raise
    except KeyError as error:
        raise InputError(path, f"damaged checkpoint (missing {error})") from None
    except (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as e:
        raise InputError(path, f"damaged checkpoint ({e!r:.120})") from None


def _check(state: Mapping[str, Any], where: Path) -> None:
    """Raises InputError unless the fields are there and of their kinds."""
    for name, kind in KINDS.items():
        if name not in state:
            raise InputError(where, f"damaged checkpoint (missing {name!r})")
        if not isinstance(state[name], kind) or isinstance(state[name], bool):
            raise InputError(where, f"damaged checkpoint ({name}: found {shown(state[name])})")
    for row in state["history"]:
        for name in ROW:
            if not isinstance(row, dict) or not isinstance(row.get(name), int | float):
                raise InputError(where, f"damaged checkpoint (history: a row without {name!r})")


def read_run_config(folder: Path) -> TrainConfig:
    """Configuration that a run folder was made with; raises InputError if it is no run folder."""
    file = folder / CONFIG
    if not file.exists():
        raise InputError(folder, f"no training run: expected a folder with {CONFIG}")
    return TrainConfig.from_dict(parse_json(read_text(file), file), str(file))
