"""Labels by trying out: what each candidate of a decision would have cost, by rollouts of a policy.

An episode of the policy is copied where it decides; each copy takes another candidate, and the policy
plays on. What the episode can't know yet is drawn anew, the same for all candidates of a decision and
several times over, so that differences are neither luck nor foresight. A policy that is fitted to the
costs is better than the one that played (policy iteration by rollouts: Bertsekas and Tsitsiklis 1996,
"Neuro-Dynamic Programming", 6.2; Lagoudakis and Parr 2003, "Reinforcement learning as
classification"), and can play the next round.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from graphsched.agents.decoding.copies import outcomes, reach_of, release, usual_costs
from graphsched.agents.runtime import Session
from graphsched.envs.core.errors import InputError
from graphsched.training.teaching.dataset import Episode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from graphsched.agents.runtime import Policy
    from graphsched.envs.core.domain import Domain

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

WORLDS = 64  # episodes side by side
COPIES = 512  # of decisions of all of them, at most
TRIAL_STREAM = 0x747269  # sets the choice of decisions, and futures, apart from other streams
DIGITS = 5  # of a cost that are kept


@dataclass(frozen=True)
class Trials:
    """How candidates are tried out.

    Attributes:
        policy: that decides, greedily, in the episodes and in all copies.
        candidates: of a decision that are tried, the likeliest.
        futures: for each of them.
        horizon: how far a copy is played on, in spans of the domain (`Domain.span`); None: to the
            end.
        share: of the decisions that are tried out.
    """

    policy: Policy
    candidates: int = 8
    futures: int = 2
    horizon: float | None = None
    share: float = 0.15

    def __post_init__(self) -> None:
        """Validate; raises InputError naming the option."""
        domain, horizon = self.policy.domain, self.horizon
        if domain.redraw is None:
            problem = "can't draw anew what its episodes don't know yet: it has no `Domain.redraw`"
            raise InputError(f"domain {domain.name!r}", problem)
        counts = (("--rollouts", 2, self.candidates), ("--futures", 1, self.futures))
        for name, least, value in counts:
            if not least <= value <= COPIES:
                raise InputError(name, f"expected {least} to {COPIES}, found {value}")
        if self.candidates * self.futures > COPIES:
            found = f"found {self.candidates} x {self.futures}"
            raise InputError("--futures", f"expected at most {COPIES} rollouts, {found}")
        if horizon is not None and not 0 < horizon < np.inf:
            raise InputError("--horizon", f"expected more than 0, found {horizon}")
        if not 0 < self.share <= 1:
            raise InputError("--share", f"expected more than 0 and at most 1, found {self.share}")

    @property
    def words(self) -> str:
        """All of it, for the card of a dataset."""
        files = self.policy.config["files"]
        weights = f"SHA-256 {files['model.safetensors']:.16}"
        horizon = "to the end" if self.horizon is None else f"horizon {self.horizon:g}"
        tried = f"{self.candidates} candidates x {self.futures} futures, {horizon}"
        return f"{self.policy.name} ({weights}), {tried}, {100 * self.share:g}% of decisions"


@dataclass(frozen=True)
class Tried:
    """What came of it.

    Attributes:
        episodes: with costs of candidates.
        better: decisions at which another candidate came out better than the policy's.
        spread: mean over decisions of the deviation of candidates' costs, as a share of the usual.
        noise: mean standard error of a difference to the policy's choice, likewise; 0 from a single
            future.
    """

    episodes: list[Episode]
    better: int
    spread: float
    noise: float


def try_out(
    domain: Domain[Any, Any],
    options: Any,
    how: Trials,
    instances: Sequence[Any],
    seeds: Sequence[int],
) -> Tried:
    """Episodes of a policy, and what the candidates of some of their decisions would have cost.

    Args:
        domain: that has `Domain.redraw`.
        options: of the simulator.
        how: policy and rollouts.
        instances: one or more.
        seeds: of the episodes, and of what is drawn in them.
    """
    episodes: list[Episode] = []
    better = 0
    spreads: list[float] = []
    noises: list[float] = []
    for first in range(0, len(instances), WORLDS):
        part = slice(first, first + WORLDS)
        group = _Group(domain, options, how, instances[part], seeds[part])
        episodes += group.run()
        better += group.better
        spreads += group.spreads
        noises += group.noises
    means = [sum(found) / max(len(found), 1) for found in (spreads, noises)]
    return Tried(episodes, better, means[0], means[1])


class _Group:
    """Episodes side by side in the first slots of a simulator; the others are for copies."""

    def __init__(
        self,
        domain: Domain[Any, Any],
        options: Any,
        how: Trials,
        instances: Sequence[Any],
        seeds: Sequence[int],
    ) -> None:
        assert domain.redraw is not None
        self._domain, self._how, self._instances, self._seeds = domain, how, instances, seeds
        self._redraw = domain.redraw
        self._reach = np.array([reach_of(domain, how.horizon, i) for i in instances])
        worlds = np.arange(len(instances))
        self._sim = domain.simulator(len(worlds) + COPIES, options)
        self._session = Session(how.policy, self._sim.store)
        self._sim.reset(worlds.tolist(), instances, seeds)
        self._usual = usual_costs(domain, self._sim, self._session, worlds)
        self._sim.reset(worlds.tolist(), instances, seeds)
        self._rng = np.random.default_rng([*seeds, TRIAL_STREAM])
        self._actions: list[list[int]] = [[] for _ in instances]
        self._tried: list[list[int]] = [[] for _ in instances]
        self._costs: list[list[Floats]] = [[] for _ in instances]
        self.better = 0
        self.spreads: list[float] = []
        self.noises: list[float] = []

    def run(self) -> list[Episode]:
        """Play to the end."""
        worlds = np.arange(len(self._instances))
        release(self._sim, worlds)
        while len((obs := self._sim.observe())["slot"]):
            logits, _ = self._session.logits(obs)
            ptr, slots = obs["candidate_ptr"], obs["slot"].tolist()
            orders = [np.argsort(-logits[a:b], kind="stable") for a, b in pairwise(ptr)]
            chosen = [k for k, order in enumerate(orders) if self._is_chosen(len(order))]
            if chosen:
                self._try([slots[k] for k in chosen], [orders[k] for k in chosen])
                release(self._sim, worlds)
            taken = np.array([order[0] for order in orders], np.int64)
            self._sim.step(taken)
            for slot, action in zip(slots, taken.tolist(), strict=True):
                self._actions[slot].append(action)
        return [self._episode(slot) for slot in worlds.tolist()]

    def _is_chosen(self, candidates: int) -> bool:
        return candidates > 1 and bool(self._rng.random() < self._how.share)

    def _episode(self, slot: int) -> Episode:
        costs = np.concatenate([np.zeros(0), *self._costs[slot]]).round(DIGITS)
        return Episode(
            self._instances[slot],
            self._seeds[slot],
            np.array(self._actions[slot], np.int64),
            None,
            float(self._sim.costs()[slot]),
            np.array(self._tried[slot], np.int64),
            costs.astype(np.float32),
        )

    def _try(self, slots: list[int], orders: list[Ints]) -> None:
        """Try out the likeliest candidates of some decisions, in as many goes as there's room for."""
        how = self._how
        room = COPIES // (how.candidates * how.futures)
        for first in range(0, len(slots), room):
            part = slots[first : first + room]
            tried = [order[: how.candidates] for order in orders[first : first + room]]
            found = self._outcomes(part, tried)
            for slot, order, costs in zip(part, orders[first : first + room], found, strict=True):
                self._take_down(slot, order, costs)

    def _outcomes(self, slots: list[int], tried: list[Ints]) -> list[Floats]:
        """(candidates, futures) costs of each decision."""
        futures = self._how.futures
        sizes = [len(order) * futures for order in tried]
        sources = np.repeat(slots, sizes)
        copies = len(self._instances) + np.arange(len(sources))
        self._sim.fork(sources.tolist(), copies.tolist())
        drawn = [np.tile(self._rng.integers(0, 2**62, futures), len(order)) for order in tried]
        self._redraw(self._sim, copies.tolist(), np.concatenate(drawn).tolist())
        actions = np.concatenate([np.repeat(order, futures) for order in tried])
        what = self._domain, self._sim, self._session
        costs = outcomes(*what, copies, actions, self._reach[sources], self._usual[sources])
        assert costs is not None  # there is no deadline
        parts = np.split(costs, np.cumsum(sizes)[:-1])
        return [part.reshape(-1, futures) for part in parts]

    def _take_down(self, slot: int, order: Ints, costs: Floats) -> None:
        """Costs against the first candidate's; whatever wasn't tried is as bad as the worst."""
        differences = costs - costs[0]
        means = differences.mean(axis=1)
        row = np.full(len(order), means.max())
        row[order[: len(means)]] = means
        self._tried[slot].append(len(self._actions[slot]))
        self._costs[slot].append(row)
        self.better += bool(means.min() < 0.0)
        self.spreads.append(float(means.std()))
        if costs.shape[1] > 1:
            error = differences[1:].std(axis=1, ddof=1) / np.sqrt(costs.shape[1])
            self.noises.append(float(error.mean()))
