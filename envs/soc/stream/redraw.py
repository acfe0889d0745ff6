"""Another future of a stream, that fits what is known of it: what is honest to plan with.

Arrivals come without memory, so the next one is drawn from now on. Of a task that runs it is known
since when: its time is drawn anew until it is longer than that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphsched.envs.core.kernels.jit import kernel
from graphsched.envs.soc.sources import randomness

if TYPE_CHECKING:
    from graphsched.envs.core.arrays import Ints
    from graphsched.envs.soc.stream.state import StreamState

TRIES = 20
SOON = 0.05  # of its mean time that a task goes on for, where all draws are over already

_duration, _gap = randomness.duration, randomness.gap


@kernel
def redraw_slots(state: StreamState, slots: Ints, seeds: Ints) -> None:
    """Draw arrivals and the ends of running tasks anew; both (N,)."""
    for k in range(len(slots)):
        b, seed = slots[k], seeds[k]
        clock, ticks = state.clock[b], state.ticks[b] != 0
        state.seed[b] = seed
        gap = _gap(seed, state.draws[b], state.mean_gap[b], ticks)
        state.draws[b] += 1
        state.next_arrival[b] = clock + max(gap, 1.0 if ticks else 0.0)
        for p in range(state.lanes[b]):
            n, i = state.running_job[b, p], state.running_task[b, p]
            if n < 0:
                continue
            mean = state.duration[b, state.kind[b, n], i, p]
            end = clock
            for attempt in range(TRIES):
                drawn = _duration(seed + attempt, n, i, mean, state.noise_kind[b], state.noise[b])
                end = state.start[b, n, i] + drawn
                if end > clock:
                    break
            if end <= clock:
                end = clock + (1.0 if ticks else SOON * mean)
            state.busy_until[b, p] = state.end[b, n, i] = end
