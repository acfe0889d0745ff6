"""Rollout buffer of Stable-Baselines3 for ragged decisions on packed graphs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, cast

import numpy as np
import torch
from stable_baselines3.common.buffers import RolloutBuffer
from stable_baselines3.common.utils import get_device

from graphsched.agents.learning.advantage import generalized_advantages
from graphsched.agents.learning.repack import join, rebase, select
from graphsched.agents.networks.encoder import GraphBatch, collate

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import gymnasium
    from numpy.typing import NDArray

    from graphsched.envs.core.graph import GraphSchema, GraphStore, PackedObs
    from graphsched.envs.core.sim import StepResult


Step = tuple["PackedObs", "NDArray[np.int64]", "StepResult", "NDArray[Any]", "NDArray[Any]"]


class GraphRolloutBufferSamples(NamedTuple):
    """A minibatch with the fields that PPO reads.

    Attributes:
        observations: the packed observation as tensors, ``graphs`` (the collated graphs that its
            node references mean), ``old_log_prob`` and ``label`` (N,).
        actions, old_values, old_log_prob, advantages, returns: (N,).
    """

    observations: dict[str, Any]
    actions: torch.Tensor
    old_values: torch.Tensor
    old_log_prob: torch.Tensor
    advantages: torch.Tensor
    returns: torch.Tensor


class GraphRolloutBuffer(RolloutBuffer):
    """Decisions of one rollout, step by step, whatever number of slots decided in each.

    Between `add` and `finish` it holds the steps as they came; `finish` joins them once. It keeps
    the graphs that its decisions refer to alive until the next `reset`.
    """

    actions: NDArray[np.int64]  # (D,), like all arrays below
    rewards: NDArray[np.float32]
    values: NDArray[np.float32]
    log_probs: NDArray[np.float32]
    advantages: NDArray[np.float32]
    returns: NDArray[np.float32]
    observations: PackedObs  # type: ignore[assignment]  # of all decisions

    def __init__(
        self,
        buffer_size: int,
        observation_space: gymnasium.Space[Any],
        action_space: gymnasium.Space[Any],
        device: torch.device | str = "auto",
        gae_lambda: float = 1.0,
        gamma: float = 0.99,
        n_envs: int = 1,
        rng: np.random.Generator | None = None,
        num_minibatches: int | None = None,
        time_unit: float | None = None,
        group_size: int | None = None,
    ) -> None:
        """Start empty.

        The parent's constructor would allocate rectangular arrays, so it isn't called.

        Args:
            buffer_size: steps of a rollout of fixed length; only recorded.
            observation_space: a `GraphSpace`.
            action_space: index of a candidate.
            device: of the minibatches.
            gae_lambda: weight of longer returns.
            gamma: discount.
            n_envs: simulator slots.
            rng: shuffles the decisions.
            num_minibatches: overrides the batch size asked of `get`.
            time_unit: simulated time in which a reward's weight falls by gamma; None discounts
                by decision.
            group_size: keep the decisions of every so many consecutive slots in one minibatch,
                which then holds few graphs; None mixes the decisions of all.
        """
        self.buffer_size = buffer_size
        self.observation_space = observation_space
        self.action_space = action_space
        self.device = get_device(device)
        self.gae_lambda = gae_lambda
        self.gamma = gamma
        self.n_envs = n_envs
        self._schema: GraphSchema = observation_space.schema  # type: ignore[attr-defined]
        self.num_minibatches = num_minibatches
        self.time_unit = time_unit
        self.group_size = group_size
        self.rng = rng or np.random.default_rng()
        self._store: GraphStore | None = None
        self._retained: list[int] = []
        self.reset()

    def reset(self) -> None:
        """Forget the rollout and release its graphs."""
        if self._store is not None:
            for graph_id in self._retained:
                self._store.release(graph_id)
        self._retained = []
        self._steps: list[Step] = []
        self._collated: tuple[bytes, GraphBatch] | None = None
        self.pos = 0
        self.full = False

    def size(self) -> int:
        """Number of decisions."""
        return self.pos

    def retain(self, store: GraphStore, graph_ids: Sequence[int]) -> None:
        """Keep graphs alive as long as the rollout; all of a rollout come from one store."""
        self._store = store
        for graph_id in graph_ids:
            store.retain(graph_id)
        self._retained.extend(graph_ids)

    def add(  # type: ignore[override]
        self,
        obs: PackedObs,
        actions: NDArray[np.int64],
        result: StepResult,
        values: NDArray[np.float32],
        log_probs: NDArray[np.float32],
    ) -> None:
        """Record one step: N blocks, their actions (N,), the outcome, values and log-probs (N,)."""
        self._steps.append((obs, actions, result, values, log_probs))
        self.pos += len(actions)

    def extend(self, *args: object, **kwargs: object) -> NoReturn:
        """Not available: raises NotImplementedError."""
        raise NotImplementedError("slots decide in different numbers of steps: call add for each")

    def sample(self, batch_size: int, env: object = None) -> NoReturn:
        """Not available: raises NotImplementedError."""
        raise NotImplementedError("decisions are learned from once an epoch: call get")

    def finish(self) -> None:
        """Join the recorded steps; afterwards the arrays of all D decisions are there."""
        obs, actions, results, values, log_probs = zip(*self._steps, strict=True)
        self._steps = []
        self.observations = join(obs)
        self.slots = self.observations["slot"]
        self.actions = np.concatenate(actions)
        self.values = np.concatenate(values).astype(np.float32, copy=False)
        self.log_probs = np.concatenate(log_probs).astype(np.float32, copy=False)
        self.rewards = np.concatenate([r.rewards for r in results]).astype(np.float32)
        self.dones = np.concatenate([r.dones for r in results])
        self.elapsed = np.concatenate([r.elapsed for r in results])
        self.labels = np.zeros(self.pos, np.float32)
        self.full = True

    def slot_returns(self) -> NDArray[np.float64]:
        """(n_envs,) undiscounted sum of each slot's rewards in this rollout."""
        totals = np.bincount(self.slots, weights=self.rewards, minlength=self.n_envs)
        return totals.astype(np.float64, copy=False)

    def discounts(self) -> NDArray[np.float64]:
        """(D,) weight of what follows each decision."""
        if self.time_unit is None:
            return np.full(self.pos, self.gamma)
        return np.asarray(self.gamma ** (self.elapsed / self.time_unit), np.float64)

    def discounted(self) -> NDArray[np.float32]:
        """(D,) discounted sum of each decision's reward and those that follow it in its slot."""
        nothing, none = np.zeros(self.pos, np.float32), np.zeros(self.n_envs, np.float32)
        told = self.slots, self.rewards, self.dones, nothing, self.discounts(), none
        return generalized_advantages(*told, 1.0)

    def compute_returns_and_advantage(  # type: ignore[override]
        self, last_values: NDArray[np.float32], dones: NDArray[np.bool_] | None = None
    ) -> None:
        """Generalized advantages and lambda-returns of every slot's sequence.

        Args:
            last_values: (n_envs,) values of the situations in which the rollout stopped.
            dones: not needed, since every decision knows whether it ended its episode.
        """
        self.advantages = generalized_advantages(
            self.slots,
            self.rewards,
            self.dones,
            self.values,
            self.discounts(),
            np.asarray(last_values, np.float32),
            self.gae_lambda,
        )
        self.returns = self.advantages + self.values

    def get(self, batch_size: int | None = None) -> Iterator[GraphRolloutBufferSamples]:  # type: ignore[override]
        """Shuffled minibatches of similar size, about ``batch_size`` decisions each."""
        if not self.full:
            raise RuntimeError("the rollout is not finished")
        count = self.num_minibatches or max(1, round(self.pos / (batch_size or self.pos)))
        if self.group_size is None:
            for index in np.array_split(self.rng.permutation(self.pos), min(count, self.pos)):
                yield self._get_samples(np.sort(index))
            return
        group = self.slots // self.group_size
        groups = self.rng.permutation(np.unique(group))
        for part in np.array_split(groups, min(count, len(groups))):
            yield self._get_samples(np.flatnonzero(np.isin(group, part)))

    def _get_samples(  # type: ignore[override]
        self, batch_inds: NDArray[np.int64], env: object = None
    ) -> GraphRolloutBufferSamples:
        if self._store is None:
            raise RuntimeError("no graphs were retained")
        packed, ids = rebase(select(self.observations, batch_inds), self._store)
        observations: dict[str, Any] = {
            key: self._tensor(cast("NDArray[Any]", value)) for key, value in packed.items()
        }
        old_log_prob = self._tensor(self.log_probs[batch_inds])
        observations["graphs"] = self._collate(ids)
        observations["old_log_prob"] = old_log_prob
        observations["label"] = self._tensor(self.labels[batch_inds])
        columns = (self.advantages, self.returns)
        return GraphRolloutBufferSamples(
            observations,
            self._tensor(self.actions[batch_inds]),
            self._tensor(self.values[batch_inds]),
            old_log_prob,
            *(self._tensor(column[batch_inds]) for column in columns),
        )

    def _collate(self, ids: NDArray[np.int64]) -> GraphBatch:
        """Most minibatches see every graph of the rollout, so the last batch is kept."""
        key = ids.tobytes()
        if self._collated is None or self._collated[0] != key:
            assert self._store is not None
            graphs = map(self._store.graph, ids.tolist())
            self._collated = key, collate(self._schema, graphs).to(self.device)
        return self._collated[1]

    def _tensor(self, array: NDArray[Any]) -> torch.Tensor:
        return torch.from_numpy(array).to(self.device)
