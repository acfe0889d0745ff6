"""What a run sets out from: absolute places, the weights of a bundle, and how sure it is of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

import torch

from graphsched.envs.core.errors import InputError
from graphsched.envs.core.registry import get_domain
from graphsched.training.settings.config import TrainConfig
from graphsched.training.settings.places import with_places
from graphsched.training.settings.start import open_start, record_of, with_start

if TYPE_CHECKING:
    from graphsched.agents.learning.policy import GraphPolicy
    from graphsched.training.running.run import Run


def absolute(config: TrainConfig) -> TrainConfig:
    """The configuration with absolute paths and all that its `init` dictates.

    A run can then be gone on with from another working directory. What `load_config` made, or a
    run's folder holds, is as it should be already.
    """
    document = with_places(config.to_dict(), get_domain(config.domain), Path())
    config = TrainConfig.from_dict(document)
    return with_start(config) if config.init is not None else config


def start_from_bundle(run: Run) -> None:
    """Give a run that begins the weights of the bundle that it starts from.

    Raises:
        InputError: the bundle isn't there any more or has changed, or its weights don't fit.
    """
    bundle = open_start(run.config)
    if record_of(bundle) != run.config.init_record:
        raise InputError(bundle.path, "has changed since the run was set up; expected the same")
    weights = {name: torch.from_numpy(array) for name, array in bundle.networks.params.items()}
    average = cast("GraphPolicy", run.average.module)
    for policy in (run.model.policy, average):
        try:
            policy.load_state_dict(weights)
        except RuntimeError:
            problem = "expected the parameters of the sizes in its config.json, found others"
            raise InputError(bundle.path / "model.safetensors", problem) from None
        policy.cover()


@torch.no_grad()
def sharpen(run: Run) -> None:
    """Multiply the logits of a run that begins, and of its average, by ``ppo.sharpen``."""
    factor = run.config.ppo.sharpen
    for policy in (run.model.policy, cast("GraphPolicy", run.average.module)):
        for part in (policy.decoder.score_out, policy.decoder.linear_out):
            part.weight.mul_(factor)
