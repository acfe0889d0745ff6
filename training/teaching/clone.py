"""Imitation: a policy is fitted to the choices of a teacher."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from graphsched.agents.learning.repack import ragged_rows, rebase, select
from graphsched.agents.networks.encoder import collate
from graphsched.envs.core.errors import InputError
from graphsched.training.teaching.scaling import Scaling

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from numpy.typing import NDArray
    from torch import Tensor

    from graphsched.agents.learning.policy import GraphPolicy
    from graphsched.training.settings.config import TeacherConfig
    from graphsched.training.teaching.replay import Examples

AVERAGED = 0.5  # share of the steps, the last ones, whose weights are averaged


def cross_entropy(log_probs: Tensor, targets: Tensor, blocks: int) -> Tensor:
    """Mean over decisions of the cross-entropy; log_probs, targets: (C,) of so many blocks."""
    return -(targets * log_probs).sum() / blocks


CLIPPED = 4.0  # costs of candidates, in usual deviations of those of a decision


class Lessons:
    """A teacher's decisions, ready to be drawn in minibatches."""

    def __init__(self, examples: Examples, embeddings: bool, pull: float = 0.0) -> None:
        """Args: examples: of the teacher. embeddings: whether the policy sees static graphs.

        pull: weight of the action taken where candidates were tried out.
        """
        self.examples = examples
        self.embeddings = embeddings
        counts = np.diff(examples.obs["candidate_ptr"])
        tried = np.repeat(examples.tried, counts)
        self._targets = np.where(tried, np.float32(pull), np.float32(1.0)) * examples.targets
        self._costs = examples.costs
        if tried.any():
            unit = _usual_spread(examples.costs, examples.obs["candidate_ptr"])
            self._costs = np.clip(examples.costs / unit, -CLIPPED, CLIPPED)

    def __len__(self) -> int:
        """Number of decisions."""
        return len(self.examples)

    def batch(
        self, index: NDArray[np.int64], policy: GraphPolicy
    ) -> tuple[dict[str, Any], Tensor, Tensor]:
        """Observation of some decisions as the policy takes it, targets and costs of candidates.

        Args:
            index: (M,) decisions, rising.
            policy: of which the device is taken.
        """
        obs = select(self.examples.obs, index)
        rows, _ = ragged_rows(self.examples.obs["candidate_ptr"], index)
        labels = torch.from_numpy(np.stack([self._targets[rows], self._costs[rows]]))
        packed: Mapping[str, Any] = obs
        tensors: dict[str, Any] = {}
        if self.embeddings:
            packed, ids = rebase(obs, self.examples.store)
            graphs = map(self.examples.store.graph, ids.tolist())
            tensors["graphs"] = collate(policy.schema, graphs).to(policy.device)
        tensors |= {k: torch.from_numpy(v).to(policy.device) for k, v in packed.items()}
        targets, costs = labels.to(policy.device)
        return tensors, targets, costs

    def draw(self, rng: np.random.Generator, size: int) -> NDArray[np.int64]:
        """About so many decisions at random; of a few episodes where graphs must be encoded."""
        if self.embeddings:
            return next(self.shuffled(rng, size))
        return np.sort(rng.integers(0, len(self), size))

    def shuffled(self, rng: np.random.Generator, size: int) -> Iterator[NDArray[np.int64]]:
        """Minibatches of about so many decisions, all of them once.

        Where graphs must be encoded, a minibatch has all decisions of a few episodes, so that an
        epoch encodes each graph once.
        """
        if not self.embeddings:
            count = max(1, round(len(self) / size))
            for part in np.array_split(rng.permutation(len(self)), count):
                yield np.sort(part)
            return
        slots = self.examples.obs["slot"]
        episodes = rng.permutation(np.unique(slots))
        order = np.argsort(slots, kind="stable")
        starts = np.searchsorted(slots[order], np.arange(slots.max() + 2))
        count = max(1, min(len(episodes), round(len(self) / size)))
        for part in np.array_split(episodes, count):
            yield np.sort(np.concatenate([order[starts[e] : starts[e + 1]] for e in part]))


def _usual_spread(costs: NDArray[np.float32], ptr: NDArray[np.int64]) -> np.float32:
    """Median over decisions, of those whose candidates differ, of the deviation of their costs."""
    sizes, starts = np.diff(ptr), ptr[:-1]
    means = np.add.reduceat(costs, starts) / sizes
    squares = np.add.reduceat((costs - np.repeat(means, sizes)) ** 2, starts) / sizes
    spreads = np.sqrt(squares[squares > 0])
    return np.float32(np.median(spreads) if len(spreads) else 1.0)


def clone(
    policy: GraphPolicy,
    examples: Examples,
    config: TeacherConfig,
    seed: int,
    watch: Callable[[int, float], None] = lambda epoch, loss: None,
) -> list[float]:
    """Fit a policy to a teacher's decisions; the result is an average over the later steps.

    Args:
        policy: to fit, from its present weights on.
        examples: of the teacher.
        config: how.
        seed: of the order of the examples.
        watch: told of each epoch's number and mean cross-entropy in nats.

    Returns:
        Mean cross-entropy of each epoch.

    Raises:
        InputError: there is nothing to learn from, or the weights diverged.
    """
    if not len(examples):
        raise InputError("teacher", "expected decisions with a choice, found none")
    scaling = Scaling(examples.obs, config.clip)
    standardised = replace(examples, obs=scaling.standardised(examples.obs))
    lessons = Lessons(standardised, policy.embeddings, config.pull)
    policy.set_training_mode(True)
    scaling.unfold(policy.decoder)
    try:
        losses = _fit(policy, lessons, config, np.random.default_rng(seed), watch)
    finally:
        scaling.fold(policy.decoder)
        policy.set_training_mode(False)
    return losses


def _fit(
    policy: GraphPolicy,
    lessons: Lessons,
    config: TeacherConfig,
    rng: np.random.Generator,
    watch: Callable[[int, float], None],
) -> list[float]:
    weights = [w for w in policy.parameters() if w.requires_grad]
    optimizer = torch.optim.AdamW(weights, config.learning_rate, weight_decay=config.weight_decay)
    steps = config.epochs * len(list(lessons.shuffled(rng, config.batch_size)))
    average: list[Tensor] | None = None
    step, losses = 0, []
    for epoch in range(config.epochs):
        total, seen = 0.0, 0
        for index in lessons.shuffled(rng, config.batch_size):
            rate = 0.5 * config.learning_rate * (1.0 + math.cos(math.pi * step / steps))
            optimizer.param_groups[0]["lr"] = rate
            loss = imitation_loss(policy, lessons, index)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            step += 1
            total, seen = total + loss.item() * len(index), seen + len(index)
            if step >= AVERAGED * steps:
                average = _mixed(average, weights, config.average)
        losses.append(total / seen)
        if not math.isfinite(losses[-1]):
            problem = "the imitation diverged; a smaller teacher.learning_rate may help"
            raise InputError("teacher", problem)
        watch(epoch, losses[-1])
    with torch.no_grad():
        for weight, mean in zip(weights, average or weights, strict=True):
            weight.copy_(mean)
    return losses


def imitation_loss(policy: GraphPolicy, lessons: Lessons, index: NDArray[np.int64]) -> Tensor:
    """Mean over some decisions, (M,), with gradients.

    The cross-entropy in nats towards the targets, and what the policy's choice is expected to cost
    where candidates were tried out: noise of single costs averages out in it, as it wouldn't if the
    best candidate were taken for the right one.
    """
    obs, targets, costs = lessons.batch(index, policy)
    log_probs, _, _ = policy.decode(obs)
    expected = (log_probs.exp() * costs).sum() / len(index)
    return cross_entropy(log_probs, targets, len(index)) + expected


@torch.no_grad()
def _mixed(average: list[Tensor] | None, weights: list[Any], decay: float) -> list[Tensor]:
    if average is None:
        return [w.detach().clone() for w in weights]
    for mean, weight in zip(average, weights, strict=True):
        mean.lerp_(weight, 1.0 - decay)
    return average
