"""The clock of solvers and budgets stands still in pauses, and so while kernels are compiled."""

from __future__ import annotations

import logging
import time
from typing import Any

import pytest

from graphsched.envs.core import clock
from graphsched.envs.core.kernels.compiling import is_compiling
from graphsched.envs.core.kernels.jit import kernel


def _busy(seconds: float) -> None:
    until = time.process_time() + seconds
    while time.process_time() < until:
        pass


def test_pauses_are_left_out_and_nested_ones_count_once() -> None:
    wall, cpu, began = clock.wall_s(), clock.cpu_s(), time.perf_counter()
    with clock.paused():
        _busy(0.05)
        with clock.paused():
            _busy(0.05)
        assert clock.cpu_s() - cpu < 0.03, "it stands still inside, too"
        _busy(0.05)
    assert time.perf_counter() - began > 0.15
    assert clock.wall_s() - wall < 0.1
    assert clock.cpu_s() - cpu < 0.03
    _busy(0.05)
    assert clock.cpu_s() - cpu > 0.045, "it goes on after them"


@pytest.mark.compiled
def test_compiling_takes_no_time_and_says_so_once(caplog: pytest.LogCaptureFixture) -> None:
    def double(value: float) -> float:
        return 2 * value

    def quadruple(value: float) -> float:
        return doubled(doubled(value))

    doubled = kernel(entry=False)(double)
    compiled = kernel(quadruple)
    cpu, whole = clock.cpu_s(), time.process_time()
    with caplog.at_level(logging.INFO, logger="graphsched.compiling"):
        assert compiled(3) == 12
        assert compiled(3.0) == 12.0
    assert time.process_time() - whole > 0.02
    assert clock.cpu_s() - cpu < 0.25 * (time.process_time() - whole)
    said = [record.getMessage() for record in caplog.records]
    assert len(said) <= 1, "once for all kernels of a package"
    assert all(line.startswith("compiling kernels of ") for line in said)
    assert not is_compiling()


@pytest.mark.compiled
def test_constants_of_callers_make_no_further_versions() -> None:
    def scaled(factor: int, value: float) -> float:
        return factor * value

    def total(value: float) -> float:
        return by(2, value) + by(3, value)  # type: ignore[no-any-return]

    by: Any = kernel(scaled)
    compiled: Any = kernel(total)
    assert compiled(1.5) == 7.5
    assert len(by.signatures) == 1
