"""Looking ahead by rollouts: at each decision the likeliest candidates are tried before one is taken.

A candidate is tried by copying the episode, taking it there and letting the policy play on greedily.
What the episode's decisions can't know (arrivals, execution times) is drawn anew in the copies, the
same for all candidates, so that nothing is known that a scheduler in the world wouldn't know. The
policy's own choice stays unless another one is better by a margin. One step of policy improvement at
each decision: Bertsekas and Castanon 1999, "Rollout algorithms for stochastic scheduling problems".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic

import numpy as np

from graphsched.agents.decoding.copies import outcomes, reach_of, release, usual_costs
from graphsched.envs.core.clock import cpu_s
from graphsched.envs.core.domain import InstanceT, SolutionT
from graphsched.envs.core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from graphsched.agents.decoding.options import Decoding
    from graphsched.agents.decoding.rollouts import Rollouts
    from graphsched.envs.core.domain import Domain

REAL = 0  # slot of the episode itself; the others are for copies
CHEAPER = 0.98  # expected time of the next decision's copies to this one's


def check_ahead(domain: Domain[Any, Any]) -> None:
    """Raises InputError where nothing can be tried without knowing the future."""
    if domain.redraw is None:
        problem = f"domain {domain.name!r} can't draw anew what its episodes don't know yet"
        raise InputError("--rollouts", problem)


def look_ahead(
    domain: Domain[InstanceT, SolutionT],
    rollouts: Rollouts[InstanceT, SolutionT],
    decoding: Decoding,
    deadline: float,
) -> list[SolutionT]:
    """The solution that comes of it; where nothing is hidden, a copy's if that is better.

    Once the deadline is over, the policy decides as it is.
    """
    return _Ahead(domain, rollouts, decoding, deadline).run()


class _Ahead(Generic[InstanceT, SolutionT]):
    """An episode, and copies of it in which candidates are tried."""

    def __init__(
        self,
        domain: Domain[InstanceT, SolutionT],
        rollouts: Rollouts[InstanceT, SolutionT],
        decoding: Decoding,
        deadline: float,
    ) -> None:
        assert domain.redraw is not None
        assert decoding.ahead is not None
        self._redraw: Callable[..., bool] = domain.redraw
        self._how, self._seed, self._deadline = decoding.ahead, decoding.seed, deadline
        self._futures, self._hidden = decoding.ahead.futures, True
        slots = 1 + decoding.ahead.candidates * decoding.ahead.futures
        self._domain = domain
        self._sim, self._session = rollouts.start(slots, 1)
        self._reach = reach_of(domain, self._how.horizon, rollouts.instance)
        self._decision = 0
        self._usual = self._usual_cost()
        release(self._sim, np.array([REAL]))
        self._pace = 0.0  # seconds that trying a candidate takes
        self._best_cost, self._best = np.inf, list[SolutionT]()

    def run(self) -> list[SolutionT]:
        """Play to the end."""
        while len((obs := self._sim.observe())["slot"]):
            logits, _ = self._session.logits(obs)
            order = np.argsort(-logits, kind="stable")[: self._number()]
            choice = self._tried(order) if len(order) > 1 else order[0]
            self._sim.step(np.array([choice]))
            self._decision += 1
        if self._best_cost < self._sim.costs()[REAL]:
            return self._best
        return [self._sim.solution(REAL)]

    def _usual_cost(self) -> float:
        """Of an episode like this one, in another future; 1 where nobody asks for it."""
        if self._domain.standing is None:
            return 1.0
        copies = self._copies(1)[:1]
        self._decision += 1
        return float(usual_costs(self._domain, self._sim, self._session, copies)[0])

    def _number(self) -> int:
        """Candidates that may be tried at this decision."""
        if cpu_s() >= self._deadline:
            return 1
        limit = self._how.limit_ms
        if limit is None:
            return self._how.candidates
        if self._pace == 0.0:
            return 2
        number = int(min(limit / 1e3 / self._pace, self._how.candidates))
        if number < 2:
            self._pace *= CHEAPER  # less and less is left to play
        return max(number, 1)

    def _tried(self, candidates: NDArray[np.int64]) -> np.int64:
        """The one with the best outcome; the first, the policy's own, unless that is clear."""
        began = cpu_s()
        slots = self._copies(len(candidates))
        actions = np.repeat(candidates, self._futures)
        reach, usual = (np.full(len(slots), value) for value in (self._reach, self._usual))
        what = self._domain, self._sim, self._session
        costs = outcomes(*what, slots, actions, reach, usual, self._deadline)
        if costs is not None and self._reach == np.inf and not self._hidden:
            self._keep(slots)
        release(self._sim, np.array([REAL]))
        if costs is None:
            return np.int64(candidates[0])
        self._pace = (cpu_s() - began) / len(candidates)
        means = costs.reshape(len(candidates), self._futures).mean(axis=1)
        best = int(means.argmin())
        clear = means[0] - means[best] > self._how.margin
        return np.int64(candidates[best if clear else 0])

    def _copies(self, count: int) -> NDArray[np.int64]:
        """Slots with copies of the episode, so many times each of its futures."""
        seeds = np.random.SeedSequence([self._seed, self._decision])
        drawn = seeds.generate_state(self._futures, np.uint64) >> np.uint64(2)
        slots = np.arange(1, 1 + count * self._futures)
        self._sim.fork([REAL] * len(slots), slots.tolist())
        self._hidden = self._redraw(self._sim, slots.tolist(), np.tile(drawn, count).tolist())
        if not self._hidden:  # one future is as good as many
            slots, self._futures = slots[:count], 1
        return slots

    def _keep(self, slots: NDArray[np.int64]) -> None:
        """Remember the best of complete solutions."""
        costs = self._sim.costs()
        slot = int(slots[costs[slots].argmin()])
        if costs[slot] < self._best_cost:
            self._best_cost, self._best = float(costs[slot]), [self._sim.solution(slot)]
