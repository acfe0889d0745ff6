"""Counts the decisions that a solver takes, by looking over its simulator's shoulder."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from graphsched.envs.core.domain import Domain
    from graphsched.envs.core.sim import StepResult


@dataclass
class Counter:
    """Decisions taken since it was last set to zero."""

    decisions: int = 0


class CountingSim:
    """A simulator that counts the actions it is given and passes everything on."""

    def __init__(self, simulator: Any, counter: Counter) -> None:
        """Args: simulator: a BatchSim. counter: where to count."""
        self._simulator = simulator
        self._counter = counter

    def __getattr__(self, name: str) -> Any:
        """Everything but `step` is the simulator's own."""
        return getattr(self._simulator, name)

    def step(self, actions: NDArray[np.int64]) -> StepResult:
        """Act in every waiting slot."""
        result: StepResult = self._simulator.step(actions)
        self._counter.decisions += len(result.slots)
        return result


def counted(domain: Domain[Any, Any], counter: Counter) -> Domain[Any, Any]:
    """The same domain, except that its simulators count their decisions."""

    def simulator(slots: int, options: Any) -> Any:
        return CountingSim(domain.simulator(slots, options), counter)

    return replace(domain, simulator=simulator)
