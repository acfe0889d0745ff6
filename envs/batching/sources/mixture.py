"""Instances of all kinds: fleets, loads, lengths, gaps, prefixes, workflows and targets are drawn.

What a policy has to be trained on that is to serve traces and fleets that it has never seen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from graphsched.envs.batching.hardware.catalogue import BLOCK
from graphsched.envs.batching.hardware.iteration_time import (
    COST,
    coefficients,
    linear_table,
    usual_decode_s,
    usual_prefill_s,
)
from graphsched.envs.batching.instance import BatchingInstance, Replica, make_requests
from graphsched.envs.batching.sources.lengths import lognormal, predictions

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

# GPUs with models that there are measurements of; what differs most between replicas in practice.
KINDS = (
    ("a100", "llama-3-8b"),
    ("h100", "llama-3-8b"),
    ("a100", "llama-2-7b"),
    ("h100", "llama-2-7b"),
)
SHORTEST, LONGEST, MOST_OUTPUT = 4, 3500, 1000  # tokens
USUAL_PROMPT, USUAL_BATCH = 512, 64  # tokens, requests: what replicas are judged by
LOADS = (0.7, 2.0)  # of the fleet's capacity


class Habits(NamedTuple):
    """What the requests of an instance have in common."""

    prompt: float  # mean, tokens
    prompt_spread: float  # standard deviation of the logarithm
    output: float
    output_spread: float
    grouped: float  # share with a prefix
    groups: int
    prefix: float  # mean, tokens
    flows: float  # share of workflows among arrivals


def log_uniform(rng: Generator, low: float, high: float) -> float:
    """A number whose logarithm is uniform."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def mixture(rng: Generator, requests: int, load: float | None) -> BatchingInstance:
    """An instance of any kind.

    Args:
        rng: source of randomness.
        requests: number of them.
        load: of what the fleet can serve, roughly; drawn from `LOADS` where it isn't told.
    """
    fleet, habits = _fleet(rng), _habits(rng)
    load = float(rng.uniform(*LOADS)) if load is None else load
    columns, edges, arrivals = _requests(rng, habits, requests)
    columns |= _targets(rng, fleet, columns)
    rate = load * _capacity(fleet, columns["prompt"] - columns["shared"], columns["output"])
    gaps = _gaps(rng, arrivals.max() + 1) * len(columns["prompt"]) / (arrivals.max() + 1) / rate
    at = np.cumsum(gaps)[arrivals]
    requests_ = make_requests(at - at[0], **columns)
    name = f"mixture-{len(requests_)}@{load:.2f}"
    return BatchingInstance(name, requests_, fleet, edges, 5.0 + 5.0 * rng.random())


def _fleet(rng: Generator) -> tuple[Replica, ...]:
    """Two to six replicas, a third of the time all alike."""
    size, alike = int(rng.integers(2, 7)), rng.random() < 0.33
    kinds = rng.integers(0, len(KINDS), size)
    memory = [round(log_uniform(rng, 450, 4000)) for _ in range(size)]
    if alike:
        kinds[:], memory = kinds[0], [memory[0]] * size
    return tuple(
        Replica(*KINDS[k], kv_blocks=m) for k, m in zip(kinds.tolist(), memory, strict=True)
    )


def _habits(rng: Generator) -> Habits:
    return Habits(
        prompt=log_uniform(rng, 200, 2400),
        prompt_spread=rng.uniform(0.4, 1.2),
        output=log_uniform(rng, 25, 400),
        output_spread=rng.uniform(0.4, 1.0),
        grouped=max(rng.uniform(-0.4, 0.8), 0.0),
        groups=int(rng.integers(1, 24)),
        prefix=log_uniform(rng, 200, 2000),
        flows=max(rng.uniform(-0.3, 0.3), 0.0),
    )


def _requests(rng: Generator, habits: Habits, size: int) -> tuple[dict[str, Any], Ints, Ints]:
    """Columns of requests, edges between stages, and the number of each one's arrival."""
    prefixes = lognormal(rng, habits.groups, habits.prefix, 0.4, SHORTEST, 2600)
    arrival: list[int] = []
    stage: list[int] = []  # 0 of a request alone, else 1, 2, 3
    group: list[int] = []
    edges: list[tuple[int, int]] = []
    while len(arrival) < size:
        number, grouped = arrival[-1] + 1 if arrival else 0, rng.random() < habits.grouped
        which = int(rng.integers(habits.groups)) if grouped else -1
        widths = (1, int(rng.integers(1, 4)), 1) if rng.random() < habits.flows else (0,)
        before: list[int] = []
        for step, width in enumerate(widths):
            now = list(range(len(arrival), len(arrival) + max(width, 1)))
            edges += [(a, b) for a in before for b in now]
            arrival += [number] * len(now)
            stage += [step + (len(widths) > 1)] * len(now)
            group += [which] * len(now)
            before = now
    count, groups = len(arrival), np.array(group)
    shared = np.where(groups >= 0, prefixes[groups], 0)
    output = lognormal(rng, count, habits.output, habits.output_spread, SHORTEST, MOST_OUTPUT)
    own = lognormal(rng, count, habits.prompt, habits.prompt_spread, SHORTEST, LONGEST)
    stages = np.array(stage)
    columns = {
        "prompt": shared + own,
        "output": output,
        "predicted": predictions(rng, output),
        "group": groups,
        "shared": shared,
        "extends": shared,
        "weight": np.select([stages == 0, stages == 3], [1.0, 3.0], 0.0),
        "tenant": (stages > 0).astype(np.int64),
    }
    return columns, np.array(edges, np.int64).reshape(-1, 2).T, np.array(arrival)


def _paces(fleet: tuple[Replica, ...]) -> tuple[Floats, Floats, Floats]:
    """By replica: prompt tokens a second, time of a token of a usual batch, s by KV token read."""
    speeds, paces, reads = [], [], []
    for replica in fleet:
        table = linear_table(replica.gpu, replica.model, replica.tp)
        loads = coefficients(replica.gpu, replica.model, replica.tp)
        speeds.append(USUAL_PROMPT / usual_prefill_s(table, loads))
        paces.append(usual_decode_s(table, loads))
        reads.append(loads[COST.kv_token])
    return np.array(speeds), np.array(paces), np.array(reads)


def _capacity(fleet: tuple[Replica, ...], prompt: Ints, output: Ints) -> float:
    """Requests a second that a fleet can serve, roughly: prompts one by one, outputs in batches."""
    held = float((prompt + 0.5 * output).mean())
    total = 0.0
    for replica, speed, pace, read in zip(fleet, *_paces(fleet), strict=True):
        batch = min(max(0.7 * replica.kv_blocks * BLOCK / held, 1.0), USUAL_BATCH)
        token = (pace + batch * held * read) / batch
        total += 1.0 / (float(prompt.mean()) / speed + float(output.mean()) * token)
    return total


def _targets(rng: Generator, fleet: tuple[Replica, ...], columns: dict[str, Any]) -> dict[str, Any]:
    """Of requests alone: first token and pace; of workflows: a deadline. Some have another kind."""
    speeds, paces, _ = _paces(fleet)
    alone = columns["tenant"] == 0
    prompt_s = float(columns["prompt"].mean()) / float(np.median(speeds))
    first = log_uniform(rng, 3.0, 30.0) * max(prompt_s, 0.03)
    pace = log_uniform(rng, 1.6, 5.0) * float(np.median(paces))
    service = columns["prompt"] / np.median(speeds) + columns["output"] * np.median(paces)
    flow = 3.0 * rng.uniform(1.5, 4.0) * float(service.mean()) + 1.0
    last = columns["weight"] == 3.0
    deadline = np.where(last, flow * rng.uniform(0.7, 1.4, len(alone)), np.inf)
    return {
        "ttft_s": np.where(alone, first, np.inf),
        "tpot_s": np.where(alone, pace, np.inf),
        "deadline_s": deadline,
    }


def _gaps(rng: Generator, size: int) -> Floats:
    """Gaps of mean 1: without memory, in bursts, or with the long tails of production traces."""
    kind = int(rng.integers(4))
    if kind == 0:
        return rng.exponential(1.0, size)
    if kind == 1:
        return rng.gamma(shape := rng.uniform(0.15, 0.7), 1.0 / shape, size)
    if kind == 2:
        spread = rng.uniform(0.8, 2.0)
        return np.exp(spread * rng.standard_normal(size) - 0.5 * spread**2)
    busy = np.repeat(rng.random(size // 12 + 1) < 0.5, 12)[:size]  # on and off
    return rng.exponential(1.0, size) * np.where(busy, 0.4, 1.6)
