"""What reports say of a log beside its cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from graphsched.envs.batching.hardware.catalogue import BLOCK
from graphsched.envs.batching.physics.slo import MARGIN
from graphsched.envs.batching.physics.timeline import Timeline, timeline
from graphsched.envs.batching.solution import LEAVE, LINKS_OUT, SPAN

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from graphsched.envs.batching.instance import BatchingInstance
    from graphsched.envs.batching.solution import BatchingSolution

    Floats = NDArray[np.float64]

QUANTILES = (50, 90, 99)


def in_time(instance: BatchingInstance, times: Timeline) -> NDArray[np.bool_]:
    """(N,) requests that met all of their targets."""
    requests = instance.requests
    with np.errstate(invalid="ignore"):
        waited = np.where(np.isfinite(times.first), times.first - times.visible, np.inf)
        pace = (times.last - times.first) / np.maximum(requests.output - 1, 1)
    good = np.isfinite(times.last) & (waited <= requests.ttft_s * MARGIN)
    good &= (requests.output == 1) | (pace <= requests.tpot_s * MARGIN)
    return np.asarray(good & (times.last - requests.arrival_s <= requests.deadline_s * MARGIN))


def metrics(instance: BatchingInstance, solution: BatchingSolution) -> dict[str, float]:
    """Measures by name, times in seconds.

    ``SLO %``: requests, by weight, that met all targets; ``goodput /s`` counts them by second.
    TTFT from the time a request could be routed; TBT is the gap between tokens, TPOT a request's
    mean gap, ``normalised latency`` its time by output token. ``fairness`` is Jain's index over
    tenants of mean service rate (tokens by second in the system); ``max slowdown`` is the worst
    ratio of latency to the least latency by output token. ``KV use %`` is of blocks in use by
    running requests, over time; ``moves`` are those of running requests to other replicas.
    """
    requests, times = instance.requests, timeline(instance, solution)
    served = np.isfinite(times.last)
    span = max(float(np.max(solution.end_s, initial=0.0)), 1e-9)
    good = in_time(instance, times)
    out = {
        "SLO %": 100 * float(requests.weight[good].sum() / requests.weight.sum()),
        "goodput /s": float(good.sum()) / span,
        "requests /s": float(served.sum()) / span,
        "tokens /s": float(requests.output[served].sum()) / span,
    }
    visible, output = times.visible[served], requests.output[served]
    first, last = times.first[served], times.last[served]
    pace, latency = (last - first) / np.maximum(output - 1, 1), last - visible
    for name, values in (("TTFT", first - visible), ("TPOT", pace[output > 1])):
        out |= _quantiles(name, values)
    out |= _quantiles("TBT", times.gaps)
    normalised = latency / output
    out["normalised latency"] = float(normalised.mean()) if len(latency) else 0.0
    out["fairness"] = _jain(instance, served, times)
    least = max(float(np.min(normalised, initial=np.inf)), 1e-9)
    out["max slowdown"] = float(np.max(normalised / least)) if len(latency) else 0.0
    out["KV use %"] = _kv_use(instance, solution, span)
    moves = int((solution.leave[:, LEAVE.why] == LINKS_OUT).sum())
    out["preemptions"] = float(len(solution.leave) - moves)
    out["moves"] = float(moves)
    out["rejected"] = float((~served).sum())
    return out


def _quantiles(name: str, values: Floats) -> dict[str, float]:
    if not len(values):
        return {}
    out = {f"{name} p{q}": float(np.percentile(values, q)) for q in QUANTILES}
    return out | {f"{name} max": float(values.max())}


def _jain(instance: BatchingInstance, served: NDArray[np.bool_], times: Timeline) -> float:
    rates = []
    for tenant in np.unique(instance.requests.tenant).tolist():
        mine = served & (instance.requests.tenant == tenant)
        spent = float((times.last[mine] - times.visible[mine]).sum())
        tokens = instance.requests.prompt[mine].sum() + instance.requests.output[mine].sum()
        rates.append(float(tokens) / spent if spent > 0 else 0.0)
    squares = sum(rate * rate for rate in rates)
    return sum(rates) ** 2 / (len(rates) * squares) if squares > 0 else 1.0


def _kv_use(instance: BatchingInstance, solution: BatchingSolution, span: float) -> float:
    """Time-weighted KV tokens of running requests over all, from first to last iteration."""
    starts = [solution.begin_s[solution.replica == r] for r in range(len(instance.replicas))]
    ends = [solution.end_s[solution.replica == r] for r in range(len(instance.replicas))]
    held = 0.0
    tokens: dict[int, int] = {}
    entries = {(i, r, k): found for i, r, k, found, *_ in solution.entry.tolist()}
    begins = np.array([starts[r][k] for _, r, k, *_ in solution.span.tolist()])
    order = np.lexsort((begins, solution.span[:, SPAN.request]))
    for i, r, k, count, each in solution.span[order].tolist():
        tokens[i] = entries.get((i, r, k), tokens.get(i, 0))
        held += (tokens[i] + 0.5 * each * count) * float(ends[r][k + count - 1] - starts[r][k])
        tokens[i] += each * count
    room = BLOCK * sum(replica.kv_blocks for replica in instance.replicas)
    return 100 * held / (room * span)
