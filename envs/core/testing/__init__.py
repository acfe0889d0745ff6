"""The contract as something to run: `check_domain` accepts a domain or says what is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from graphsched.envs.core.testing import data, observations, simulation, solvers, states
from graphsched.envs.core.testing.play import Cases

if TYPE_CHECKING:
    from collections.abc import Mapping

    from graphsched.envs.core.domain import Domain

__all__ = ["CHECKS", "check_domain"]

CHECKS = (
    data.check_names,
    data.check_instances,
    data.check_readers,
    data.check_scalars,
    data.check_library,
    data.check_perturbations,
    observations.check_observations,
    observations.check_ownership,
    simulation.check_episodes,
    simulation.check_limits,
    simulation.check_rewards,
    simulation.check_batching,
    simulation.check_following,
    simulation.check_refusals,
    simulation.check_graphs_are_released,
    observations.check_environment,
    states.check_saving,
    states.check_forking,
    states.check_holding,
    solvers.check_toy_optimum,
    solvers.check_knobs,
    solvers.check_improvers,
    solvers.check_symmetries,
    solvers.check_pictures,
)


def check_domain(
    domain: Domain[Any, Any],
    num_instances: int = 4,
    seed: int = 0,
    sizes: Mapping[str, str] | None = None,
) -> None:
    """Check everything that the rest of the project relies on in a domain.

    Random instances of every generator are played at random. Takes seconds; call it from a test of
    your own domain.

    Args:
        domain: the domain to check.
        num_instances: random instances of each generator.
        seed: of the instances and of the random play.
        sizes: generator → size that it draws, where its default makes long episodes: every
            instance is played some twenty times.

    Raises:
        AssertionError: a promise of `Domain` or `BatchSim` is broken; the message says which.
    """
    rng = np.random.default_rng(seed)
    drawn = [
        generate(rng, (sizes or {}).get(name, ""))
        for name, generate in domain.generators.items()
        for _ in range(num_instances)
    ]
    cases = Cases(domain, [domain.generators["toy"](rng, ""), *drawn], seed)
    for check in CHECKS:
        check(cases)
