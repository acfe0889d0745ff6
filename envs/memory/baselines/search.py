"""``local-search``: better orders by moving one storage at a time, as long as the time lasts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from graphsched.envs.core.clock import wall_s
from graphsched.envs.core.domain import Baseline, SolverOptions
from graphsched.envs.core.jit import kernel
from graphsched.envs.memory.arena import Arena, empty_arena
from graphsched.envs.memory.mapping import solve_order
from graphsched.envs.memory.orders import order_of, scores
from graphsched.envs.memory.placing import decode
from graphsched.envs.memory.problem import Problem, problem_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from graphsched.envs.memory.instance import MemoryInstance
    from graphsched.envs.memory.solution import MemorySolution

    Ints = NDArray[np.int64]

ROUND = 16  # moves between looks at the clock


@kernel
def search(p: Problem, a: Arena, order: Ints, cost: float, moves: int, seed: int) -> float:
    """Moves of one storage to another place, kept unless the latency rises.

    Args:
        p: the program.
        a: room to try.
        order: improved in place.
        cost: its latency, us.
        moves: tries.
        seed: of the moves.

    Returns:
        The latency reached, us.
    """
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


def improve(instance: MemoryInstance, order: Ints, seconds: float, seed: int) -> Ints:
    """The order after so many seconds of search."""
    began = wall_s()
    p = problem_of(instance)
    arena = empty_arena(len(p.compute), len(p.access_time))
    order = order.copy()
    cost, round_ = decode(p, arena, order), 0
    while wall_s() - began < seconds and len(order) > 1:
        word = np.random.SeedSequence((seed, round_)).generate_state(1)[0]
        cost = search(p, arena, order, cost, ROUND, int(word))
        round_ += 1
    return order


def local_search(options: SolverOptions) -> Callable[[MemoryInstance], MemorySolution]:
    """From the best of the fixed orders, until the time limit."""

    def solve(instance: MemoryInstance) -> MemorySolution:
        began = wall_s()
        p = problem_of(instance)
        arena = empty_arena(len(p.compute), len(p.access_time))
        orders = [order_of(row) for row in scores(p)]
        start = orders[int(np.argmin([decode(p, arena, order) for order in orders]))]
        left = options.time_limit_s - (wall_s() - began)
        return solve_order(instance, improve(instance, start, left, options.seed))

    return solve


BASELINE = Baseline(
    make=local_search, summary="moves in the best fixed order until the time limit", is_exact=True
)
