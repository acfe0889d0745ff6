"""Random play that can be repeated exactly, and comparisons of what it shows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from graphsched.envs.core.gym.spaces import observation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from graphsched.envs.core.domain import Domain, Instance
    from graphsched.envs.core.sim import BatchSim

MAX_STEPS = 10**5
TOLERANCE = 1e-6


@dataclass(frozen=True)
class Cases:
    """What a domain is checked with."""

    domain: Domain[Any, Any]
    instances: Sequence[Instance]
    seed: int

    def simulator(self, num_slots: int) -> BatchSim[Any, Any]:
        """A simulator with default options."""
        return self.domain.simulator(num_slots, self.domain.options())

    def started(self, num_slots: int | None = None) -> BatchSim[Any, Any]:
        """A simulator whose slots have started on the instances, one after the other."""
        num_slots = len(self.instances) if num_slots is None else num_slots
        sim = self.simulator(num_slots)
        chosen = [self.instances[b % len(self.instances)] for b in range(num_slots)]
        sim.reset(range(num_slots), chosen, [self.seed + b for b in range(num_slots)])
        return sim


@dataclass
class Episode:
    """What happened in one slot."""

    blocks: list[dict[str, Any]] = field(default_factory=list)
    choices: list[int] = field(default_factory=list)  # candidates of each decision
    rewards: list[float] = field(default_factory=list)
    elapsed: list[float] = field(default_factory=list)
    cost: float = np.nan
    solution: Any = None


class Player:
    """Random choices from a stream for each slot, so that a slot's don't depend on the others."""

    def __init__(self, keys: Sequence[int], seed: int = 0) -> None:
        """Args: keys: each slot's stream; equal keys choose equally. seed: of all streams."""
        self._streams = [np.random.default_rng((seed, key)) for key in keys]

    def choose(self, slots: NDArray[np.int64], counts: NDArray[np.int64]) -> NDArray[np.int64]:
        """(N,) an action for each waiting slot."""
        pairs = zip(slots.tolist(), counts.tolist(), strict=True)
        return np.array([self._streams[b].integers(count) for b, count in pairs], np.int64)


def play(
    cases: Cases,
    sim: BatchSim[Any, Any],
    player: Player,
    steps: int = MAX_STEPS,
    keep_blocks: bool = True,
) -> dict[int, Episode]:
    """Play all waiting slots, to their end or for some steps; returns the episodes by slot."""
    episodes: dict[int, Episode] = {}
    for _ in range(steps):
        obs = sim.observe()
        if not len(obs["slot"]):
            break
        counts = np.diff(obs["candidate_ptr"])
        for block, slot in enumerate(obs["slot"].tolist()):
            episode = episodes.setdefault(slot, Episode())
            episode.choices.append(int(counts[block]))
            if keep_blocks:
                episode.blocks.append(observation(cases.domain.schema, sim.store, obs, block))
        result = sim.step(player.choose(obs["slot"], counts))
        for i, slot in enumerate(result.slots.tolist()):
            episodes[slot].rewards.append(float(result.rewards[i]))
            episodes[slot].elapsed.append(float(result.elapsed[i]))
            if result.dones[i]:
                episodes[slot].cost = float(sim.costs()[slot])
                episodes[slot].solution = sim.solution(slot)
    else:
        assert steps < MAX_STEPS, f"an episode has not ended after {MAX_STEPS} steps"
    return episodes


def blocks(cases: Cases, sim: BatchSim[Any, Any]) -> dict[int, dict[str, Any]]:
    """What each waiting slot sees, by slot; independent of where the store keeps its graphs."""
    obs = sim.observe()
    return {
        slot: observation(cases.domain.schema, sim.store, obs, block)
        for block, slot in enumerate(obs["slot"].tolist())
    }


def assert_same(left: Any, right: Any, what: str) -> None:
    """Raise AssertionError unless two episodes or observations are equal to the last bit."""
    if isinstance(left, Episode):
        left, right = _comparable(left), _comparable(right)
    if isinstance(left, dict):
        assert left.keys() == right.keys(), f"{what}: found {sorted(left)} and {sorted(right)}"
        for key in left:
            assert_same(left[key], right[key], f"{what}, {key}")
    elif isinstance(left, list | tuple):
        assert len(left) == len(right), f"{what}: {len(left)} and {len(right)} items"
        for i, (a, b) in enumerate(zip(left, right, strict=True)):
            assert_same(a, b, f"{what}, {i}")
    else:
        assert np.array_equal(left, right), f"{what}: {left!r:.200} is not {right!r:.200}"


def _comparable(episode: Episode) -> dict[str, Any]:
    parts = {k: v for k, v in vars(episode).items() if k != "solution"}
    document = None if episode.solution is None else episode.solution.to_json()
    cost = {} if np.isnan(episode.cost) else {"cost": episode.cost}
    return {**parts, "cost": cost, "solution": document}
