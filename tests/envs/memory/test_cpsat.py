"""``cp-sat``: the optimum of small programs, against an enumeration of all mappings."""

from __future__ import annotations

import itertools
import sys
from dataclasses import replace

import numpy as np
import pytest

from graphsched.envs.core.domain import SolverOptions
from graphsched.envs.core.errors import InputError
from graphsched.envs.memory import DOMAIN
from graphsched.envs.memory.baselines import cpsat
from graphsched.envs.memory.checker import check, latency
from graphsched.envs.memory.generators import GENERATORS
from graphsched.envs.memory.hardware.machine import Machine
from graphsched.envs.memory.instance import Buffer, Instruction, MemoryInstance
from graphsched.envs.memory.solution import MemorySolution

pytest.importorskip("ortools")

KINDS = ("temporary", "input", "output", "parameter", "state")


def _tiny(seed):
    """Three buffers, four instructions, room for two to four bytes, copies of one byte per us."""
    rng = np.random.default_rng(seed)
    kinds = [KINDS[k] for k in rng.integers(5, size=3)]
    buffers = tuple(Buffer(f"b{i}", int(rng.integers(1, 3)), kind) for i, kind in enumerate(kinds))
    there = [kind in ("input", "parameter", "state") for kind in kinds]
    instructions = []
    for _ in range(4):
        used = [i for i in range(3) if rng.random() < 0.5]
        reads = tuple((i, buffers[i].size) for i in used if there[i])
        writes = tuple((i, buffers[i].size) for i in used if not there[i] or rng.random() < 0.3)
        for i, _ in writes:
            there[i] = True
        flops = float(rng.choice([0.0, 1.0, 4.0]))
        instructions.append(Instruction("i", flops, reads, writes))
    machine = Machine("m", 1e6, 1e6, 1e7, 1e6, int(rng.integers(2, 5)))
    return MemoryInstance(f"tiny {seed}", buffers, tuple(instructions), machine)


def _residencies(instance, g):
    """Every set of residencies of a storage that don't overlap, with every offset."""
    length, top = instance.num_instructions, instance.machine.fast_capacity - instance.size[g]
    rows = [
        (g, start, end, offset)
        for start in range(length)
        for end in range(start + 1, length + 1)
        for offset in range(int(top) + 1)
    ]
    yield ()
    yield from ((row,) for row in rows)
    yield from (pair for pair in itertools.product(rows, rows) if pair[0][2] <= pair[1][1])


def _solution(instance, rows):
    columns = np.array(rows, np.int64).reshape(-1, 4).T.copy()
    bare = MemorySolution(columns[0], columns[1], columns[2], columns[3], 0.0)
    return replace(bare, cost=latency(instance, bare))


def _best(instance):
    """The least latency that the checker lets pass.

    What it refuses of one storage for its places and contents it refuses beside others.
    """
    alone = []
    for g in range(instance.num_storages):
        rows = list(_residencies(instance, g))
        kinds = [{v.kind for v in check(instance, _solution(instance, r))} for r in rows]
        alone.append([r for r, found in zip(rows, kinds, strict=True) if found <= {"bandwidth"}])
    mappings = [_solution(instance, sum(rows, ())) for rows in itertools.product(*alone)]
    for solution in sorted(mappings, key=lambda s: s.cost):
        if not check(instance, solution):
            return solution.cost
    raise AssertionError


# To enumerate mappings is slow where it is traced.
@pytest.mark.parametrize(
    "seed", [k if k < 3 else pytest.param(k, marks=pytest.mark.compiled) for k in range(8)]
)
def test_the_optimum_of_tiny_programs(seed):
    instance = _tiny(seed)
    found, bound = cpsat.solve_with_bound(instance, SolverOptions(time_limit_s=10.0))
    assert check(instance, found) == []
    optimum = _best(instance)
    assert found.cost == pytest.approx(optimum, rel=1e-7)
    assert bound == pytest.approx(optimum, rel=1e-6)
    assert DOMAIN.lower_bound(instance) <= optimum


@pytest.mark.compiled
@pytest.mark.parametrize(
    ("name", "size", "seed"),
    [("attention", "1@0.5", 1), ("chain-training", "1@1", 1), ("chain-training", "2@4", 2)],
)
def test_no_solver_is_below_what_it_proves(name, size, seed):
    instance = GENERATORS[name](np.random.default_rng(seed), size)
    found, bound = cpsat.solve_with_bound(instance, SolverOptions(time_limit_s=20.0))
    assert check(instance, found) == []
    assert found.cost == pytest.approx(bound, rel=1e-6)
    assert DOMAIN.lower_bound(instance) <= bound * (1 + 1e-9)
    for other in set(DOMAIN.baselines) - {"cp-sat"}:
        solution = DOMAIN.baseline(other, SolverOptions(time_limit_s=0.2))(instance)
        assert found.cost <= solution.cost * (1 + 1e-7)


def test_it_finds_what_placing_one_after_another_can_t(monkeypatch):
    """From a mapping with nothing in fast memory it goes on to the optimum by itself."""
    monkeypatch.setattr(cpsat, "improve", lambda *_: (np.zeros(0, np.int64), 0.0))
    instance = _tiny(3)
    found, _ = cpsat.solve_with_bound(instance, SolverOptions(time_limit_s=10.0))
    assert found.cost == pytest.approx(_best(instance), rel=1e-7)


def test_large_programs_come_back_as_they_set_out(monkeypatch):
    """And with hardly any time it is never worse than the orders."""
    instance = GENERATORS["residual-training"](np.random.default_rng(1), "3@4")
    best = DOMAIN.baseline("best-of-orders")(instance)
    for most in (0, 10**9):
        monkeypatch.setattr(cpsat, "MOST_PARTS", most)
        found, bound = cpsat.solve_with_bound(instance, SolverOptions(time_limit_s=0.3))
        assert check(instance, found) == []
        assert bound <= found.cost <= best.cost


def test_it_says_that_it_proves():
    assert cpsat.BASELINE.is_exact
    assert cpsat.BASELINE.is_anytime


def test_a_missing_ortools_is_explained(monkeypatch):
    monkeypatch.setattr("graphsched.envs.core.extras.find_spec", lambda _name: None)
    monkeypatch.setitem(sys.modules, "ortools", None)
    with pytest.raises(InputError, match=r"cp-sat.*graphsched\[solvers\]"):
        DOMAIN.baseline("cp-sat")
