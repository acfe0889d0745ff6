"""What a report says first: the answer in sentences, losses stated as plainly as wins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from graphsched.eval.wording import count, duration, interval, percent, points

if TYPE_CHECKING:
    from graphsched.eval.view import View

Tone = Literal["good", "bad", "even", "plain"]


@dataclass(frozen=True)
class Finding:
    """A sentence of the answer; `detail` backs it with numbers."""

    tone: Tone
    text: str
    detail: str = ""


def verdict(comparison: dict[str, Any]) -> Tone:
    """Better, worse, or not to be told apart: by whether the interval excludes zero."""
    if comparison["mean_diff_pct"] is None:
        return "plain"
    if comparison["ci_high"] < 0:
        return "good"
    return "bad" if comparison["ci_low"] > 0 else "even"


FEWEST = 10  # instances from which a difference is called a win or a loss
_VERBS = {"good": "beats", "bad": "loses to"}


def _sentence(view: View, solver: str, other: str, described: str) -> Finding | None:
    comparison = view.versus(solver, other)
    if comparison is None or comparison["mean_diff_pct"] is None:
        return None
    tone = verdict(comparison)
    difference = comparison["mean_diff_pct"]
    if comparison["n"] < FEWEST:
        text = (
            f"{solver} against {described}: {count(comparison['n'], 'instance')}, too few to tell"
        )
        return Finding("plain", text, _numbers(view, comparison))
    if comparison["ci_low"] == comparison["ci_high"]:
        tone = "even"  # nothing was drawn that differs: the interval says nothing
    if tone == "even":
        text = f"{solver} can't be told apart from {described}"
    else:
        text = f"{solver} {_VERBS[tone]} {described} by {points(difference)}"
    return Finding(tone, text, _numbers(view, comparison))


def _numbers(view: View, comparison: dict[str, Any]) -> str:
    """What backs a sentence; no interval where there is one number only."""
    difference = percent(comparison["mean_diff_pct"])
    within = ""
    if comparison["ci_low"] != comparison["ci_high"]:
        within = f", 95% interval {interval(comparison['ci_low'], comparison['ci_high'])}"
    solver, other = comparison["solver"], comparison["baseline"]
    return (
        f"mean gap {percent(view.gap(solver))}% against {percent(view.gap(other))}% on "
        f"{count(comparison['n'], 'instance')}; difference {difference} points{within}; "
        f"{comparison['wins']} won, {comparison['ties']} tied, {comparison['losses']} lost"
    )


def _strongest(view: View, policy: dict[str, Any]) -> str | None:
    """The best contender without a policy in the same time; None if there is no limit."""
    limit = policy["time_limit_s"]
    if limit is None:
        return None
    return view.best([s for s in view.solvers if not s["learned"] and s["time_limit_s"] == limit])


def _first(view: View, policy: dict[str, Any]) -> Finding | None:
    """The policy against the strongest rival; without limits, against the best rule."""
    strongest = _strongest(view, policy)
    if strongest is None:
        return _against_rules(view, policy)
    described = f"the strongest rival in the same time ({strongest})"
    return _sentence(view, policy["name"], strongest, described)


def _against_rules(view: View, policy: dict[str, Any]) -> Finding | None:
    rule = view.best_rule(policy["samples"])
    if rule is None:
        return None
    facts = next(solver for solver in view.solvers if solver["name"] == rule)
    unequal = facts["samples"] != policy["samples"]
    runs = f", {count(facts['samples'], 'run')}" if unequal else ""
    return _sentence(view, policy["name"], rule, f"the best rule ({rule}{runs})")


def _cost(view: View, name: str) -> Finding | None:
    summary = view.summary(name)
    if summary is None:
        return None
    text = f"{name} takes {duration(summary['mean_seconds'])} per instance"
    if summary["ms_per_decision"] is not None:
        text += f", {duration(summary['ms_per_decision'] / 1e3)} per decision"
    return Finding("plain", text)


def _weak_groups(view: View, policy: str) -> Finding | None:
    """Groups in which some baseline that is not exact does better than the policy."""
    lost = []
    for group in view.groups:
        others = [s for s in view.solvers if s["kind"] in ("rule", "heuristic", "search")]
        ahead = [
            (found["mean_diff_pct"], other["name"])
            for other in others
            if (found := view.versus(policy, other["name"], group))
            and found["mean_diff_pct"] is not None
            and found["mean_diff_pct"] > 0
        ]
        if ahead:
            worst, name = max(ahead)
            lost.append(f"{group} ({name} is {points(worst)} better)")
    if not lost:
        return None
    return Finding("bad", f"{policy} is behind a heuristic at {', '.join(lost)}")


def policy_findings(view: View, policy: dict[str, Any]) -> list[Finding]:
    """Sentences on one policy: against rules, its cost, against others, where it is weak."""
    name, strongest = policy["name"], _strongest(view, policy)
    found = [_first(view, policy), _cost(view, name)]
    found += [
        _sentence(view, name, other["name"], other["name"])
        for other in view.of_kind("heuristic") + view.of_kind("search")
        if other["samples"] == policy["samples"] or policy["time_limit_s"] is not None
        if other["name"] != strongest
    ]
    found.append(_weak_groups(view, name))
    return [finding for finding in found if finding is not None]


def headline(view: View) -> Finding:
    """The one sentence on top."""
    if view.document["violations"]:
        number = len(view.document["violations"])
        return Finding("bad", f"{count(number, 'solution')} broke the rules of the problem")
    for policy in view.of_kind("policy"):
        found = _first(view, policy) or _cost(view, policy["name"])
        if found is not None:
            return found
    best = view.best(view.solvers)
    if best is None:
        return Finding("bad", "no solver has a gap to show")
    gap = percent(view.gap(best))
    return Finding("plain", f"{best} comes closest: {gap}% mean gap")


def reference_note(view: View) -> str:
    """What the gaps are measured against."""
    words = {
        "best_known": "the best known value",
        "lower_bound": "a lower bound (no better value is known, so true gaps are smaller)",
        "best_found": "the best value found in this run",
        "none": "nothing (no gap)",
    }
    uses = view.document["gap_reference"]
    parts = [
        f"{words.get(key, f'the cost of {key}')} on {count(number, 'instance')}"
        for key, number in uses.items()
    ]
    return "Gaps are measured against " + ", and against ".join(parts) + "."
