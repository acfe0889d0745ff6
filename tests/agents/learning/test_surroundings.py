"""A learner among other people's settings and wrappers works, or says what it expects."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from stable_baselines3.common.vec_env import VecMonitor

from graphsched.agents.learning.ppo import Diverged, GraphPPO, check_weights, log_prob_error
from graphsched.agents.learning.vec_env import BatchVecEnv
from graphsched.envs.core.errors import InputError
from graphsched.envs.core.registry import get_domain

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def double() -> Iterator[None]:
    """Torch makes numbers of double precision, as some programs want it."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def _env() -> BatchVecEnv:
    domain = get_domain("jobshop")
    return BatchVecEnv(domain, 4, lambda rng: domain.generators["uniform"](rng, "3x3"))


@pytest.mark.usefixtures("double")
def test_another_default_precision() -> None:
    """Networks stay in the simulators' precision."""
    model = GraphPPO(env=_env(), n_steps=16, seed=0, device="cpu")
    model.learn(64)
    assert {weight.dtype for weight in model.policy.parameters()} == {torch.float32}


def test_wrapped_environments_are_refused() -> None:
    """When the learner is made, and when it gets another environment."""
    for make in (
        lambda: GraphPPO(env=VecMonitor(_env())),  # type: ignore[arg-type]
        lambda: GraphPPO(env=_env()).set_env(VecMonitor(_env())),
    ):
        with pytest.raises(InputError, match=r"expected a BatchVecEnv.* found VecMonitor"):
            make()


def test_weights_that_are_no_numbers_are_noticed() -> None:
    """Before they get into a checkpoint, and in what is computed from them."""
    policy = GraphPPO(env=_env(), device="cpu").policy
    check_weights(policy)
    with torch.no_grad():
        policy.decoder.linear_out.weight[0, 0] = torch.nan
    with pytest.raises(Diverged, match="linear_out"):
        check_weights(policy)
    with pytest.raises(Diverged):
        log_prob_error(torch.tensor([torch.nan]), torch.tensor([0.0]))
