"""Training in one call, as ``graphsched train`` does it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graphsched.envs.core.extras import require
from graphsched.envs.core.parts.values import python_value

if TYPE_CHECKING:
    from pathlib import Path

    from graphsched.training.running.outcome import RunResult


def train(
    domain: str,
    preset: str | None = None,
    *,
    config: Path | str | None = None,
    resume: bool = False,
    show: bool = False,
    **changes: Any,
) -> RunResult:
    """Train a policy and export it.

    Args:
        domain: name of the domain.
        preset: one of its presets; ``default`` if neither this nor the file names one.
        config: TOML file with changes to it.
        resume: go on with the run in the folder ``out``.
        show: draw a progress bar.
        **changes: fields of `TrainConfig`, such as ``minutes``, ``seed``, ``out`` or
            ``ppo={"gamma": 0.99}``.

    Returns:
        Where the run and its bundle lie, and what the policy reached.

    Raises:
        InputError: an unknown domain, preset or field, a bad value, or torch isn't there.
    """
    require("train", "torch", "torch_geometric", "stable_baselines3")
    from graphsched.training.settings.config import load_config
    from graphsched.training.train import train as run

    return run(load_config(domain, preset, config, python_value(changes)), resume=resume, show=show)
