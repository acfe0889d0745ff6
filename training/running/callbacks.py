"""What happens between the updates of a run, as callbacks of Stable-Baselines3."""

from __future__ import annotations

import json
from abc import abstractmethod
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from stable_baselines3.common.callbacks import BaseCallback, CallbackList
from stable_baselines3.common.logger import HParam

from graphsched.agents.learning.ppo import check_weights
from graphsched.agents.networks.packing import UNLIMITED, limited_parts
from graphsched.envs.core.parts.writing import naming
from graphsched.training.model import entropy_coefficient
from graphsched.training.running.resume import snapshot

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray
    from torch.optim import Optimizer

    from graphsched.agents.bundles.background import BackgroundWriter
    from graphsched.training.running.progress import Display
    from graphsched.training.running.run import Run
    from graphsched.training.running.signals import Stopping

METRICS = "metrics.jsonl"
TAGS = {
    "gap_pct": "eval/gap_pct",
    "sampled_gap_pct": "eval/sampled_gap_pct",
    "vs_best_rule_pct": "eval/vs_best_rule_pct",
    "gap_se": "eval/gap_se",
    "vs_best_pct": "eval/vs_best_pct",
    "vs_best_se": "eval/vs_best_se",
}


class RunCallback(BaseCallback):
    """Base: acts between an update and the next rollout, and once at the end."""

    def __init__(self, run: Run) -> None:
        """Args: run: whose parts the callback works on."""
        super().__init__()
        self.run = run

    @abstractmethod
    def between(self, last: bool) -> None:
        """Act; ``last`` says that no rollout will be learned from any more."""

    def _on_rollout_start(self) -> None:
        self.between(last=self.run.stopped)

    def _on_training_end(self) -> None:
        if not self.run.stopped:
            self.between(last=True)

    def _on_step(self) -> bool:
        return not self.run.stopped


class StopWhenSpent(RunCallback):
    """Ends training once the budget is used up, or a signal asks for it; goes first.

    A rollout that is never learned from would be a waste, so time is checked between updates; the
    number of decisions is checked by the training loop itself.
    """

    def __init__(self, run: Run, signals: Stopping) -> None:
        """Args: run: to end. signals: that may ask for it."""
        super().__init__(run)
        self._signals = signals

    def between(self, last: bool) -> None:
        """Look at the clock."""
        del last
        self.run.steps = self.model.num_timesteps

    def _on_rollout_start(self) -> None:
        self.between(last=False)
        self.run.interrupted = self._signals.asked is not None
        self.run.stopped = self.run.interrupted or self.run.progress() >= 1.0

    def _on_training_end(self) -> None:
        super()._on_training_end()
        self.run.interrupted |= self._signals.asked is not None

    def _on_rollout_end(self) -> None:
        self._signals.can_wait = True  # what is learned from here on would be lost


class FollowSchedules(RunCallback):
    """Moves the curriculum, the entropy coefficient and the discount along."""

    def __init__(self, run: Run) -> None:
        """Args: run: with the configuration of the schedules."""
        super().__init__(run)
        self._entropy = entropy_coefficient(run.config.ppo)

    def between(self, last: bool) -> None:
        """Set what the next rollout depends on."""
        del last
        self.run.source.progress = self.run.progress()
        if self.run.discount is not None:
            self.run.model.gamma = self.run.discount.gamma
            self.run.model.rollout_buffer.gamma = self.run.discount.gamma

    def _on_rollout_end(self) -> None:
        model, run = self.run.model, self.run
        model.ent_coef = self._entropy(run.progress())
        self.logger.record("train/ent_coef", model.ent_coef)
        if run.discount is not None:
            run.discount = run.discount.after(float(model.rollout_buffer.slot_returns().mean()))
            self.logger.record("train/gamma", model.gamma)


class KeepWithinSeen(RunCallback):
    """Clips columns for the hidden layers to what all rollouts of a run have shown.

    Limits change between updates only: decisions are learned from under those that they were taken
    under. Where a run imitated or started from a bundle, the limits that came of that stay.
    """

    def __init__(self, run: Run) -> None:
        """Args: run: whose decoder is limited."""
        super().__init__(run)
        self._seen: dict[str, NDArray[np.float32]] = {}
        config = run.config
        self._is_wanted = config.init is None and not config.teacher.data

    def _on_rollout_end(self) -> None:
        if not self._is_wanted:
            return
        obs: Mapping[str, Any] = self.run.model.rollout_buffer.observations
        for part in limited_parts(self.run.domain.schema):
            if len(obs[part]):
                self._seen[part] = np.stack([obs[part].min(axis=0), obs[part].max(axis=0)])

    @torch.no_grad()
    def between(self, last: bool) -> None:
        """Widen the limits by the last rollout."""
        del last
        decoder = self.run.model.policy.decoder
        for part, seen in self._seen.items():
            limits, found = decoder.get_buffer(f"{part}_limits"), torch.from_numpy(seen)
            found = found.to(limits)
            if limits.abs().max() < UNLIMITED:
                found[0] = torch.minimum(found[0], limits[0])
                found[1] = torch.maximum(found[1], limits[1])
            limits.copy_(found)
        self._seen.clear()


class AverageWeights(RunCallback):
    """Keeps the weight average and the records of updates."""

    def _on_training_start(self) -> None:
        self.run.model.policy.optimizer.register_step_pre_hook(self._measure)

    def _measure(self, optimizer: Optimizer, *_: object) -> None:
        gradients = [p.grad for group in optimizer.param_groups for p in group["params"]]
        norm = sum(g.abs().sum() for g in gradients if g is not None)
        self.run.pending_norms.append(float(norm))

    def between(self, last: bool) -> None:
        """Take in the weights of an update, once."""
        del last
        run = self.run
        updates = run.model._n_updates  # noqa: SLF001 - the only place where SB3 keeps it
        if updates == run.updates_seen:
            return
        run.updates_seen = updates
        check_weights(run.model.policy)
        # At the update's own step, not together with the next one's.
        self.logger.dump(run.steps)
        run.average.update_parameters(run.model.policy)
        if run.pending_norms:
            run.gradient_norms.append(float(np.mean(run.pending_norms)))
            run.pending_norms.clear()


class Validate(RunCallback):
    """Validates at equal shares of the budget and at its end; logs and writes a row for each."""

    def __init__(self, run: Run, display: Display) -> None:
        """Args: run: to validate. display: that shows the result."""
        super().__init__(run)
        self._display = display

    def _on_training_start(self) -> None:
        config = self.run.config
        self.logger.record(
            "hparams",
            HParam(_flat(config.to_dict()), dict.fromkeys(TAGS.values(), 0.0)),
            exclude=("stdout", "log", "json", "csv"),
        )

    def between(self, last: bool) -> None:
        """Validate if it is due."""
        run = self.run
        known = bool(run.history) and run.history[-1]["steps"] == run.steps
        # A run that was stopped half-way validates when it would have without.
        last = last and not run.interrupted
        if known or not (last or run.progress() >= run.next_validation):
            return
        every = run.config.validation.every
        while run.next_validation <= run.progress():
            run.next_validation += every
        scores, best = run.validate()
        for field, tag in TAGS.items():
            value = asdict(scores)[field]
            if value is not None:
                self.logger.record(tag, value)
        self.logger.dump(run.steps)
        path = run.folder / METRICS
        with naming(path), path.open("a") as file:
            file.write(json.dumps(run.history[-1]) + "\n")
        self._display.validated(scores, best)


class Checkpoint(RunCallback):
    """Hands snapshots to the writer at equal shares of the budget and at its end."""

    def __init__(self, run: Run, writer: BackgroundWriter) -> None:
        """Args: run: to save. writer: that writes in the background."""
        super().__init__(run)
        self._writer = writer

    def between(self, last: bool) -> None:
        """Take a snapshot if it is due."""
        run = self.run
        if not (last or run.progress() >= run.next_checkpoint):
            return
        while run.next_checkpoint <= run.progress():
            run.next_checkpoint += run.config.checkpoint_every
        self._writer.submit(snapshot(run))


class ShowProgress(RunCallback):
    """Moves the progress bar."""

    def __init__(self, run: Run, display: Display) -> None:
        """Args: run: to show. display: that shows it."""
        super().__init__(run)
        self._display = display

    def between(self, last: bool) -> None:
        """Move the bar."""
        del last
        self._display.moved(self.run.progress(), self.run.steps)


def run_callbacks(
    run: Run, writer: BackgroundWriter, display: Display, signals: Stopping
) -> CallbackList:
    """All of a run's callbacks in the order in which they depend on each other."""
    return CallbackList(
        [
            StopWhenSpent(run, signals),
            FollowSchedules(run),
            KeepWithinSeen(run),
            AverageWeights(run),
            ShowProgress(run, display),
            Validate(run, display),
            Checkpoint(run, writer),
        ]
    )


def _flat(document: dict[str, object], prefix: str = "") -> dict[str, bool | str | float]:
    """Nested configuration as one level of plain values."""
    out: dict[str, bool | str | float] = {}
    for name, value in document.items():
        if isinstance(value, dict):
            out |= _flat(value, f"{prefix}{name}.")
        else:
            out[prefix + name] = value if isinstance(value, bool | int | float) else str(value)
    return out
