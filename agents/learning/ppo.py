"""Proximal policy optimisation on packed graphs, as a subclass of Stable-Baselines3's."""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np
from stable_baselines3 import PPO

from graphsched.agents.learning.advantage import (
    aligned_advantages,
    best_of_groups,
    group_advantages,
)
from graphsched.agents.learning.buffer import GraphRolloutBuffer
from graphsched.agents.learning.policy import GraphPolicy
from graphsched.agents.learning.vec_env import BatchVecEnv
from graphsched.envs.core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from numpy.typing import NDArray
    from stable_baselines3.common.buffers import RolloutBuffer
    from stable_baselines3.common.callbacks import BaseCallback
    from stable_baselines3.common.vec_env import VecEnv
    from torch import Tensor

    from graphsched.agents.learning.actor import Actor
    from graphsched.envs.core.graph import PackedObs

    Lesson = Callable[[], Tensor | None]

SUSPICIOUS_ERROR = 1e-4
IMPOSSIBLE_ERROR = 1e-2


class Diverged(RuntimeError):
    """Weights or what is computed from them are no longer numbers."""


@dataclass(frozen=True)
class RolloutOptions:
    """How rollouts are collected and judged.

    Attributes:
        mode: ``episodes`` restarts all slots and runs each to the end of its episode; ``steps``
            takes ``n_steps`` decisions in every slot, restarts finished ones at once and
            bootstraps the rest, for episodes without a natural end.
        baseline: ``value`` is generalized advantage estimation with the value head; ``group``
            gives every decision of an episode its return less that of the other rollouts of the
            same instance; ``both`` adds the two, each scaled to unit variance; ``decision`` gives
            each decision what follows it, discounted, less what followed those of the same number
            in the other rollouts: where what a decision does shows soon, and episodes are alike in
            length.
        normalize_groups: ``group`` and ``decision`` divide by the group's standard deviation.
        label_coef: weight of the cross-entropy towards the decisions of each instance's best
            rollout (self-labelling).
        time_unit: simulated time over which rewards are discounted by gamma; None discounts by
            decision.
        num_minibatches: minibatches per epoch instead of a batch size.
        split: ``decisions`` draws minibatches from all decisions; ``instances`` keeps those of an
            instance together, so that an epoch encodes each graph once, not once a minibatch.
    """

    mode: Literal["episodes", "steps"] = "episodes"
    baseline: Literal["value", "group", "both", "decision"] = "value"
    normalize_groups: bool = False
    label_coef: float = 0.0
    time_unit: float | None = None
    num_minibatches: int | None = None
    split: Literal["decisions", "instances"] = "decisions"

    def check(self, rollouts_per_instance: int) -> None:
        """Raises InputError if options need groups of rollouts and there are none."""
        grouped = self.baseline != "value" or self.label_coef > 0.0
        if grouped and (self.mode == "steps" or rollouts_per_instance < 2):
            raise InputError(
                "rollout options",
                "group baselines and self-labelling expect mode 'episodes' and at least 2 rollouts "
                f"per instance, found mode {self.mode!r} and {rollouts_per_instance}",
            )


class GraphPPO(PPO):
    """PPO whose rollouts talk to the batched simulator directly.

    `train` is the parent's: loss, clipping, schedules, early stopping and logging. Terms of the
    loss that it doesn't know enter through the policy's `bonus`, which it takes for an entropy.

    A time step is one decision of one slot.

    Attributes:
        lesson: if set, called once a minibatch for a further term of the loss, of what else is to
            be learned (from a teacher, say); None: there is no such term at present.
    """

    rollout_buffer: GraphRolloutBuffer
    policy: GraphPolicy
    lesson: Lesson | None = None

    def __init__(
        self,
        policy: type[GraphPolicy] = GraphPolicy,
        env: BatchVecEnv | None = None,
        *,
        rollout: RolloutOptions | None = None,
        batch_size: int = 2048,
        _init_setup_model: bool = True,
        **kwargs: Any,
    ) -> None:
        """Set up.

        Args:
            policy: the policy's class.
            env: the simulator's environment.
            rollout: how rollouts are collected.
            batch_size: approximate number of decisions in a minibatch.
            kwargs: of ``stable_baselines3.PPO``, with its defaults.
        """
        self.rollout = rollout or RolloutOptions()
        self._rng = np.random.default_rng(kwargs.get("seed"))
        with warnings.catch_warnings():  # a rollout's size is not n_steps * slots here
            warnings.filterwarnings("ignore", message="You have specified a mini-batch size")
            super().__init__(
                policy,
                cast("VecEnv", env),
                batch_size=batch_size,
                _init_setup_model=False,
                **kwargs,
            )
        if _init_setup_model:
            self._setup_model()

    @staticmethod
    def _wrap_env(env: object, verbose: int = 0, monitor_wrapper: bool = True) -> VecEnv:
        """The environment as it is; raises InputError for any other kind, wrapped ones too."""
        del verbose, monitor_wrapper
        if not isinstance(env, BatchVecEnv):
            raise InputError(
                "env",
                "expected a BatchVecEnv, which keeps returns and lengths of episodes itself, "
                f"found {type(env).__name__}",
            )
        return env

    def _setup_model(self) -> None:
        if isinstance(self.env, BatchVecEnv):
            self.rollout.check(self.env.rollouts_per_instance)
        self.rollout_buffer_class = GraphRolloutBuffer
        self.rollout_buffer_kwargs = {
            "num_minibatches": self.rollout.num_minibatches,
            "time_unit": self.rollout.time_unit,
        }
        if isinstance(self.env, BatchVecEnv) and self.rollout.split == "instances":
            self.rollout_buffer_kwargs["group_size"] = self.env.rollouts_per_instance
        super()._setup_model()
        self.rollout_buffer.rng = self._rng

    def _excluded_save_params(self) -> list[str]:
        return [*super()._excluded_save_params(), "_last_obs", "_last_episode_starts", "lesson"]

    def collect_rollouts(
        self,
        env: VecEnv,
        callback: BaseCallback,
        rollout_buffer: RolloutBuffer,
        n_rollout_steps: int,
    ) -> bool:
        """Fill the buffer with whole episodes or with a number of steps; see `RolloutOptions`.

        Callbacks are called once for each step of all waiting slots. Their locals hold ``rewards``,
        ``dones`` and ``infos`` of the slots that acted, which are ``result.slots``.

        Returns:
            False if a callback asked to stop.
        """
        assert isinstance(env, BatchVecEnv)
        buffer = self.rollout_buffer
        self.policy.set_training_mode(False)
        buffer.reset()
        callback.on_rollout_start()
        endless = self.rollout.mode == "steps"
        if not endless and not env.fresh:
            env.restart()
        actor = self.policy.actor()
        entropies: list[NDArray[np.float32]] = []
        step = 0
        while not endless or step < n_rollout_steps:
            obs = cast("PackedObs", env.observe())
            waiting = len(obs["slot"])
            if waiting == 0:
                break
            buffer.retain(env.store, actor.encode(env.store, obs["graph"]))
            actions, log_probs, values, entropy = actor.act(obs, self._rng.random(waiting))
            result, infos = env.advance(actions)
            rewards, dones = result.rewards, result.dones
            buffer.add(obs, actions, result, values, log_probs)
            entropies.append(entropy)
            self.num_timesteps += waiting
            step += 1
            if dones.any():
                self._update_info_buffer(infos, dones)
                if endless:
                    env.restart(result.slots[dones].tolist())
            callback.update_locals(locals())
            if not callback.on_step():
                return False
        buffer.finish()
        self._judge(self._bootstrap(env, actor) if endless else np.zeros(env.num_envs, np.float32))
        self.logger.record("rollout/entropy", float(np.concatenate(entropies).mean()))
        self.logger.record("rollout/decisions", buffer.size())
        callback.update_locals(locals())
        callback.on_rollout_end()
        return True

    def _bootstrap(self, env: BatchVecEnv, actor: Actor) -> NDArray[np.float32]:
        """(num_envs,) values of the present situations."""
        obs = cast("PackedObs", env.observe())
        self.rollout_buffer.retain(env.store, actor.encode(env.store, obs["graph"]))
        out = np.zeros(env.num_envs, np.float32)
        out[obs["slot"]] = actor.act(obs, np.zeros(len(obs["slot"]))).values
        return out

    def _judge(self, last_values: NDArray[np.float32]) -> None:
        """Advantages, returns and labels of the finished rollout."""
        buffer, options = self.rollout_buffer, self.rollout
        buffer.compute_returns_and_advantage(last_values)
        assert isinstance(self.env, BatchVecEnv)
        size = self.env.rollouts_per_instance
        totals = buffer.slot_returns()
        if options.baseline == "decision":
            found = aligned_advantages(
                buffer.slots, buffer.discounted(), size, options.normalize_groups
            )
            buffer.advantages = found.astype(np.float32)
        elif options.baseline != "value":
            group = group_advantages(totals, size, options.normalize_groups)[buffer.slots]
            if options.baseline == "both":
                group = _unit(group) + _unit(buffer.advantages)
            buffer.advantages = group.astype(np.float32)
        if options.label_coef > 0.0:
            best = best_of_groups(totals, size)[buffer.slots]
            # Scaled so that a minibatch's mean is the mean over its labelled decisions.
            buffer.labels = (best / max(best.mean(), 1e-8)).astype(np.float32)

    def train(self) -> None:
        """Update as the parent does; then say how far recomputed log-probabilities were off."""
        with self._objective() as monitor:
            super().train()
        monitor.record(self)

    @contextmanager
    def _objective(self) -> Iterator[_Monitor]:
        """Let the policy's bonus carry the entropy term and the label term while training."""
        monitor = _Monitor(self.ent_coef, self.rollout.label_coef, self.lesson)
        entropy_coef, self.ent_coef = self.ent_coef, 1.0
        self.policy.bonus = monitor
        try:
            yield monitor
        finally:
            self.ent_coef = entropy_coef
            self.policy.bonus = None

    def training_state(self) -> dict[str, Any]:
        """Random streams and the simulator's state, to continue bit-exactly between updates.

        Together with `get_parameters`, ``num_timesteps`` and ``_n_updates`` it is all there is.
        """
        assert isinstance(self.env, BatchVecEnv)
        return {"rng": self._rng.bit_generator.state, "env": self.env.state_dict()}

    def load_training_state(self, state: Mapping[str, Any]) -> None:
        """Restore what `training_state` returned; `learn` then doesn't reset the environment."""
        assert isinstance(self.env, BatchVecEnv)
        self._rng.bit_generator.state = state["rng"]
        self.env.load_state_dict(state["env"])
        self._last_obs = self.env.observe()


class _Monitor:
    """The extra terms of the loss, and what is to be logged of them.

    Called by the policy with each minibatch: (obs, log-probabilities, entropies) -> the negative
    of the extra loss of each decision.
    """

    def __init__(self, ent_coef: float, label_coef: float, lesson: Lesson | None) -> None:
        self._ent_coef = ent_coef
        self._label_coef = label_coef
        self._lesson = lesson
        self._lesson_losses: list[float] = []
        self._entropies: list[float] = []
        self._label_losses: list[float] = []
        self._error: float | None = None

    def __call__(self, obs: Mapping[str, Any], log_prob: Tensor, entropy: Tensor) -> Tensor:
        if self._error is None:  # no gradient step has been taken yet
            self._error = log_prob_error(log_prob, obs["old_log_prob"])
        self._entropies.append(entropy.mean().item())
        bonus = self._ent_coef * entropy
        if self._label_coef > 0.0:
            labelled = obs["label"] * log_prob
            self._label_losses.append(-labelled.mean().item())
            bonus = bonus + self._label_coef * labelled
        extra = self._lesson() if self._lesson is not None else None
        if extra is not None:
            self._lesson_losses.append(extra.item())
            bonus = bonus - extra
        return bonus

    def record(self, model: GraphPPO) -> None:
        """Replace what the parent logged under the name of entropy and add the rest."""
        model.logger.record("train/entropy_loss", -float(np.mean(self._entropies)))
        model.logger.record("train/logprob_error", self._error)
        if self._label_losses:
            model.logger.record("train/label_loss", float(np.mean(self._label_losses)))
        if self._lesson_losses:
            model.logger.record("train/teacher_loss", float(np.mean(self._lesson_losses)))


def log_prob_error(recomputed: Tensor, stored: Tensor) -> float:
    """Largest difference between log-probabilities of the rollout and of the gradient's network.

    Raises:
        Diverged: it is no number.
        RuntimeError: it is infinite or so large that the two saw different things.
    """
    error = (recomputed.detach() - stored).abs().max().item()
    if np.isnan(error):
        raise Diverged("the training diverged: log-probabilities are not finite")
    if not np.isfinite(error) or error > IMPOSSIBLE_ERROR:
        raise RuntimeError(f"recomputed log-probabilities differ from the rollout's by {error}")
    if error > SUSPICIOUS_ERROR:
        warnings.warn(f"recomputed log-probabilities differ by {error:.2g}", stacklevel=2)
    return error


def check_weights(policy: GraphPolicy) -> None:
    """Raises Diverged if a weight is not finite."""
    for name, weight in policy.named_parameters():
        if not bool(weight.isfinite().all()):
            raise Diverged(f"the training diverged: weights of {name} are not finite")


def _unit(values: NDArray[Any]) -> NDArray[np.float64]:
    out: NDArray[np.float64] = (values - values.mean()) / (values.std() + 1e-8)
    return out
