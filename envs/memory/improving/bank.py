"""Mappings along an order: what changes late in it needs no placing from the start.

Storages are placed one after the other, so that the mapping after the first k of an order is that of
any order with the same first k. Some of these are kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from graphsched.envs.core.kernels.jit import kernel
from graphsched.envs.memory.physics.arena import (
    LATENCY,
    RESIDENCIES,
    Arena,
    clear,
    copy_mapping,
    empty_arena,
)
from graphsched.envs.memory.physics.placing import place, place_absent

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from graphsched.envs.memory.physics.program import Problem

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float64]

CHECKPOINTS = 17
GIVEN_UP = 0.003  # so much worse than the best mapping was at a checkpoint, a trial ends


class Bank(NamedTuple):
    """The mappings after some of the places of the best order, and of one that is tried."""

    kept: Arena  # (C, ...)
    tried: Arena  # (C, ...)
    after: Ints  # (C,) storages that are placed, rising from none to all


def empty_bank(p: Problem, storages: int) -> Bank:
    """Room for the checkpoints of orders of so many storages."""
    sizes = len(p.compute), len(p.access_time), CHECKPOINTS
    after = np.arange(CHECKPOINTS) * storages // (CHECKPOINTS - 1)
    return Bank(empty_arena(*sizes), empty_arena(*sizes), after)


@kernel(entry=False, allocates=False)
def _at(kept: Arena, c: int) -> Arena:
    return Arena(
        kept.slow[c],
        kept.fast[c],
        kept.used[c],
        kept.load[c],
        kept.hit[c],
        kept.start[c],
        kept.end[c],
        kept.offset[c],
        kept.owner[c],
        kept.whole[c],
        kept.real[c],
    )


@kernel(entry=False, allocates=False)
def _same(p: Problem, a: Arena, b: Arena) -> bool:
    """Whether two mappings leave the same to those that follow."""
    if a.real[LATENCY] != b.real[LATENCY] or a.whole[RESIDENCIES] != b.whole[RESIDENCIES]:
        return False
    for r in range(a.whole[RESIDENCIES]):
        if a.owner[r] != b.owner[r] or a.start[r] != b.start[r]:
            return False
        if a.end[r] != b.end[r] or a.offset[r] != b.offset[r]:
            return False
    differing = 0
    for t in range(len(p.compute)):
        differing += a.used[t] != b.used[t]
    return differing == 0


@kernel(entry=False, allocates=False)
def _second_chance(p: Problem, a: Arena, order: Ints, report: Floats) -> float:
    place_absent(p, a, order, report)
    return float(a.real[LATENCY])


@kernel(entry=False, allocates=False)
def _before(bank: Bank, place: int) -> int:
    """The last checkpoint up to which an order is as it was if it changes from a place on."""
    c = 0
    while c + 1 < len(bank.after) and bank.after[c + 1] <= place:
        c += 1
    return c


@kernel(entry=False, allocates=False)
def settle_order(p: Problem, bank: Bank, a: Arena, order: Ints, report: Floats) -> float:
    """Place an order from the start, keeping checkpoints; its latency, us."""
    clear(p, a)
    c = 0
    for k in range(len(order) + 1):
        while c < len(bank.after) and bank.after[c] == k:
            copy_mapping(p, a, _at(bank.kept, c))
            c += 1
        if k < len(order):
            place(p, a, order[k], True, report)
    return _second_chance(p, a, order, report)


@kernel(entry=False, allocates=False)
def try_order(
    p: Problem, bank: Bank, a: Arena, order: Ints, low: int, high: int, report: Floats
) -> tuple[float, int]:
    """An order that differs from the bank's in places [low, high] alone.

    Returns:
        Its latency, us, infinite where it is clearly worse at some checkpoint; and the checkpoint
        from which on the mapping is the same again.
    """
    c, size = _before(bank, low), len(bank.after)
    copy_mapping(p, _at(bank.kept, c), a)
    for k in range(bank.after[c], len(order) + 1):
        while c + 1 < size and bank.after[c + 1] <= k:
            c += 1
            kept = _at(bank.kept, c)
            if bank.after[c] > high:  # the same storages are placed
                if a.real[LATENCY] > kept.real[LATENCY] * (1 + GIVEN_UP):
                    return np.inf, c
                if _same(p, a, kept):
                    copy_mapping(p, _at(bank.kept, size - 1), a)
                    return _second_chance(p, a, order, report), c
            copy_mapping(p, a, _at(bank.tried, c))
        if k < len(order):
            place(p, a, order[k], True, report)
    return _second_chance(p, a, order, report), size


@kernel(entry=False, allocates=False)
def keep_tried(p: Problem, bank: Bank, low: int, same: int) -> None:
    """The order that was tried is the bank's from now on."""
    for c in range(_before(bank, low) + 1, same):
        copy_mapping(p, _at(bank.tried, c), _at(bank.kept, c))
