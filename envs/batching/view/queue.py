"""A replica's queue looked at as a line of prompts: who is in time if it is served in some order.

As in `forecast`, the present load is taken to go on; memory is left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from graphsched.envs.batching.hardware.catalogue import BLOCK
from graphsched.envs.batching.hardware.iteration_time import usual_decode_s
from graphsched.envs.batching.physics.cluster import is_decode, todo_of
from graphsched.envs.batching.physics.forecast import PER_TOKEN, prompt_s, remaining
from graphsched.envs.batching.physics.kv_blocks import found_blocks
from graphsched.envs.batching.physics.rules.orders import order_key
from graphsched.envs.core.kernels.jit import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from graphsched.envs.batching.physics.cluster import Cluster

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

LONGEST = 64  # requests of a queue that are looked at, the oldest


class Line(NamedTuple):
    """Requests in the order of their keys, (Q,) each; times in seconds."""

    who: Ints
    key: Floats
    prompt: Floats  # time of its prompt, but for what the cache holds
    due: Floats  # from now to when its prompt has to be through
    stake: Floats
    kept: Ints  # whether it is among those that can be in time, see `keep_timely`


@kernel(entry=False)
def due_s(cluster: Cluster, r: int, i: int) -> float:
    """From now to when a request's prompt has to be through for its nearest target to be met."""
    slot, one = cluster.slot[0], cluster.req[i]
    pace = usual_decode_s(cluster.table[r], cluster.loads[r])
    due = one.latest - slot.clock - remaining(one) * pace
    if one.made == 0:
        due = min(due, one.visible + one.ttft - slot.clock)
    return float(due)


@kernel(entry=False)
def own_prompt_s(cluster: Cluster, r: int, i: int, load: Floats) -> float:
    """Time of a queued request's prompt in the batches that go on at present."""
    hit = BLOCK * found_blocks(cluster, r, i)
    return prompt_s(cluster, r, hit, max(todo_of(cluster.req[i]) - hit, 0), load[PER_TOKEN])


@kernel(entry=False)
def backlog_s(cluster: Cluster, r: int, load: Floats) -> float:
    """Time of what is left of the prompts that run."""
    tokens = 0
    for k in range(cluster.rep[r].running):
        one = cluster.req[cluster.run[r, k]]
        if not is_decode(one):
            tokens += todo_of(one)
    return float(tokens * load[PER_TOKEN])


@kernel(entry=False)
def line_up(cluster: Cluster, r: int, load: Floats, by_due: bool) -> Line:
    """The queue in the order of its rule, or by what is due first."""
    size = min(cluster.rep[r].queued, LONGEST)
    line = Line(
        np.empty(size, np.int64),
        np.empty(size),
        np.empty(size),
        np.empty(size),
        np.empty(size),
        np.zeros(size, np.int64),
    )
    for k in range(size):
        i = cluster.queue[r, k]
        due = due_s(cluster, r, i)
        key = due if by_due else order_key(cluster, r, i)
        at = k
        while at > 0 and line.key[at - 1] > key:
            line.who[at], line.key[at] = line.who[at - 1], line.key[at - 1]
            line.prompt[at], line.due[at] = line.prompt[at - 1], line.due[at - 1]
            line.stake[at] = line.stake[at - 1]
            at -= 1
        line.who[at], line.key[at], line.due[at] = i, key, due
        line.prompt[at] = own_prompt_s(cluster, r, i, load)
        line.stake[at] = cluster.req[i].stake
    return line


@kernel(entry=False)
def keep_timely(line: Line, start: float, besides: int) -> float:
    """Stake of those of a line by due times that can be in time, if it begins after ``start`` s.

    Moore and Hodgson's rule (1968): whenever one would be late, the one that takes longest for its
    stake is given up. ``besides`` isn't looked at.
    """
    at, stake = start, 0.0
    for k in range(len(line.who)):
        line.kept[k] = line.who[k] != besides
        if not line.kept[k]:
            continue
        at += line.prompt[k]
        stake += line.stake[k]
        if at <= line.due[k]:
            continue
        worst, most = k, -1.0
        for m in range(k + 1):
            value = line.prompt[m] / max(line.stake[m], 1e-9)
            if line.kept[m] and value > most:
                worst, most = m, value
        line.kept[worst] = 0
        at -= line.prompt[worst]
        stake -= line.stake[worst]
    return stake
