"""``milp-seed``: its model is the one described, worked out by hand, and its mappings are never worse."""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import pytest

from graphsched.envs.core.domain import SolverOptions
from graphsched.envs.core.errors import InputError
from graphsched.envs.memory import DOMAIN
from graphsched.envs.memory.baselines.milp import choose, crowds, seed_order, whole_lives
from graphsched.envs.memory.generators import GENERATORS
from graphsched.envs.memory.physics.program import problem_of

pytest.importorskip("ortools")


def _with_capacity(program, capacity):
    return problem_of(replace(program, machine=program.machine.with_capacity(capacity)))


def test_whole_lives(program):
    """X can't be copied in before the first instruction; w can beside instruction 1 (15 bytes).

    o is written by instruction 5 and copied out beside 6, which takes memory there, too.
    """
    kept = whole_lives(problem_of(program), copied=False)
    assert np.stack(kept).T.tolist() == [[1, 0, 6], [3, 3, 5], [4, 5, 7]]
    copied = whole_lives(problem_of(program), copied=True)
    assert np.stack(copied).T.tolist() == [[1, 0, 6], [2, 1, 3], [3, 3, 5], [4, 5, 7]]


def test_crowds_are_the_largest_sets_that_have_no_room(program):
    """A and b, of 8 and 12 bytes, are the only two of more than 16; with w a has 16."""
    p = _with_capacity(program, 16)
    lives = whole_lives(p, copied=True)
    assert [lives.storage[c].tolist() for c in crowds(p, lives)] == [[1, 3]]
    roomy = problem_of(program)
    assert list(crowds(roomy, whole_lives(roomy, copied=True))) == []


@pytest.mark.parametrize(
    ("capacity", "copied", "chosen"),
    [(24, True, [1, 2, 3, 4]), (24, False, [1, 3, 4]), (16, True, [1, 2, 4]), (8, False, [1])],
)
def test_the_choice_saves_most(program, capacity, copied, chosen):
    """Without room for a and b, a saves 21.6 and b 9.9; with 8 bytes o gives way at instruction 5."""
    p = _with_capacity(program, capacity)
    assert sorted(choose(p, copied, 10.0).tolist()) == chosen


@pytest.mark.parametrize("name", ["attention-training", "residual-training", "chain"])
def test_never_worse_than_the_best_of_the_orders(name):
    instance = GENERATORS[name](np.random.default_rng(1), "3@4")
    best = DOMAIN.baseline("best-of-orders")(instance)
    for limit in (0.0, 5.0):
        found = DOMAIN.baseline("milp-seed", SolverOptions(time_limit_s=limit))(instance)
        assert DOMAIN.check(instance, found) == []
        assert found.cost <= best.cost


def test_it_finds_what_the_orders_miss():
    """A training step in which keeping every temporary comes first."""
    instance = GENERATORS["residual-training"](np.random.default_rng(2), "4@8")
    best = DOMAIN.baseline("best-of-orders")(instance)
    options = SolverOptions(time_limit_s=5.0)
    assert DOMAIN.baseline("milp-seed", options)(instance).cost < 0.95 * best.cost


def test_a_model_that_takes_all_of_the_time_is_left(program):
    """It is limited like all that improves with time; once a limit in `eval` didn't reach it."""
    assert DOMAIN.baselines["milp-seed"].is_anytime
    p = _with_capacity(program, 16)
    assert choose(p, True, 0.0).tolist() == []


def test_storages_say_which_model_is_asked(program, monkeypatch):
    asked = []

    def listen(_p, copied, _limit):
        asked.append(copied)
        return np.zeros(0, np.int64)

    monkeypatch.setattr("graphsched.envs.memory.baselines.milp.choose", listen)
    for word in ("temporary", "all", "both"):
        seed_order(problem_of(program), 10.0, word)
    assert asked == [False, True, False, True]


def test_a_missing_ortools_is_explained(monkeypatch):
    monkeypatch.setattr("graphsched.envs.core.extras.find_spec", lambda _name: None)
    monkeypatch.setitem(sys.modules, "ortools", None)
    with pytest.raises(InputError, match=r"milp-seed.*graphsched\[solvers\]"):
        DOMAIN.baseline("milp-seed")
