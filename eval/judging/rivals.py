"""Whom a policy has to beat: the strongest of those that learned nothing, on equal terms."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphsched.eval.judging.wording import count, duration

if TYPE_CHECKING:
    from graphsched.eval.judging.view import Facts, View

KINDS = {
    "policy": "a learned policy",
    "rule": "a rule",
    "heuristic": "a heuristic",
    "search": "a search",
    "exact": "an exact solver",
}


def rivals(view: View) -> list[Facts]:
    """Contenders in which no policy takes part."""
    return [solver for solver in view.solvers if not solver["learned"]]


def on_equal_terms(view: View, policy: Facts) -> list[Facts]:
    """Rivals that are given no more than the policy is.

    With a time limit: those of the same limit, and those without one that need less time. Without
    one: those without, of at most as many runs, and those whose limit is within the policy's time.
    """
    limit = policy["time_limit_s"]
    others = [rival for rival in rivals(view) if rival["name"] != policy["name"]]
    free = [rival for rival in others if rival["time_limit_s"] is None]
    if limit is None:
        own = view.seconds(policy["name"])
        quick = [r for r in others if r["time_limit_s"] is not None and r["time_limit_s"] <= own]
        return [rival for rival in free if rival["tries"] <= policy["tries"]] + quick
    same = [rival for rival in others if rival["time_limit_s"] == limit]
    return same + [rival for rival in free if view.seconds(rival["name"]) <= limit]


def strongest(view: View, policy: Facts, group: str = "all") -> str | None:
    """The best rival on equal terms; without any, the best with least time or fewest runs."""
    if found := view.best(on_equal_terms(view, policy), group):
        return found
    allowed = [r for r in rivals(view) if view.versus(policy["name"], r["name"], group)]
    if not allowed:
        return None
    least = min(_effort(rival) for rival in allowed)
    return view.best([rival for rival in allowed if _effort(rival) == least], group)


def _effort(rival: Facts) -> tuple[float, int]:
    return rival["time_limit_s"] or 0.0, rival["tries"]


def strongest_search(view: View, policy: Facts) -> str | None:
    """The best rival that had a time limit and that the policy was compared with."""
    timed = [rival for rival in rivals(view) if rival["time_limit_s"] is not None]
    return view.best([r for r in timed if view.versus(policy["name"], r["name"])])


def own_search(view: View, policy: Facts) -> str | None:
    """Of ``policy>tabu`` at a time limit: ``tabu`` alone at the same limit, if it ran."""
    _, joined, search = policy["base"].rpartition(">")
    if not joined:
        return None
    found = [
        rival["name"]
        for rival in rivals(view)
        if rival["base"] == search and rival["time_limit_s"] == policy["time_limit_s"]
    ]
    return found[0] if found else None


def described(view: View, name: str, policy: Facts | None = None) -> str:
    """``cem-linear, an evolved linear rule``: a solver and what it is.

    Args:
        view: of the report.
        name: of the solver.
        policy: numbers of runs other than this one's are told.
    """
    facts = view.facts[name]
    words = KINDS[facts["kind"]]
    if facts["kind"] == "heuristic" and facts["summary"].startswith("linear rule"):
        words = "an evolved linear rule"
    if policy is not None and facts["time_limit_s"] is None and facts["tries"] != policy["tries"]:
        words += f", {count(facts['tries'], 'run')}"
    return f"{name}, {words}"


def time_words(view: View, name: str) -> str:
    """``10 s`` of a solver with that limit, else the time it took."""
    return duration(view.time(name))
