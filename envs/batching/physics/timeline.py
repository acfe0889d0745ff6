"""Token times of requests, read from a log; for reports and pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from graphsched.envs.batching.checking.visits import (
    COMPUTES,
    ENTERS,
    Elsewhere,
    events_of,
    transfers_of,
    visits_of,
)
from graphsched.envs.batching.physics.slo import FULL, slo_penalty

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from graphsched.envs.batching.checking.visits import Event, Transfer, Visit
    from graphsched.envs.batching.instance import BatchingInstance
    from graphsched.envs.batching.solution import BatchingSolution

    Floats = NDArray[np.float64]


class Timeline(NamedTuple):
    """Per request; inf where it was not served. N requests.

    Attributes:
        visible: (N,) when it could first be routed, s.
        first, last: (N,) first and last token, s.
        gaps: times between consecutive tokens of all served requests, s.
        tokens: N arrays with the times of all tokens.
    """

    visible: Floats
    first: Floats
    last: Floats
    gaps: Floats
    tokens: list[Floats]


def timeline(instance: BatchingInstance, solution: BatchingSolution) -> Timeline:
    """Token times of a log that the checker accepts."""
    size = len(instance.requests)
    ends = [
        solution.end_s[solution.replica == r] for r in range(len(instance.replicas))
    ]  # by replica and iteration
    moves = transfers_of(solution)
    tokens = [
        _token_times(int(p), _visits(h, events, moves.get(i, [])), ends) if h >= 0 else np.zeros(0)
        for i, (p, h, events) in enumerate(
            zip(
                instance.requests.prompt.tolist(),
                solution.home.tolist(),
                events_of(solution),
                strict=True,
            )
        )
    ]
    first, last = np.full(size, np.inf), np.full(size, np.inf)
    for i, times in enumerate(tokens):
        if len(times):
            first[i] = times[0]
        if len(times) == instance.requests.output[i]:
            last[i] = times[-1]
    visible = np.array(instance.requests.arrival_s)
    stages: dict[int, float] = {}
    for a, z in instance.precedes.T.tolist():
        stages[z] = max(stages.get(z, 0.0), last[a])
    for z, time in stages.items():
        visible[z] = time
    served = [np.diff(t) for t, at in zip(tokens, last, strict=True) if np.isfinite(at)]
    return Timeline(visible, first, last, np.concatenate([np.zeros(0), *served]), tokens)


def _visits(home: int, events: list[tuple[int, Event]], moves: list[Transfer]) -> list[Visit]:
    """A request's replicas in order; none in a log that the checker rejects for it."""
    try:
        return visits_of(home, events, moves)
    except Elsewhere:
        return []


def _token_times(prompt: int, visits: list[Visit], ends: list[Floats]) -> Floats:
    kv, made = 0, 0
    out: list[Floats] = []
    for replica, events in visits:
        for k, what, *rest in events:
            if what == ENTERS:
                kv = rest[0]
            elif what == COMPUTES:
                count, tokens = rest
                while count > 0:
                    if tokens < 1 or kv >= prompt + made:
                        break  # more than there are: the checker rejects it
                    decode = tokens == 1 and made > 0 and kv == prompt + made - 1
                    length = count if decode else min(count, -(-(prompt + made - kv) // tokens))
                    kv += length * tokens
                    if decode:
                        out.append(ends[replica][k : k + length])
                        made += length
                    elif kv == prompt + made:
                        out.append(ends[replica][k + length - 1 : k + length])
                        made += 1
                    count, k = count - length, k + length
    return np.concatenate([np.zeros(0), *out])


def slo_penalties(instance: BatchingInstance, times: Timeline) -> Floats:
    """(N,) penalty of each request; see `slo`."""
    requests = instance.requests
    with np.errstate(invalid="ignore"):
        waited = times.first - times.visible
        pace = (times.last - times.first) / np.maximum(requests.output - 1, 1)
        total = (times.last - requests.arrival_s) / requests.deadline_s
        ratio = np.maximum(np.maximum(waited / requests.ttft_s, pace / requests.tpot_s), total)
    served = np.isfinite(times.last)
    return np.array(
        [
            slo_penalty(float(u), float(w), instance.starvation_s) if good else FULL
            for u, w, good in zip(ratio, waited, served, strict=True)
        ]
    )
