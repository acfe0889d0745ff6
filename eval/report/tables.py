"""The report's tables as data: the template only lays them out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graphsched.eval.judging.rivals import described, rivals, strongest
from graphsched.eval.judging.verdicts import in_a_word, tone, verdict
from graphsched.eval.judging.wording import DASH, duration, interval, number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from graphsched.eval.judging.view import Facts, View


def gap_table(view: View) -> dict[str, Any]:
    """Mean with interval for each solver and group; the best of a column is marked."""
    names = view.names
    best = {
        group: min((m for name in names if (m := view.mean(name, group)) is not None), default=0)
        for group in view.columns
    }
    rows = []
    for name in names:
        cells = []
        for group in view.columns:
            first = view.mean(name, group) == best[group]
            cells.append({**_cell(view.summary(name, group)), "best": first})
        rows.append({"name": name, "kind": view.kind[name], "cells": cells})
    heads = [{"name": group, "n": view.size(group)} for group in view.columns]
    return {"columns": heads, "rows": rows}


def _cell(found: Facts | None) -> dict[str, Any]:
    """Mean, and its interval where there is one."""
    if found is None:
        return {"mean": DASH, "interval": ""}
    many = found["n"] > 1
    wide = interval(found["ci_low"], found["ci_high"]) if many else ""
    return {"mean": number(found["mean"]), "interval": wide}


def limit_name(limit: float | None) -> str:
    """Head of a column: ``1 s``, ``no limit``."""
    return "no limit" if limit is None else duration(limit)


def time_limit_table(view: View) -> dict[str, Any]:
    """Bases by time limit: means with intervals, the best of a column marked; best base first."""
    limits: list[float | None] = [None, *view.limits]
    place = {(s["base"], s["time_limit_s"]): s["name"] for s in view.solvers}
    best = {limit: view.best(_within(view, limit)) for limit in limits}
    rows = []
    for base, solvers in view.curves.items():
        cells = []
        for limit in limits:
            name = place.get((base, limit))
            cell = _cell(view.summary(name) if name else None)
            took = duration(view.seconds(name)) if name and limit is None else ""
            cells.append({**cell, "took": took, "best": name is not None and name == best[limit]})
        rows.append({"name": base, "kind": solvers[0]["kind"], "cells": cells})
    return {"columns": [limit_name(limit) for limit in limits], "rows": rows}


def _within(view: View, limit: float | None) -> list[Facts]:
    return [solver for solver in view.solvers if solver["time_limit_s"] == limit]


def leaders(view: View) -> list[dict[str, Any]]:
    """Who is best at each time limit, who is next, and whether they can be told apart."""
    out = []
    for limit in (None, *view.limits):
        solvers = _within(view, limit)
        first = view.best(solvers)
        second = view.best([solver for solver in solvers if solver["name"] != first])
        if first is None:
            continue
        row: dict[str, Any] = {"limit": limit_name(limit), "first": _named(view, first)}
        row["second"] = _named(view, second) if second else None
        row["verdict"] = _leads(view, first, second) if second else ""
        out.append(row)
    return out


def _named(view: View, name: str) -> dict[str, Any]:
    return {"name": name, "kind": view.kind[name], **_cell(view.summary(name))}


def _leads(view: View, first: str, second: str) -> str:
    """The verdict on the lead of the first, if the two were compared at all."""
    if found := view.versus(first, second):
        return in_a_word(found)
    turned = view.versus(second, first)
    if turned is None:
        return DASH
    words = in_a_word(turned)
    return words.replace("worse", "better") if "worse" in words else words


def versus_table(view: View) -> list[dict[str, Any]]:
    """For each policy (or, without one, each solver): rows against all others, over all groups."""
    out: dict[str, list[dict[str, Any]]] = {}
    for item in view.document["versus"]:
        if item["group"] != "all":
            continue
        total = max(item["wins"] + item["ties"] + item["losses"], 1)
        times = [duration(view.time(item[key])) for key in ("solver", "baseline")]
        out.setdefault(item["solver"], []).append(
            {
                **item,
                "kind": view.kind[item["baseline"]],
                "tone": tone(item),
                "verdict": in_a_word(item),
                "times": "" if item["same_time"] else f"{times[0]} against {times[1]}",
                "difference": number(item["mean_diff"]),
                "interval": interval(item["ci_low"], item["ci_high"]),
                "shares": [100 * item[key] / total for key in ("wins", "ties", "losses")],
            }
        )
    for rows in out.values():
        rows.sort(key=lambda row: (row["mean_diff"] is None, -(row["mean_diff"] or 0.0)))
    return [{"solver": solver, "rows": rows} for solver, rows in out.items()]


def shift_table(view: View) -> list[dict[str, Any]]:
    """Where policies stop to help: for each, a row of each shift against its strongest rival.

    Without a policy the first contender is judged. Empty unless the report is of a suite, whose
    groups are shifts.
    """
    if not view.document.get("suite"):
        return []
    out = []
    for policy in view.learned or view.solvers[:1]:
        rows = [row for group in view.groups if (row := _shift(view, policy, group))]
        if rows:
            out.append({"policy": policy["name"], "answer": _stops(rows), "rows": rows})
    return out


def _shift(view: View, policy: Facts, group: str) -> dict[str, Any] | None:
    rival = strongest(view, policy, group)
    found = view.versus(policy["name"], rival, group) if rival else None
    if rival is None or found is None:
        return None
    return {
        "group": group,
        "n": found["n"],
        "ours": number(view.mean(policy["name"], group)),
        "rival": described(view, rival, policy),
        "theirs": number(view.mean(rival, group)),
        "difference": number(found["mean_diff"]),
        "interval": interval(found["ci_low"], found["ci_high"]),
        "verdict": in_a_word(found),
        "told": verdict(found),
        "tone": tone(found),
    }


def _stops(rows: Sequence[dict[str, Any]]) -> str:
    """In one sentence: at which shifts a policy helps, hurts, and nothing can be said."""
    parts = []
    words = {"better": "helps at", "worse": "is behind at", "few": "has too few instances at"}
    for told, said in words.items():
        if groups := [row["group"] for row in rows if row["told"] == told]:
            parts.append(f"{said} {', '.join(groups)}")
    if rest := [row["group"] for row in rows if row["told"] not in words]:
        parts.append(f"shows no sure difference at {', '.join(rest)}")
    return "; ".join(parts)


def metrics_table(view: View) -> dict[str, Any]:
    """Means of the domain's further measures for each group and solver; maybe empty."""
    found: dict[tuple[str, str], list[dict[str, float]]] = {}
    groups = view.columns
    for row in view.document["rows"]:
        for group in {"all", row["group"]} & set(groups):
            if row.get("metrics"):
                found.setdefault((group, row["solver"]), []).append(row["metrics"])
    columns = list(dict.fromkeys(key for rows in found.values() for row in rows for key in row))
    rows = []
    for group, name in ((g, n) for g in groups for n in view.names if (g, n) in found):
        cells = []
        for key in columns:
            values = [row[key] for row in found[group, name] if key in row]
            cells.append(f"{sum(values) / len(values):.4g}" if values else DASH)
        rows.append({"group": group, "name": name, "kind": view.kind[name], "cells": cells})
    return {"columns": columns, "rows": rows}


def time_table(view: View) -> dict[str, Any]:
    """Mean processor time of an instance for each solver and group, and of a decision."""
    rows = []
    for name in view.names:
        found = [view.summary(name, group) for group in view.columns]
        per_decision = found[0]["ms_per_decision"] if found[0] else None
        rows.append(
            {
                "name": name,
                "kind": view.kind[name],
                "decision": DASH if per_decision is None else duration(per_decision / 1e3),
                "cells": [duration(s["mean_seconds"]) if s else DASH for s in found],
            }
        )
    return {"columns": view.columns, "rows": rows}


def foremost(view: View) -> list[str]:
    """One solver of each base, at its longest time limit; of the rules the best one only."""
    last = [solvers[-1]["name"] for solvers in view.curves.values()]
    best = view.best([rival for rival in rivals(view) if rival["kind"] == "rule"])
    return [n for n in view.names if n in last and (view.kind[n] != "rule" or n == best)]
