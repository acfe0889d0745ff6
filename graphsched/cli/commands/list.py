"""``graphsched list``: what there is to work with."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from graphsched.agents.bundles.shipped import shipped_policies
from graphsched.cli.arguments import parse
from graphsched.envs.core.registry import domain_names, get_domain
from graphsched.envs.core.suites import suites

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from graphsched.envs.core.domain import Domain


@dataclass(frozen=True)
class ListArguments:
    """Domains, instance sets, generators, baselines, symmetries and shipped policies."""

    json: bool = False
    """Print a JSON document."""


def main(argv: Sequence[str]) -> int:
    """Run the command."""
    arguments = parse(ListArguments, argv, "list")
    facts = [describe(get_domain(name)) for name in domain_names()]
    if arguments.json:
        print(json.dumps({"schema": 1, "domains": facts}, indent=1))
    else:
        print("\n\n".join(_page(domain) for domain in facts))
    return 0


def describe(domain: Domain[Any, Any]) -> dict[str, Any]:
    """What there is of one domain, as JSON."""
    presets = domain.preset_tables()
    return {
        "name": domain.name,
        "env_id": f"graphsched:{domain.env_id}",
        "objective": domain.objective,
        "sets": {name: len(members) for name, members in domain.library.sets.items()},
        "generators": list(domain.generators),
        "readers": list(domain.readers),
        "baselines": [
            {
                "name": name,
                "summary": b.summary,
                "is_rule": b.is_rule,
                "is_exact": b.is_exact,
                "knobs": {
                    k: {"values": list(v.values), "default": v.default} for k, v in b.knobs.items()
                },
            }
            for name, b in domain.baselines.items()
        ],
        "improvers": {name: i.summary for name, i in domain.improvers.items()},
        "symmetries": list(domain.symmetries),
        "suites": {name: suite.summary for name, suite in suites(domain).items()},
        "presets": list(presets.get("train", {})),
        "policies": list(shipped_policies(domain.name)),
        "commands": list(domain.commands),
    }


def _page(facts: dict[str, Any]) -> str:
    whole = [f"{name} ({n})" for name, n in facts["sets"].items() if ":" not in name]
    narrowed = [name for name in facts["sets"] if ":" in name]
    rows = {
        "environment": facts["env_id"],
        "objective": facts["objective"],
        "instance sets": ", ".join(whole),
        "by group": ", ".join(narrowed),
        "generators": ", ".join(facts["generators"]),
        "file formats": ", ".join(facts["readers"]),
        "symmetries": ", ".join(facts["symmetries"]),
        "presets": ", ".join(facts["presets"]),
        "policies": ", ".join(facts["policies"]) or "none shipped",
        "commands": ", ".join(f"{name} {facts['name']}" for name in facts["commands"]),
    }
    lines = [facts["name"]]
    lines += [f"  {name:<15}{words}" for name, words in rows.items() if words]
    lines += _section("baselines", {b["name"]: b["summary"] for b in facts["baselines"]})
    knobs = {b["name"]: ", ".join(b["knobs"]) for b in facts["baselines"] if b["knobs"]}
    lines += _section("knobs that `tune --baseline` sweeps", knobs)
    lines += _section("searches that improve a solution", facts["improvers"])
    lines += _section("suites", facts["suites"])
    return "\n".join(lines)


def _section(title: str, summaries: Mapping[str, str]) -> list[str]:
    """Names with a line each, under a title; nothing of none."""
    if not summaries:
        return []
    width = 2 + max(13, *map(len, summaries))
    return [f"  {title}", *(f"    {name:<{width}}{words}" for name, words in summaries.items())]
