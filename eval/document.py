"""The content of report.json: everything an evaluation found, as one JSON document."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from graphsched.eval.judging.compare import Table, compare_all, summarise, to_json
from graphsched.eval.judging.wording import cost_unit
from graphsched.eval.machine import installed_versions, machine_facts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from graphsched.envs.core.domain import Domain
    from graphsched.eval.running.benchmark import Result
    from graphsched.eval.solvers.contenders import Contender

SCHEMA = 2


def build_document(
    domain: Domain[Any, Any],
    result: Result,
    contenders: Sequence[Contender],
    *,
    command: str = "",
    policies: Sequence[dict[str, Any]] = (),
    suite: str | None = None,
) -> dict[str, Any]:
    """The report as data.

    Args:
        domain: what was solved.
        result: of the benchmark.
        contenders: who took part.
        command: the command line that leads to this report.
        suite: name of the suite that the groups are shifts of.
        policies: name, path, configuration and training curve of each policy.
    """
    table = Table(result.rows, cost_unit(domain.objective))
    return {
        "schema": SCHEMA,
        "domain": domain.name,
        "objective": domain.objective,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": command,
        "suite": suite,
        "unit": table.unit,
        "instances": len(result.instances),
        "seeds": sorted({row.seed for row in result.rows}),
        "gap_reference": dict(Counter(_references(result))),
        "solvers": [_facts(contender) for contender in contenders],
        "summary": to_json(summarise(table, contenders)),
        "versus": to_json(compare_all(table, contenders)),
        "violations": result.violations,
        "policies": list(policies),
        "machine": machine_facts(),
        "versions": installed_versions(),
        "rows": [row.to_json() for row in result.rows],
    }


def _references(result: Result) -> list[str]:
    """What each instance's gap is measured against."""
    found = {row.instance: row.gap_reference for row in result.rows if row.gap_reference}
    return [found.get(name) or "none" for name in result.instances]


def _facts(contender: Contender) -> dict[str, Any]:
    return {
        "name": contender.name,
        "base": contender.base,
        "kind": contender.kind,
        "learned": contender.learned,
        "samples": contender.samples,
        "tries": contender.tries,
        "time_limit_s": contender.time_limit_s,
        "summary": contender.summary,
    }
