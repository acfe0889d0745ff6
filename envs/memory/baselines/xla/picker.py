"""When a copy into fast memory may begin: XLA's prefetch-interval picker by cost analysis.

Facts from ``xla/service/memory_space_assignment/prefetch_interval_picker.cc`` (openxla/xla): times
are those of the program with everything in slow memory; a copy is overlapped with at least `least`
times its own duration, less what the use itself saves, and best with `preferred` times; a storage
is kept in fast memory between uses, or waits there for one, no longer than `most` times what
copying all of fast memory takes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from graphsched.envs.core.kernels.jit import kernel
from graphsched.envs.memory.physics.program import MICRO

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from graphsched.envs.memory.hardware.machine import Machine
    from graphsched.envs.memory.physics.program import Problem

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float64]

EXPLORED = (
    100  # earlier starts tried once there are no later ones (`kNumExploredDecreasingIntervals`)
)


class Picker(NamedTuple):
    """Times and ratios of a program and a machine, us."""

    since: Floats  # (T + 1,) time before each instruction, all in slow memory
    copy_us: float  # of a byte over the link
    least: float  # overlap of a copy, as a multiple of its duration
    preferred: float
    most: float  # us that a storage may wait in fast memory


def picker_of(p: Problem, machine: Machine, least: float, preferred: float, most: float) -> Picker:
    """The picker of a program; `most` is a multiple of what copying all of fast memory takes."""
    slow = np.maximum(p.compute, p.slow_all * p.slow_us)
    copy_us = MICRO / machine.copy_bandwidth
    since = np.concatenate([[0.0], np.cumsum(slow)])
    return Picker(since, copy_us, least, preferred, most * machine.fast_capacity * copy_us)


@kernel(entry=False)
def is_short(k: Picker, start: int, end: int) -> bool:
    """Whether a storage may be kept from one instruction to another without being used."""
    return bool(k.since[end] - k.since[start] < k.most)


@kernel(entry=False)
def eviction_limit(k: Picker, size: float, start: int, limit: int, widening: float) -> int:
    """Instruction by which a copy out that begins at `start` should be done, `limit` at most."""
    end = start + 1
    while end < limit and k.since[end] - k.since[start] < widening * size * k.copy_us:
        end += 1
    return end


@kernel(entry=False)
def _window(k: Picker, copy: float, low: int, t: int, saved: float) -> tuple[int, int]:
    """Earliest and latest start of a copy for a use at `t`; the latest is below low if none fits."""
    latest = t - 1
    while latest >= low and k.since[t] - k.since[latest] + saved < k.least * copy:
        latest -= 1
    earliest = low
    while earliest < latest and k.since[t] - k.since[earliest] > k.most:
        earliest += 1
    return earliest, latest


@kernel(entry=False)
def starts(k: Picker, size: float, low: int, t: int, saved: float, out: Ints) -> int:
    """Starts of a copy in the order in which they are tried.

    Args:
        k: the picker.
        size: bytes.
        low: first instruction at which it may start.
        t: instruction of the use.
        saved: time that the instruction saves by the use, us.
        out: (T,) the starts: the preferred one, then in turn a later and an earlier one.

    Returns:
        How many there are.
    """
    copy = size * k.copy_us
    earliest, latest = _window(k, copy, low, t, saved)
    if earliest > latest:
        return 0
    best = earliest
    for start in range(earliest + 1, latest + 1):
        off = abs(k.preferred * copy - (k.since[t] - k.since[start]))
        if off < abs(k.preferred * copy - (k.since[t] - k.since[best])):
            best = start
    out[0], found = best, 1
    later, earlier = best + 1, best - 1
    stride = (k.since[t] - k.since[earliest]) / EXPLORED
    while later <= latest or earlier >= earliest:
        if later <= latest:
            out[found] = later
            later += 1
            found += 1
        if earlier >= earliest:
            out[found] = earlier
            found += 1
            target = k.since[earlier] - (stride if later > latest else 0.0)
            earlier -= 1
            while earlier >= earliest and k.since[earlier] > target:
                earlier -= 1
    return found
