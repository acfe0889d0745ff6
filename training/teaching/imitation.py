"""What a run learns from its teachers before it learns from its own rollouts."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from graphsched.envs.core.errors import InputError
from graphsched.envs.core.parts.reading import parse_json, read_text
from graphsched.envs.core.parts.writing import write_file
from graphsched.envs.core.registry import get_domain
from graphsched.training.averaging import weight_average
from graphsched.training.teaching.clone import Lessons, imitation_loss
from graphsched.training.teaching.dataset import Episode, read_dataset
from graphsched.training.teaching.members import clone_members
from graphsched.training.teaching.replay import replay

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torch import Tensor

    from graphsched.training.running.run import Run
    from graphsched.training.settings.config import TrainConfig
    from graphsched.training.teaching.card import Card
    from graphsched.training.teaching.replay import Examples

IMITATION = "imitation.json"
REMINDER_STREAM = 0x72656D  # sets what a teacher reminds of apart from other streams


Taught = tuple[list[Episode], list[dict[str, Any]]]
"""Episodes of a run's teachers, and a line on each dataset."""


def read_teachers(config: TrainConfig) -> Taught:
    """What the teachers of a configuration have to say.

    Raises:
        InputError: a dataset is damaged, or of another domain or simulator options.
    """
    domain, options = get_domain(config.domain), config.simulator_options()
    episodes, lines = [], []
    for folder in config.teacher.data:
        card, found = read_dataset(Path(folder), domain, options)
        episodes += found
        lines.append({"data": Path(folder).name, **_line(card)})
    return episodes, lines


def _examples(run: Run, episodes: list[Episode]) -> Examples:
    return replay(run.domain, run.config.simulator_options(), episodes)


def _line(card: Card) -> dict[str, Any]:
    names = ("instances", "teacher", "time_limit_s", "policy", "seed", "episodes")
    return {name: getattr(card, name) for name in names} | card.quality


def teachers_of(folder: Path) -> list[dict[str, Any]]:
    """The lines on a run's teachers; none if it had none. Raises InputError if they're damaged."""
    file = folder / IMITATION
    if not file.exists():
        return []
    lines = parse_json(read_text(file), file).get("teachers")
    if not isinstance(lines, list) or not all(isinstance(line, dict) for line in lines):
        raise InputError(file, "teachers: expected a list of objects")
    return lines


def in_words(line: Mapping[str, Any]) -> str:
    """A teacher and what it taught, for a card."""
    whose = f", on the episodes of {line['policy']}" if line.get("policy") else ""
    figures = f"{line['episodes']:,} episodes, {line['decisions']:,} decisions"
    return f"`{line['teacher']}` ({figures} on `{line['instances']}`, seed {line['seed']}{whose})"


class Reminder:
    """The term of a run's loss that keeps its policy near its teachers while that matters."""

    def __init__(self, run: Run, examples: Examples) -> None:
        """Args: run: that learns. examples: of its teachers."""
        self._run = run
        self._lessons = Lessons(examples, run.model.policy.embeddings, run.config.teacher.pull)
        self._last = -1
        self._rng = np.random.default_rng()

    @property
    def weight(self) -> float:
        """Of the cross-entropy, at present."""
        config = self._run.config.teacher
        left = 1.0 - self._run.progress() / config.fade if config.fade else 0.0
        return config.coef * max(0.0, left)

    def __call__(self) -> Tensor | None:
        """Weighted cross-entropy of a few decisions; None once it has faded."""
        weight = self.weight
        if weight == 0.0:
            return None
        model, config = self._run.model, self._run.config
        if model.num_timesteps != self._last:  # so that a run that is resumed draws the same
            self._last = model.num_timesteps
            self._rng = np.random.default_rng([config.seed, REMINDER_STREAM, self._last])
        index = self._lessons.draw(self._rng, config.teacher.batch_size)
        return weight * imitation_loss(model.policy, self._lessons, index)


def remind(run: Run, examples: Examples | None = None) -> None:
    """Let the teachers have a say in the run's updates, if they're to have one."""
    if run.config.teacher.data and run.config.teacher.coef > 0.0:
        examples = examples or _examples(run, read_teachers(run.config)[0])
        run.model.lesson = Reminder(run, examples)


def imitate(run: Run, taught: Taught, watch: Callable[[int, float], None]) -> None:
    """Fit the run's policy to its teachers; the average of the weights begins anew."""
    config, (episodes, lines) = run.config, taught
    examples = _examples(run, episodes)
    remind(run, examples)
    policy = run.model.policy

    def note(epoch: int, loss: float) -> None:
        run.model.logger.record("teacher/cross_entropy", loss)
        run.model.logger.dump(epoch)
        watch(epoch, loss)

    how = config.teacher if config.init is None else replace(config.teacher, members=1)
    losses = clone_members(policy, examples, how, config.seed, note)
    run.average = weight_average(policy, config.ppo.ema_decay)
    document = {"schema": 1, "teachers": lines, "cross_entropy": losses}
    write_file(run.folder / IMITATION, (json.dumps(document, indent=1) + "\n").encode())
