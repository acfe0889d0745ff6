"""Compiling a domain's kernels ahead of their first use."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from graphsched.agents.bundles.shipped import shipped_policies
from graphsched.envs.core.domain import SolverOptions
from graphsched.envs.core.errors import InputError
from graphsched.envs.core.specs import parse_instances
from graphsched.eval.bench import RandomPlay
from graphsched.eval.costs import preset_specs, presets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from graphsched.envs.core.domain import Domain

OPTIONS = SolverOptions(time_limit_s=0.1)


def warm_up(domain: Domain[Any, Any]) -> None:
    """Use every kernel once: of simulators as presets set them up, of baselines and of policies."""
    for spec in preset_specs(domain):
        (instance,) = parse_instances(domain, spec)
        for solve in _solvers(domain):
            with suppress(InputError):  # not for such an instance, or without its extra
                solve(instance)
    for preset in presets(domain).values():
        _play(domain, preset)


def _solvers(domain: Domain[Any, Any]) -> Iterator[Callable[[Any], Any]]:
    for name in domain.baselines:
        with suppress(InputError):
            yield domain.baseline(name, OPTIONS)
    if shipped := shipped_policies(domain.name):
        from graphsched.agents.decoding.search import Decoding, policy_solver
        from graphsched.agents.runtime import load_policy

        for name in shipped:
            yield policy_solver(domain, load_policy(name, domain), Decoding(samples=2))


def _play(domain: Domain[Any, Any], preset: Mapping[str, Any]) -> None:
    options = domain.options(**preset.get("simulator", {}))
    for spec in preset.get("instances", {}):
        RandomPlay(domain, 2, parse_instances(domain, spec), options).step()
