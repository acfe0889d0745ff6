"""Least times before, after and from a task on are what plain recursion finds, and bounds."""

from __future__ import annotations

from functools import cache
from math import floor, isfinite

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphsched.envs.soc import DOMAIN
from graphsched.envs.soc.generators import GENERATORS
from graphsched.envs.soc.physics.tasks import tasks_of
from tests.envs.soc.drawing import draw_instance


def recursive(job, platform, ticks):
    """Rest (N, P), head (N,) and path (N,), straight from their definitions."""
    lanes = [pe for pe, many in enumerate(platform.capacity) for _ in range(int(many))]
    edges = [(int(i), int(j), float(v)) for (i, j), v in zip(job.edge.T, job.volume, strict=True)]

    def length(i, p):
        return float(job.duration[i, lanes[p]])

    def move(volume, p, q):
        if lanes[p] == lanes[q]:
            return 0.0
        time = volume / float(platform.bandwidth[lanes[p], lanes[q]])
        return floor(time + 1e-9) if ticks else time

    everywhere = range(len(lanes))

    @cache
    def rest(i, p):
        def on(j, volume, q):
            return move(volume, p, q) + length(j, q) + rest(j, q)

        return max((min(on(j, v, q) for q in everywhere) for k, j, v in edges if k == i), default=0)

    @cache
    def arrival(j, p):
        def sent(i, volume, q):
            return arrival(i, q) + length(i, q) + move(volume, q, p)

        return max(
            (min(sent(i, v, q) for q in everywhere) for i, k, v in edges if k == j), default=0
        )

    tasks = range(job.num_tasks)
    able = [[p for p in everywhere if isfinite(length(i, p))] for i in tasks]
    return (
        [[rest(i, p) for p in everywhere] for i in tasks],
        [min(arrival(i, p) for p in able[i]) for i in tasks],
        [min(length(i, p) + rest(i, p) for p in able[i]) for i in tasks],
    )


@settings(max_examples=60)
@given(st.integers(0, 10**6))
def test_least_times_are_those_of_plain_recursion(seed):
    """With PEs that refuse tasks, tasks of no length, lanes of one PE, and transfers in ticks."""
    instance = draw_instance(seed)
    for ticks in (False, True):
        tasks = tasks_of(instance.jobs[0], instance.platform, ticks)
        rest, head, path = recursive(instance.jobs[0], instance.platform, ticks)
        np.testing.assert_allclose(tasks.rest, rest, rtol=1e-12)
        np.testing.assert_allclose(tasks.head, head, rtol=1e-12)
        np.testing.assert_allclose(tasks.path, path, rtol=1e-12)
        np.testing.assert_array_equal(tasks.least, tasks.duration.min(axis=1))


@pytest.mark.parametrize("seed", range(4))
def test_so_they_are_where_accelerators_run_a_few_tasks_only(seed):
    world = GENERATORS["wide"](np.random.default_rng(seed), "5")
    for job in world.jobs:
        tasks = tasks_of(job, world.platform)
        for found, expected in zip(
            (tasks.rest, tasks.head, tasks.path), recursive(job, world.platform, False), strict=True
        ):
            np.testing.assert_allclose(found, expected, rtol=1e-12)


@settings(max_examples=30)
@given(st.integers(0, 10**6), st.sampled_from(["heft", "peft", "etf", "serial"]))
def test_no_plan_is_sooner(seed, rule):
    instance = draw_instance(seed)
    tasks = tasks_of(instance.jobs[0], instance.platform, instance.ticks)
    plan = DOMAIN.baseline(rule)(instance)
    for i, pe, start, end in zip(plan.task, plan.pe, plan.start, plan.end, strict=True):
        lane = tasks.lane_pe.tolist().index(pe)
        assert start >= tasks.head[i] - 1e-9
        assert plan.cost >= start + tasks.path[i] - 1e-9
        assert plan.cost >= end + tasks.rest[i, lane] - 1e-9
