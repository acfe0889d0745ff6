"""What a stream has cost that is cut off in the middle, compared with others of the same jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphsched.envs.core.kernels.jit import kernel
from graphsched.envs.soc.stream.pilot import STRAIGHT, look, play_on

if TYPE_CHECKING:
    from graphsched.envs.core.arrays import Floats, Ints
    from graphsched.envs.soc.stream.pilot import Outlook, Sight
    from graphsched.envs.soc.stream.state import StreamState

ALL = 2**31  # tasks that a pilot plans: as many as there are


@kernel
def standing_of_slots(
    state: StreamState,
    slots: Ints,  # (N,)
    rates: Floats,  # (N,) mean latency of such an episode
    sight: Sight,  # scratch
    base: Outlook,  # scratch
    outlook: Outlook,  # scratch
    out: Floats,  # (N,) out
) -> None:
    """Time in the system of all jobs, those in it played to their ends, less the usual for each.

    Without what is usual an episode would stand the better the fewer jobs it let in.
    """
    for k in range(len(slots)):
        b = slots[k]
        clock, tasks, live = state.clock[b], state.status.shape[2], state.num_live[b]
        look(state, b, sight, base)
        nothing = -1, -1, 0.0
        ticks = state.ticks[b] != 0
        ends = play_on(nothing, STRAIGHT, ALL, tasks, clock, ticks, sight, base, outlook)
        usual = rates[k] * (state.completed[b] + live)
        out[k] = state.presence[b] + ends - live * clock - usual
