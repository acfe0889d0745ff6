"""What missing its SLO costs a request; shared by simulator and reports.

Its targets are of TTFT, TPOT and the deadline. A penalty out of 100: `MISS` for missing any target, `LATE` times u / (1 + u), where u is the worst
ratio of what was measured to its target, and `STARVED` for a first token later than the starvation
time. A rejected request costs all 100. The cost of a schedule is the weighted mean.
"""

from __future__ import annotations

from graphsched.envs.core.kernels.jit import kernel

MISS, LATE, STARVED = 70.0, 10.0, 20.0
FULL = MISS + LATE + STARVED
MARGIN = 1.0 + 1e-9


@kernel
def slo_penalty(ratio: float, waited: float, starvation: float) -> float:
    """Penalty of a request that is served, 0 to 100.

    Args:
        ratio: the worst of measured over target so far.
        waited: from the time it could be routed to its first token, s.
        starvation: more than this is starving, s.
    """
    out = LATE * ratio / (1.0 + ratio)
    if ratio > MARGIN:
        out += MISS
    if waited > starvation * MARGIN:
        out += STARVED
    return out
