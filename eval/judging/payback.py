"""When learning has paid for itself: processor time saved against processor time invested."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    Curve = Sequence[tuple[float, float]]  # (seconds per instance, mean value), lower is better


@dataclass(frozen=True)
class Payback:
    """What a policy saves, and after how many instances that is what its training took.

    Attributes:
        rival: the one that needs least time for the policy's quality; of those that never reach
            it, the one that comes closest.
        rival_s: that time per instance.
        bound: "" where that time is known; "at most" where it is the rival's shortest limit,
            "more than" where it is its longest one and the quality isn't reached by then.
        saved_s: processor time saved per instance if it were just that; negative if the policy is
            slower.
        instances: after so many the training is paid for; None if never. Where the time is "at
            most" that, at least so many; where "more than", at most.
    """

    rival: str
    rival_s: float
    bound: Literal["", "at most", "more than"]
    saved_s: float
    instances: float | None


def time_to_reach(curve: Curve, value: float) -> float | None:
    """Seconds after which a curve over time is as low as ``value``; None if it never is.

    Between two points of the curve it is taken to fall evenly in the logarithm of time; before
    the first one nothing is known, so that one counts.
    """
    before: tuple[float, float] | None = None
    for seconds, reached in sorted(curve):
        if reached <= value:
            if before is None or before[0] <= 0:
                return seconds
            share = (before[1] - value) / (before[1] - reached)
            return math.exp(math.log(before[0]) + share * math.log(seconds / before[0]))
        # What is worse after a longer time keeps the better value, which was known by then.
        before = seconds, reached if before is None else min(reached, before[1])
    return None


def payback(
    core_hours: float,
    seconds: float,
    value: float,
    rivals: Mapping[str, Curve],
    limited: Collection[str] = (),
) -> Payback | None:
    """What a policy's training pays, against whichever rival is quickest at its quality.

    Args:
        core_hours: that training took.
        seconds: the policy's processor time per instance.
        value: its mean value.
        rivals: base -> its curve over time, one point or more.
        limited: bases that had time limits, so that they may be as good in less than the first.

    Returns:
        None without rivals.
    """
    if not rivals:
        return None
    times = {name: time_to_reach(curve, value) for name, curve in rivals.items()}
    reached = [(time, name) for name, time in times.items() if time is not None]
    if reached:
        rival_s, rival = min(reached)
        first = rival in limited and rival_s == min(rivals[rival])[0]
        bound: Literal["", "at most", "more than"] = "at most" if first else ""
    else:
        rival = min(rivals, key=lambda name: min(found for _, found in rivals[name]))
        rival_s, bound = max(rivals[rival])[0], "more than"
    saved = rival_s - seconds
    instances = core_hours * 3600 / saved if saved > 0 else None
    return Payback(rival, rival_s, bound, saved, instances)
