"""Streams of random numbers are even, differ by seed, and go on from where they were saved."""

from __future__ import annotations

import numpy as np
import pytest

from graphsched.envs.core.kernels.draws import begin_stream, draw, uniform
from graphsched.envs.core.kernels.jit import kernel


@kernel
def drawn(stream, below, out):
    for i in range(len(out)):
        out[i] = draw(stream, below)


@kernel
def uniforms(stream, out):
    for i in range(len(out)):
        out[i] = uniform(stream)


def begun(seed):
    stream = np.zeros(1, np.int64)
    begin_stream(stream, seed)
    return stream


def numbers(stream, below, count=20_000):
    out = np.empty(count, np.int64)
    drawn(stream, below, out)
    return out


@pytest.mark.compiled
@pytest.mark.parametrize("below", [2, 3, 16, 1000])
def test_numbers_are_even(below):
    counts = np.bincount(numbers(begun(1), below), minlength=below)
    assert len(counts) == below
    expected = 20_000 / below
    assert ((counts - expected) ** 2 / expected).sum() < below + 5 * np.sqrt(2 * below)


@pytest.mark.compiled
def test_uniform_numbers_lie_between_0_and_1():
    out = np.empty(20_000)
    uniforms(begun(2), out)
    assert 0.0 < out.min() < 1e-3
    assert 1 - 1e-3 < out.max() < 1.0
    assert abs(out.mean() - 0.5) < 0.01


def test_neighbouring_seeds_have_nothing_in_common():
    firsts = np.array([numbers(begun(seed), 1000, 1)[0] for seed in range(500)])
    assert len(np.unique(firsts)) > 350  # of 393 that chance would give
    assert abs(np.corrcoef(firsts[1:], firsts[:-1])[0, 1]) < 0.15


@pytest.mark.parametrize("seed", [0, 1, 2**32 - 1, 2**32, 2**63 - 1])
def test_any_seed_begins_a_stream(seed):
    stream = begun(seed)
    assert 1 <= stream[0] < 2**32
    assert len(np.unique(numbers(stream, 1000, 50))) > 30


def test_a_saved_stream_goes_on():
    stream = begun(3)
    numbers(stream, 10, 100)
    saved = stream.copy()
    assert np.array_equal(numbers(stream, 10, 50), numbers(saved, 10, 50))
