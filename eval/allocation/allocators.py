"""All allocators by name: fits, search and CP-SAT."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphsched.envs.core.clock import wall_s
from graphsched.eval.allocation.cpsat import by_cp_sat
from graphsched.eval.allocation.fits import ORDERS, best_fit_of_orders, fit
from graphsched.eval.allocation.search import search
from graphsched.eval.allocation.solution import Placement, placement

if TYPE_CHECKING:
    from collections.abc import Callable

    from graphsched.eval.allocation.instance import Allocation


def by_search(problem: Allocation, time_limit_s: float, seed: int = 0) -> Placement:
    """Contention-guided search, down to the capacity or, without one, as low as time allows.

    Starts from the lowest fit, which it never exceeds.
    """
    began = wall_s()
    best = best_fit_of_orders(problem)
    goal = problem.max_load if problem.capacity is None else problem.capacity
    low = max(best.bound, 1)  # every height below it is known to be impossible
    while best.height > max(goal, low):
        left = time_limit_s - (wall_s() - began)
        # With a capacity, only reaching it counts; without, heights fall by halves of the gap.
        target = goal if problem.capacity is not None else (low + best.height - 1) // 2
        target = max(target, low)
        share = left if problem.capacity is not None else left / 3
        offset, proven = search(problem, target, share, seed)
        if offset is not None:
            best = placement(problem, offset, low)
        elif proven:
            low = target + 1
        if offset is None and (problem.capacity is not None or left <= 0.01):
            break
    return Placement(best.offset, best.height, max(best.bound, min(low, best.height)))


def _fits(order: str, best: bool) -> Callable[[Allocation, float], Placement]:
    return lambda problem, _: fit(problem, order, best)


ALLOCATORS: dict[str, Callable[[Allocation, float], Placement]] = {
    **{f"first-fit {order}": _fits(order, False) for order in ORDERS},
    **{f"best-fit {order}": _fits(order, True) for order in ORDERS},
    "search": by_search,
    "cp-sat": by_cp_sat,
}
