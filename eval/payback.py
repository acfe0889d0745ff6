"""When learning has paid for itself: processor time saved against processor time invested."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Curve = Sequence[tuple[float, float]]  # (seconds per instance, mean value), lower is better


@dataclass(frozen=True)
class Payback:
    """What a policy saves, and after how many instances that is what its training took.

    Attributes:
        rival: the one that needs least time for the policy's quality; of those that never reach
            it, the one that comes closest.
        rival_s: that time per instance; where `reached` is False, the longest it was given.
        reached: whether the rival reached the policy's quality at all.
        saved_s: processor time saved per instance; negative if the policy is slower. At least
            that much where `reached` is False.
        instances: after so many the training is paid for; None if never.
    """

    rival: str
    rival_s: float
    reached: bool
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
            if before is None or before[0] <= 0 or reached == before[1]:
                return seconds
            share = (before[1] - value) / (before[1] - reached)
            return math.exp(math.log(before[0]) + share * math.log(seconds / before[0]))
        if before is None or reached < before[1]:
            before = seconds, reached
        else:
            before = seconds, before[1]  # worse after longer: the better one was known by then
    return None


def payback(
    core_hours: float, seconds: float, value: float, rivals: Mapping[str, Curve]
) -> Payback | None:
    """What a policy's training pays, against whichever rival is quickest at its quality.

    Args:
        core_hours: that training took.
        seconds: the policy's processor time per instance.
        value: its mean value.
        rivals: base -> its curve over time.

    Returns:
        None without rivals.
    """
    curves = {name: curve for name, curve in rivals.items() if curve}
    if not curves:
        return None
    times = {name: time_to_reach(curve, value) for name, curve in curves.items()}
    reached = [(time, name) for name, time in times.items() if time is not None]
    if reached:
        rival_s, rival = min(reached)
    else:
        rival = min(curves, key=lambda name: min(found for _, found in curves[name]))
        rival_s = max(time for time, _ in curves[rival])
    saved = rival_s - seconds
    if saved > 0:
        return Payback(rival, rival_s, bool(reached), saved, core_hours * 3600 / saved)
    # A rival that is quicker and still not as good is no reason for "never", nor a saving.
    return Payback(rival, rival_s, bool(reached), saved, None)
