"""What it takes to try decisions out: other futures, what an episode stands at, how far to look."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from graphsched.envs.soc.features import LEAST
from graphsched.envs.soc.physics.tasks import tasks_of
from graphsched.envs.soc.stream.redraw import redraw_slots

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from graphsched.envs.soc.instance import SocInstance


def redraw(sim: Any, slots: Sequence[int], seeds: Sequence[int]) -> bool:
    """Other futures for streams; a plan hides nothing. See `Domain.redraw`."""
    where = np.asarray(slots, np.int64)
    streams = np.array([sim.instance(slot).is_stream for slot in slots], np.bool_)
    redraw_slots(sim.state.stream, where[streams], np.asarray(seeds, np.int64)[streams])
    return bool(streams.any())


def standing(sim: Any, slots: Sequence[int], rates: Sequence[float]) -> NDArray[np.float64]:
    """Mean latencies are the rates of streams; of a plan its bound stands. See `Domain.standing`."""
    where, by = np.asarray(slots, np.int64), np.asarray(rates, np.float64)
    streams = np.array([sim.instance(slot).is_stream for slot in slots], np.bool_)
    out = np.asarray(sim.state.plan.bound[where])
    out[streams] = sim.standing_of_streams(where[streams], by[streams])
    return out


def span(instance: SocInstance) -> float:
    """Least path of a job, of a stream; of a plan a decision. See `Domain.span`."""
    if instance.stream is None:
        return 1.0
    paths = [tasks_of(job, instance.platform, instance.ticks).path.max() for job in instance.jobs]
    return float(max(np.dot(instance.stream.mix, paths), LEAST))
