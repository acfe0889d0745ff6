"""What a run learns from its teachers before it learns from its own rollouts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphsched.envs.core.parts.writing import write_file
from graphsched.training.averaging import weight_average
from graphsched.training.teaching.clone import clone
from graphsched.training.teaching.dataset import read_dataset
from graphsched.training.teaching.replay import replay

if TYPE_CHECKING:
    from collections.abc import Callable

    from graphsched.training.running.run import Run
    from graphsched.training.teaching.card import Card
    from graphsched.training.teaching.replay import Examples

IMITATION = "imitation.json"


def examples_of(run: Run) -> tuple[Examples, list[dict[str, Any]]]:
    """All decisions of the run's teachers, and a line on each dataset.

    Raises:
        InputError: a dataset is damaged, or of another domain or simulator options.
    """
    options = run.config.simulator_options()
    episodes, lines = [], []
    for folder in run.config.teacher.data:
        card, found = read_dataset(Path(folder), run.domain, options)
        episodes += found
        lines.append({"data": folder, **_line(card)})
    return replay(run.domain, options, episodes), lines


def _line(card: Card) -> dict[str, Any]:
    names = ("instances", "teacher", "time_limit_s", "policy", "seed", "episodes")
    return {name: getattr(card, name) for name in names} | card.quality


def imitate(run: Run, watch: Callable[[int, float], None]) -> None:
    """Fit the run's policy to its teachers; the average of the weights begins anew."""
    config = run.config
    examples, lines = examples_of(run)
    policy = run.model.policy

    def note(epoch: int, loss: float) -> None:
        run.model.logger.record("teacher/cross_entropy", loss)
        run.model.logger.dump(epoch)
        watch(epoch, loss)

    losses = clone(policy, examples, config.teacher, config.seed, note)
    run.average = weight_average(policy, config.ppo.ema_decay)
    document = {"schema": 1, "teachers": lines, "cross_entropy": losses}
    write_file(run.folder / IMITATION, (json.dumps(document, indent=1) + "\n").encode())
