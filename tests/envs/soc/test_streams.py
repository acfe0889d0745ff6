"""Streams give the same number for the same purpose, and the right distributions."""

from __future__ import annotations

import numpy as np
import pytest

from graphsched.envs.soc.sources import randomness


def test_a_draw_depends_on_each_of_its_names():
    base = randomness.uniform(1, 2, 3, 4)
    assert base == randomness.uniform(1, 2, 3, 4)
    others = [(2, 2, 3, 4), (1, 3, 3, 4), (1, 2, 4, 4), (1, 2, 3, 5), (2**62, 2, 3, 4)]
    assert len({base, *(randomness.uniform(*names) for names in others)}) == 6


def test_uniform_normal_and_gaps_have_their_moments():
    u = np.array([randomness.uniform(5, 1, k, 0) for k in range(20_000)])
    assert 0 < u.min() < u.max() < 1
    assert u.mean() == pytest.approx(0.5, abs=0.01)
    assert u.var() == pytest.approx(1 / 12, abs=0.003)
    assert abs(np.corrcoef(u[:-1], u[1:])[0, 1]) < 0.02
    z = np.array([randomness.normal(5, 1, k, 0) for k in range(20_000)])
    assert z.mean() == pytest.approx(0, abs=0.03)
    assert z.std() == pytest.approx(1, abs=0.03)
    gaps = np.array([randomness.gap(5, k, 25.0, False) for k in range(20_000)])
    assert gaps.mean() == pytest.approx(25.0, rel=0.03)
    whole = np.array([randomness.gap(5, k, 25.0, True) for k in range(100)])
    assert (whole == np.floor(gaps[:100])).all()


def test_noise_is_clipped_rounded_and_unbiased():
    exact = randomness.duration(1, 0, 0, 10.0, randomness.EXACT, 0.5)
    gaussian = np.array(
        [randomness.duration(1, k, 0, 10.0, randomness.GAUSSIAN, 0.5) for k in range(20_000)]
    )
    lognormal = np.array(
        [randomness.duration(1, k, 0, 10.0, randomness.LOGNORMAL, 0.5) for k in range(20_000)]
    )
    assert exact == 10.0
    assert (gaussian >= 1).all()
    assert (gaussian == np.round(gaussian)).all()
    assert gaussian.mean() == pytest.approx(10.0, rel=0.02)
    assert lognormal.mean() == pytest.approx(10.0, rel=0.02)
    assert np.log(lognormal).std() == pytest.approx(0.5, rel=0.03)


def test_kinds_follow_their_shares():
    shares = np.array([0.2, 0.7, 1.0])
    found = np.bincount([randomness.kind(3, k, shares) for k in range(10_000)], minlength=3)
    assert found / 10_000 == pytest.approx([0.2, 0.5, 0.3], abs=0.02)
