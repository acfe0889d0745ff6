"""``graphsched check``: is a solution feasible, and is its claimed cost right?"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path  # noqa: TC003 - read at run time by tyro
from typing import TYPE_CHECKING, Annotated

import tyro

from graphsched.cli.arguments import DomainWord, InstanceWord, parse
from graphsched.envs.core.parts.reading import read_object
from graphsched.envs.core.registry import get_domain
from graphsched.envs.core.specs import parse_instance

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class CheckArguments:
    """Check a solution; status 0 if it is feasible, 1 with every violation listed if not."""

    domain: DomainWord
    """Domain of the instance, e.g. jobshop."""
    instance: InstanceWord
    """Name, generator or file of the instance."""
    solution: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="SOLUTION")]
    """Solution as `solve --out` writes it."""
    json: bool = False
    """Print a JSON document."""


def main(argv: Sequence[str]) -> int:
    """Run the command; raises InputError for bad input."""
    arguments = parse(CheckArguments, argv, "check")
    domain = get_domain(arguments.domain)
    instance = parse_instance(domain, arguments.instance)
    solution = read_object(
        arguments.solution, lambda document: domain.solution_from_json(instance, document)
    )
    violations = domain.check(instance, solution)
    if arguments.json:
        listed = [{"kind": v.kind, "message": v.message} for v in violations]
        place = {"domain": domain.name, "instance": instance.name}
        feasible = not violations
        print(json.dumps({"schema": 1, **place, "feasible": feasible, "violations": listed}))
    elif violations:
        print("\n".join(f"{v.kind}: {v.message}" for v in violations))
    else:
        cost = domain.cost(instance, solution)
        print(f"feasible: {instance.name}, {domain.objective} {cost:g}")
    return 1 if violations else 0
