"""The learner that a configuration describes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from graphsched.agents.learning.policy import GraphPolicy
from graphsched.agents.learning.ppo import GraphPPO, RolloutOptions
from graphsched.agents.learning.space import GraphSpace, action_space
from graphsched.agents.learning.vec_env import BatchVecEnv
from graphsched.envs.core.errors import InputError
from graphsched.envs.core.parts.linear import load_weights
from graphsched.training.settings.schedules import SCHEDULES, table, with_floor, with_warmup

if TYPE_CHECKING:
    from collections.abc import Callable

    from graphsched.envs.core.domain import Domain
    from graphsched.training.settings.config import PPOConfig, TrainConfig
    from graphsched.training.settings.schedules import Schedule

ENVIRONMENT_STREAM = 0x656E76  # sets the instances' stream apart from that of the actions


def learning_rate(config: PPOConfig) -> Schedule:
    """Learning rate by progress."""
    refined = config.lr_schedule == "refined"
    course = table(config.lr_table) if refined else SCHEDULES[config.lr_schedule]
    shares = with_warmup(with_floor(course, config.lr_floor), config.lr_warmup)
    return lambda progress: config.learning_rate * shares(progress)


def entropy_coefficient(config: PPOConfig) -> Schedule:
    """Weight of the entropy by progress."""
    course = SCHEDULES[config.ent_schedule]
    floor = min(config.ent_floor, config.ent_coef)
    return lambda progress: max(config.ent_coef * course(progress), floor)


def build_model(
    config: TrainConfig,
    domain: Domain[Any, Any],
    source: Callable[[np.random.Generator], Any],
    time_share: Callable[[], float],
) -> GraphPPO:
    """A new learner with its environment.

    Args:
        config: of the run.
        domain: that it names.
        source: draws training instances.
        time_share: used share of the time, which the learning rate follows where it is ahead of
            the share of the decisions.
    """
    ppo = config.ppo
    env = BatchVecEnv(
        domain,
        ppo.num_slots,
        source,
        rollouts_per_instance=ppo.rollouts_per_instance,
        options=config.simulator_options(),
    )
    rate = learning_rate(ppo)
    model = GraphPPO(
        env=env,
        rollout=RolloutOptions(
            mode=ppo.mode,
            baseline=ppo.baseline,
            normalize_groups=ppo.normalize_groups,
            label_coef=ppo.label_coef,
            time_unit=ppo.time_unit,
            num_minibatches=ppo.num_minibatches,
            split=ppo.split,
        ),
        policy_kwargs=_widths(config),
        n_steps=ppo.steps_per_rollout,
        batch_size=ppo.batch_size,
        n_epochs=ppo.n_epochs,
        learning_rate=lambda remaining: rate(min(1.0, max(1.0 - remaining, time_share()))),
        gamma=ppo.gamma if ppo.gamma_start is None else ppo.gamma_start,
        gae_lambda=ppo.gae_lambda,
        clip_range=ppo.clip_range,
        ent_coef=ppo.ent_coef,
        vf_coef=ppo.vf_coef,
        max_grad_norm=ppo.max_grad_norm,
        target_kl=ppo.target_kl,
        seed=config.seed,
        device=config.device,
    )
    start_from_rule(model.policy, config, domain)
    stream = np.random.SeedSequence([config.seed, ENVIRONMENT_STREAM])
    env.seed(int(stream.generate_state(1)[0]))
    return model


def start_from_rule(policy: GraphPolicy, config: TrainConfig, domain: Domain[Any, Any]) -> None:
    """Set the decoder to the configured rule, if there is one: the linear part, or hidden units.

    The rest of the decoder starts near zero, so that the policy starts as the rule.

    Raises:
        InputError: the file isn't a rule over the domain's features.
    """
    if config.network.hidden_rule is not None:
        _start_from_hidden(policy, config, domain)
        policy.cover()
    if config.network.linear_rule is None:
        return
    file = domain.presets.parent / config.network.linear_rule
    weights, _ = load_weights(domain.schema, file)
    with torch.no_grad():
        scaled = torch.from_numpy(weights * config.network.linear_scale)
        policy.decoder.linear_out.weight.copy_(scaled[None, :])
    policy.cover()


def _start_from_hidden(policy: GraphPolicy, config: TrainConfig, domain: Domain[Any, Any]) -> None:
    """Give each rule units of the decoder's own; those left over say nothing at first."""
    if domain.hidden_rules is None:
        raise InputError("network.hidden_rule", f"{domain.name} reads no such rules")
    rules = domain.hidden_rules(domain.presets.parent / str(config.network.hidden_rule))
    decoder, units = policy.decoder, sum(len(rule.bias) for rule in rules.values())
    if units > decoder.width:
        raise InputError("network.decoder_width", f"expected {units} at least: {decoder.width}")
    with torch.no_grad():
        decoder.candidate_kind.weight[:, :units] = 0.0
        decoder.score_in.weight[:units] = torch.eye(units, decoder.score_in.weight.shape[1])
        for weight in (decoder.score_context.weight, decoder.score_context.bias):
            weight[:units] = 0.0
        decoder.score_out.weight.zero_()
        first = 0
        for kind, rule in rules.items():
            mine = slice(first, first := first + len(rule.bias))
            decoder.candidate_in.weight[mine] = torch.from_numpy(rule.inner.T.copy())
            decoder.candidate_kind.weight[kind, mine] = torch.from_numpy(rule.bias)
            decoder.score_out.weight[0, mine] = torch.from_numpy(rule.outer)


def build_policy(config: TrainConfig, domain: Domain[Any, Any]) -> GraphPolicy:
    """A new policy on the CPU, without a learner."""
    return GraphPolicy(
        GraphSpace(domain.schema), action_space(), lambda _remaining: 0.0, **_widths(config)
    )


def check_device(device: str) -> None:
    """Raises InputError if there is no such device; Stable-Baselines3 would take the CPU."""
    kind, _, number = device.partition(":")
    if kind != "cuda":
        return
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if int(number or 0) >= count:
        found = f"{count} of them" if count else "none"
        raise InputError("device", f"expected a GPU that torch can use, found {found}: {device!r}")


def set_threads(config: TrainConfig) -> None:
    """Give torch the configured number of threads."""
    torch.set_num_threads(config.threads)


def _widths(config: TrainConfig) -> dict[str, Any]:
    network = config.network
    return {
        "width": network.width,
        "layers": network.layers,
        "decoder_width": network.decoder_width,
        "embeddings": network.embeddings,
        "linear_only": network.linear_only,
        "blind": network.blind,
    }
