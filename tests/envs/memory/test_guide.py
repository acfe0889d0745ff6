"""The orders and margins of a program are those of their definitions, worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from graphsched.envs.memory import bounds
from graphsched.envs.memory.arena import empty_arena
from graphsched.envs.memory.guide import LISTS
from graphsched.envs.memory.metrics import metrics
from graphsched.envs.memory.orders import ORDERS, benefits, lifetimes, order_of, scores
from graphsched.envs.memory.placing import decode
from graphsched.envs.memory.problem import problem_of
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
    assert priced.bound == 950
    assert _spelled(priced.lists[LISTS.index("margin")]) == "obaxw"
    assert [_spelled(row) for row in priced.lists[: len(ORDERS)]] == [
        SAID[name][0] for name in ORDERS
    ]


def test_metrics(program):
    """A from 0 to 5 and w from 1 to 2: 4 of 9 accesses, (8 * 6 + 8 * 2) of 24 * 7 bytes."""
    columns = (np.array(column) for column in ([1, 2], [0, 1], [5, 2], [0, 8]))
    found = metrics(program, MemorySolution(*columns, cost=800.0))
    assert found == pytest.approx(
        {
            "speed-up": 1000 / 800,
            "fast accesses %": 100 * 4 / 9,
            "occupancy %": 100 * 64 / 168,
        }
    )


def test_cost_and_bound(program, priced, monkeypatch):
    monkeypatch.setattr(bounds, "guide_of", lambda _instance: priced)
    nothing = np.zeros(0, np.int64)
    assert bounds.lower_bound(program) == 950
    assert bounds.cost(program, MemorySolution(nothing, nothing, nothing, nothing, 800.0)) == 800
