"""Made-up results that the tests of reports share."""

from __future__ import annotations

from typing import Any

from graphsched.eval.benchmark import Result
from graphsched.eval.contenders import Contender, Kind
from graphsched.eval.document import build_document
from graphsched.eval.rows import Row, with_gaps
from tests.toy_domain import DOMAIN


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
