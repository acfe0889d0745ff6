"""How fast a domain's simulator is on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from graphsched.envs.core.clock import cpu_s
from graphsched.eval.costs import presets

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from graphsched.envs.core.domain import Domain
    from graphsched.envs.core.graph import PackedObs

BATCHES = (1, 64)


def bench_instances(domain: Domain[Any, Any], count: int, seed: int = 0) -> list[Any]:
    """Instances of the kind that the domain's ``bench`` preset names, else its toy instance."""
    kinds = presets(domain).get("bench", {}).get("instances", {"toy:": 1})
    generator, _, size = next(iter(kinds)).partition(":")
    make = domain.generators[generator]
    return [make(np.random.default_rng((seed, i)), size) for i in range(count)]


def random_actions(obs: PackedObs, rng: np.random.Generator) -> NDArray[np.int64]:
    """(N,) a valid candidate of each waiting slot, drawn uniformly."""
    counts = np.diff(obs["candidate_ptr"])
    return np.asarray(rng.random(len(counts)) * counts, np.int64)


class RandomPlay:
    """A simulator kept busy by random actions; finished slots begin anew."""

    def __init__(
        self, domain: Domain[Any, Any], slots: int, instances: Sequence[Any], options: Any
    ) -> None:
        """Args: domain: whose simulator. slots: that play side by side. instances: in turn."""
        self._instances = instances
        self._sim = domain.simulator(slots, options)
        self._rng = np.random.default_rng(0)
        self._episodes = 0
        self._reset(list(range(slots)))

    def _reset(self, slots: list[int]) -> None:
        numbers = [self._episodes + i for i in range(len(slots))]
        chosen = [self._instances[i % len(self._instances)] for i in numbers]
        self._sim.reset(slots, chosen, numbers)
        self._episodes += len(slots)

    def step(self) -> int:
        """One decision in every slot; returns their number."""
        obs = self._sim.observe()
        result = self._sim.step(random_actions(obs, self._rng))
        finished = result.slots[result.dones].tolist()
        if finished:
            self._reset(finished)
        return len(result.slots)

    def run(self, seconds: float) -> float:
        """Decisions per second of processor time over about ``seconds`` of it."""
        taken, began = 0, cpu_s()
        while (spent := cpu_s() - began) < seconds:
            taken += self.step()
        return taken / spent


def bench_domain(domain: Domain[Any, Any], seconds: float = 1.0) -> dict[str, float]:
    """Environment steps (observation included) per CPU-second with random actions.

    Args:
        domain: to measure.
        seconds: of processor time for each metric, compilation apart.

    Returns:
        ``simulator_steps_per_cpu_s_b1`` and ``..._b64``: one slot, and 64 side by side; then what
        the domain measures by itself.
    """
    out = {}
    for slots in BATCHES:
        play = RandomPlay(domain, slots, bench_instances(domain, max(slots, 8)), domain.options())
        play.run(0.05 * seconds)  # compiles
        out[f"simulator_steps_per_cpu_s_b{slots}"] = round(play.run(seconds), 1)
    return out | dict(domain.measures(seconds) if domain.measures else {})
