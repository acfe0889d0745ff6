"""Writing the log of an episode by playing it again, or by letting rules play it alone."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import numpy as np

from graphsched.envs.batching.options import BatchingOptions, Scheduler
from graphsched.envs.batching.physics.kernel import replay
from graphsched.envs.batching.physics.loading import load_slot, needed_sizes
from graphsched.envs.batching.physics.log import (
    ENTRIES,
    ITERATIONS,
    LEAVES,
    SPANS,
    TRANSFERS,
    empty_log,
)
from graphsched.envs.batching.physics.state import State
from graphsched.envs.batching.solution import BatchingSolution
from graphsched.envs.core.arrays import empty

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from graphsched.envs.batching.instance import BatchingInstance

FIRST_GUESS = 4096  # iterations and spans that there is room for at first, beside some a request


def serve(instance: BatchingInstance, scheduler: Scheduler) -> BatchingSolution:
    """The log of a scheduler that does everything by its rules."""
    names = Scheduler.__dataclass_fields__
    rules = {name: value for name, value in asdict(scheduler).items() if name in names}
    options = BatchingOptions(**rules, agent="none")
    return replay_slot(instance, options, np.zeros(0, np.int64), False)


def replay_slot(
    instance: BatchingInstance,
    options: BatchingOptions,
    actions: NDArray[np.int64],
    offer_first: bool,
) -> BatchingSolution:
    """The log of an episode by its actions (D,)."""
    size = len(instance.requests)
    iterations = FIRST_GUESS + 32 * size
    spans = FIRST_GUESS + 8 * size
    while True:
        sizes = {"B": 1, **needed_sizes([instance], options), "D": len(actions) + 1}
        state = empty(State, sizes)
        load_slot(state, 0, instance, options)
        state.slot["offer_first"][0] = offer_first
        log = empty_log(iterations, spans, size)
        replay(state, actions, options.window, options.budget_every, log)
        counts = log.counts
        if counts[ITERATIONS] <= iterations and counts[SPANS:].max() <= spans:
            break
        iterations = max(iterations, int(counts[ITERATIONS]))
        spans = max(spans, int(counts[SPANS:].max()))
    made = int(counts[ITERATIONS])
    return BatchingSolution(
        home=state.req["routed"][0, :size].copy(),
        replica=log.replica[:made].copy(),
        begin_s=log.begin[:made].copy(),
        end_s=log.end[:made].copy(),
        moved=log.moved[:made].copy(),
        span=log.span[: counts[SPANS]].copy(),
        entry=log.entry[: counts[ENTRIES]].copy(),
        leave=log.leave[: counts[LEAVES]].copy(),
        transfer=log.transfer[: counts[TRANSFERS]].copy(),
        sent_s=log.sent[: counts[TRANSFERS]].copy(),
        cost=float(state.slot["loss"][0] / state.slot["total_weight"][0]),
    )
