"""Whole episodes of one instance, side by side in the slots of a simulator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic

import numpy as np

from graphsched.agents.runtime import Session
from graphsched.envs.core.clock import cpu_s
from graphsched.envs.core.domain import InstanceT, SolutionT

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from graphsched.agents.decoding.options import Decoding
    from graphsched.agents.runtime import Policy
    from graphsched.envs.core.domain import Domain
    from graphsched.envs.core.sim import BatchSim

STREAMS = 32  # samples that share one stream of random numbers


class Rollouts(Generic[InstanceT, SolutionT]):
    """A view of an instance and the simulators in which it is decoded."""

    def __init__(
        self,
        domain: Domain[InstanceT, SolutionT],
        policy: Policy,
        options: Any,
        instance: InstanceT,
        decoding: Decoding,
    ) -> None:
        """Args: see `search.policy_solver`; instance: the view."""
        self.instance = instance
        self._domain = domain
        self._policy = policy
        self._options = options
        self._decoding = decoding

    def start(self, slots: int, waiting: int) -> tuple[BatchSim[InstanceT, SolutionT], Session]:
        """A simulator with the first ``waiting`` slots at the instance's first decision.

        All slots share one seed: solutions are compared in one and the same world.
        """
        sim = self._domain.simulator(slots, self._options)
        seeds = [self._decoding.seed] * waiting
        sim.reset(range(waiting), [self.instance] * waiting, seeds)
        return sim, Session(self._policy, sim.store)

    def greedy(self) -> list[SolutionT]:
        """The solution of the greedy rollout."""
        sim, session = self.start(1, 1)
        none = np.zeros(1)
        while len((obs := sim.observe())["slot"]):
            sim.step(session.act(obs, none, greedy=True).actions)
        return [sim.solution(0)]

    def sample(self, first: int, count: int, deadline: float, number: int = 1) -> list[SolutionT]:
        """The best ``number`` of the samples [first, first + count); none if they take too long.

        A sample's draws depend on its number alone, not on which others are drawn with it.
        """
        sim, session = self.start(count, count)
        draws = _Draws(self._decoding.seed, first, count)
        temperature = self._decoding.temperature
        while len((obs := sim.observe())["slot"]):
            if cpu_s() > deadline:
                return []
            uniforms = draws.next()[obs["slot"]]
            sim.step(session.act(obs, uniforms, temperature=temperature).actions)
        ranked = np.argsort(sim.costs()[:count], kind="stable")
        return [sim.solution(slot) for slot in ranked[:number].tolist()]


class _Draws:
    """Uniform numbers for samples [first, first + count), one for each at every step."""

    def __init__(self, seed: int, first: int, count: int) -> None:
        streams = range(first // STREAMS, (first + count - 1) // STREAMS + 1)
        self._streams = [np.random.default_rng([seed, stream]) for stream in streams]
        self._skip = first % STREAMS
        self._count = count

    def next(self) -> NDArray[np.float64]:
        """(count,) in [0, 1)."""
        numbers = np.concatenate([stream.random(STREAMS) for stream in self._streams])
        return numbers[self._skip : self._skip + self._count]
