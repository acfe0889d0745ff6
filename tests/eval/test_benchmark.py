"""Every solution is timed and checked; a solver that cheats is caught."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from graphsched.agents.runtime import load_policy
from graphsched.cli.screen import print_summary
from graphsched.envs.core.registry import get_domain
from graphsched.eval.document import build_document
from graphsched.eval.evaluate import evaluate
from graphsched.eval.running.benchmark import run_benchmark, unique_names
from graphsched.eval.solvers.contenders import Contender
from graphsched.eval.solvers.contenders import contenders as contenders_of
from graphsched.eval.solvers.counting import Counter, counted
from graphsched.eval.solvers.entrants import Entrants
from tests.eval.samples import entered
from tests.toy_domain import DOMAIN

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def _toy() -> Any:
    return DOMAIN.generators["toy"](np.random.default_rng(0), "")


def _cheat() -> Contender:
    """Claims a cost of one less than its solution has."""
    honest = DOMAIN.baseline("first")

    def solve(instance: Any) -> Any:
        solution = honest(instance)
        return replace(solution, flow=solution.flow - 1)

    return Contender("cheat", "heuristic", lambda seed, limit: solve)


def test_rows_hold_what_the_domain_says_of_each_solution() -> None:
    (contender,) = entered(["exhaustive"], [5.0])
    result = run_benchmark(DOMAIN, [_toy()], [contender], seeds=(3, 4))
    assert [(r.solver, r.seed, r.cost) for r in result.rows] == [
        ("exhaustive@5s", 3, DOMAIN.toy_optimum),
        ("exhaustive@5s", 4, DOMAIN.toy_optimum),
    ]
    assert all(r.feasible and r.gap_pct == 0 and r.seconds > 0 for r in result.rows)


def test_a_cheating_solver_is_reported_and_has_no_gap() -> None:
    contenders = [*entered(["first"]), _cheat()]
    result = run_benchmark(DOMAIN, [_toy()], contenders)
    honest, cheat = result.rows
    assert honest.feasible
    assert not cheat.feasible
    assert cheat.gap_pct is None
    (broken,) = result.violations
    assert (broken["solver"], broken["instance"]) == ("cheat", "toy")
    assert broken["violations"]
    summary = build_document(DOMAIN, result, contenders)["summary"]
    assert {s["solver"]: s["n"] for s in summary if s["group"] == "all"} == {"first": 1, "cheat": 0}


def test_every_solve_gets_the_contenders_limit() -> None:
    """The limit reaches the solver, and the row says which it was."""
    limits: list[float | None] = []
    solver = DOMAIN.baseline("first")

    def make(seed: int, limit: float | None) -> Any:
        limits.append(limit)
        return solver

    limited = Contender("limited", "search", make, time_limit_s=0.25)
    result = run_benchmark(DOMAIN, [_toy(), _toy()], [limited])
    assert limits[1:] == [0.25, 0.25]  # the first call warms up
    assert [r.time_limit_s for r in result.rows] == [0.25, 0.25]


def test_groups_can_be_given() -> None:
    """Labels of a suite take the place of the domain's groups."""
    result = run_benchmark(DOMAIN, [_toy(), _toy()], entered(["first"]), groups=["a", "b"])
    assert [r.group for r in result.rows] == ["a", "b"]


def test_names_are_made_unique() -> None:
    assert list(unique_names([_toy(), _toy(), _toy()])) == ["toy", "toy#2", "toy#3"]


def test_solutions_are_kept_on_request_only() -> None:
    contenders = entered(["rules"])
    result = run_benchmark(DOMAIN, [_toy()], contenders, keep=["shortest"])
    assert list(result.solutions) == [("shortest", "toy")]


def test_decisions_of_a_watched_simulator_are_counted() -> None:
    counter = Counter()
    sim = counted(DOMAIN, counter).simulator(2, DOMAIN.options())
    sim.reset([0, 1], [_toy(), _toy()], [0, 0])
    taken = 0
    while waiting := len(sim.observe()["slot"]):
        sim.step(np.zeros(waiting, np.int64))
        taken += waiting
    assert counter.decisions == taken > 0


def test_a_policy_s_decisions_on_what_it_was_not_fitted_to_are_counted() -> None:
    """Of each solve alone; a rule has none."""
    soc, rng = get_domain("soc"), np.random.default_rng(0)
    kinds = ("ds3gym", "0@300"), ("ds3-default-soc", "0@1000"), ("ds3gym", "0@300")
    worlds = [soc.generators[name](rng, size) for name, size in kinds]
    entrants = Entrants(soc, policies={"streaming": load_policy("streaming", soc)})
    rows = run_benchmark(soc, worlds, contenders_of(entrants, ["streaming", "etf"])).rows
    found = [row.outside_pct for row in rows]
    assert found[3:] == [None] * 3
    home, away, again = (share or 0.0 for share in found[:3])
    assert max(home, again) < 0.5 * away
    assert away <= 100.0


def test_a_search_has_its_place_in_the_table_and_the_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every kind of contender has a colour; one instance is too few for a verdict."""
    rival = Contender("swarm", "search", lambda seed, limit: DOMAIN.baseline("shortest"))
    learned = Contender("policy p", "policy", lambda seed, limit: DOMAIN.baseline("first"))
    document = evaluate(DOMAIN, [_toy()], [learned, rival], out=tmp_path)
    print_summary(document)
    assert "swarm" in capsys.readouterr().out
    page = (tmp_path / "report.html").read_text()
    assert "k-search" in page
    assert "behind swarm, a search, on average, but 1 instance: too few to tell" in page
    assert "95% interval" not in page.partition("too few to tell")[2].partition("</li>")[0]
