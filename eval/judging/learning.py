"""What learning took beside what it gains, as a table and a sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graphsched.eval.judging.payback import Payback, payback
from graphsched.eval.judging.rivals import rivals, strongest
from graphsched.eval.judging.wording import DASH, duration, number, rough_count

if TYPE_CHECKING:
    from graphsched.eval.judging.view import Facts, View


def training_of(view: View, policy: Facts) -> Facts | None:
    """The entry in `policies` of the policy that takes part in a contender, by its name."""
    base = policy["base"]
    found = [p for p in view.document["policies"] if _begins(base, p["name"])]
    return max(found, key=lambda p: len(p["name"])) if found else None


def _begins(base: str, name: str) -> bool:
    return base == name or (base.startswith(name) and base[len(name)] in "@+> ")


def paid_back(view: View, policy: Facts) -> Payback | None:
    """The payback of a contender whose policy says what its training took."""
    training = training_of(view, policy)
    value = view.mean(policy["name"])
    if training is None or not training.get("cost") or value is None:
        return None
    curves: dict[str, list[tuple[float, float]]] = {}
    for rival in rivals(view):
        mean = view.mean(rival["name"])
        if mean is not None:
            curves.setdefault(rival["base"], []).append((view.time(rival["name"]), mean))
    limited = {rival["base"] for rival in rivals(view) if rival["time_limit_s"] is not None}
    hours = float(training["cost"]["core_hours"])
    return payback(hours, view.seconds(policy["name"]), value, curves, limited)


def in_words(found: Payback) -> str:
    """After how many instances training is paid for."""
    if found.instances is None:
        unmatched = found.bound == "more than"
        return "no time saved, but no rival is as good" if unmatched else "never"
    words = f"{rough_count(found.instances)} instances"
    sides = {"": "about", "at most": "at least", "more than": "at most"}
    return f"{sides[found.bound]} {words}"


def learning_finding(view: View, policy: Facts) -> str | None:
    """One sentence on what training took and when it pays."""
    found, training = paid_back(view, policy), training_of(view, policy)
    if found is None or training is None:
        return None
    text = f"its training took {number(training['cost']['core_hours'])} core-hours"
    time = duration(found.rival_s)
    if found.bound == "more than":
        text += f"; no rival is as good, not even {found.rival} after {time}"
        return text + (f", so it pays back after {in_words(found)}" if found.instances else "")
    bound = f"{found.bound} " if found.bound else ""
    text += f"; {found.rival} needs {bound}{time} to be as good"
    if found.instances is None:
        return f"{text}, so in processor time it never pays back"
    return f"{text}, so it pays back after {in_words(found)}"


def learning_table(view: View) -> list[dict[str, Any]]:
    """A row for each contender whose policy says what its training took."""
    out = []
    for policy in view.learned:
        found, training = paid_back(view, policy), training_of(view, policy)
        if found is None or training is None:
            continue
        name = policy["name"]
        rival = strongest(view, policy)
        out.append(
            {
                "name": name,
                "kind": policy["kind"],
                "core_hours": number(training["cost"]["core_hours"]),
                "machine": training["cost"]["machine"],
                "value": view.measure.value(view.mean(name)),
                "time": duration(view.seconds(name)),
                "decision": _decision(view, name),
                "rival": rival or DASH,
                "rival_value": view.measure.value(view.mean(rival) if rival else None),
                "rival_time": duration(view.seconds(rival)) if rival else DASH,
                "needs": f"{found.bound} {duration(found.rival_s)}".strip(),
                "needs_who": found.rival,
                "pays": in_words(found),
            }
        )
    return out


def _decision(view: View, name: str) -> str:
    """Time of a decision, where they are counted."""
    summary = view.summary(name)
    each = None if summary is None else summary["ms_per_decision"]
    return "" if each is None else f"{duration(each / 1e3)} a decision"
