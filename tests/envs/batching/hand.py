"""Instances and logs written by hand, without any code that builds schedules."""

from __future__ import annotations

import numpy as np

from graphsched.envs.batching.instance import BatchingInstance, Replica, make_requests
from graphsched.envs.batching.solution import BatchingSolution


def shop(prompts, outputs, blocks=(600,), edges=(), starvation=60.0, **columns):
    """An instance; all requests arrive at 0 unless `arrival_s` says otherwise."""
    arrival = columns.pop("arrival_s", np.zeros(len(prompts)))
    requests = make_requests(arrival, prompts, outputs, **columns)
    pairs = np.array(edges, np.int64).reshape(-1, 2).T
    fleet = tuple(Replica(kv_blocks=n) for n in blocks)
    return BatchingInstance("hand", requests, fleet, pairs, starvation)


def log(home, spans, entries, leaves=(), replica=None, times=None, moved=None, cost=0.0):
    """A log; iterations follow each other second by second unless `times` has their ends.

    Spans, entries and leaves are rows without the replica: it is the request's home. Columns that
    are left out at the end of a row are 0.
    """
    if replica is None:
        last = max((row[1] + row[2] for row in spans), default=0)
        replica = [0] * last
    length = len(replica)
    end = np.arange(1.0, length + 1) if times is None else np.asarray(times, float)
    begin = np.concatenate([[0.0], end[:-1]])[:length]

    def rows(given, width):
        full = [(i, home[i], *rest, *[0] * (width - 2 - len(rest))) for i, *rest in given]
        return np.array(full, np.int64).reshape(-1, width)

    return BatchingSolution(
        np.array(home, np.int64),
        np.array(replica, np.int64),
        begin,
        end,
        np.zeros((length, 2), np.int64) if moved is None else np.array(moved, np.int64),
        rows(spans, 5),
        rows(entries, 6),
        rows(leaves, 5),
        cost,
    )
