"""Episodes of moves: they are the search's own, by a stream of each slot, and what they keep is legal."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

from graphsched.envs.core.arrays import arrays_of
from graphsched.envs.core.errors import InputError
from graphsched.envs.core.kernels.draws import begin_stream
from graphsched.envs.core.testing import check_domain
from graphsched.envs.memory import DOMAIN
from graphsched.envs.memory.features import CANDIDATE, FIRST_MOVE, FIRST_RUN, SCHEMA
from graphsched.envs.memory.generators import GENERATORS
from graphsched.envs.memory.improving.episode import MOVE, RUN, plan_of
from graphsched.envs.memory.improving.learned import shipped
from graphsched.envs.memory.improving.orders import ORDER_MOVE
from graphsched.envs.memory.improving.rounds import NO_ORDERS, NO_RUNS, UNHEARD
from graphsched.envs.memory.improving.searching import (
    begin_search,
    search_orders,
    search_runs,
    settle,
)
from graphsched.envs.memory.options import MemoryOptions
from graphsched.envs.memory.physics.arena import empty_arena
from graphsched.envs.memory.physics.mapping import solution_of
from graphsched.envs.memory.physics.placing import decode
from graphsched.envs.memory.physics.program import problem_of
from graphsched.envs.memory.pricing.guide import guide_of
from graphsched.envs.memory.simulator import MemorySim

PROGRAMS = [
    (kind, seed)
    for kind in ("random", "attention-training", "chain-training", "residual-training")
    for seed in range(2)
]
# Minutes of them all where kernels are interpreted.
PARAMETERS = [
    pytest.param(*one, marks=pytest.mark.compiled) if k else one for k, one in enumerate(PROGRAMS)
]


@dataclass(frozen=True)
class Improve(MemoryOptions):
    """A few moves, few on offer."""

    actions: str = "improve"
    moves: int = 12
    offered: int = 4


def program(kind, seed, size="2..3@1..8"):
    return GENERATORS[kind](np.random.default_rng((17, seed)), size)


def scorer_s_choice(obs):
    """The candidate of the highest score by the shipped ranking, without noise."""
    rows, kind = obs["candidate"], int(obs["kind"][0])
    part = rows[:, FIRST_MOVE:FIRST_RUN] if kind == MOVE else rows[:, FIRST_RUN:]
    scorer = shipped()[:2][kind - MOVE]
    return int(np.argmax(np.maximum(part @ scorer.inner + scorer.bias, 0.0) @ scorer.outer))


def play(sim, choose=scorer_s_choice):
    """The only slot's episode to its end: observations and rewards."""
    seen, rewards = [], []
    while len((obs := sim.observe())["slot"]):
        seen.append(obs)
        rewards.append(float(sim.step(np.array([choose(obs)])).rewards[0]))
    return seen, rewards


def begun(instance, seed=5, options=None):
    sim = MemorySim(1, options or Improve(moves=60, offered=6))
    sim.reset([0], [instance], [seed])
    return sim


def searched(instance, plan, seed):
    """What the search's own kernels make of the same moves, chosen by the same scorers."""
    p, ranking = problem_of(instance), shipped()
    guide = guide_of(instance)
    s = begin_search(p, guide.lists[-2].copy())
    begin_stream(s.stream, seed)
    moves, runs = (scorer._replace(noise=0.0) for scorer in ranking[:2])
    first, second = plan.offered
    cost = settle(p, s)
    args = plan.order_moves, first, -1, NO_ORDERS, UNHEARD
    cost = search_orders(p, s, moves, cost, *args)
    args = plan.moves - plan.order_moves, second, -1, NO_RUNS, UNHEARD
    return search_runs(p, s, runs, cost, *args), s


@pytest.mark.compiled
def test_the_form_keeps_the_contract():
    """On random programs, a chain and a training step; other forms keep it on all kinds."""
    sizes = {"random": "2..4@8", "chain": "2@8", "attention-training": "1@8"}
    few = {name: GENERATORS[name] for name in ("toy", *sizes)}
    domain = replace(DOMAIN, options=Improve, generators=few)
    check_domain(domain, num_instances=1, sizes=sizes)


@pytest.mark.parametrize(("kind", "seed"), PARAMETERS)
def test_playing_by_the_scorer_is_the_search(kind, seed):
    instance, options = program(kind, seed), Improve(moves=60, offered=6)
    sim = begun(instance, seed, options)
    play(sim)
    plan = plan_of(options.moves, options.offered)
    cost, s = searched(instance, plan, seed)
    assert sim.costs()[0] == cost
    found, expected = sim.solution(0), solution_of(s.best)
    for name in ("storage", "start", "end", "offset"):
        assert np.array_equal(getattr(found, name), getattr(expected, name))


@pytest.mark.parametrize(("kind", "seed"), PARAMETERS)
def test_rewards_are_what_the_mapping_saves(kind, seed):
    instance = program(kind, seed)
    sim = begun(instance)
    start, slow = float(sim.state.real[0, 0]), float(sim.state.first_latency[0])
    _, rewards = play(sim)
    solution = sim.solution(0)
    assert DOMAIN.check(instance, solution) == []
    assert sum(rewards) == pytest.approx(1 - solution.cost / slow)
    assert min(rewards) >= 0.0
    assert rewards[0] >= (1 - start / slow) * (1 - 1e-12)  # what the start saves comes first
    assert start == pytest.approx(guide_of(instance).latency)


def test_moves_in_the_order_leave_the_decoder_s_mapping():
    instance = program("attention-training", 1)
    p, sim = problem_of(instance), begun(instance)
    arena = empty_arena(len(p.compute), len(p.access_time))
    kinds = []
    while len((obs := sim.observe())["slot"]):
        kinds.append(int(obs["kind"][0]))
        if kinds[-1] == MOVE:
            order = sim.state.placed[0, : sim.state.num_placed[0]].copy()
            assert decode(p, arena, order) == sim.state.real[0, 0]
        sim.step(np.array([scorer_s_choice(obs)]))
    assert kinds == sorted(kinds)
    assert kinds.count(MOVE) == 36
    assert RUN in kinds
    solution = sim.solution(0)
    if solution.order is not None:
        assert decode(p, arena, solution.order) == solution.cost


def test_a_solution_has_an_order_if_it_came_of_one():
    instance = program("attention-training", 0)
    sim = begun(instance, options=Improve(moves=3, offered=2))
    while sim.observe()["kind"].tolist() == [MOVE]:
        sim.step(np.zeros(1, np.int64))
    kept = []
    while len((obs := sim.observe())["slot"]):
        before = float(sim.state.real[0, 0])
        sim.step(np.array([scorer_s_choice(obs)]))
        kept.append(sim.state.real[0, 0] < before)
    assert (sim.solution(0).order is None) or not any(kept)


def test_seeds_of_slots_decide_what_is_proposed():
    instance = program("chain-training", 0)
    first, again, other = (play(begun(instance, seed))[0] for seed in (3, 3, 4))
    assert all(
        np.array_equal(a["candidate"], b["candidate"]) for a, b in zip(first, again, strict=True)
    )
    assert not np.array_equal(first[0]["candidate"], other[0]["candidate"])


def test_copies_don_t_know_what_will_be_proposed():
    instance = program("residual-training", 0)
    sim = MemorySim(3, Improve(moves=40, offered=6))
    sim.reset([0], [instance], [1])
    sim.fork([0, 0], [1, 2])
    assert DOMAIN.redraw is not None
    assert DOMAIN.redraw(sim, [1, 2], [7, 7])
    obs = sim.observe()
    rows = obs["candidate"].reshape(3, 6, -1)
    assert np.array_equal(rows[0], rows[1])  # what is pending stays
    sim.step(np.zeros(3, np.int64))
    rows = sim.observe()["candidate"].reshape(3, 6, -1)
    assert not np.array_equal(rows[0], rows[1])
    assert np.array_equal(rows[1], rows[2])


def test_a_program_with_nothing_to_improve_has_one_decision():
    for size in ("1@0.001", "1@4096"):  # nothing fits, and all of it does
        instance = program("chain", 0, size)
        sim = begun(instance, options=Improve(moves=3, offered=2))
        seen, _ = play(sim, lambda obs: 0)
        assert len(seen) >= 1
        assert np.diff(seen[0]["candidate_ptr"])[0] == 1 or len(seen) > 1
        assert DOMAIN.check(instance, sim.solution(0)) == []


def test_columns_of_moves_are_the_last():
    names = [feature.name for feature in CANDIDATE]
    assert names[FIRST_MOVE:FIRST_RUN] == [f"move_{feature.name}" for feature in ORDER_MOVE]
    assert all(name.startswith("run_") for name in names[FIRST_RUN:])
    assert SCHEMA.kinds[MOVE] == "move"
    assert SCHEMA.kinds[RUN] == "run"


def test_other_forms_don_t_pay_for_the_search():
    instance = program("attention-training", 0)
    sizes = {}
    for actions in ("priority", "improve"):
        sim = MemorySim(2, MemoryOptions(actions=actions))
        sim.reset([0, 1], [instance, instance], [0, 1])
        sizes[actions] = sum(array.nbytes for array in arrays_of(sim.state.search))
    assert sizes["priority"] < 1000
    assert sizes["improve"] > 100_000


def test_a_mapping_can_t_be_followed_by_moves():
    instance = program("chain-training", 0)
    solution = DOMAIN.baseline("best-of-orders")(instance)
    assert DOMAIN.follow is not None
    with pytest.raises(InputError, match="moves that led to it") as refused:
        DOMAIN.follow(begun(instance), np.zeros(1, np.int64), [solution])
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [("moves", 0), ("moves", 1.5), ("moves", True), ("offered", 1), ("offered", 65)],
)
def test_bad_options_are_named_in_one_line(name, value):
    with pytest.raises(InputError, match=name) as refused:
        MemoryOptions(actions="improve", **{name: value})
    assert "\n" not in str(refused.value)
