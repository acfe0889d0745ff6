"""Decoding a policy into a solution: greedy, sampling, beams, and rollouts at each decision.

All of it is torch-free and works on any domain: episodes run side by side in the slots of one
simulator, and the best solution met is kept.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Generic

import numpy as np

from graphsched.agents.decoding.ahead import check_ahead, look_ahead
from graphsched.agents.decoding.beam import beam_search
from graphsched.agents.decoding.options import Decoding
from graphsched.agents.decoding.rollouts import Rollouts
from graphsched.envs.core.clock import cpu_s
from graphsched.envs.core.domain import InstanceT, SolutionT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from graphsched.agents.runtime import Policy
    from graphsched.envs.core.domain import Domain

__all__ = ["Decoding", "policy_pool", "policy_solver"]

CHUNK = 128  # episodes side by side, which bounds the memory


def policy_solver(
    domain: Domain[InstanceT, SolutionT],
    policy: Policy,
    decoding: Decoding | None = None,
    options: Any = None,
) -> Callable[[InstanceT], SolutionT]:
    """Solver that decodes a policy.

    Args:
        domain: of the instances.
        policy: that decides.
        decoding: how; greedy if None.
        options: of the simulator; those of the policy's training if None.

    Raises:
        InputError: the domain has no symmetry of a given name.
    """
    return partial(_first, policy_pool(domain, policy, decoding, options))


def _first(solve: Callable[[InstanceT, int], list[SolutionT]], instance: InstanceT) -> SolutionT:
    return solve(instance, 1)[0]


def policy_pool(
    domain: Domain[InstanceT, SolutionT],
    policy: Policy,
    decoding: Decoding | None = None,
    options: Any = None,
) -> Callable[[InstanceT, int], list[SolutionT]]:
    """As `policy_solver`, but (instance, number) -> the best so many solutions, best first.

    Fewer where fewer were drawn. A search that improves solutions starts from them.
    """
    decoding = decoding or Decoding()
    if decoding.ahead is not None:
        check_ahead(domain)
    for name in decoding.symmetries:
        domain.symmetry(name)  # complains now rather than at the first instance
    chosen = policy.simulator_options if options is None else options
    return partial(_run, partial(_Search, domain, policy, decoding, chosen))


def _run(
    make: Callable[[InstanceT, int], _Search[InstanceT, SolutionT]],
    instance: InstanceT,
    number: int,
) -> list[SolutionT]:
    return make(instance, number).run()


class _Search(Generic[InstanceT, SolutionT]):
    """One instance being solved: its views, the best solutions so far and the clock."""

    def __init__(
        self,
        domain: Domain[InstanceT, SolutionT],
        policy: Policy,
        decoding: Decoding,
        options: Any,
        instance: InstanceT,
        number: int,
    ) -> None:
        limit = decoding.time_limit_s
        self.deadline = np.inf if limit is None else cpu_s() + limit
        self.domain = domain
        self.decoding = decoding
        self.instance = instance
        self.number = number
        self.best: list[tuple[float, SolutionT]] = []  # the cheapest first
        self.views = domain.views(decoding.symmetries, instance)
        self.rollouts = [
            Rollouts(domain, policy, options, view, decoding) for view, _ in self.views
        ]

    def run(self) -> list[SolutionT]:
        """The best solutions, the cheapest first."""
        if self.decoding.ahead is not None:  # alone: what a world brings isn't known before
            for view, rollouts in enumerate(self.rollouts):
                self._keep(view, look_ahead(self.domain, rollouts, self.decoding, self.deadline))
            return [solution for _, solution in self.best]
        for view in range(len(self.rollouts)):
            self._keep(view, self.rollouts[view].greedy())
        if self.decoding.beam:
            for view, rollouts in enumerate(self.rollouts):
                self._keep(view, beam_search(rollouts, self.decoding, self.deadline))
        elif self.decoding.time_limit_s is not None:
            self._sample_until_deadline()
        else:
            for view, first, count in _shares(self.decoding.samples, len(self.rollouts)):
                self._sample(view, first, count)
        return [solution for _, solution in self.best]

    def _sample_until_deadline(self) -> None:
        """Chunks that grow while they are expected to be done in time, views in turn."""
        count, pace = 4.0, 0.0  # rollouts of the next chunk, seconds a rollout
        done = [1] * len(self.rollouts)
        view = 0
        while (left := self.deadline - cpu_s()) > 0:
            size = int(max(1, min(count, CHUNK, left / pace if pace else count)))
            begun = cpu_s()
            self._sample(view, done[view], size)
            pace = (cpu_s() - begun) / size
            done[view] += size
            count = size * 2.0
            view = (view + 1) % len(self.rollouts)

    def _sample(self, view: int, first: int, count: int) -> None:
        self._keep(view, self.rollouts[view].sample(first, count, self.deadline, self.number))

    def _keep(self, view: int, found: Sequence[SolutionT]) -> None:
        """Compare solutions of a view by their cost for the instance itself."""
        for solution in found:
            restored = self.views[view][1](solution)
            self.best.append((self.domain.cost(self.instance, restored), restored))
        self.best.sort(key=lambda pair: pair[0])  # stable: of equals the first met stays ahead
        del self.best[self.number :]


def _shares(samples: int, views: int) -> Iterator[tuple[int, int, int]]:
    """(view, first sample, number) of all chunks of drawn samples; sample 0 is the greedy one."""
    for view in range(views):
        share = samples // views + (view < samples % views)
        for first in range(1, share, CHUNK):
            yield view, first, min(CHUNK, share - first)
