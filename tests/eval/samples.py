"""Made-up results that the tests of reports share."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from graphsched.eval.document import build_document
from graphsched.eval.running.benchmark import Result
from graphsched.eval.running.rows import Row, with_gaps
from graphsched.eval.solvers.contenders import Contender, Kind
from graphsched.eval.solvers.contenders import contenders as contenders_of
from graphsched.eval.solvers.entrants import Entrants
from tests.toy_domain import DOMAIN

if TYPE_CHECKING:
    from collections.abc import Sequence

LIMITS = (0.1, 1.0, 10.0)
BATCHING = "points lost against the targets, 0 to 100"


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
    """A contender that can't be run; its base is its name but for a time limit."""
    limit = facts.get("time_limit_s")
    base = name if limit is None else name.removesuffix(f"@{limit:g}s")
    known = {"base": base, **facts}
    return Contender(name, kind, lambda seed, limit: lambda instance: None, **known)


def entered(words: Sequence[str], limits: Sequence[float] = ()) -> list[Contender]:
    """Contenders of the toy domain."""
    return contenders_of(Entrants(DOMAIN), words, time_limits_s=limits)


def sample_document(
    policy_gap: float = 5.0, rule_gap: float = 10.0, spread: float = 0.1, **facts: Any
) -> dict[str, Any]:
    """A policy, two rules and an exact solver, on two groups of six instances."""
    contenders = [
        contender("policy p", "policy"),
        contender("best", "rule"),
        contender("worst", "rule"),
        contender("cp@10s", "exact", time_limit_s=10.0),
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
    return document_of(contenders, rows, **facts)


def document_of(contenders: list[Contender], rows: list[Row], **facts: Any) -> dict[str, Any]:
    """The document of a benchmark with these rows; facts replace entries of it."""
    result = Result(rows=with_gaps(rows), instances={r.instance: None for r in rows})
    domain = replace(DOMAIN, objective=facts.pop("objective", DOMAIN.objective))
    found = build_document(domain, result, contenders, command="graphsched eval crew <all>")
    return {**found, **facts}


# base -> kind, mean gap in percent without limit, or at 0.1 s and how it falls with each factor
# of ten in time, tries
FIELD: dict[str, tuple[Kind, float, float | None, int]] = {
    "default": ("policy", 6.0, None, 1),
    "default>tabu": ("policy", 3.2, 0.55, 1),
    "spt": ("rule", 29.0, None, 1),
    "most-work": ("rule", 18.0, None, 1),
    "random": ("rule", 64.0, None, 1),
    "cem-linear": ("heuristic", 9.5, None, 1),
    "cem-linear@64+reverse": ("heuristic", 6.4, None, 128),
    "tabu": ("search", 5.5, 0.5, 1),
    "local-search": ("search", 9.0, 0.7, 1),
    "ga": ("search", 14.0, 0.6, 1),
    "most-work>tabu": ("search", 5.0, 0.5, 1),
    "cp-sat": ("exact", 22.0, 0.25, 1),
    "iterated-greedy-with-a-long-name": ("search", 8.0, 0.8, 1),
    "annealing": ("search", 9.1, 0.69, 1),
}
TIMES = {"default": 0.02, "cem-linear": 0.004, "cem-linear@64+reverse": 0.4}


def field_contenders() -> list[Contender]:
    """Eight bases at three time limits each, and six without a limit."""
    out = []
    for base, (kind, _, fall, tries) in FIELD.items():
        more = {"tries": tries, "base": base, "summary": _summary(base)}
        if fall is None:
            out.append(contender(base, kind, **more))
            continue
        out += [contender(f"{base}@{t:g}s", kind, time_limit_s=t, **more) for t in LIMITS]
    return out


def _summary(base: str) -> str:
    return "linear rule over the policy's features" if base.startswith("cem") else f"{base} (1994)"


def field_document(per_group: int = 12, seeds: int = 1, **facts: Any) -> dict[str, Any]:
    """All of them on three groups of twelve instances, as a real evaluation may turn out."""
    rng = np.random.default_rng(5)
    groups = {"6x6": 0.4, "15x15": 1.0, "30x20": 1.7}
    hardness = {
        (g, i): s * rng.uniform(0.7, 1.3) for g, s in groups.items() for i in range(per_group)
    }
    contenders, rows = field_contenders(), []
    for c in contenders:
        _, gap, fall, _ = FIELD[c.base]
        mean = gap if fall is None else gap * fall ** math.log10((c.time_limit_s or 1) / 0.1)
        for (group, i), hard in hardness.items():
            for seed in range(seeds):
                cost = 100 + mean * hard * rng.uniform(0.8, 1.2)
                seconds = c.time_limit_s or TIMES.get(c.base, 0.002) * rng.uniform(0.9, 1.1)
                known = {"group": group, "seed": seed, "seconds": seconds, "lower_bound": 80.0}
                counted = {"decisions": 225} if c.base == "default" else {}
                rows.append(row(f"{group}-{i}", c.name, cost, **known, **counted))
    return document_of(contenders, rows, **facts)


def batching_document() -> dict[str, Any]:
    """Points lost over a bound that is near zero: percentages of it say nothing."""
    rng = np.random.default_rng(6)
    contenders = [
        contender("default", "policy"),
        contender("fcfs", "rule"),
        contender("edf", "rule"),
    ]
    rows = [
        row(
            f"{group}-{i}",
            c.name,
            loss + rng.uniform(0, 3),
            best_known=None,
            lower_bound=0.0 if i == 0 else 2.0,
            metrics={"SLO %": 100.0 - loss, "goodput /s": 3.1},
        )
        for c, loss in zip(contenders, (4.0, 7.5, 9.0), strict=True)
        for group in ("chat", "code")
        for i in range(8)
    ]
    return document_of(contenders, rows, objective=BATCHING)
