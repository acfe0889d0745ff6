"""Token times of requests, read from a log; for reports and pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from graphsched.envs.batching.physics.slo import FULL, slo_penalty

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from graphsched.envs.batching.instance import BatchingInstance
    from graphsched.envs.batching.solution import BatchingSolution

    Floats = NDArray[np.float64]

LEAVES, ENTERS, COMPUTES = range(3)  # of a request at an iteration, in this order


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
    events: list[list[tuple[int, int, int, int]]] = [[] for _ in range(size)]
    for i, _, k, *_ in solution.leave.tolist():
        events[i].append((k, LEAVES, 0, 0))
    for i, _, k, found, swapped, _ in solution.entry.tolist():
        events[i].append((k, ENTERS, found, swapped))
    for i, _, k, count, tokens in solution.span.tolist():
        events[i].append((k, COMPUTES, count, tokens))
    tokens = [
        _token_times(int(p), sorted(rows), ends[h]) if h >= 0 else np.zeros(0)
        for p, rows, h in zip(
            instance.requests.prompt.tolist(), events, solution.home.tolist(), strict=True
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


def _token_times(prompt: int, events: list[tuple[int, int, int, int]], ends: Floats) -> Floats:
    kv, made = 0, 0
    out: list[Floats] = []
    for k, what, a, b in events:
        if what == ENTERS:
            kv = a
        elif what == COMPUTES and b == 1 and kv == prompt + made - 1 and made:
            out.append(ends[k : k + a])
            kv, made = kv + a, made + a
        elif what == COMPUTES:
            for j in range(a):
                kv += b
                if kv == prompt + made:
                    out.append(ends[k + j : k + j + 1])
                    made += 1
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
