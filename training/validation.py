"""Validation of a policy on random instances of its own, against the domain's rules."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from graphsched.training.instances import validation_instances

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from graphsched.agents.learning.policy import GraphPolicy
    from graphsched.envs.core.domain import Domain

MAX_SLOTS = 256


@dataclass(frozen=True)
class Scores:
    """What a policy reached. Gaps are weighted means in percent, above the references.

    Attributes:
        gap_pct: of greedy decisions.
        sampled_gap_pct: mean over sampled runs; None if there were none.
        vs_best_rule_pct: greedy cost above the best rule's, instance by instance; negative is
            better than the rule.
        kinds: greedy gap for each kind of instance.
    """

    gap_pct: float
    sampled_gap_pct: float | None
    vs_best_rule_pct: float
    kinds: Mapping[str, float] = field(default_factory=dict)

    @property
    def score(self) -> float:
        """What the best weights are chosen by; lower is better."""
        if self.sampled_gap_pct is None:
            return self.gap_pct
        return 0.5 * (self.gap_pct + self.sampled_gap_pct)


def play(
    policy: GraphPolicy,
    domain: Domain[Any, Any],
    options: object,
    instances: Sequence[Any],
    seed: int = 0,
    greedy: bool = True,
) -> NDArray[np.float64]:
    """(I,) costs of whole episodes, all instances at once; instance i has episode seed i.

    Args:
        policy: with its present weights.
        domain: of the simulator.
        options: of the simulator.
        instances: I of them.
        seed: of the sampled actions.
        greedy: take the most probable actions.
    """
    rng = np.random.default_rng(seed)
    costs = np.empty(len(instances))
    for first in range(0, len(instances), MAX_SLOTS):
        part = list(instances[first : first + MAX_SLOTS])
        sim = domain.simulator(len(part), options)
        sim.reset(range(len(part)), part, range(first, first + len(part)))
        actor = policy.actor()
        while len((obs := sim.observe())["slot"]):
            actor.encode(sim.store, obs["graph"])
            sim.step(actor.act(obs, rng.random(len(obs["slot"])), greedy).actions)
        costs[first : first + len(part)] = sim.costs()
    return costs


class Validation:
    """Fixed instances, their references and what the rules reach on them.

    The reference of an instance is its lower bound, or the best rule's cost where a domain has no
    positive bound.

    Attributes:
        rules: weighted mean gap in percent of each rule.
        best_rule: the one with the least gap; None if the domain has no rules.
    """

    def __init__(
        self,
        domain: Domain[Any, Any],
        options: object,
        weights: Mapping[str, float],
        count: int,
        seed: int,
        samples: int = 0,
    ) -> None:
        """Draw the instances and run the rules.

        Args:
            domain: of the simulator.
            options: of the simulator.
            weights: of each kind of instance, GENERATOR:SIZE.
            count: instances of each kind.
            seed: of their stream.
            samples: sampled runs of each instance.
        """
        self._domain, self._options, self._samples = domain, options, samples
        self._kinds = list(weights)
        self.instances = validation_instances(domain, self._kinds, count, seed)
        shares = np.repeat(np.array(list(weights.values()), np.float64), count)
        self._shares: NDArray[np.float64] = shares / shares.sum()
        costs = {name: self._rule(name) for name, b in domain.baselines.items() if b.is_rule}
        self._reference = self._references(list(costs.values()))
        self.rules = {name: self.gap(cost) for name, cost in costs.items()}
        self.best_rule = min(self.rules, key=self.rules.__getitem__) if self.rules else None
        self._rule_costs = costs[self.best_rule] if self.best_rule else self._reference

    def _rule(self, name: str) -> NDArray[np.float64]:
        solve, cost = self._domain.baseline(name), self._domain.cost
        return np.array([cost(instance, solve(instance)) for instance in self.instances], float)

    def _references(self, rules: list[NDArray[np.float64]]) -> NDArray[np.float64]:
        bounds = np.array([self._domain.lower_bound(i) for i in self.instances], np.float64)
        if not rules:
            return np.maximum(bounds, 1e-9)
        return np.where(bounds > 0, bounds, np.maximum(np.min(rules, axis=0), 1e-9))

    @property
    def best_rule_gap_pct(self) -> float | None:
        """Gap of the best rule."""
        return self.rules[self.best_rule] if self.best_rule else None

    def gap(self, costs: NDArray[np.float64]) -> float:
        """Weighted mean gap in percent of (I,) costs."""
        return float(100.0 * self._shares @ (costs / self._reference - 1.0))

    def run(self, policy: GraphPolicy) -> Scores:
        """Judge a policy with its present weights; touches no random stream but its own."""
        greedy = play(policy, self._domain, self._options, self.instances)
        sampled = [
            self.gap(play(policy, self._domain, self._options, self.instances, seed, greedy=False))
            for seed in range(self._samples)
        ]
        gaps = (100.0 * (greedy / self._reference - 1.0)).reshape(len(self._kinds), -1)
        return Scores(
            gap_pct=self.gap(greedy),
            sampled_gap_pct=float(np.mean(sampled)) if sampled else None,
            vs_best_rule_pct=float(100.0 * self._shares @ (greedy / self._rule_costs - 1.0)),
            kinds=dict(zip(self._kinds, gaps.mean(axis=1).tolist(), strict=True)),
        )
