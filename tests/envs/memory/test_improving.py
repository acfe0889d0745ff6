"""The search by ranked moves: what it tries is what the decoder makes, and all that it keeps is legal."""

from __future__ import annotations

import json

import numpy as np
import pytest

from graphsched.envs.core.domain import SolverOptions
from graphsched.envs.core.errors import InputError
from graphsched.envs.memory import DOMAIN
from graphsched.envs.memory.generators import GENERATORS
from graphsched.envs.memory.improving import rounds
from graphsched.envs.memory.improving.command import moves
from graphsched.envs.memory.improving.ejections import EJECTION
from graphsched.envs.memory.improving.fitting import Tried, fit
from graphsched.envs.memory.improving.learned import load_ranking, save_ranking, shipped
from graphsched.envs.memory.improving.mapping import empty_copies, load
from graphsched.envs.memory.improving.orders import ORDER_MOVE
from graphsched.envs.memory.improving.rounds import NO_ORDERS, NO_RUNS, RANDOM, UNHEARD
from graphsched.envs.memory.improving.searching import (
    begin_search,
    search_orders,
    search_runs,
    settle,
)
from graphsched.envs.memory.physics.arena import LATENCY, RESIDENCIES, empty_arena
from graphsched.envs.memory.physics.mapping import solution_of
from graphsched.envs.memory.physics.orders import order_of, scores
from graphsched.envs.memory.physics.placing import decode
from graphsched.envs.memory.physics.program import problem_of

PROGRAMS = [
    (kind, seed)
    for kind in ("random", "attention-training", "chain-training", "residual-training")
    for seed in range(3)
]

# Minutes of them all where kernels are interpreted.
PARAMETERS = [
    pytest.param(*one, marks=pytest.mark.compiled) if k % 6 else one
    for k, one in enumerate(PROGRAMS)
]


def program(kind, seed, size="2..3@1..8"):
    return GENERATORS[kind](np.random.default_rng((11, seed)), size)


def begun(instance):
    p = problem_of(instance)
    s = begin_search(p, order_of(scores(p)[0]))
    return p, s, settle(p, s)


def room(p):
    return empty_arena(len(p.compute), len(p.access_time))


def table_of(solution):
    columns = (solution.storage, solution.start, solution.end, solution.offset)
    return np.stack(columns).astype(np.int64)


@pytest.mark.parametrize(("kind", "seed"), PARAMETERS)
@pytest.mark.parametrize("offered", [1, 6])
def test_an_order_that_is_kept_has_the_decoder_s_latency(kind, seed, offered):
    p, s, cost = begun(program(kind, seed))
    a = room(p)
    assert cost == decode(p, a, s.order)
    for k in range(20):  # what is kept serves the trials after it
        word = seed if k == 0 else -1
        after = search_orders(p, s, RANDOM.order_moves, cost, 10, offered, word, NO_ORDERS, UNHEARD)
        assert after <= cost
        cost = after
        assert cost == decode(p, a, s.order) == s.best.real[LATENCY]


@pytest.mark.parametrize(("kind", "seed"), PARAMETERS)
@pytest.mark.parametrize("offered", [1, 6])
def test_runs_that_come_in_leave_a_legal_mapping(kind, seed, offered):
    instance = program(kind, seed)
    p, s, cost = begun(instance)
    for k in range(8):
        word = seed if k == 0 else -1
        after = search_runs(p, s, RANDOM.runs, cost, 25, offered, word, NO_RUNS, UNHEARD)
        assert after <= cost
        cost = after
        solution = solution_of(s.best)
        assert solution.cost == pytest.approx(cost)
        assert DOMAIN.check(instance, solution) == []


@pytest.mark.parametrize(("kind", "seed"), PARAMETERS)
@pytest.mark.parametrize("baseline", ["best-of-orders", "step-greedy"])
def test_a_legal_mapping_is_loaded_as_it_is(kind, seed, baseline):
    instance = program(kind, seed)
    solution = DOMAIN.baseline(baseline)(instance)
    p = problem_of(instance)
    a = room(p)
    assert load(p, a, empty_copies(p), table_of(solution))
    assert a.real[LATENCY] == pytest.approx(solution.cost)
    back = solution_of(a)
    assert sorted(table_of(back).T.tolist()) == sorted(table_of(solution).T.tolist())


def test_a_mapping_whose_copies_do_not_fit_is_not_loaded():
    instance = program("attention-training", 0)
    solution = DOMAIN.baseline("best-of-orders")(instance)
    p, table = problem_of(instance), table_of(solution)
    first = p.access_time[p.access_ptr[table[0]]]
    copied = np.flatnonzero(p.live_in[table[0]] & (table[1] < first))
    assert len(copied)
    table[1, copied[0]] = first[copied[0]]  # no time to copy it in
    assert not load(p, room(p), empty_copies(p), table)


@pytest.mark.compiled
@pytest.mark.parametrize("name", ["learned-search", "move-search"])
def test_an_improver_sets_out_from_any_mapping_and_returns_nothing_worse(name):
    for kind, seed in PROGRAMS[::2]:
        instance = program(kind, seed)
        for start in ("step-greedy", "local-search"):
            given = DOMAIN.baseline(start, SolverOptions(time_limit_s=0.02))(instance)
            found = DOMAIN.improver(name).search(instance, [given], 0.02, 1)
            assert found.cost <= given.cost
            assert DOMAIN.check(instance, found) == []


def test_a_program_with_nothing_to_place_has_a_mapping():
    for size in ("1@0.001", "1@4096"):  # nothing fits, and all of it does
        instance = program("chain", 0, size)
        found = DOMAIN.baseline("learned-search", SolverOptions(time_limit_s=0.01))(instance)
        assert DOMAIN.check(instance, found) == []


def test_a_fitted_scorer_ranks_what_helps_first():
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((20_000, len(ORDER_MOVE))).astype(np.float32)
    helps = (rows[:, 0] > 1.8) & (rows[:, 3] < 1.0)
    scorer, share = fit(Tried(rows, 0.01 * helps.astype(np.float32)), 8, 300, 0.0, rng)
    assert share > 0.95
    hidden = np.maximum(rows @ scorer.inner + scorer.bias, 0.0)
    value = hidden @ scorer.outer
    assert value[helps].mean() > value[~helps].mean() + 2.0


def test_a_ranking_comes_back_from_its_file(tmp_path):
    path = tmp_path / "moves.json"
    path.write_text(save_ranking(shipped(), {"seed": 0}))
    again = load_ranking(path)
    assert again.offered == shipped().offered
    for one, other in zip(again[:2], shipped()[:2], strict=True):
        for a, b in zip(tuple(one), tuple(other), strict=True):
            assert np.allclose(np.asarray(a), np.asarray(b))


BROKEN = {
    "noise": (lambda d: d | {"noise": -1}, "noise"),
    "columns": (lambda d: d | {"runs": d["runs"] | {"columns": ["size"]}}, "runs.columns"),
    "offered": (lambda d: d | {"runs": d["runs"] | {"offered": 99}}, "runs.offered"),
    "inner": (lambda d: d | {"runs": d["runs"] | {"inner": [[1.0]]}}, "runs"),
    "row": (lambda d: d | {"order_moves": d["order_moves"] | {"inner": [["x"]]}}, "inner"),
    "part": (lambda d: {k: v for k, v in d.items() if k != "runs"}, "runs"),
    "list": (lambda d: d | {"order_moves": []}, "order_moves"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_ranking_is_told_by_file_and_field(tmp_path, what):
    change, field = BROKEN[what]
    path = tmp_path / "moves.json"
    path.write_text(json.dumps(change(json.loads(save_ranking(shipped(), {})))))
    with pytest.raises(InputError) as error:
        load_ranking(path)
    assert str(path) in str(error.value)
    assert field in str(error.value)


@pytest.mark.compiled
def test_features_of_moves_are_finite():
    for kind, seed in PROGRAMS:
        p, s, cost = begun(program(kind, seed))
        rows = np.zeros((50, len(ORDER_MOVE)), np.float32)
        saved = np.zeros(50, np.float32)
        cost = search_orders(p, s, RANDOM.order_moves, cost, 50, 1, seed, rows, saved)
        runs = np.zeros((50, len(EJECTION)), np.float32)
        search_runs(p, s, RANDOM.runs, cost, 50, 1, seed, runs, saved)
        for table in (rows, runs):
            assert np.isfinite(table).all()
            assert np.abs(table).max() < 30.0


@pytest.mark.parametrize(
    ("words", "field"),
    [
        ("--noise -1", "--noise"),
        ("--noise nan", "--noise"),
        ("--offered 99 8", "--offered"),
        ("--offered 16 0", "--offered"),
        ("--seed -1", "--seed"),
        ("--judged 1", "--judged"),
        ("--size 1@0.001", "--size"),  # nothing fits
    ],
)
def test_moves_that_can_not_be_learned_from_write_no_file(tmp_path, words, field):
    # More on offer than there is room for was written past the end of an array.
    out = tmp_path / "moves.json"
    small = "--programs 1 --tries 1 --rounds 1 --epochs 1"
    with pytest.raises(InputError) as error:
        moves(f"{small} {words} --out {out}".split())
    assert str(error.value).startswith(field)
    assert not out.exists()


@pytest.mark.compiled  # interpreted, the first moves take all the time
def test_the_time_of_a_move_is_measured_before_many_are_made_at_once(monkeypatch):
    # The first call made as many as fit if one took no time: 0.1 s became 0.7 s on large programs.
    asked = []

    def record(name):
        search = getattr(rounds, name)

        def counted(p, s, scorer, cost, tries, *rest):
            asked.append((name, tries))
            return search(p, s, scorer, cost, tries, *rest)

        monkeypatch.setattr(rounds, name, counted)

    record("search_orders")
    record("search_runs")
    DOMAIN.baseline("learned-search", SolverOptions(time_limit_s=0.02))(program("random", 0))
    for name in ("search_orders", "search_runs"):
        assert next(tries for who, tries in asked if who == name) == 1


@pytest.mark.compiled
def test_what_helps_no_more_is_left_for_a_shaken_order(monkeypatch):
    # A small program's search was at its end after a tenth of a second, whatever the time.
    begun_with = []

    def record(p, order):
        begun_with.append(order)
        return begin_search(p, order)

    monkeypatch.setattr(rounds, "begin_search", record)
    instance = program("chain-training", 0, "2@4")
    DOMAIN.baseline("learned-search", SolverOptions(time_limit_s=0.05))(instance)
    assert len(begun_with) > 1
    for order in begun_with:
        assert sorted(order) == sorted(begun_with[0])
    assert any((order != begun_with[0]).any() for order in begun_with[1:])


@pytest.mark.parametrize(("helped", "idle", "tries"), [(0, 10, 11), (100, 10, 201), (0, 0, 1)])
def test_moves_end_when_half_of_them_brought_nothing(monkeypatch, helped, idle, tries):
    monkeypatch.setattr(rounds, "fitting", lambda *_: 1)
    made = []

    def step(cost, count, _seed):
        made.append(count)
        return cost - 1.0 if len(made) <= helped else cost

    cost = rounds._moved(step, idle, np.inf, 500.0, 0)
    assert (cost, len(made)) == (500.0 - helped, tries)


def test_what_a_residency_is_worth_is_the_time_that_each_of_its_accesses_saves():
    p, s, cost = begun(program("attention-training", 1))
    search_runs(p, s, RANDOM.runs, cost, 40, 1, 1, NO_RUNS, UNHEARD)
    a, worths = s.best, s.ejection.worths
    whole = np.zeros(len(p.size))
    for r in range(a.whole[RESIDENCIES]):
        g, lost = a.owner[r], 0.0
        for u in range(p.access_ptr[g], p.access_ptr[g + 1]):
            t, size = p.access_time[u], p.access_bytes[u]
            if a.start[r] <= t < a.end[r]:
                now = max(p.compute[t], a.slow[t] * p.slow_us + a.fast[t] * p.fast_us)
                moved = (a.slow[t] + size) * p.slow_us + (a.fast[t] - size) * p.fast_us
                lost += max(p.compute[t], moved) - now
        assert np.isclose(worths.run[r], lost)
        whole[g] += lost
    assert np.allclose(worths.whole, whole)
    assert np.allclose(np.diff(worths.load), a.load)


def test_rounds_end_where_many_bring_nothing(monkeypatch):
    # They went on to the limit, ten seconds without one, though nothing was left to save.
    monkeypatch.setattr(rounds, "IDLE_ROUNDS", 2)
    instance = program("chain", 0, "1@4096")
    found = DOMAIN.baseline("learned-search", SolverOptions(time_limit_s=1e6))(instance)
    assert found.cost <= DOMAIN.baseline("best-of-orders")(instance).cost
