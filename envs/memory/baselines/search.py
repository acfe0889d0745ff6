"""``local-search``: better orders by moving one storage at a time, as long as the time lasts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from graphsched.envs.core.clock import cpu_s, fitting
from graphsched.envs.core.domain import Baseline, Improver, SolverOptions
from graphsched.envs.core.kernels.jit import kernel
from graphsched.envs.memory.physics.arena import Arena, empty_arena
from graphsched.envs.memory.physics.mapping import best_order, solve_order
from graphsched.envs.memory.physics.orders import fixed_orders, order_of, scores
from graphsched.envs.memory.physics.placing import decode
from graphsched.envs.memory.physics.program import Problem, problem_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from graphsched.envs.memory.instance import MemoryInstance
    from graphsched.envs.memory.solution import MemorySolution

    Ints = NDArray[np.int64]


@kernel
def search(p: Problem, a: Arena, order: Ints, cost: float, moves: int, seed: int) -> float:
    """Moves of one storage to another place, kept unless the latency rises.

    Args:
        p: the program.
        a: room to try.
        order: improved in place.
        cost: its latency, us.
        moves: tries.
        seed: of the moves; -1 to go on with the stream of the last call.

    Returns:
        The latency reached, us.
    """
    if seed >= 0:
        np.random.seed(seed)  # noqa: NPY002  (numba has no Generator to pass by seed)
    trial = order.copy()
    for _ in range(moves if len(order) > 1 else 0):
        source = np.random.randint(len(order))  # noqa: NPY002
        nearer = np.random.random() < 0.5  # noqa: NPY002
        target = np.random.randint(source + 1 if nearer else len(order))  # noqa: NPY002
        if source == target:
            continue
        trial[:] = order
        g = trial[source]
        if source < target:
            trial[source:target] = order[source + 1 : target + 1]
        else:
            trial[target + 1 : source + 1] = order[target:source]
        trial[target] = g
        found = decode(p, a, trial)
        if found <= cost:
            cost = found
            order[:] = trial
    return cost


def improve(
    p: Problem, order: Ints, seconds: float, seed: int, moves: int = 2**62
) -> tuple[Ints, float]:
    """The order after so many seconds of search, or so many moves, and its latency, us."""
    began = cpu_s()
    arena = empty_arena(len(p.compute), len(p.access_time))
    order = order.copy()
    cost, done = decode(p, arena, order), 0
    word = int(np.random.SeedSequence(seed).generate_state(1)[0])
    while (spent := cpu_s() - began) < seconds and done < moves and len(order) > 1:
        # The first decoding counts as a move: programs differ a thousandfold in what one takes.
        piece = min(fitting(done + 1, spent, seconds), moves - done)
        cost = search(p, arena, order, cost, piece, -1 if done else word)
        done += piece
    return order, float(cost)


def orders_of(p: Problem, solution: MemorySolution) -> list[Ints]:
    """Orders from which a mapping may have come: the one it says, or by offset, start and time held.

    Storages without a place follow, those first that promise most.
    """
    if solution.order is not None:
        return [solution.order]
    start, end, offset = solution.start, solution.end, solution.offset
    held = (end - start).astype(np.float64)
    keys = [(start, offset), (offset, start), (offset, -held), (start, -held)]
    rest = order_of(scores(p)[0])
    out = []
    for first, second in keys:
        placed = solution.storage[np.lexsort((second, first))]
        both = np.concatenate([placed, rest]).astype(np.int64)
        out.append(both[np.sort(np.unique(both, return_index=True)[1])])
    return out


def improve_mappings(
    instance: MemoryInstance,
    starts: Sequence[MemorySolution],
    seconds: float,
    seed: int,
    moves: int = 2**62,
) -> MemorySolution:
    """The best mapping met from the best of given ones; see `Improver`.

    A mapping that came of no order can't be had by placing storages one after another: the search
    sets out from an order made of it, and the mapping itself comes back if that ends no better.
    """
    began = cpu_s()
    p = problem_of(instance)
    best = min(starts, key=lambda s: s.cost)
    orders = [order for start in starts for order in orders_of(p, start)]
    start = best_order(p, orders)
    order, _ = improve(p, start, seconds - (cpu_s() - began), seed, moves)
    found = solve_order(instance, order)
    return found if found.cost <= best.cost else best


def local_search(options: SolverOptions) -> Callable[[MemoryInstance], MemorySolution]:
    """From the best of the fixed orders, until the time limit."""

    def solve(instance: MemoryInstance) -> MemorySolution:
        began = cpu_s()
        p = problem_of(instance)
        start = best_order(p, fixed_orders(p))
        left = options.time_limit_s - (cpu_s() - began)
        order, _ = improve(p, start, left, options.seed)
        return solve_order(instance, order)

    return solve


SUMMARY = "moves of storages in the order of their placing, until the time limit"
BASELINE = Baseline(make=local_search, summary=SUMMARY, is_anytime=True)
IMPROVER = Improver(search=improve_mappings, summary=SUMMARY)
