"""Simulator options."""

from __future__ import annotations

from dataclasses import dataclass

from graphsched.envs.core.errors import InputError
from graphsched.envs.core.parts.options import seen
from graphsched.envs.core.parts.values import python_scalars

ACTIONS = ("priority", "step", "improve")
FEWEST, MOST = 2, 64  # moves on offer
MOST_PLACEMENTS = 10**9  # by pilots: no limit
OFFSETS = ("best-fit", "first-fit")


@dataclass(frozen=True)
class MemoryOptions:
    """What is decided, and where residencies go.

    Attributes:
        actions: ``priority``: which storage is placed next, as long as fits; ``step``: access by
            access in program order, whether it is copied, stays, or is served from slow memory;
            ``improve``: which of some proposed moves is tried on the best of the fixed orders.
        offsets: the gap that a residency goes into.
        pilot_decisions: first decisions of an episode in which a pilot looks ahead from each candidate
            (``priority``); 0 does without, which is many times as fast.
        pilot_placements: placements by pilots in an episode, about: they look ahead in fewer decisions
            where these would be more, since each places all the rest of a program.
        moves: of an episode that improves (``improve``).
        offered: proposed moves of which one is tried (``improve``); half as many runs.
    """

    actions: str = "priority"
    offsets: str = "best-fit"
    pilot_decisions: int = seen(0)
    pilot_placements: int = seen(MOST_PLACEMENTS)
    moves: int = 200
    offered: int = 16

    def __post_init__(self) -> None:
        """Validate; raises InputError naming the option."""
        python_scalars(self)
        for name, known in (("actions", ACTIONS), ("offsets", OFFSETS)):
            if getattr(self, name) not in known:
                found = repr(getattr(self, name))
                raise InputError(name, f"expected one of {', '.join(known)}, found {found:.40}")
        for name, most in (("pilot_decisions", 10**6), ("pilot_placements", MOST_PLACEMENTS)):
            value = getattr(self, name)
            if type(value) is not int or not 0 <= value <= most:
                raise InputError(name, f"expected a count in [0, {most}]: {value!r:.40}")
        for name, least, most in (("moves", 1, 10**6), ("offered", FEWEST, MOST)):
            value = getattr(self, name)
            if type(value) is not int or not least <= value <= most:
                raise InputError(name, f"expected {least} to {most}, found {value!r:.40}")
