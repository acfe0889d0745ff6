"""report.html: one self-contained page that answers whether a policy is worth its cost."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from graphsched.eval.judging.findings import headline, policy_findings, reference_note
from graphsched.eval.judging.learning import learning_table
from graphsched.eval.judging.rivals import KINDS, strongest
from graphsched.eval.judging.view import View, typical_instance
from graphsched.eval.report import curves, plots
from graphsched.eval.report.tables import (
    gap_table,
    leaders,
    metrics_table,
    shift_table,
    time_limit_table,
    time_table,
    versus_table,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from graphsched.envs.core.domain import Domain
    from graphsched.eval.judging.view import Document
    from graphsched.eval.running.benchmark import Result

TEMPLATE = "report.html"


def render_report(document: Document, picture: Mapping[str, str] | None = None) -> str:
    """The page.

    Args:
        document: as `build_document` makes it or report.json holds it.
        picture: a solution to show: ``caption``, and ``page``, a self-contained HTML page.
    """
    view = View(document)
    source = (files("graphsched.eval.report.templates") / TEMPLATE).read_text(encoding="utf-8")
    environment = Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined
    )
    template = environment.from_string(source)
    return template.render(
        document=document,
        headline=headline(view),
        measure=view.measure,
        answers=[(p["name"], policy_findings(view, p)) for p in view.learned],
        reference=reference_note(view),
        gaps=gap_table(view),
        versus=versus_table(view),
        times=time_table(view),
        limits=time_limit_table(view) if view.limits else None,
        leaders=leaders(view) if view.limits else [],
        learning=learning_table(view),
        shifts=shift_table(view),
        metrics=metrics_table(view),
        kinds=[kind for kind in KINDS if view.of_kind(kind)],
        plots=_plots(view),
        curves=_curves(document),
        picture=picture,
    )


def _plots(view: View) -> dict[str, Markup]:
    """Plots by name; all of their texts are escaped where they are made."""
    made = {
        "mean_gaps": plots.mean_gaps(view),
        "quality_against_time": curves.quality_against_time(view),
        "gap_distribution": plots.gap_distribution(view),
    }
    if len(view.groups) > 1:
        made["gaps_by_group"] = plots.gaps_by_group(view)
        made["panels"] = curves.panels(view)
    return {name: Markup(text) for name, text in made.items()}


def _curves(document: Document) -> list[tuple[str, Markup]]:
    """Training curves of the policies whose metrics hold one."""
    return [
        (policy["name"], Markup(plots.training_curve(policy["curve"])))
        for policy in document["policies"]
        if len(policy.get("curve") or []) > 1
    ]


def showcase(domain: Domain[Any, Any], result: Result, document: Document) -> dict[str, str] | None:
    """A picture of a typical instance: where the first shown solver's lead is the median one."""
    view = View(document)
    kept = list(dict.fromkeys(solver for solver, _ in result.solutions))
    if not kept:
        return None
    solver = kept[0]
    facts = view.facts[solver]
    name = typical_instance(view, solver, strongest(view, facts) if facts["learned"] else None)
    if name is None:
        return None
    instance, solution = result.instances[name], result.solutions[solver, name]
    cost = domain.cost(instance, solution)
    caption = f"{name} solved by {solver}: {domain.objective} {cost:g}"
    return {"caption": caption, "page": domain.render_html(instance, solution)}
