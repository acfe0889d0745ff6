"""A small random change of requests or replicas, for searches over instances."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from graphsched.envs.batching.hardware.catalogue import BLOCK
from graphsched.envs.core.errors import InputError
from graphsched.envs.core.parts.perturbing import changed, draw_factor

if TYPE_CHECKING:
    from collections.abc import Callable

    from graphsched.envs.batching.instance import BatchingInstance, Requests

    Change = Callable[["BatchingInstance", np.random.Generator], "BatchingInstance"]

SPREAD = 0.6  # standard deviation of the logarithm of a changed number over the one before
TARGETS = ("ttft_s", "tpot_s", "deadline_s")
GPUS = ("a100", "h100")


def _with(instance: BatchingInstance, **columns: Any) -> BatchingInstance:
    return replace(instance, requests=replace(instance.requests, **columns))


def _room(instance: BatchingInstance) -> int:
    """Tokens of a prompt and its output that the smallest replica has room for."""
    blocks = min(replica.kv_blocks for replica in instance.replicas)
    return min((blocks - 1) * BLOCK, instance.max_tokens)


def _longest(requests: Requests) -> int:
    return int((requests.prompt + requests.output).max())


def _arrival(instance: BatchingInstance, rng: np.random.Generator) -> BatchingInstance:
    """One gap between arrivals; all later requests move along."""
    arrival = instance.requests.arrival_s.copy()
    gaps = np.flatnonzero(np.diff(arrival) > 0) + 1
    if not len(gaps):
        return _length(instance, rng)
    k = int(rng.choice(gaps))
    gap = float(arrival[k] - arrival[k - 1])
    arrival[k:] += gap * (draw_factor(rng, SPREAD) ** 1.5 - 1.0)
    return _with(instance, arrival_s=np.maximum.accumulate(arrival))


def _length(instance: BatchingInstance, rng: np.random.Generator) -> BatchingInstance:
    """A prompt's own tokens, or an output with what is predicted of it."""
    requests = instance.requests
    i, factor = int(rng.integers(len(requests))), draw_factor(rng, SPREAD)
    prompt, output = requests.prompt.copy(), requests.output.copy()
    predicted, extends = requests.predicted.copy(), requests.extends.copy()
    shared, whole = int(requests.shared[i]), int(prompt[i] + output[i])
    most = max(_room(instance), whole)
    if rng.random() < 0.5:
        own = max(int(prompt[i]) - shared, 1)
        prompt[i] = min(max(shared + round(own * factor), shared, 1), most - output[i])
    else:
        output[i] = min(max(round(int(output[i]) * factor), 1), most - prompt[i])
        predicted[i] = max(round(int(predicted[i]) * factor), 1)
    after = int(prompt[i] + output[i])
    extends[i] = after if extends[i] == whole else min(int(extends[i]), after)
    return _with(instance, prompt=prompt, output=output, predicted=predicted, extends=extends)


def _prediction(instance: BatchingInstance, rng: np.random.Generator) -> BatchingInstance:
    """What is predicted of an output."""
    predicted = instance.requests.predicted.copy()
    i = int(rng.integers(len(predicted)))
    predicted[i] = max(round(int(predicted[i]) * draw_factor(rng, SPREAD)), 1)
    return _with(instance, predicted=predicted)


def _target(instance: BatchingInstance, rng: np.random.Generator) -> BatchingInstance:
    """One of the targets of a request that has any."""
    i = int(rng.integers(len(instance.requests)))
    told = [name for name in TARGETS if np.isfinite(getattr(instance.requests, name)[i])]
    if not told:
        return _length(instance, rng)
    name = told[int(rng.integers(len(told)))]
    values = getattr(instance.requests, name).copy()
    values[i] *= draw_factor(rng, SPREAD)
    return _with(instance, **{name: values})


def _memory(instance: BatchingInstance, rng: np.random.Generator) -> BatchingInstance:
    """A replica's KV memory, never less than what the longest request needs if it has that."""
    r = int(rng.integers(len(instance.replicas)))
    before = instance.replicas[r].kv_blocks
    least = min(before, -(-_longest(instance.requests) // BLOCK) + 1)
    blocks = min(max(round(before * draw_factor(rng, SPREAD) ** 0.5), least, 1), 10**8)
    return _with_replica(instance, r, kv_blocks=int(blocks))


def _gpu(instance: BatchingInstance, rng: np.random.Generator) -> BatchingInstance:
    """A replica moves to another GPU, if there are measurements or constants for its model there."""
    r = int(rng.integers(len(instance.replicas)))
    others = [name for name in GPUS if name != instance.replicas[r].gpu]
    try:
        return _with_replica(instance, r, gpu=others[int(rng.integers(len(others)))])
    except InputError:
        return _memory(instance, rng)


def _with_replica(instance: BatchingInstance, r: int, **changes: Any) -> BatchingInstance:
    replicas = list(instance.replicas)
    replicas[r] = replace(replicas[r], **changes)
    return replace(instance, replicas=tuple(replicas))


KINDS: tuple[tuple[Change, float], ...] = (
    (_arrival, 0.3),
    (_length, 0.3),
    (_prediction, 0.05),
    (_target, 0.15),
    (_memory, 0.15),
    (_gpu, 0.05),
)


def perturb(instance: BatchingInstance, rng: np.random.Generator) -> BatchingInstance:
    """The instance with another gap, length, prediction or target, or with another replica.

    Args:
        instance: left as it is.
        rng: source of randomness.
    """
    return changed(instance, rng, KINDS)
