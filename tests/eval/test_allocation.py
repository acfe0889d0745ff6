"""Static allocators: valid, never below the load, complete where they claim to be."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphsched.cli.commands.allocate import main as allocate
from graphsched.envs.core.errors import InputError
from graphsched.eval.allocation.allocators import ALLOCATORS, by_search
from graphsched.eval.allocation.checker import check_placement
from graphsched.eval.allocation.fits import ORDERS, best_fit_of_orders, fit
from graphsched.eval.allocation.instance import Allocation
from graphsched.eval.allocation.search import search

HEURISTICS = [name for name in ALLOCATORS if name not in ("search", "cp-sat")]


def allocation(rows, capacity=None):
    """From (lower, upper, size) of each buffer."""
    table = np.array(rows, np.int64)
    ids = tuple(str(i) for i in range(len(rows)))
    return Allocation("p", ids, table[:, 0], table[:, 1], table[:, 2], capacity)


ANY, SOLID = st.integers(0, 9), st.integers(1, 9)


def problems(most, sizes=ANY):
    row = st.tuples(st.integers(0, 8), st.integers(1, 5), sizes)
    rows = st.lists(row, min_size=1, max_size=most)
    return rows.map(lambda found: allocation([(a, a + d, s) for a, d, s in found]))


def optimum(problem):
    """The least height of all orders of first fit, which contains an optimal one."""
    best = 2**62
    for order in itertools.permutations(range(problem.num_buffers)):
        offset: dict[int, int] = {}
        for b in order:
            here = 0
            below = [
                c
                for c in offset
                if problem.lower[c] < problem.upper[b] and problem.lower[b] < problem.upper[c]
            ]
            for c in sorted(below, key=offset.__getitem__):
                if offset[c] < here + problem.size[b]:
                    here = max(here, offset[c] + problem.size[c])
            offset[b] = here
        best = min(best, max(offset[b] + problem.size[b] for b in order))
    return int(best)


@given(problems(25))
def test_fits_are_valid_and_never_below_the_load(problem):
    for name in HEURISTICS:
        found = ALLOCATORS[name](problem, 0.0)
        assert check_placement(problem, found.offset) == []
        assert found.height >= found.bound == problem.max_load
        assert found.height == (found.offset + problem.size).max()


@settings(max_examples=40)
@given(problems(6, SOLID))
def test_search_finds_the_optimum_and_proves_that_nothing_is_below(problem):
    best = optimum(problem)
    offset, _ = search(problem, best, 10.0)
    assert offset is not None
    assert check_placement(problem, offset) == []
    assert (offset + problem.size).max() <= best
    assert search(problem, best - 1, 10.0) == (None, True)


@settings(max_examples=25)
@given(problems(9))
def test_search_without_capacity_is_no_higher_than_the_fits_and_its_bound_holds(problem):
    found = by_search(problem, 1.0)
    assert check_placement(problem, found.offset) == []
    assert problem.max_load <= found.bound <= found.height <= best_fit_of_orders(problem).height


@settings(max_examples=15)
@given(problems(6, SOLID))
def test_exact_solver_and_search_agree(problem):
    pytest.importorskip("ortools")
    found = ALLOCATORS["cp-sat"](problem, 10.0)
    assert check_placement(problem, found.offset) == []
    assert found.height == optimum(problem) == by_search(problem, 10.0).height


def test_by_hand():
    # Best fit by start: 0 below, 1 on it; 2 in the gap that 0 leaves.
    problem = allocation([(0, 2, 4), (0, 4, 3), (2, 4, 4)])
    found = fit(problem, "start", best=True)
    assert found.offset.tolist() == [0, 4, 0]
    assert found.height == 7 == problem.max_load


def test_best_fit_takes_the_smallest_gap_and_first_fit_the_lowest():
    # By start, then size: 5 at 0, 3 on it, 2 on that, 1 at the top. When the first and the third have
    # ended, the last may go into 5 bytes at 0 or into 2 bytes at 8.
    problem = allocation([(0, 1, 5), (0, 9, 3), (0, 1, 2), (0, 9, 1), (1, 9, 2)])
    assert fit(problem, "start", best=False).offset.tolist() == [0, 5, 8, 10, 0]
    assert fit(problem, "start", best=True).offset.tolist() == [0, 5, 8, 10, 8]


def test_the_check_sees_overlaps_negative_offsets_and_shapes():
    problem = allocation([(0, 2, 4), (1, 3, 4), (2, 4, 4), (0, 9, 0)])
    assert check_placement(problem, np.array([0, 4, 0, 1])) == []
    assert check_placement(problem, np.array([0, 3, 8, 0])) == ["buffers '0' and '1' overlap"]
    assert "negative" in check_placement(problem, np.array([-4, 0, 4, 0]))[0]
    assert "expected 4 integer" in check_placement(problem, np.array([0, 1]))[0]


def test_unknown_order():
    with pytest.raises(InputError, match="order 'colour': not one of size"):
        fit(allocation([(0, 1, 1)]), "colour", best=True)
    assert set(ORDERS) >= {"size", "lifetime", "area", "start"}


def test_command(tmp_path, capsys):
    path = tmp_path / "small.8.csv"
    path.write_text("id,lower,upper,size\na,0,3,4\nb,3,9,4\nc,0,9,4\n")
    words = [str(path), "--allocators", "best-fit size,search", "--time-limit", "1"]
    assert allocate(words) == 0
    heading, *rows = capsys.readouterr().out.splitlines()
    assert heading.split()[:3] == ["allocator", "solved", "small"]
    assert [row.split()[-3:-1] for row in rows] == [["1/1", "1.000"]] * 2
    assert allocate([*words, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [row["height"] for row in found] == [8, 8]
    assert all(row["solved"] and row["violations"] == [] for row in found)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "allocate: the following arguments are required"),
        (["x.csv", "--time-limit", "nan"], "--time-limit: expected seconds >= 0"),
        (["x.csv", "--capacity", "0"], "--capacity: expected >= 1"),
        (["x.csv", "--allocators", "magic"], "allocator 'magic': not one of"),
        (["none.csv"], "none.csv: no such file"),
    ],
)
def test_bad_words_are_named(words, message):
    with pytest.raises(InputError, match=message):
        allocate(words)
