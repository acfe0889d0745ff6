"""``graphsched costs``: every solver's cost on the named instances, to hold changes against."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path  # noqa: TC003 - read at run time by tyro
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from graphsched.cli.arguments import DomainWord, parse
from graphsched.cli.screen import Bar
from graphsched.envs.core.errors import InputError
from graphsched.envs.core.parts.reading import parse_json, read_text
from graphsched.envs.core.parts.writing import prepare_file, write_json
from graphsched.envs.core.registry import domain_names, get_domain
from graphsched.eval.costs import collect, differences, named_specs, solvers

if TYPE_CHECKING:
    from collections.abc import Sequence

SCHEMA = 1
SHOWN = 20  # differences that are printed


@dataclass(frozen=True)
class CostsArguments:
    """Cost of every baseline and shipped policy on the named sets and the presets' instances.

    With --against, a file that --out wrote before: the status is 1 if any cost differs from
    there, in the last digit or because it is missing. Solvers that depend on the clock are left
    out. The costs are those of one machine: elsewhere policies may differ in their last digits.
    """

    domain: DomainWord = ""
    """Domain to run; all of them without one."""
    first: int | None = None
    """Only so many instances of each set."""
    out: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """Write the costs here, as JSON."""
    against: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """Costs of another time to compare with."""


def main(argv: Sequence[str]) -> int:
    """Run the command; raises InputError for bad input."""
    arguments = parse(CostsArguments, argv, "costs")
    if arguments.first is not None and arguments.first < 0:
        raise InputError("--first", f"expected 0 or more, found {arguments.first}")
    names = [arguments.domain] if arguments.domain else list(domain_names())
    before = _read(arguments.against, names) if arguments.against is not None else None
    if arguments.out is not None:
        prepare_file(arguments.out)
    found = {name: _collect(name, arguments.first) for name in names}
    if arguments.out is not None:
        write_json(arguments.out, {"schema": SCHEMA, "domains": found})
    return _compare(before, found) if before is not None else 0


def _collect(name: str, first: int | None) -> dict[str, dict[str, float | None]]:
    domain = get_domain(name)
    specs = named_specs(domain, first)
    with Bar(name, len(specs) * sum(1 for _ in solvers(domain))) as bar:
        costs = collect(domain, specs, bar.advance)
    print(f"{name}: {sum(len(row) for row in costs.values())} costs on {len(costs)} instances")
    return costs


def _read(path: Path, names: Sequence[str]) -> dict[str, Any]:
    document = parse_json(read_text(path), path)
    if document.get("schema") != SCHEMA:
        raise InputError(path, f"expected what `graphsched costs --out` writes, schema {SCHEMA}")
    domains = document.get("domains")
    known = domains if isinstance(domains, dict) else {}
    if missing := [name for name in names if name not in known]:
        raise InputError(path, f"has no costs of {', '.join(missing)}")
    return {name: known[name] for name in names}


def _compare(before: dict[str, Any], after: dict[str, Any]) -> int:
    lines = [f"{n}: {line}" for n in after for line in differences(before[n], after[n])]
    for line in lines[:SHOWN]:
        print(line, file=sys.stderr)
    print(f"{len(lines)} costs differ" if lines else "all costs are the same")
    return 1 if lines else 0
