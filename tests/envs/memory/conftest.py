"""A program whose figures are round, and prices for it, so that all can be worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from numba import config

from graphsched.envs.memory import features, simulator
from graphsched.envs.memory.hardware.machine import Machine
from graphsched.envs.memory.instance import Buffer, Instruction, MemoryInstance
from graphsched.envs.memory.physics.orders import LISTS
from graphsched.envs.memory.pricing import bound, guide
from graphsched.envs.memory.pricing.prices import Prices

# A byte takes 1 us from slow memory and 0.1 us from fast, and copies move half a byte in 1 us.
#
#   instruction  us of arithmetic  touches          bytes  us, all slow  all fast  bytes of copies
#   0 read       0                 x 10, writes a 8  18     18            1.8       0.9
#   1 think      30                                   0     30            30        15
#   2 use        0                 w 5, a 8          13     13            1.3       0.65
#   3 make       20                writes b 11       11     20            20        10
#   4 join       4                 x 10, b 11        21     21            4         2
#   5 write      3                 a 8, writes o 4   12     12            3         1.5
#   6 rest       886                                  0     886           886       443
#                                                           1000          946.1
#
# Sizes are multiples of 4: x 12, a 8, w 8, b 12, o 4, in fast memory of 24 bytes. Each alone at
# all of its accesses saves: x 9 + (21-12) = 18; a 3 * 7.2 = 21.6; w 4.5; b 0 + (21-11.1) = 9.9;
# o 12-8.4 = 3.6.
PROGRAM = MemoryInstance(
    "by hand",
    (
        Buffer("x", 10, "input"),
        Buffer("a", 8),
        Buffer("w", 5, "state"),
        Buffer("b", 11),
        Buffer("o", 4, "output"),
    ),
    (
        Instruction("read", 0.0, ((0, 10),), ((1, 8),)),
        Instruction("think", 30.0),
        Instruction("use", 0.0, ((2, 5), (1, 8))),
        Instruction("make", 20.0, (), ((3, 11),)),
        Instruction("join", 4.0, ((0, 10), (3, 11))),
        Instruction("write", 3.0, ((1, 8),), ((4, 4),)),
        Instruction("rest", 886.0),
    ),
    Machine("m", 1e6, 1e6, 1e7, 0.5e6, 24, 4),
)
PRICES = Prices(
    memory=np.array([0.1, 0.05, 0.2, 0.0, 0.15, 0.1, 0.0]),
    copy=np.zeros(7),
    share=np.ones(7),
    profit=np.array([0.0, 10.0, 3.0, 4.0, 9.0]),
    income=np.array([0.0, 20.0, 5.0, 5.0, 10.0]),
    bound=950.0,
)


@pytest.fixture(autouse=True)
def fewer_steps_of_the_bound(monkeypatch):
    """Interpreted, two thousand steps on each program are minutes; after any number it is a bound."""
    if config.DISABLE_JIT:  # type: ignore[attr-defined]  # set at numba's import
        monkeypatch.setattr(bound, "FEWEST", 20)
        monkeypatch.setattr(bound, "MOST", 60)


@pytest.fixture
def program():
    """The program; storages are x, a, w, b and o."""
    return PROGRAM


@pytest.fixture
def priced(monkeypatch):
    """The guide of the program at prices given by hand, for all that asks for it.

    Several orders are equally good; the best is ``byte-time``.
    """
    monkeypatch.setattr(guide, "prices_of", lambda _p, _goal: PRICES)
    found = guide.guide_of.__wrapped__(PROGRAM)
    found.lists[LISTS.index("best")] = [4, 2, 3, 1, 0]
    for module in (features, simulator):
        monkeypatch.setattr(module, "guide_of", lambda _instance: found)
    monkeypatch.setattr(simulator, "static_graph", features.static_graph.__wrapped__)
    return found
