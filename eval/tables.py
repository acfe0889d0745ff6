"""The report's tables as data: the template only lays them out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graphsched.eval.findings import verdict
from graphsched.eval.wording import DASH, duration, interval, percent

if TYPE_CHECKING:
    from graphsched.eval.view import View


def _columns(view: View) -> list[str]:
    """Groups, ``all`` in front; ``all`` alone if there is one group only."""
    return ["all", *view.groups] if len(view.groups) > 1 else ["all"]


def gap_table(view: View) -> dict[str, Any]:
    """Mean gap with interval for each solver and group; the best of a column is marked."""
    columns = _columns(view)
    names = view.names
    best = {
        group: min((g for name in names if (g := view.gap(name, group)) is not None), default=0)
        for group in columns
    }
    rows = []
    for name in names:
        cells = []
        for group in columns:
            found = view.summary(name, group)
            gap = found["mean_gap_pct"] if found else None
            many = found is not None and found["n"] > 1
            wide = interval(found["ci_low"], found["ci_high"]) if found and many else ""
            cells.append({"gap": percent(gap), "interval": wide, "best": gap == best[group]})
        rows.append({"name": name, "kind": view.kind[name], "cells": cells})
    heads = [{"name": group, "n": _size(view, group)} for group in columns]
    return {"columns": heads, "rows": rows}


def _size(view: View, group: str) -> int:
    rows = view.document["rows"]
    return len({row["instance"] for row in rows if group in ("all", row["group"])})


def versus_table(view: View) -> list[dict[str, Any]]:
    """For each policy (or, without one, each solver): rows against all others, over all groups."""
    out: dict[str, list[dict[str, Any]]] = {}
    for item in view.document["versus"]:
        if item["group"] != "all":
            continue
        total = max(item["n"], 1)
        out.setdefault(item["solver"], []).append(
            {
                **item,
                "kind": view.kind[item["baseline"]],
                "tone": verdict(item),
                "difference": percent(item["mean_diff_pct"]),
                "interval": interval(item["ci_low"], item["ci_high"]),
                "shares": [100 * item[key] / total for key in ("wins", "ties", "losses")],
            }
        )
    for rows in out.values():
        rows.sort(key=lambda row: (row["mean_diff_pct"] is None, -(row["mean_diff_pct"] or 0.0)))
    return [{"solver": solver, "rows": rows} for solver, rows in out.items()]


def metrics_table(view: View) -> dict[str, Any]:
    """Means of the domain's further measures for each group and solver; maybe empty."""
    found: dict[tuple[str, str], list[dict[str, float]]] = {}
    groups = _columns(view)
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
    """Mean wall-clock time of an instance for each solver and group, and of a decision."""
    columns = _columns(view)
    rows = []
    for name in view.names:
        found = [view.summary(name, group) for group in columns]
        per_decision = found[0]["ms_per_decision"] if found[0] else None
        rows.append(
            {
                "name": name,
                "kind": view.kind[name],
                "decision": DASH if per_decision is None else duration(per_decision / 1e3),
                "cells": [duration(s["mean_seconds"]) if s else DASH for s in found],
            }
        )
    return {"columns": columns, "rows": rows}
