"""Simulator options."""

from __future__ import annotations

from dataclasses import dataclass

from graphsched.envs.core.errors import InputError
from graphsched.envs.core.parts.options import seen
from graphsched.envs.core.parts.values import python_scalars


@dataclass(frozen=True)
class SocOptions:
    """Which choices are offered, and how far the pilot features look.

    Attributes:
        max_ready: ready tasks offered at most, those of highest upward rank; in a stream those of the
            oldest jobs, and of longest path.
        max_lanes: lanes offered for each at most, those of earliest finish; in a plan the last place
            goes to the lane that would run the whole job soonest, where it is not among them.
        pilot_steps: tasks that the pilot features plan ahead; 0 does without them.
        defer: whether waiting for the next event is on offer (streaming).
    """

    max_ready: int = 4
    max_lanes: int = 4
    pilot_steps: int = seen(64)
    defer: bool = False

    def __post_init__(self) -> None:
        """Validate; raises InputError naming the option."""
        python_scalars(self)
        for name, least in (("max_ready", 1), ("max_lanes", 1), ("pilot_steps", 0)):
            value = getattr(self, name)
            if type(value) is not int or not least <= value <= 10**6:
                raise InputError(name, f"expected a count >= {least}: {value!r:.40}")
        if type(self.defer) is not bool:
            raise InputError("defer", f"expected true or false: {self.defer!r:.40}")

    @property
    def most_candidates(self) -> int:
        """Candidates of a decision at most."""
        return self.max_ready * self.max_lanes + int(self.defer)
