"""What a report says first: the answer in sentences, losses stated as plainly as wins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from graphsched.eval.judging.learning import learning_finding
from graphsched.eval.judging.rivals import (
    described,
    on_equal_terms,
    own_search,
    rivals,
    strongest,
    strongest_search,
    time_words,
)
from graphsched.eval.judging.verdicts import Tone, tone, verdict
from graphsched.eval.judging.wording import count, duration, interval

if TYPE_CHECKING:
    from graphsched.eval.judging.view import Facts, View


LEAST_OUTSIDE_PCT = 1.0  # of decisions, below which nothing is said of columns outside


@dataclass(frozen=True)
class Finding:
    """A sentence of the answer; `detail` backs it with numbers."""

    tone: Tone
    text: str
    detail: str = ""


def statement(view: View, solver: str, other: str, named: str) -> str | None:
    """One sentence that says no more than the comparison allows.

    Args:
        view: of the report.
        solver: who was compared.
        other: with whom.
        named: how the other is called.
    """
    found = view.versus(solver, other)
    if found is None or found["mean_diff"] is None:
        return None
    size = view.measure.size(found["mean_diff"])
    side = "ahead of" if found["mean_diff"] < 0 else "behind"
    lead = f"{solver} is {size} {side} {named}"
    uncorrected = "which holds only uncorrected for the number of comparisons"
    return {
        "better": f"{solver} beats {named}, by {size}",
        "worse": f"{solver} loses to {named}, by {size}",
        "maybe better": f"{lead}, {uncorrected}",
        "maybe worse": f"{lead}, {uncorrected}",
        "even": f"{solver} can't be told apart from {named}",
        "same": f"{solver} does as well as {named}, on every instance",
        "flat": f"{lead}, on every instance alike: no spread to judge by",
        "few": f"{lead}, on average, but {count(found['n'], 'instance')}: too few to tell"
        if found["mean_diff"]
        else f"{solver} ties with {named}, but {count(found['n'], 'instance')}: too few to tell",
    }[verdict(found)]


def _numbers(view: View, solver: str, other: str) -> str:
    """What backs a statement."""
    found = view.versus(solver, other)
    if found is None:
        return ""
    measure = view.measure
    words = (
        f"{measure.noun} {measure.value(view.mean(solver))} in {duration(view.seconds(solver))} "
        f"against {measure.value(view.mean(other))} in {duration(view.seconds(other))} on "
        f"{count(found['n'], 'instance')}"
    )
    if found["ci_low"] != found["ci_high"]:
        words += (
            f"; 95% interval of the difference "
            f"{interval(found['ci_low'], found['ci_high'])} {measure.unit_of_difference}, "
            f"p {_p(found['p_holm'])} after correction"
        )
    return words + f"; {found['wins']} won, {found['ties']} tied, {found['losses']} lost"


def _p(value: float) -> str:
    return "below 0.001" if value < 0.001 else f"{value:.2g}"


def _sentence(view: View, policy: Facts, other: str) -> Finding | None:
    name = policy["name"]
    text = statement(view, name, other, described(view, other, policy))
    found = view.versus(name, other)
    if text is None or found is None:
        return None
    return Finding(tone(found), text, _numbers(view, name, other))


def _against_the_strongest(view: View, policy: Facts) -> Finding | None:
    """The answer; for a policy without limit, what a search does in its longer time is added."""
    rival = strongest(view, policy)
    found = _sentence(view, policy, rival) if rival else None
    search = strongest_search(view, policy)
    if found is None or search is None or search == rival or policy["time_limit_s"] is not None:
        return found
    more = _beside(view, policy["name"], search)
    return Finding(found.tone, f"{found.text}; {more}", found.detail)


def _beside(view: View, name: str, search: str) -> str:
    """What the strongest search that ran reaches, and in which time."""
    measure, times = view.measure, (time_words(view, search), duration(view.seconds(name)))
    exact = " (an exact solver)" if view.kind[search] == "exact" else ""
    text = f"the strongest search, {search}{exact}, reaches {measure.value(view.mean(search))} in "
    text += f"{times[0]} where {name} reaches {measure.value(view.mean(name))} in {times[1]}"
    found = view.versus(name, search)
    if found is not None and verdict(found) == "few":
        text += f" ({count(found['n'], 'instance')}: too few to tell)"
    return text


def _cost(view: View, name: str) -> Finding | None:
    summary = view.summary(name)
    if summary is None:
        return None
    text = f"{name} takes {duration(summary['mean_seconds'])} of processor time per instance"
    if summary["ms_per_decision"] is not None:
        text += f", {duration(summary['ms_per_decision'] / 1e3)} per decision"
    return Finding("plain", text)


def _others(view: View, policy: Facts) -> list[str]:
    """Its own search without the policy, and the best rival of each kind, on equal terms."""
    own = own_search(view, policy)
    equal = on_equal_terms(view, policy)
    kinds = dict.fromkeys(rival["kind"] for rival in equal)
    best = [view.best([r for r in equal if r["kind"] == kind]) for kind in kinds]
    return list(dict.fromkeys(name for name in (own, *best) if name is not None))


def _weak_groups(view: View, policy: Facts) -> Finding | None:
    """Groups in which a rival on equal terms has the better mean."""
    lost, worst = [], "even"
    for group in view.groups:
        rival = strongest(view, policy, group)
        found = view.versus(policy["name"], rival, group) if rival else None
        if found is None or (found["mean_diff"] or 0.0) <= 0:
            continue
        told = verdict(found)
        worst = "bad" if told == "worse" else worst
        sure = {"worse": "", "few": f", {count(found['n'], 'instance')}: too few to tell"}
        doubt = sure.get(told, ", within the noise")
        lost.append(f"{group} ({rival} by {view.measure.size(found['mean_diff'])}{doubt})")
    if not lost or len(view.groups) == 1:
        return None
    text = f"{policy['name']} is behind its strongest rival at {', '.join(lost)}"
    return Finding("bad" if worst == "bad" else "even", text)


def _outside(view: View, name: str) -> Finding | None:
    """How often it met what it wasn't fitted to; nothing of a policy that tells no limits."""
    shares = {group: view.summary(name, group) for group in view.columns}
    found = {group: (s or {}).get("outside_pct") or 0.0 for group, s in shares.items()}
    if found["all"] < LEAST_OUTSIDE_PCT:
        return None
    text = f"{name} met columns outside of what it was fitted to, and saw them clipped, in "
    text += f"{found.pop('all'):.0f}% of its decisions"
    most = max(found, key=lambda group: found[group], default=None)
    if most is not None:
        text += f", most often at {most} ({found[most]:.0f}%)"
    return Finding("plain", text)


def policy_findings(view: View, policy: Facts) -> list[Finding]:
    """Sentences on one policy: against its rivals, what it costs, where it is weak."""
    first = strongest(view, policy)
    found = [_against_the_strongest(view, policy), _cost(view, policy["name"])]
    found += [_sentence(view, policy, name) for name in _others(view, policy) if name != first]
    found += [_weak_groups(view, policy), _outside(view, policy["name"])]
    if told := learning_finding(view, policy):
        found.append(Finding("plain", told))
    return [finding for finding in found if finding is not None]


def headline(view: View) -> Finding:
    """The one sentence on top."""
    if view.document["violations"]:
        broken = len(view.document["violations"])
        return Finding("bad", f"{count(broken, 'solution')} broke the rules of the problem")
    for policy in view.learned:
        found = _against_the_strongest(view, policy) or _cost(view, policy["name"])
        if found is not None:
            return found
    best = view.best(rivals(view))
    if best is None:
        return Finding("bad", "no solver has a gap to show")
    measure = view.measure
    return Finding(
        "plain", f"{best} comes closest: {measure.noun} {measure.value(view.mean(best))}"
    )


def reference_note(view: View) -> str:
    """What the gaps are measured against."""
    if not view.measure.is_gap:
        return (
            f"Costs are shown as they are, {view.document['objective']}: the bounds are zero or "
            "too far below what any solver reaches for percentages to say anything."
        )
    words = {
        "best_known": "the best known value",
        "lower_bound": "a lower bound (no better value is known, so true gaps are smaller)",
        "best_found": "the best value found in this run",
        "none": "nothing (no gap)",
    }
    uses = view.document["gap_reference"]
    parts = [
        f"{words.get(key, f'the cost of {key}')} on {count(amount, 'instance')}"
        for key, amount in uses.items()
    ]
    return "Gaps are measured against " + ", and against ".join(parts) + "."
