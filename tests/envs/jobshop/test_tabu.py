"""Tabu search: feasible, never worse than its start, moves and estimates as they should be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphsched.envs.core.domain import SolverOptions
from graphsched.envs.jobshop import DOMAIN
from graphsched.envs.jobshop.bench import LOOKS, measure
from graphsched.envs.jobshop.checker import check
from graphsched.envs.jobshop.generators import irregular, uniform
from graphsched.envs.jobshop.instance import JobShopInstance
from graphsched.envs.jobshop.library import best_known, load
from graphsched.envs.jobshop.search import solver
from graphsched.envs.jobshop.search.moves import estimate_before, estimate_behind, list_moves
from graphsched.envs.jobshop.search.paths import move, set_order
from graphsched.envs.jobshop.search.population import (
    IDLE,
    Member,
    Plan,
    Population,
    improve,
    relink,
)
from graphsched.envs.jobshop.search.relink import blend
from graphsched.envs.jobshop.search.shop import (
    AT,
    FOLLOWING,
    PREVIOUS,
    TAIL,
    Shop,
    ends_of,
    order_of,
    shop_of,
)
from graphsched.envs.jobshop.search.solver import ENDLESS, Search
from graphsched.envs.jobshop.search.tabu import BEST
from graphsched.envs.jobshop.solution import JobShopSolution

Serial = Callable[[JobShopInstance, Sequence[int]], JobShopSolution]
LONG_S = 1e6
SEEDS = st.integers(0, 10_000)
TURNS = st.lists(st.integers(0, 20), min_size=1, max_size=30)


def _orders(instance: JobShopInstance, shop: Shop) -> list[list[int]]:
    """Each machine's operations as the links tell."""
    out, n = [], instance.num_operations
    for x in range(n):
        if instance.duration[x] > 0 and shop.links[4 * x + PREVIOUS] == 4 * n:
            chain = [x]
            while (x := int(shop.links[4 * x + FOLLOWING]) // 4) < n:
                chain.append(x)
            out.append(chain)
    return out


def _plain_ends(instance: JobShopInstance, orders: list[list[int]]) -> list[int]:
    """Earliest ends by going over all constraints until nothing changes; fails on a cycle."""
    assert instance.release_time is not None
    job, duration = instance.job.tolist(), instance.duration.tolist()
    n = len(job)
    ways = [(i, i + 1) for i in range(n - 1) if job[i] == job[i + 1]]
    ways += [pair for order in orders for pair in pairwise(order)]
    ends = [int(instance.release_time[job[i]]) + duration[i] for i in range(n)]
    for _ in range(n + 1):
        before = list(ends)
        for a, b in ways:
            ends[b] = max(ends[b], ends[a] + duration[b])
        if ends == before:
            return ends
    raise AssertionError("a cycle")


def _backwards(instance: JobShopInstance) -> JobShopInstance:
    """The instance with every operation and job in reverse, without release times."""
    size = instance.num_operations
    return JobShopInstance(
        name="backwards",
        job_ptr=size - instance.job_ptr[::-1],
        machine=instance.machine[::-1],
        duration=instance.duration[::-1],
        num_machines=instance.num_machines,
    )


def _verify(instance: JobShopInstance, shop: Shop) -> None:
    """Machine orders are permutations, the topological order is one, heads and tails are true."""
    n = instance.num_operations
    orders = _orders(instance, shop)
    assert (
        sorted(x for order in orders for x in order) == np.flatnonzero(instance.duration).tolist()
    )
    assert all(len({int(instance.machine[x]) for x in order}) == 1 for order in orders)
    assert ends_of(shop).tolist() == _plain_ends(instance, orders)
    backwards = [[n - 1 - x for x in reversed(order)] for order in orders]
    assert (
        shop.times[TAIL : 4 * n : 4].tolist() == _plain_ends(_backwards(instance), backwards)[::-1]
    )
    order = (shop.order // 4).tolist()
    place = {x: i for i, x in enumerate(order)}
    assert all(shop.times[4 * x + AT] == place[x] for x in order)
    assert sorted(order) == list(range(n))
    ways = [pair for chain in orders for pair in pairwise(chain)]
    ways += [(i, i + 1) for i in range(n - 1) if instance.job[i] == instance.job[i + 1]]
    assert all(place[a] < place[b] for a, b in ways)


def _path(instance: JobShopInstance, shop: Shop) -> list[int]:
    """A critical path, the last operation first, through machines where it can."""
    n, ends = instance.num_operations, ends_of(shop)
    path = [int(np.argmax(ends))]
    while True:
        x = path[-1]
        start = ends[x] - instance.duration[x]
        before = [int(shop.links[4 * x + PREVIOUS]) // 4, x - 1 if x not in instance.job_ptr else n]
        before = [y for y in before if y < n and ends[y] == start]
        if not before:
            return path
        path.append(before[0])


def _shop(instance: JobShopInstance, solution: JobShopSolution) -> Shop:
    shop = shop_of(instance)
    set_order(shop, order_of(solution.start, solution.end))
    return shop


@settings(max_examples=60, deadline=None)
@given(seed=SEEDS, turns=TURNS, is_irregular=st.booleans())
def test_listed_moves_keep_every_promise(
    serial: Serial, seed: int, turns: list[int], is_irregular: bool
) -> None:
    """No move makes a cycle or swaps a job's operations; swaps are estimated exactly."""
    rng = np.random.default_rng(seed)
    instance = irregular(rng) if is_irregular else uniform(rng, "6x5")
    shop, n = _shop(instance, serial(instance, turns)), instance.num_operations
    _verify(instance, shop)
    moves, scratch = np.zeros((4 * n, 3), np.uint32), np.zeros(n, np.int64)
    path = 4 * np.array(_path(instance, shop), np.uint32)
    bounds = np.zeros(n + 1, np.int64)
    facts = shop.times, shop.links, shop.job, shop.fixed
    count = list_moves(*facts, path, len(path), bounds, moves)
    for u, v, forward in moves[:count]:
        assert instance.machine[u // 4] == instance.machine[v // 4]
        assert instance.job[u // 4] != instance.job[v // 4]
        estimate = estimate_behind if forward else estimate_before
        expected = estimate(shop.times, shop.links, u, v, scratch, ENDLESS)
        is_swap = shop.links[u + (FOLLOWING if forward else PREVIOUS)] == v
        moved = shop_of(instance)
        set_order(moved, shop.order.astype(np.int64) // 4)
        move(moved, u, v, bool(forward))
        assert moved.links[u + (PREVIOUS if forward else FOLLOWING)] == v
        _verify(instance, moved)
        if is_swap:
            ends, tails, durations = moved.times.reshape(-1, 4)[[u // 4, v // 4], :3].T
            back = estimate_before if forward else estimate_behind
            assert expected == back(shop.times, shop.links, v, u, scratch, ENDLESS)
            assert expected == (ends + tails - durations).max()


@settings(max_examples=40, deadline=None)
@given(seed=SEEDS, turns=TURNS)
def test_any_start_is_improved_or_kept(serial: Serial, seed: int, turns: list[int]) -> None:
    instance = irregular(np.random.default_rng(seed))
    start = serial(instance, turns)
    search = Search(instance, seed, LONG_S, moves=300)
    relink(search, [order_of(start.start, start.end)], Plan(members=2, patience=40))
    found = search.solution()
    assert check(instance, found) == []
    assert found.makespan == search.best <= start.makespan
    _verify(instance, search.shop)


@settings(max_examples=40, deadline=None)
@given(seed=SEEDS, one=TURNS, other=TURNS, share=st.integers(0, 1024))
def test_a_blend_keeps_what_its_parents_agree_on(
    serial: Serial, seed: int, one: list[int], other: list[int], share: int
) -> None:
    instance = irregular(np.random.default_rng(seed))
    parents = [serial(instance, turns) for turns in (one, other)]
    orders = [order_of(p.start, p.end) for p in parents]
    child = np.zeros(instance.num_operations, np.int64)
    blend(orders[0], orders[1], share, np.array([1 + seed]), child)
    places = [np.argsort(order) for order in (*orders, child)]
    earlier = [place[:, None] < place[None, :] for place in places]
    assert np.all(earlier[2] | ~(earlier[0] & earlier[1]))
    shop = shop_of(instance)
    set_order(shop, child)
    _verify(instance, shop)


@pytest.mark.parametrize("name", ["ft06", "la01", "la02", "la03", "la04", "la05"])
def test_small_classics_are_solved(name: str) -> None:
    instance = load(name)
    search = Search(instance, 0, LONG_S, moves=6000)
    relink(search, [search.dispatched()], Plan(members=3, patience=200))
    assert check(instance, search.solution()) == []
    assert search.best == best_known(instance)


def test_a_seed_and_a_number_of_moves_give_one_result(monkeypatch: pytest.MonkeyPatch) -> None:
    """However often the search looks at the clock."""
    instance = uniform(np.random.default_rng(3), "8x8")
    starts = []
    for seed, piece in ((1, 1), (1, 70), (2, 70)):
        monkeypatch.setattr(solver, "fitting", lambda *_, piece=piece: piece)
        search = Search(instance, seed, LONG_S, moves=1000)
        relink(search, [search.dispatched()], Plan(members=3, patience=100))
        assert search.moves == 1000
        starts.append(search.solution().start.tolist())
    assert starts[0] == starts[1] != starts[2]


def test_the_best_of_several_starts_is_kept(serial: Serial) -> None:
    instance = uniform(np.random.default_rng(4), "8x5")
    starts = [serial(instance, turns) for turns in ([0], [1, 2], [3, 1, 4], [5, 0, 2, 6])]
    found = improve(instance, starts, 0.0, 0)
    assert found.makespan <= min(s.makespan for s in starts)
    assert check(instance, found) == []


def test_no_move_without_time(serial: Serial) -> None:
    instance = uniform(np.random.default_rng(4), "8x5")
    start = serial(instance, [1, 2])
    search = Search(instance, 0, 0.0)
    relink(search, [order_of(start.start, start.end)], Plan(members=2, patience=9))
    assert search.moves == 0
    assert search.solution().makespan == start.makespan


def test_the_best_start_comes_first(serial: Serial) -> None:
    instance = uniform(np.random.default_rng(5), "8x5")
    starts = [serial(instance, turns) for turns in ([0], [1, 2, 7, 3, 4], [2, 2, 1])]
    starts.sort(key=lambda start: start.makespan)
    starts[:2] = starts[1::-1]
    search = Search(instance, 0, LONG_S, moves=1)
    relink(search, [order_of(s.start, s.end) for s in starts], Plan(members=2, patience=9))
    assert search.memory.facts[BEST] <= starts[1].makespan < starts[0].makespan


def test_release_times_are_kept() -> None:
    instance = JobShopInstance.from_jobs(
        "late", [[(0, 3), (1, 2)], [(0, 2), (1, 4)], [(1, 1), (0, 5)]], release_time=[9, 0, 4]
    )
    found = DOMAIN.improve("tabu", instance, [improve(instance, [], 0.0, 0)], 0.2)
    assert check(instance, found) == []
    assert found.makespan == 15


def test_revisits_stay_in_order() -> None:
    instance = JobShopInstance.from_jobs(
        "again", [[(0, 3), (0, 2), (1, 2), (0, 1)], [(0, 4), (1, 1), (0, 2)], [(1, 9), (0, 1)]]
    )
    found = DOMAIN.baseline("tabu", SolverOptions(time_limit_s=0.2))(instance)
    assert check(instance, found) == []
    assert found.makespan == 13


def test_one_operation_is_an_instance() -> None:
    instance = JobShopInstance.from_jobs("one", [[(0, 3)]], release_time=[2])
    assert improve(instance, [], 0.1, 0).makespan == 5


def test_operations_without_duration_lie_anywhere() -> None:
    """A start may have one inside another's interval, which no machine order can express."""
    instance = JobShopInstance.from_jobs("none", [[(0, 10)], [(1, 5), (0, 0), (1, 5)]])
    start = JobShopSolution.from_starts(instance, np.array([0, 0, 5, 5]))
    assert check(instance, start) == []
    assert DOMAIN.improve("tabu", instance, [start], 0.0).makespan == 10


def _member(makespan: int, *previous: int) -> Member:
    return Member(makespan, np.array(previous), np.array(previous))


def test_a_population_keeps_apart_and_drops_the_worst() -> None:
    population = Population(2)
    population.add(_member(10, 1, 2, 3))
    population.add(_member(9, 1, 2, 3))  # the same schedule, better
    assert [m.makespan for m in population.members] == [9]
    population.add(_member(12, 3, 2, 1))
    population.add(_member(13, 2, 1, 3))
    assert [m.makespan for m in population.members] == [9, 12]
    population.add(_member(11, 2, 1, 3))
    population.add(_member(10, 1, 2, 3))  # the same as the best, worse
    assert [m.makespan for m in population.members] == [9, 11]


def test_an_idle_population_starts_afresh_from_its_best() -> None:
    population = Population(2)
    for makespan, *previous in ((10, 1, 2, 3), (9, 3, 1, 2)):
        population.add(_member(makespan, *previous))
    for _ in range(2 * IDLE):
        assert population.is_full
        population.add(_member(11, 2, 3, 1))
        population.thin()
    assert [m.makespan for m in population.members] == [9]
    assert population.idle == 0


@pytest.mark.compiled
def test_the_search_is_measured() -> None:
    found = measure(0.01)
    looks = {f"decisions_per_cpu_s_{look}" for look in LOOKS}
    assert set(found) == looks | {"tabu_moves_per_cpu_s_15x15", "tabu_moves_per_cpu_s_30x20"}
    assert min(found.values()) > 0
