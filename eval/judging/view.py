"""Look-ups in a report's document, shared by its sentences, tables and plots."""

from __future__ import annotations

from statistics import median
from typing import Any

from graphsched.eval.judging.wording import Measure

Document = dict[str, Any]
Facts = dict[str, Any]


class View:
    """A report's document with its summaries and comparisons by name."""

    def __init__(self, document: Document) -> None:
        """Args: document: as `build_document` makes it or report.json holds it."""
        self.document = document
        self.measure = Measure(document["unit"], document["objective"])
        self.solvers: list[Facts] = document["solvers"]
        self.facts: dict[str, Facts] = {solver["name"]: solver for solver in self.solvers}
        self.kind = {solver["name"]: str(solver["kind"]) for solver in self.solvers}
        self._summary = {(s["solver"], s["group"]): s for s in document["summary"]}
        self._versus = {(v["solver"], v["baseline"], v["group"]): v for v in document["versus"]}

    @property
    def names(self) -> list[str]:
        """Solvers, best mean first; those without a mean come last."""
        means = {name: self.mean(name) for name in self.kind}
        return sorted(means, key=lambda name: (means[name] is None, means[name] or 0.0))

    @property
    def groups(self) -> list[str]:
        """Groups without ``all``, in the order of the instances."""
        return list(dict.fromkeys(row["group"] for row in self.document["rows"]))

    @property
    def columns(self) -> list[str]:
        """Groups, ``all`` in front; ``all`` alone if there is one group only."""
        return ["all", *self.groups] if len(self.groups) > 1 else ["all"]

    @property
    def limits(self) -> list[float]:
        """Time limits that solvers had, shortest first."""
        found = {s["time_limit_s"] for s in self.solvers} - {None}
        return sorted(found)

    @property
    def learned(self) -> list[Facts]:
        """Solvers in which a policy takes part, in the order in which they ran."""
        return [solver for solver in self.solvers if solver["learned"]]

    @property
    def curves(self) -> dict[str, list[Facts]]:
        """Base -> its solvers with a mean, shortest time first; the best base comes first."""
        out: dict[str, list[Facts]] = {}
        for name in self.names:
            if self.mean(name) is not None:
                out.setdefault(self.facts[name]["base"], []).append(self.facts[name])
        for solvers in out.values():
            solvers.sort(key=lambda solver: self.time(solver["name"]))
        return out

    def size(self, group: str) -> int:
        """Number of instances of a group."""
        rows = self.document["rows"]
        return len({row["instance"] for row in rows if group in ("all", row["group"])})

    def of_kind(self, kind: str) -> list[Facts]:
        """Solvers of a kind, in the order in which they ran."""
        return [solver for solver in self.solvers if solver["kind"] == kind]

    def summary(self, solver: str, group: str = "all") -> Facts | None:
        """A solver's summary in a group."""
        return self._summary.get((solver, group))

    def mean(self, solver: str, group: str = "all") -> float | None:
        """A solver's mean gap in percent, or mean cost, in a group."""
        found = self.summary(solver, group)
        return None if found is None else found["mean"]

    def seconds(self, solver: str) -> float:
        """Processor time of a solver per instance."""
        found = self.summary(solver)
        return 0.0 if found is None else float(found["mean_seconds"])

    def time(self, solver: str) -> float:
        """Where a solver is on the axis of time: at its limit, or at the time it took."""
        limit = self.facts[solver]["time_limit_s"]
        return self.seconds(solver) if limit is None else float(limit)

    def versus(self, solver: str, baseline: str, group: str = "all") -> Facts | None:
        """A comparison, if it was made."""
        return self._versus.get((solver, baseline, group))

    def best(self, solvers: list[Facts], group: str = "all") -> str | None:
        """Name of the solver with the least mean, None of nobody."""
        means = {s["name"]: self.mean(s["name"], group) for s in solvers}
        scored = [(mean, name) for name, mean in means.items() if mean is not None]
        return min(scored)[1] if scored else None

    def values_by_instance(self, solver: str) -> dict[str, float]:
        """Instance -> mean over seeds of the solver's gaps, or costs."""
        key = "gap_pct" if self.measure.is_gap else "cost"
        found: dict[str, list[float]] = {}
        for row in self.document["rows"]:
            if row["solver"] == solver and row["feasible"] and row[key] is not None:
                found.setdefault(row["instance"], []).append(row[key])
        return {name: sum(values) / len(values) for name, values in found.items()}


def typical_instance(view: View, solver: str, baseline: str | None) -> str | None:
    """The instance on which the solver's lead over the baseline is the median one."""
    ours = view.values_by_instance(solver)
    theirs = view.values_by_instance(baseline) if baseline else {}
    lead = {name: value - theirs.get(name, 0.0) for name, value in ours.items()}
    if not lead:
        return None
    middle = median(lead.values())
    return min(lead, key=lambda name: abs(lead[name] - middle))
