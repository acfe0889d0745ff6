"""Made-up results that the tests of reports share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graphsched.eval.benchmark import Result
from graphsched.eval.contenders import Contender, Kind
from graphsched.eval.contenders import contenders as contenders_of
from graphsched.eval.document import build_document
from graphsched.eval.entrants import Entrants
from graphsched.eval.rows import Row, with_gaps
from tests.toy_domain import DOMAIN

if TYPE_CHECKING:
    from collections.abc import Sequence


def row(instance: str, solver: str, cost: float, **changes: Any) -> Row:
    """A feasible row with best known value 100."""
    facts: dict[str, Any] = {
        "instance": instance,
        "group": instance.partition("-")[0],
        "solver": solver,
        "seed": 0,
        "cost": cost,
        "best_known": 100.0,
        "lower_bound": 50.0,
        "gap_pct": None,
        "gap_reference": None,
        "seconds": 0.1,
        "decisions": None,
        "time_limit_s": None,
        "feasible": True,
    }
    return Row(**{**facts, **changes})


def contender(name: str, kind: Kind, **facts: Any) -> Contender:
    """A contender that can't be run."""
    return Contender(name, kind, lambda seed, limit: lambda instance: None, **facts)


def entered(words: Sequence[str], limits: Sequence[float] = ()) -> list[Contender]:
    """Contenders of the toy domain."""
    return contenders_of(Entrants(DOMAIN), words, time_limits_s=limits)


def sample_document(
    policy_gap: float = 5.0, rule_gap: float = 10.0, spread: float = 0.1
) -> dict[str, Any]:
    """A policy, two rules and an exact solver at equal time, on two groups of six instances."""
    contenders = [
        contender("policy p", "policy"),
        contender("best", "rule"),
        contender("worst", "rule"),
        contender("cp", "exact"),
    ]
    gaps = (policy_gap, rule_gap, rule_gap + 20, policy_gap + 3)
    return _document(contenders, gaps, spread)


def timed_document(tabu_gap: float, spread: float = 0.1) -> dict[str, Any]:
    """A policy with a gap of 5%, a rule and a search, each with a second, and the search with ten."""
    kinds: dict[str, Kind] = {"policy p": "policy", "best": "rule", "tabu": "search"}
    contenders = [
        contender(f"{name}@1s", kind, base=name, time_limit_s=1.0) for name, kind in kinds.items()
    ]
    contenders.append(contender("tabu@10s", "search", base="tabu", time_limit_s=10.0))
    return _document(contenders, (5.0, 10.0, tabu_gap, 0.0), spread)


def _document(
    contenders: Sequence[Contender], gaps: Sequence[float], spread: float
) -> dict[str, Any]:
    """Two groups of six instances, each contender about so far above the best known value."""
    rows = [
        row(
            f"{group}-{i}",
            c.name,
            100 + gap + spread * (i % 3 - 1) * (k + 1),
            seconds=0.1 * (k + 1),
        )
        for k, (c, gap) in enumerate(zip(contenders, gaps, strict=True))
        for group in ("small", "large")
        for i in range(6)
    ]
    result = Result(rows=with_gaps(rows), instances={r.instance: None for r in rows})
    return build_document(DOMAIN, result, contenders, command="graphsched eval crew <all>")
