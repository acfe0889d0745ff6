"""The protocol of batched simulators."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from graphsched.envs.core.graph import GraphStore, PackedObs

IDLE, WAITING, DONE = range(3)  # status of a slot

InstanceT = TypeVar("InstanceT", contravariant=True)
SolutionT = TypeVar("SolutionT", covariant=True)


@dataclass(frozen=True)
class StepResult:
    """Outcome of one step, aligned with the blocks of the observation that it answers.

    Attributes:
        slots: (N,) int64, the slots that acted.
        rewards: (N,) float64; over an episode they telescope to the (normalised) objective.
        dones: (N,) bool, episodes that ended.
        elapsed: (N,) float64, simulated time that passed, in the domain's unit; for time-aware
            discounting.
    """

    slots: NDArray[np.int64]
    rewards: NDArray[np.float64]
    dones: NDArray[np.bool_]
    elapsed: NDArray[np.float64]


@dataclass(frozen=True)
class RowLimits:
    """Rows of each part of an observation at most."""

    nodes: int
    edges: int
    candidates: int
    resources: int


class BatchSim(Protocol[InstanceT, SolutionT]):
    """B simulator slots advanced together: struct-of-arrays, all slots in one call.

    Life of a slot: idle -> ``reset`` -> waits for decisions -> done (idle until the next reset).
    After ``reset`` a slot always waits: an episode without a real choice still offers one
    decision, its last. Otherwise decisions with a single candidate are taken inside the
    simulator, their rewards and elapsed time being added to the decision before (or, before the
    first one, to the first).
    """

    num_slots: int
    store: GraphStore

    def reset(
        self, slots: Sequence[int], instances: Sequence[InstanceT], seeds: Sequence[int]
    ) -> None:
        """Start episodes. An instance object given to several slots is stored once."""
        ...

    def most_rows(self, instance: InstanceT) -> RowLimits:
        """What no observation of an episode of the instance exceeds; sizes arrays of fixed size."""
        ...

    def observe(self) -> PackedObs:
        """One block per waiting slot, in slot order; the arrays belong to the caller."""
        ...

    def step(self, actions: NDArray[np.int64]) -> StepResult:
        """Act in every waiting slot: ``actions[i]`` indexes block i's candidates.

        Raises:
            IndexError: an action is out of its block's range; nothing has changed then.
        """
        ...

    def hold(self, held: NDArray[np.bool_]) -> None:
        """Leave slots out of ``observe`` and ``step``, (num_slots,), until told otherwise.

        What they hold stays as it is and may be copied.
        """
        ...

    def costs(self) -> NDArray[np.float64]:
        """(num_slots,) cost of each finished episode; undefined in other slots."""
        ...

    def solution(self, slot: int) -> SolutionT:
        """The finished episode's solution. Raises RuntimeError while it still runs."""
        ...

    def fork(self, sources: Sequence[int], targets: Sequence[int]) -> None:
        """Copy the full state of each source slot into its target slot (for tree search).

        All sources are read before any target is written.
        """
        ...

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to continue bit-exactly: arrays, instances, seeds."""
        ...

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        ...
