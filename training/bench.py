"""Throughput of training on this machine, beside the usual way of doing it."""

from __future__ import annotations

import importlib.util
import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.vec_env import DummyVecEnv

from graphsched.envs.core.clock import cpu_s
from graphsched.envs.core.gym.env import GraphSchedEnv
from graphsched.envs.core.padded import PaddedGraph, measure_sizes
from graphsched.training.instances import InstanceSource
from graphsched.training.model import build_model
from graphsched.training.settings.config import load_config

if TYPE_CHECKING:
    from stable_baselines3.common.base_class import BaseAlgorithm

    from graphsched.envs.core.domain import Domain
    from graphsched.training.settings.config import TrainConfig

PRESET = "bench"
MINIMUM_S = 8.0  # processor time of a measurement
PADDED_ENVS, PADDED_STEPS = 8, 32


class Stopwatch(BaseCallback):
    """Processor time and decisions of rollouts, and of rollouts with their updates.

    Runs until it has watched for `MINIMUM_S`, whole iterations only, the first being left out:
    it compiles.

    Attributes:
        iterations: watched so far.
        rollout_s, total_s: processor time.
        decisions: taken in that time.
    """

    def __init__(self) -> None:
        """Nothing watched yet."""
        super().__init__()
        self.iterations = -1
        self.rollout_s = self.total_s = 0.0
        self.decisions = 0
        self._began = self._ended = 0.0
        self._seen = 0
        self._done = False

    def _on_rollout_start(self) -> None:
        now = cpu_s()
        if self.iterations >= 1:
            self.total_s += now - self._began
            self.rollout_s += self._ended - self._began
            self.decisions += self.model.num_timesteps - self._seen
        self._done = self.iterations >= 1 and self.total_s >= MINIMUM_S
        self.iterations += 1
        self._seen = self.model.num_timesteps
        self._began = now

    def _on_rollout_end(self) -> None:
        self._ended = cpu_s()

    def _on_step(self) -> bool:
        return not self._done


def training_metrics(domain: Domain[Any, Any]) -> dict[str, float]:
    """Decisions (environment steps) per processor-second of one thread.

    Keys: ``rollout_steps_per_cpu_s`` and ``ppo_steps_per_cpu_s`` of `GraphPPO` at the domain's
    preset ``bench``; ``sb3_padded_ppo_steps_per_cpu_s`` of Stable-Baselines3's own PPO
    (MaskablePPO where sb3-contrib is installed) on padded observations of the same instances; and
    ``ppo_speedup``, their ratio.
    """
    config = replace(load_config(domain.name, PRESET), device="cpu")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        ours = _watch(_graph_model(config, domain))
        theirs = _watch(_padded_model(config, domain))
    finally:
        torch.set_num_threads(threads)
    full, padded = ours.decisions / ours.total_s, theirs.decisions / theirs.total_s
    return {
        "rollout_steps_per_cpu_s": ours.decisions / ours.rollout_s,
        "ppo_steps_per_cpu_s": full,
        "sb3_padded_ppo_steps_per_cpu_s": padded,
        "ppo_speedup": full / padded,
    }


def compile_training(domain: Domain[Any, Any]) -> None:
    """One iteration of training, so that every kernel it needs is compiled."""
    config = replace(load_config(domain.name, PRESET), device="cpu")
    _graph_model(config, domain).learn(1)


def _watch(model: BaseAlgorithm) -> Stopwatch:
    stopwatch = Stopwatch()
    model.learn(2**40, callback=stopwatch)
    return stopwatch


def _graph_model(config: TrainConfig, domain: Domain[Any, Any]) -> BaseAlgorithm:
    source = InstanceSource(domain, config.instances)
    return build_model(config, domain, source, lambda: 0.0)


def _padded_model(config: TrainConfig, domain: Domain[Any, Any]) -> BaseAlgorithm:
    """As most people would do it: fixed-size observations, one environment after the other."""
    (kind,) = config.instances
    name, _, size = kind.partition(":")
    options = config.simulator_options()
    sizes = measure_sizes(GraphSchedEnv(domain, options, name, size))

    def make() -> PaddedGraph:
        return PaddedGraph(GraphSchedEnv(domain, options, name, size), sizes)

    env = DummyVecEnv([make for _ in range(PADDED_ENVS)])
    total = PADDED_ENVS * PADDED_STEPS
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model: BaseAlgorithm = _algorithm()(
            "MultiInputPolicy",
            env,
            n_steps=PADDED_STEPS,
            batch_size=total // (config.ppo.num_minibatches or 4),
            n_epochs=config.ppo.n_epochs,
            seed=config.seed,
            device="cpu",
        )
    return model


def _algorithm() -> Any:
    if importlib.util.find_spec("sb3_contrib") is None:
        return PPO
    from sb3_contrib import MaskablePPO

    return MaskablePPO
