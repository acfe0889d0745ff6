"""Bugs that hypothesis found in long runs of `test_conservation`."""

from __future__ import annotations

import numpy as np
import pytest

from graphsched.envs.batching import DOMAIN
from graphsched.envs.batching.instance import BatchingInstance, Replica, make_requests
from graphsched.envs.batching.options import Scheduler
from graphsched.envs.batching.physics.log import empty_log, log_entry, log_tokens
from graphsched.envs.batching.physics.replay import serve


@pytest.mark.parametrize("preemption", ["recompute", "swap"])
def test_bug_request_left_and_came_back_for_ever(preemption):
    """The first request leaves 5 blocks in the cache; the second uses one, and needs 11 of the 13.

    The other four were kept because their prefix was in use.
    """
    requests = make_requests(
        np.array([0.0, 10.0]),
        np.array([80, 87]),
        np.array([2, 103]),
        np.array([2, 103]),
        group=np.array([0, 0]),
        shared=np.array([0, 17]),
        extends=np.array([80, 17]),
    )
    instance = BatchingInstance(
        "h", requests, (Replica("a100", kv_blocks=13),), np.zeros((2, 0), np.int64)
    )
    rules = Scheduler(batching="vllm-v1", budget=512, prefix_cache=True, preemption=preemption)
    solution = serve(instance, rules)
    assert DOMAIN.check(instance, solution) == []
    assert len(solution.leave) == 0


def test_bug_span_went_on_across_an_absence():
    log = empty_log(8, 8, 1)
    for iteration in (3, 4):
        python(log_entry)(log, 0, 0, iteration, 0, 0, 0)
        python(log_tokens)(log, 0, 0, iteration, 16)
    assert log.span[:2].tolist() == [[0, 0, 3, 1, 16], [0, 0, 4, 1, 16]]


def python(kernel):
    """Kernels for other kernels have no interface for Python."""
    return getattr(kernel, "py_func", kernel)
