"""Small training runs that several tests start."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from graphsched.envs.core.registry import get_domain
from graphsched.training.running.resume import read_checkpoint
from graphsched.training.settings.config import TrainConfig

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

ROOT = Path(__file__).resolve().parents[2]
SMALL: dict[str, Any] = {
    "domain": "jobshop",
    "seed": 3,
    "steps": 4_000,
    "instances": {"mixed:3x3-6x4": 3.0, "irregular:4x3": 1.0},
    "network": {"width": 8, "layers": 2, "decoder_width": 8},
    "ppo": {"instances_per_rollout": 4, "rollouts_per_instance": 4, "num_minibatches": 2},
    "validation": {"instances": {"uniform:5x4": 1.0}, "count": 4, "every": 0.25},
    "checkpoint_every": 0.05,
    "device": "cpu",
}
CODE = """
import json, sys
from graphsched.training.settings.config import TrainConfig
from graphsched.training.train import train
train(TrainConfig.from_dict(json.loads(sys.argv[1])), export=False)
"""


def small_config(out: Path, **changes: Any) -> TrainConfig:
    """A configuration that trains in seconds; tables among the changes are merged."""
    document = dict(SMALL)
    for name, value in changes.items():
        table = isinstance(value, dict) and name in ("ppo", "validation", "network")
        document[name] = {**document[name], **value} if table else value
    return TrainConfig.from_dict({**document, "out": str(out)})


def without_onnx(patch: pytest.MonkeyPatch) -> None:
    """Leave the seconds out that exporting takes; such bundles can be trained from, not run."""
    for name in ("encoder_onnx", "decoder_onnx"):
        patch.setattr(f"graphsched.agents.bundles.export.{name}", lambda _network: b"none")


def state_of(folder: Path) -> dict[str, Any]:
    """The state in a run's checkpoint."""
    state = read_checkpoint(folder, get_domain("jobshop").instance_from_json)
    assert state is not None
    return state


def scalars(folder: Path, tag: str) -> list[float]:
    """Values of a TensorBoard curve of a run, in order; none if it has no such curve."""
    events = EventAccumulator(str(folder / "tensorboard"))
    events.Reload()
    if tag not in events.Tags()["scalars"]:
        return []
    return [event.value for event in events.Scalars(tag)]


def train_and_kill(config: TrainConfig, when: Callable[[Path], bool]) -> None:
    """Train in another process and kill it as soon as a condition on its folder holds."""
    words = [sys.executable, "-c", CODE, json.dumps(config.to_dict())]
    with subprocess.Popen(words, cwd=ROOT) as process:
        deadline = time.monotonic() + 120
        while not when(Path(str(config.out))) and process.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.kill()
    assert process.returncode == -9, "the run ended before it was killed"
