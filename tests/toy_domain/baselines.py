"""Two rules and an exhaustive search."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from graphsched.envs.core.domain import Baseline, SolverOptions
from graphsched.envs.core.knobs import Knob
from tests.toy_domain.features import candidate_rows
from tests.toy_domain.instance import CrewInstance
from tests.toy_domain.simulator import CrewOptions, advance
from tests.toy_domain.solution import CrewSolution
from tests.toy_domain.state import Slot

Solve = Callable[[CrewInstance], CrewSolution]


def _first(slot: Slot) -> int:
    return 0 if slot.offers else -1


def _shortest(slot: Slot) -> int:
    rows = candidate_rows(slot)
    return min(range(len(rows)), key=lambda i: (rows[i][2], rows[i][0]))


def _nth(rank: int, slot: Slot) -> int:
    return min(rank, len(slot.offers) - 1)


def _ranked(options: SolverOptions) -> Solve:
    return _rule(partial(_nth, int(options.settings.get("rank", 1))))(options)


def _rule(choose: Callable[[Slot], int]) -> Callable[[SolverOptions], Solve]:
    def make(options: SolverOptions) -> Solve:
        def solve(instance: CrewInstance) -> CrewSolution:
            slot = Slot(instance, options.seed)
            advance(slot, CrewOptions(may_defer=False))
            while not slot.over:
                slot.apply(choose(slot))
                slot.decisions += 1
                advance(slot, CrewOptions(may_defer=False))
            return slot.solution()

        return solve

    return make


def _exhaustive(options: SolverOptions) -> Solve:
    def solve(instance: CrewInstance) -> CrewSolution:
        start = Slot(instance, options.seed)
        advance(start, CrewOptions())
        best: Slot | None = None
        stack = [start]
        while stack:
            slot = stack.pop()
            if best is not None and slot.flow >= best.flow:
                continue
            if slot.over:
                best = slot
                continue
            for choice in reversed(range(len(slot.offers))):
                child = slot.copy()
                child.apply(choice)
                child.decisions += 1
                advance(child, CrewOptions())
                stack.append(child)
        assert best is not None
        return best.solution()

    return solve


BASELINES: dict[str, Baseline[CrewInstance, CrewSolution]] = {
    "first": Baseline(_rule(_first), "the first candidate", is_rule=True),
    "shortest": Baseline(_rule(_shortest), "the quickest pair, always in a rush", is_rule=True),
    "ranked": Baseline(
        _ranked, "a candidate by its place", knobs={"rank": Knob((0, 1, 2, 3), default=1)}
    ),
    "exhaustive": Baseline(
        _exhaustive, "tries every sequence of decisions", is_exact=True, is_anytime=True
    ),
}
