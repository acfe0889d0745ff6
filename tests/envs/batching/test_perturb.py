"""Each kind of change of requests or replicas touches what it says and nothing else."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest

from graphsched.envs.batching.generators import GENERATORS
from graphsched.envs.batching.hardware.catalogue import BLOCK
from graphsched.envs.batching.sources.perturb import KINDS, TARGETS

ARRIVAL, LENGTH, PREDICTION, TARGET, MEMORY, GPU = (kind for kind, _ in KINDS)
SEEDS = range(12)


@pytest.fixture
def load():
    return GENERATORS["random"](np.random.default_rng(0), "")


def _columns(before, after):
    """Column -> requests in which it differs."""
    found = {}
    for field in fields(before.requests):
        old, new = getattr(before.requests, field.name), getattr(after.requests, field.name)
        if len(differs := np.flatnonzero(old != new)):
            found[field.name] = differs.tolist()
    return found


@pytest.mark.parametrize("seed", SEEDS)
def test_one_gap_changes_and_later_requests_move_along(load, seed):
    found = ARRIVAL(load, np.random.default_rng(seed))
    before, after = np.diff(load.requests.arrival_s), np.diff(found.requests.arrival_s)
    assert np.count_nonzero(~np.isclose(before, after)) == 1
    assert list(_columns(load, found)) == ["arrival_s"]


def test_without_gaps_a_length_changes(load):
    """Requests that all arrive at once have no gap to change."""
    at_once = replace(load.requests, arrival_s=np.zeros(len(load.requests)))
    found = ARRIVAL(replace(load, requests=at_once), np.random.default_rng(0))
    assert not found.requests.arrival_s.any()


@pytest.mark.parametrize("seed", SEEDS)
def test_a_length_stays_within_what_replicas_have_room_for(load, seed):
    found = LENGTH(load, np.random.default_rng(seed))
    columns = _columns(load, found)
    assert set(columns) <= {"prompt", "output", "predicted", "extends"}
    assert len({request for requests in columns.values() for request in requests}) <= 1
    room = (min(r.kv_blocks for r in load.replicas) - 1) * BLOCK
    assert (found.requests.prompt + found.requests.output).max() <= room


def test_a_length_does_not_outgrow_tight_memory(load):
    """With room for the longest request and no more, none becomes longer than that."""
    longest = int((load.requests.prompt + load.requests.output).max())
    blocks = -(-longest // BLOCK) + 1
    tight = replace(load, replicas=tuple(replace(r, kv_blocks=blocks) for r in load.replicas))
    for seed in range(60):
        found = LENGTH(tight, np.random.default_rng(seed))
        assert (found.requests.prompt + found.requests.output).max() <= (blocks - 1) * BLOCK


@pytest.mark.parametrize("seed", SEEDS)
def test_a_prediction_changes_and_not_the_output(load, seed):
    assert set(_columns(load, PREDICTION(load, np.random.default_rng(seed)))) <= {"predicted"}


@pytest.mark.parametrize("seed", SEEDS)
def test_a_target_changes_where_there_is_one(load, seed):
    found = TARGET(load, np.random.default_rng(seed))
    columns = _columns(load, found)
    assert len(columns) == 1
    assert set(columns) <= set(TARGETS)
    none = {name: np.full(len(load.requests), np.inf) for name in TARGETS}
    free = replace(load, requests=replace(load.requests, **none))
    assert set(_columns(free, TARGET(free, np.random.default_rng(seed)))).isdisjoint(TARGETS)


@pytest.mark.parametrize("seed", SEEDS)
def test_memory_never_falls_below_what_the_longest_request_needs(load, seed):
    found = MEMORY(load, np.random.default_rng(seed))
    longest = int((load.requests.prompt + load.requests.output).max())
    assert min(r.kv_blocks for r in found.replicas) * BLOCK >= longest
    assert _columns(load, found) == {}


@pytest.mark.parametrize("seed", SEEDS)
def test_a_replica_moves_to_another_gpu_or_gets_other_memory(load, seed):
    found = GPU(load, np.random.default_rng(seed))
    differs = [r for r, one in enumerate(found.replicas) if one != load.replicas[r]]
    assert len(differs) <= 1
    assert {one.model for one in found.replicas} == {one.model for one in load.replicas}
