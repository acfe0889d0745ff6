"""The orders and margins of a program are those of their definitions, worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from graphsched.envs.memory import bounds
from graphsched.envs.memory.hardware.machine import Machine
from graphsched.envs.memory.instance import Buffer, Instruction, MemoryInstance
from graphsched.envs.memory.metrics import metrics
from graphsched.envs.memory.physics.arena import empty_arena
from graphsched.envs.memory.physics.orders import (
    LISTS,
    ORDERS,
    benefits,
    lifetimes,
    order_of,
    scores,
)
from graphsched.envs.memory.physics.placing import decode
from graphsched.envs.memory.physics.program import problem_of
from graphsched.envs.memory.pricing.prices import prices_of
from graphsched.envs.memory.simulator import MemorySim
from graphsched.envs.memory.solution import MemorySolution

# See conftest.py. By storage x, a, w, b, o, numbered so:
#   size 12 8 8 12 4, benefit 18 21.6 4.5 9.9 3.6, instructions 0-4 0-5 2-2 3-4 5-5, so that
#   byte-time is 60 48 8 24 4; traffic 20 24 5 22 4.
SAID = {
    "benefit-root-size": ("axbow", 97.6),  # 5.20 7.64 1.59 2.86 1.8
    "benefit-size": ("axobw", 97.6),  # 1.5 2.7 0.5625 0.825 0.9
    "benefit": ("axbwo", 97.6),
    "largest": ("xbawo", 102.2),
    "smallest": ("oawxb", 92.2),
    "first": ("xawbo", 97.6),
    "byte-time": ("owbax", 92.2),
    "benefit-byte-time": ("owabx", 102.1),  # 0.3 0.45 0.5625 0.4125 0.9
    "traffic-byte-time": ("obwax", 92.2),  # 0.333 0.5 0.625 0.917 1
}
MACHINE = Machine("m", 1e6, 1e6, 1e7, 1e6, 16)


def _spelled(order):
    return "".join("xawbo"[g] for g in order)


@pytest.mark.parametrize("name", ORDERS)
def test_orders_and_their_latencies(program, name):
    """What each order saves of 1000 us.

    * x before b: b has no room beside a and x, nor w; 21.6 + 9 are saved, and 4.8-3 = 1.8 by o.
    * x and b before a: 9 + 8, and a stays at instruction 0 only, 7.2, written back beside 1; o 3.6.
    * all but x: 21.6 and 3.6 less the 1.8 that both save at instruction 5, 4.5 and 9.9.
    * a right after w lies at bytes 8 to 16 of 24, so that neither b nor x has 12 bytes in a row.
    """
    p = problem_of(program)
    order = order_of(scores(p)[ORDERS.index(name)])
    spelled, latency = SAID[name]
    assert _spelled(order) == spelled
    found = decode(p, empty_arena(len(p.compute), len(p.access_time)), order)
    assert found == pytest.approx(latency + 870)  # the last instruction


def test_guide(program, priced):
    """Margins: prices of 6, 4.8, 1.6, 1.8 and 0.4 for the lifetimes, against the benefits."""
    assert benefits(problem_of(program)) == pytest.approx([18, 21.6, 4.5, 9.9, 3.6])
    assert [array.tolist() for array in lifetimes(problem_of(program))] == [
        [0, 0, 2, 3, 5],
        [4, 5, 2, 4, 5],
    ]
    assert priced.benefit == pytest.approx([18, 21.6, 4.5, 9.9, 3.6])
    assert priced.price_sum == pytest.approx([0, 0.1, 0.15, 0.35, 0.35, 0.5, 0.6, 0.6])
    assert priced.margin == pytest.approx([2 / 3, 7 / 9, 2.9 / 4.5, 9 / 11, 8 / 9])
    assert priced.profit_share == pytest.approx([0, 0.5, 0.6, 0.8, 0.9])
    assert priced.latency == pytest.approx(962.2)
    assert _spelled(priced.lists[LISTS.index("margin")]) == "obaxw"
    assert [_spelled(row) for row in priced.lists[: len(ORDERS)]] == [
        SAID[name][0] for name in ORDERS
    ]


def test_metrics(program):
    """A in [0, 6) and w in [1, 3): 4 of 9 accesses, (8 * 6 + 8 * 2) of 24 * 7 bytes."""
    storage, start, end, offset = np.array([[1, 2], [0, 1], [6, 3], [0, 8]])
    found = metrics(program, MemorySolution(storage, start, end, offset, cost=800.0))
    assert found == pytest.approx(
        {
            "speed-up": 1000 / 800,
            "fast accesses %": 100 * 4 / 9,
            "occupancy %": 100 * 64 / 168,
        }
    )


def test_cost(program):
    nothing = np.zeros(0, np.int64)
    assert bounds.cost(program, MemorySolution(nothing, nothing, nothing, nothing, 800.0)) == 800


def test_prices_after_one_step():
    """8 bytes are read before and after 4 us in which 4 bytes could be copied: 20 us in all.

    At no prices the copy is free and saves 7.2, so that the bound is 12.8. The copy takes twice what
    there is, and no access saves anything of instruction 0: two slopes of -1. The goal is 2 away,
    so that the step is 1, and a byte's copy costs 1 / 4. Then the copy costs 2 of 7.2, copies earn
    4 / 4, and the bound is 20 - 5.2 - 1.
    """
    program = MemoryInstance(
        "prices",
        (Buffer("p", 8, "parameter"),),
        (
            Instruction("one", 0.0, ((0, 8),)),
            Instruction("wait", 4.0),
            Instruction("two", 0.0, ((0, 8),)),
        ),
        MACHINE,
    )
    found = prices_of(problem_of(program), 14.8, steps=2)
    assert found.memory.tolist() == [0, 0, 0]
    assert found.copy == pytest.approx([0, 1 / 4, 0])
    assert found.share == pytest.approx([1, 1, 1])
    assert found.profit == pytest.approx([5.2])
    assert found.income == pytest.approx([7.2])
    assert found.bound == pytest.approx(13.8)


def test_a_write_back_takes_memory():
    """Two outputs of 8 bytes, written in 16 us and copied out in 20, want 12 bytes of memory.

    At no prices both save 7.2, so that the bound is 36 - 14.4 = 21.6, and the memory of both
    instructions is overdrawn by a third of it. The goal is 0.8 away and the slopes are -1/3, so
    that the step is 3.6 and a byte costs 3.6 / 3 / 12 = 0.1 in either. Then each earns 7.2 - 1.6,
    memory 12 * 0.2, and the bound is 36 - 11.2 - 2.4.
    """
    program = MemoryInstance(
        "write back",
        (Buffer("one", 8, "output"), Buffer("two", 8, "output")),
        (Instruction("make", 0.0, (), ((0, 8), (1, 8))), Instruction("wait", 20.0)),
        MACHINE.with_capacity(12),
    )
    found = prices_of(problem_of(program), 22.4, steps=2)
    assert found.memory == pytest.approx([0.1, 0.1])
    assert found.copy.tolist() == [0, 0]
    assert found.profit == pytest.approx([5.6, 5.6])
    assert found.income == pytest.approx([7.2, 7.2])
    assert found.bound == pytest.approx(22.4)


def test_a_single_storage_is_a_decision():
    program = MemoryInstance(
        "single", (Buffer("a", 8),), (Instruction("one", 0.0, (), ((0, 8),)),), MACHINE
    )
    sim = MemorySim(1)
    sim.reset([0], [program], [0])
    assert sim.waiting.tolist() == [True]
    assert sim.step(np.zeros(1, np.int64)).rewards == pytest.approx([0.9])
    assert sim.waiting.tolist() == [False]
