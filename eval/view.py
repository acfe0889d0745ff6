"""Look-ups in a report's document, shared by its sentences, tables and plots."""

from __future__ import annotations

from statistics import median
from typing import Any

Document = dict[str, Any]


class View:
    """A report's document with its summaries and comparisons by name."""

    def __init__(self, document: Document) -> None:
        """Args: document: as `build_document` makes it or report.json holds it."""
        self.document = document
        self.solvers: list[dict[str, Any]] = document["solvers"]
        self.kind = {solver["name"]: str(solver["kind"]) for solver in self.solvers}
        self._summary = {(s["solver"], s["group"]): s for s in document["summary"]}
        self._versus = {(v["solver"], v["baseline"], v["group"]): v for v in document["versus"]}

    @property
    def names(self) -> list[str]:
        """Solvers, best mean gap first; those without a gap come last."""
        return sorted(self.kind, key=lambda name: (self.gap(name) is None, self.gap(name) or 0.0))

    @property
    def groups(self) -> list[str]:
        """Groups without ``all``, in the order of the instances."""
        return list(dict.fromkeys(row["group"] for row in self.document["rows"]))

    def of_kind(self, kind: str) -> list[dict[str, Any]]:
        """Solvers of a kind, in the order in which they ran."""
        return [solver for solver in self.solvers if solver["kind"] == kind]

    def summary(self, solver: str, group: str = "all") -> dict[str, Any] | None:
        """A solver's summary in a group."""
        return self._summary.get((solver, group))

    def gap(self, solver: str, group: str = "all") -> float | None:
        """A solver's mean gap in a group, in percent."""
        found = self.summary(solver, group)
        return None if found is None else found["mean_gap_pct"]

    def versus(self, solver: str, baseline: str, group: str = "all") -> dict[str, Any] | None:
        """A comparison, if it was made."""
        return self._versus.get((solver, baseline, group))

    def best(self, solvers: list[dict[str, Any]]) -> str | None:
        """Name of the solver with the least mean gap, None of nobody."""
        scored = [(gap, s["name"]) for s in solvers if (gap := self.gap(s["name"])) is not None]
        return min(scored)[1] if scored else None

    def best_rule(self, samples: int = 1) -> str | None:
        """Best rule among those with as many runs, else among those that run once."""
        rules = self.of_kind("rule")
        for wanted in (samples, 1):
            if chosen := self.best([rule for rule in rules if rule["samples"] == wanted]):
                return chosen
        return self.best(rules)

    def gaps_by_instance(self, solver: str) -> dict[str, float]:
        """Instance -> mean gap over seeds."""
        found: dict[str, list[float]] = {}
        for row in self.document["rows"]:
            if row["solver"] == solver and row["gap_pct"] is not None:
                found.setdefault(row["instance"], []).append(row["gap_pct"])
        return {name: sum(values) / len(values) for name, values in found.items()}


def typical_instance(view: View, solver: str, baseline: str | None) -> str | None:
    """The instance on which the solver's lead over the baseline is the median one."""
    ours = view.gaps_by_instance(solver)
    theirs = view.gaps_by_instance(baseline) if baseline else {}
    lead = {name: gap - theirs.get(name, 0.0) for name, gap in ours.items()}
    if not lead:
        return None
    middle = median(lead.values())
    return min(lead, key=lambda name: abs(lead[name] - middle))
