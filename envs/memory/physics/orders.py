"""Fixed orders in which storages can be placed, and prices of memory from which to make more."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from graphsched.envs.memory.physics.program import Problem

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float64]

ORDERS = (
    "benefit-root-size",
    "benefit-size",
    "benefit",
    "largest",
    "smallest",
    "first",
    "byte-time",
    "benefit-byte-time",
    "traffic-byte-time",
)
LISTS = (*ORDERS, "best", "margin")  # to choose from: the orders, the best of them, and by margin


def benefits(p: Problem) -> Floats:
    """(G,) time saved if a storage alone were in fast memory at all of its accesses, us."""
    t, size = p.access_time, p.access_bytes
    before = np.maximum(p.compute, p.slow_all * p.slow_us)[t]
    moved = (p.slow_all[t] - size) * p.slow_us + size * p.fast_us
    saved = before - np.maximum(p.compute[t], moved)
    return np.asarray(np.bincount(p.access_storage, saved, len(p.size)), np.float64)


def lifetimes(p: Problem) -> tuple[Ints, Ints]:
    """(G,) first and last instruction of each storage; 0 and 0 if it is not used."""
    first, last = np.zeros((2, len(p.size)), np.int64)
    used = np.diff(p.access_ptr) > 0
    first[used] = p.access_time[p.access_ptr[:-1][used]]
    last[used] = p.access_time[p.access_ptr[1:][used] - 1]
    return first, last


def scores(p: Problem) -> Floats:
    """(orders, G) what each order sorts by, greatest first; -inf for storages not worth placing.

    ``benefit-root-size`` is that of XLA's memory space assignment.
    """
    benefit, size = benefits(p), np.maximum(p.size, 1).astype(np.float64)
    first, last = lifetimes(p)
    byte_time = size * (last - first + 1)
    traffic = np.bincount(p.access_storage, p.access_bytes, len(p.size))
    table = np.stack(
        [
            benefit / np.sqrt(size),
            benefit / size,
            benefit,
            size,
            -size,
            -first.astype(np.float64),
            -byte_time,
            benefit / byte_time,
            traffic / byte_time,
        ]
    )
    return np.where(_worth(p, benefit), table, -np.inf)


def fixed_orders(p: Problem) -> list[Ints]:
    """Storages by each of the fixed orders."""
    return [order_of(row) for row in scores(p)]


def by_power(p: Problem, power: float) -> Floats:
    """(G,) time saved over a power of the size: 0.5 is ``benefit-root-size``, 1 ``benefit-size``."""
    benefit, size = benefits(p), np.maximum(p.size, 1).astype(np.float64)
    return np.where(_worth(p, benefit), benefit / size**power, -np.inf)


def _worth(p: Problem, benefit: Floats) -> NDArray[np.bool_]:
    """(G,) whether placing a storage saves anything and is possible."""
    return (benefit > 0) & (p.size <= p.capacity) & (p.size > 0)


def order_of(score: Floats) -> Ints:
    """Storages by falling score, those at -inf left out; ties by number."""
    order = np.argsort(-score, kind="stable")
    return order[np.isfinite(score[order])].astype(np.int64)
