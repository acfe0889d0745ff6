"""One call from contenders to a report on disk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graphsched.envs.core.parts.writing import json_text, write_files
from graphsched.eval.document import build_document
from graphsched.eval.running.benchmark import run_benchmark
from graphsched.eval.running.journal import Journal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from graphsched.envs.core.domain import Domain
    from graphsched.eval.judging.view import Document
    from graphsched.eval.running.rows import Row
    from graphsched.eval.solvers.contenders import Contender
    from graphsched.eval.solvers.entrants import Entrants

JSON, HTML = "report.json", "report.html"


def evaluate(
    domain: Domain[Any, Any],
    instances: Sequence[Any],
    contenders: Sequence[Contender],
    *,
    seeds: Sequence[int] = (0,),
    out: Path | None = None,
    command: str = "",
    policies: Sequence[dict[str, Any]] = (),
    on_row: Callable[[Row], None] | None = None,
    reference: str | None = None,
    groups: Sequence[str] | None = None,
    suite: str | None = None,
    resume: bool = False,
) -> Document:
    """Run a benchmark and, given a folder, write report.json and report.html into it.

    Args:
        domain: of the instances.
        instances: to solve.
        contenders: solvers in the order to run.
        seeds: each contender runs with each.
        out: folder that exists; None to write nothing. While the evaluation runs its rows are
            written there as they come.
        command: what leads to this report, to be shown in it.
        policies: facts of the policies, see `policy_facts`.
        on_row: called after each solve.
        reference: contender whose costs gaps are measured against; bounds by default.
        groups: label of each instance in tables; `Domain.group` by default.
        suite: name of the suite that the groups are shifts of.
        resume: go on with an unfinished evaluation in the folder.

    Returns:
        The content of report.json.

    Raises:
        InputError: the folder holds an unfinished evaluation, and ``resume`` isn't set or it is
            another one.
    """
    shown = [c.name for c in contenders if c.kind == "policy"] or [contenders[0].name]
    journal = Journal(out, domain, instances, contenders, seeds, resume) if out else None
    result = run_benchmark(
        domain, instances, contenders, seeds, shown[:1], on_row, reference, groups, journal
    )
    document = build_document(
        domain, result, contenders, command=command, policies=policies, suite=suite
    )
    if out is not None:
        from graphsched.eval.report.page import render_report, showcase  # jinja2 is an extra

        page = render_report(document, showcase(domain, result, document))
        write_files({out / JSON: json_text(document).encode(), out / HTML: page.encode()})
    if journal is not None:
        journal.close()
    return document


def policy_facts(entrants: Entrants) -> list[dict[str, Any]]:
    """What a report keeps of each policy: its training, its commit, its curve, what it took."""
    wanted = ("training", "seed", "git", "versions", "simulator_options")
    out = []
    for name, policy in entrants.policies.items():
        facts = {key: policy.config[key] for key in wanted if key in policy.config}
        known = {key: policy.metrics.get(key) for key in ("curve", "cost")}
        known["curve"] = known["curve"] or []
        out.append({"name": name, "path": entrants.places[name], **facts, **known})
    return out
