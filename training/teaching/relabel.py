"""Labels where a policy goes: its own episodes, with what a teacher makes of the rest at each step.

A policy that only saw a teacher's episodes doesn't know what to do where its own decisions lead;
labels must be gathered there (Ross, Gordon, Bagnell 2011, "A reduction of imitation learning and
structured prediction to no-regret online learning", called DAgger). Here the teacher keeps one
solution an episode. Where the policy departs from it, the teacher finishes the policy's partial
solution anew, and the two outcomes share the target.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from graphsched.agents.runtime import Session
from graphsched.envs.core.errors import InputError
from graphsched.training.teaching.dataset import Episode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from graphsched.agents.runtime import Policy
    from graphsched.envs.core.domain import Domain

ROUND = 4  # digits of a target that are kept
MOST_MOVES = 10**9


@dataclass(frozen=True)
class Relabelling:
    """How a policy's episodes are labelled.

    Attributes:
        policy: that decides, greedily.
        moves: of the teacher's search after each departure.
        softness: difference of outcomes, as a share of the cost, at which the better choice is
            e times as likely as the other.
    """

    policy: Policy
    moves: int = 2000
    softness: float = 0.002

    def __post_init__(self) -> None:
        """Validate; raises InputError naming the option."""
        if self.policy.domain.finish is None:
            problem = "no search goes on from a partial solution: it has no `Domain.finish`"
            raise InputError(f"domain {self.policy.domain.name!r}", problem)
        if not 0 <= self.moves <= MOST_MOVES:
            raise InputError("--moves", f"expected 0 to {MOST_MOVES}, found {self.moves}")

    @property
    def words(self) -> str:
        """All of it, for the card of a dataset."""
        files = self.policy.config["files"]
        weights = f"SHA-256 {files['model.safetensors']:.16}"
        return f"{self.policy.name} ({weights}), {self.moves} moves, softness {self.softness:g}"


class Labeller:
    """Episodes of a policy side by side, and the solution that a teacher has for each."""

    def __init__(
        self,
        domain: Domain[Any, Any],
        options: Any,
        how: Relabelling,
        instances: Sequence[Any],
        solutions: Sequence[Any],
        seeds: Sequence[int],
    ) -> None:
        """Args: see `relabel`."""
        self._domain, self._how = domain, how
        self._instances, self._solutions, self._seeds = instances, list(solutions), seeds
        self._sim = domain.simulator(len(instances), options)
        self._sim.reset(range(len(instances)), instances, seeds)
        self._session = Session(how.policy, self._sim.store)
        self._actions: list[list[int]] = [[] for _ in instances]
        self._targets: list[list[NDArray[np.float32]]] = [[] for _ in instances]
        self.departures = 0

    def run(self) -> list[Episode]:
        """Play to the end."""
        follow = self._domain.follow
        assert follow is not None
        while len((obs := self._sim.observe())["slot"]):
            slots, sizes = obs["slot"], np.diff(obs["candidate_ptr"]).tolist()
            wanted, _ = follow(self._sim, slots, [self._solutions[s] for s in slots.tolist()])
            taken = self._session.act(obs, np.zeros(len(slots)), greedy=True).actions
            self._sim.step(taken)
            for slot, size, own, theirs in zip(
                slots.tolist(), sizes, taken.tolist(), wanted.tolist(), strict=True
            ):
                target = np.zeros(size, np.float32)
                share = 1.0 if own == theirs else self._depart(slot)
                target[theirs] = 1.0 - share
                target[own] = share
                self._actions[slot].append(own)
                self._targets[slot].append(target.round(ROUND))
        costs = self._sim.costs().tolist()
        return [
            Episode(instance, seed, np.array(actions, np.int64), np.concatenate(targets), cost)
            for instance, seed, actions, targets, cost in zip(
                self._instances, self._seeds, self._actions, self._targets, costs, strict=True
            )
        ]

    def _depart(self, slot: int) -> float:
        """Finish a slot's episode anew, and how likely its last decision should be."""
        finish = self._domain.finish
        assert finish is not None
        self.departures += 1
        instance, before = self._instances[slot], self._solutions[slot]
        seed = self._seeds[slot] * 2**20 + len(self._actions[slot])
        after = finish(self._sim, slot, instance, before, self._how.moves, seed)
        costs = [self._domain.cost(instance, solution) for solution in (before, after)]
        self._solutions[slot] = after
        scale = self._how.softness * max(abs(costs[0]), 1e-9)
        return float(1.0 / (1.0 + np.exp(np.clip((costs[1] - costs[0]) / scale, -50.0, 50.0))))


def relabel(
    domain: Domain[Any, Any],
    options: Any,
    how: Relabelling,
    instances: Sequence[Any],
    solutions: Sequence[Any],
    seeds: Sequence[int],
) -> tuple[list[Episode], int]:
    """Episodes of a policy with a teacher's labels.

    Args:
        domain: that has `Domain.follow` and `Domain.finish`.
        options: of the simulator.
        how: policy and teacher.
        instances: one or more.
        solutions: that the teacher starts with, one for each instance.
        seeds: of the episodes.

    Returns:
        The episodes, and at how many decisions the policy departed from its teacher.
    """
    labeller = Labeller(domain, options, how, instances, solutions, seeds)
    return labeller.run(), labeller.departures
