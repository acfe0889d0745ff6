"""What the Gymnasium environments share: where episodes come from, and pictures of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from graphsched.envs.core.domain import Domain
from graphsched.envs.core.errors import InputError
from graphsched.envs.core.registry import get_domain
from graphsched.envs.core.specs import parse_instances

if TYPE_CHECKING:
    from graphsched.envs.core.domain import Instance, Solution
    from graphsched.envs.core.sim import BatchSim

RENDER_MODES = ("ansi", "rgb_array")


def resolve_domain(domain: str | Domain[Any, Any]) -> Domain[Any, Any]:
    """A domain by name or as it is. Raises InputError for an unknown name."""
    return domain if isinstance(domain, Domain) else get_domain(domain)


def resolve_options(domain: Domain[Any, Any], options: Any) -> Any:
    """Simulator options from None, a mapping of their fields or as they are; raises InputError."""
    if options is None:
        return domain.options()
    if not isinstance(options, Mapping):
        if not isinstance(options, domain.options):
            expected = f"expected {domain.options.__name__} or a mapping of its fields"
            raise InputError("options", f"{expected}, found {type(options).__name__}")
        return options
    known = [field.name for field in dataclasses.fields(domain.options)]
    unknown = sorted(set(map(str, options)) - set(known))
    if unknown:
        raise InputError("options", f"unknown {unknown}, expected some of {known}")
    return domain.options(**options)


def check_render_mode(mode: str | None) -> str | None:
    """The mode itself; raises InputError if there is no such mode."""
    if mode is not None and mode not in RENDER_MODES:
        raise InputError("render_mode", f"expected one of {RENDER_MODES}, found {mode!r}")
    return mode


class EpisodeSource:
    """Draws what an episode needs: an instance and the seed of its random world."""

    def __init__(
        self, domain: Domain[Any, Any], generator: str, size: str, instance: Instance | str | None
    ) -> None:
        """Args are those of `GraphSchedEnv`. Raises InputError."""
        if generator not in domain.generators:
            known = ", ".join(sorted(domain.generators))
            raise InputError("generator", f"expected one of {known}, found {generator!r}")
        self._generator = generator  # by name, so that a source can be pickled
        self._size = size
        self._domain = domain
        self._fixed = self._instances(instance)

    def _instances(self, instance: Instance | str | None) -> list[Instance]:
        if isinstance(instance, str):
            return parse_instances(self._domain, instance)
        return [] if instance is None else [instance]

    @property
    def given(self) -> list[Instance]:
        """The instances that it chooses from; none if it draws new ones."""
        return self._fixed

    def _draw_new(self, rng: np.random.Generator) -> Instance:
        new: Instance = self._domain.generators[self._generator](rng, self._size)
        return new

    def draw(
        self, rng: np.random.Generator, instance: Instance | str | None = None
    ) -> tuple[Instance, int]:
        """An instance (one of those given, else one of the source's own) and a seed."""
        given = self._instances(instance) or self._fixed
        if len(given) > 1:
            chosen = given[int(rng.integers(len(given)))]
        else:
            chosen = given[0] if given else self._draw_new(rng)
        return chosen, int(rng.integers(2**31))


def preview(domain: Domain[Any, Any], options: Any, sim: BatchSim[Any, Any], slot: int) -> Solution:
    """The solution of a slot; if it still runs, as it would end with first candidates only."""
    solution: Solution
    try:
        solution = sim.solution(slot)
    except RuntimeError:
        ahead = domain.simulator(sim.num_slots, options)
        ahead.load_state_dict(sim.state_dict())
        while slot in (waiting := ahead.observe()["slot"]):
            ahead.step(np.zeros(len(waiting), np.int64))
        solution = ahead.solution(slot)
    return solution
