"""Validation of a policy on instances of its own, against the domain's rules and its best so far."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from graphsched.training.instances import filled, validation_instances
from graphsched.training.paired import Kinds

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
        gap_se, vs_best_rule_se: standard errors of the two over instances; None of one instance.
        vs_best_pct, vs_best_se: mean over instances of the difference to the best weights so far
            in what weights are chosen by (relative cost in percent, as in `score`), and its standard
            error; negative is better. None where nothing came before.
    """

    gap_pct: float
    sampled_gap_pct: float | None
    vs_best_rule_pct: float
    kinds: Mapping[str, float] = field(default_factory=dict)
    gap_se: float | None = None
    vs_best_rule_se: float | None = None
    vs_best_pct: float | None = None
    vs_best_se: float | None = None

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
        instances: I of them, kind by kind.
        kinds: which instance is of which kind, and the kinds' weights.
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
        pools: Mapping[str, Sequence[Any]] | None = None,
    ) -> None:
        """Draw the instances and run the rules.

        Args:
            domain: of the simulator.
            options: of the simulator.
            weights: of each kind of instance.
            count: instances of each kind that is drawn at random.
            seed: of their stream.
            samples: sampled runs of each instance.
            pools: instances of the kinds that aren't; all of them count.
        """
        self._domain, self._options, self._samples = domain, options, samples
        groups = validation_instances(domain, list(weights), count, seed, pools)
        self._names = list(filled(weights, pools))
        self.instances = [instance for group in groups for instance in group]
        sizes = [len(group) for group in groups if group]
        amounts = np.array([weights[name] for name in self._names], np.float64)
        labels = np.repeat(np.arange(len(sizes), dtype=np.int64), sizes)
        self.kinds = Kinds(labels, amounts / amounts.sum())
        self._shares = self.kinds.shares
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
        return self.judge(policy)[0]

    def greedy(self, policy: GraphPolicy) -> NDArray[np.float64]:
        """(I,) relative costs of greedy decisions in percent above the reference, see `judge`."""
        policy.set_training_mode(False)
        return self._relative(play(policy, self._domain, self._options, self.instances))

    def judge(
        self, policy: GraphPolicy, best: NDArray[np.float64] | None = None
    ) -> tuple[Scores, NDArray[np.float64]]:
        """As `run`, and compare with the best weights so far, instance by instance.

        Args:
            policy: with its present weights.
            best: (I,) what this returned for the best weights.

        Returns:
            The scores, and (I,) what weights are chosen by: the relative cost in percent above the
            reference, of greedy decisions or of their mean with the mean of the sampled ones.
        """
        greedy = play(policy, self._domain, self._options, self.instances)
        sampled = [
            play(policy, self._domain, self._options, self.instances, seed, greedy=False)
            for seed in range(self._samples)
        ]
        mixed = 0.5 * (greedy + np.mean(sampled, axis=0)) if sampled else greedy
        relative, gaps = self._relative(mixed), self._relative(greedy)
        versus_rule = self.kinds.estimate(100.0 * (greedy / self._rule_costs - 1.0))
        versus_best = None if best is None else self.kinds.estimate(relative - best)
        scores = Scores(
            gap_pct=self.gap(greedy),
            sampled_gap_pct=float(np.mean([self.gap(c) for c in sampled])) if sampled else None,
            vs_best_rule_pct=versus_rule.mean,
            kinds=dict(zip(self._names, self.kinds.means(gaps), strict=True)),
            gap_se=self.kinds.estimate(gaps).se,
            vs_best_rule_se=versus_rule.se,
            vs_best_pct=None if versus_best is None else versus_best.mean,
            vs_best_se=None if versus_best is None else versus_best.se,
        )
        return scores, relative

    def _relative(self, costs: NDArray[np.float64]) -> NDArray[np.float64]:
        return 100.0 * (costs / self._reference - 1.0)
