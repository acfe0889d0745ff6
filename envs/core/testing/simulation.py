"""Checks of how simulators move on."""

from __future__ import annotations

from dataclasses import astuple
from typing import TYPE_CHECKING, Any

import numpy as np

from graphsched.envs.core.errors import InputError
from graphsched.envs.core.testing.play import (
    TOLERANCE,
    Episode,
    Player,
    assert_same,
    blocks,
    play,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from graphsched.envs.core.domain import Instance
    from graphsched.envs.core.sim import BatchSim
    from graphsched.envs.core.testing.play import Cases

INEXACT = 0.01  # decisions at most that are not exact, where the simulator's solutions are followed
PLAYS = 8  # random episodes of the same instance in the same world


def assert_solution(cases: Cases, instance: Instance, solution: Any, cost: float) -> None:
    """Raise AssertionError unless a solution is feasible, survives JSON and costs `cost`."""
    domain, name = cases.domain, instance.name
    violations = domain.check(instance, solution)
    assert not violations, f"{name}: {len(violations)} violations, first {violations[0]}"
    derived, bound = domain.cost(instance, solution), domain.lower_bound(instance)
    assert abs(derived - cost) <= TOLERANCE * max(1, abs(cost)), f"{name}: {cost} is {derived}"
    assert bound <= cost + TOLERANCE * max(1, abs(cost)), f"{name}: cost {cost} < bound {bound}"
    again = domain.solution_from_json(instance, solution.to_json())
    assert again.to_json() == solution.to_json(), f"{name}: JSON of the solution loses something"


def check_episodes(cases: Cases) -> None:
    """Real choices only, finite rewards, time that runs forward, feasible solutions."""
    sim = cases.started()
    waiting = sim.observe()["slot"].tolist()
    assert waiting == list(range(sim.num_slots)), f"after reset only {waiting} wait"
    for slot, episode in play(cases, sim, Player(range(sim.num_slots), cases.seed)).items():
        instance = cases.instances[slot]
        forced = [count for count in episode.choices if count < 2]
        alone = len(episode.choices) == 1
        assert alone or not forced, f"{instance.name}: forced decisions among {episode.choices}"
        assert np.isfinite(episode.rewards).all(), f"{instance.name}: rewards {episode.rewards}"
        assert min(episode.elapsed) >= 0, f"{instance.name}: time runs back {episode.elapsed}"
        assert np.isfinite(episode.elapsed).all(), f"{instance.name}: elapsed {episode.elapsed}"
        assert_solution(cases, instance, episode.solution, episode.cost)


def check_limits(cases: Cases) -> None:
    """No observation of an episode has more rows than `BatchSim.most_rows` says."""
    sim, rng = cases.started(), np.random.default_rng(cases.seed)
    limits = [astuple(sim.most_rows(instance)) for instance in cases.instances]
    while len((obs := sim.observe())["slot"]):
        for k, slot in enumerate(obs["slot"].tolist()):
            first, last = obs["graph_ptr"][k : k + 2]
            graphs = [sim.store.graph(g) for g in obs["graph"][first:last].tolist()]
            found = (
                sum(graph.num_nodes for graph in graphs),
                sum(e.shape[1] for graph in graphs for e in graph.edges.values()),
                int(np.diff(obs["candidate_ptr"])[k]),
                int(np.diff(obs["resource_ptr"])[k]),
            )
            name = cases.instances[slot].name
            fits = all(f <= most for f, most in zip(found, limits[slot], strict=True))
            assert fits, f"{name}: rows {found} exceed {limits[slot]}"
        sim.step(rng.integers(np.diff(obs["candidate_ptr"])))


def check_rewards(cases: Cases) -> None:
    """On one instance the sum of rewards is an affine, falling function of the cost."""
    for instance in cases.instances:
        sim = cases.simulator(PLAYS)
        sim.reset(range(PLAYS), [instance] * PLAYS, [cases.seed] * PLAYS)
        episodes = play(cases, sim, Player(range(PLAYS), cases.seed), keep_blocks=False).values()
        _assert_affine(instance.name, list(episodes))


def _assert_affine(name: str, episodes: list[Episode]) -> None:
    costs = np.array([episode.cost for episode in episodes])
    returns = np.array([sum(episode.rewards) for episode in episodes])
    best, worst = int(costs.argmin()), int(costs.argmax())
    rise = costs[worst] - costs[best]
    if rise <= TOLERANCE * abs(costs[worst]):
        rise = 0.0  # rounding: the order in which savings were added up
    slope = (returns[worst] - returns[best]) / rise if rise else 0.0
    assert slope < 0 or not rise, f"{name}: costs {costs} but returns {returns}"
    expected = returns[best] + slope * (costs - costs[best])
    scale = max(1.0, float(np.abs(returns).max()))
    assert np.allclose(returns, expected, rtol=0, atol=TOLERANCE * scale), (
        f"{name}: returns {returns} are no affine function of costs {costs}"
    )


def check_batching(cases: Cases) -> None:
    """Slots don't influence each other, and equal seeds give equal episodes."""
    together = cases.started()
    keys = range(together.num_slots)
    first = play(cases, together, Player(keys, cases.seed))
    assert_same(first, play(cases, cases.started(), Player(keys, cases.seed)), "played twice")
    for slot in keys:
        alone = cases.simulator(1)
        alone.reset([0], [cases.instances[slot]], [cases.seed + slot])
        found = play(cases, alone, Player([slot], cases.seed))[0]
        assert_same(found, first[slot], f"slot {slot} alone and in a batch")


def check_following(cases: Cases) -> None:
    """Following what the simulator made leads to the same cost, by decisions that are exact.

    Of domains that have `Domain.follow`, and of instances whose solutions can be followed. A few
    decisions may not be exact: where candidates are cut off, the order in which a solution came
    about, which it doesn't tell, may be the only one.
    """
    taken = inexact = 0
    for stream, instance in enumerate(cases.instances):
        sim = _begun(cases, instance)
        made = play(cases, sim, Player(range(PLAYS), stream), keep_blocks=False)
        try:
            wrong, decisions, costs = _followed(
                cases, instance, [e.solution for e in made.values()]
            )
        except InputError:
            continue
        taken, inexact = taken + decisions, inexact + int(wrong.sum())
        for slot in np.flatnonzero(wrong == 0).tolist():
            words = f"{instance.name}: exact decisions lead to {costs[slot]}"
            assert costs[slot] == made[slot].cost, f"{words}, not to {made[slot].cost}"
    share = inexact / max(taken, 1)
    assert share <= INEXACT, f"{inexact} of {taken} decisions are not those of the solutions"


def _followed(
    cases: Cases, instance: Instance, solutions: list[Any]
) -> tuple[NDArray[np.int64], int, NDArray[np.float64]]:
    """Inexact decisions of each slot, decisions of all, and each slot's cost."""
    follow = cases.domain.follow
    if follow is None:
        raise InputError(cases.domain.name, "has no way to follow solutions")
    sim = _begun(cases, instance)
    slots = sim.observe()["slot"]
    wrong, decisions = np.zeros(len(solutions), np.int64), 0
    while len(slots):
        actions, exact = follow(sim, slots, [solutions[slot] for slot in slots.tolist()])
        shapes = actions.shape, exact.shape
        assert shapes == (slots.shape,) * 2, f"{instance.name}: shapes {shapes}"
        wrong[slots] += ~exact
        decisions += len(slots)
        result = sim.step(actions)
        slots = result.slots[~result.dones]
    return wrong, decisions, sim.costs()


def _begun(cases: Cases, instance: Instance) -> BatchSim[Any, Any]:
    """A simulator with the same episode in every slot."""
    sim = cases.simulator(PLAYS)
    sim.reset(range(PLAYS), [instance] * PLAYS, [cases.seed] * PLAYS)
    return sim


def check_refusals(cases: Cases) -> None:
    """Actions that are not on offer raise IndexError and change nothing."""
    sim, undisturbed = cases.started(), cases.started()
    last = sim.num_slots - 1
    before = blocks(cases, sim)
    counts = np.diff(sim.observe()["candidate_ptr"])
    too_many = np.zeros(len(counts) + 1, np.int64)
    for wrong in (np.eye(1, len(counts), last, dtype=np.int64)[0] * counts[last], too_many):
        _assert_index_error(sim, wrong)
        _assert_index_error(sim, -1 - wrong)
        assert_same(before, blocks(cases, sim), "after an action that is not on offer")
    for slot in range(sim.num_slots):
        try:
            sim.solution(slot)
        except RuntimeError:
            continue
        raise AssertionError(f"solution({slot}) of a running episode: expected RuntimeError")
    keys = range(sim.num_slots)
    found = play(cases, sim, Player(keys, cases.seed))
    assert_same(found, play(cases, undisturbed, Player(keys, cases.seed)), "after refused actions")


def _assert_index_error(sim: BatchSim[Any, Any], actions: Any) -> None:
    try:
        sim.step(actions)
    except IndexError:
        return
    raise AssertionError(f"actions {actions}: expected IndexError, but they were accepted")


def check_graphs_are_released(cases: Cases) -> None:
    """Episode after episode the store holds no more graphs than after the first."""
    sim = cases.simulator(2)
    sizes = []
    for _ in range(4):
        for instance in cases.instances:
            sim.reset([0, 1], [instance, instance], [cases.seed, cases.seed + 1])
            play(cases, sim, Player([0, 1], cases.seed), keep_blocks=False)
        sizes.append(len(sim.store))
    assert sizes[-1] <= sizes[0], f"graphs in the store after each round: {sizes}"
