"""``graphsched solve``: one instance, by a policy or a baseline."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from graphsched.cli.arguments import (
    DomainWord,
    Futures,
    Horizon,
    InstanceWord,
    Margin,
    RolloutMs,
    ahead,
    parse,
)
from graphsched.cli.pictures import check_picture, picture
from graphsched.envs.core.clock import cpu_s
from graphsched.envs.core.errors import InputError
from graphsched.envs.core.parts.writing import json_text, prepare_file, write_files
from graphsched.envs.core.registry import get_domain
from graphsched.envs.core.specs import parse_instance
from graphsched.eval.judging.wording import duration
from graphsched.eval.solvers.request import Request, request_contender
from graphsched.eval.solvers.words import split_words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from graphsched.envs.core.domain import Domain, Violation


@dataclass(frozen=True)
class SolveArguments:
    """Solve one instance; by the policy that ships with the domain if nothing else is named.

    Given a time limit alone, or where no policy ships, by the solver that does best within a time.
    """

    domain: DomainWord
    """Domain of the instance, e.g. jobshop."""
    instance: InstanceWord
    """Name, generator (random:20x15:seed=7) or file of the instance."""
    policy: Annotated[str | None, tyro.conf.arg(metavar="BUNDLE")] = None
    """Bundle of a policy, or the name of a shipped one."""
    baseline: Annotated[str | None, tyro.conf.arg(metavar="NAME")] = None
    """A baseline instead of a policy; `graphsched list` names them. Or a chain of solvers such as
    'heft>local-search', 'best3&default>local-search' (several starts) or 'cem-linear@64+reverse'.
    NAME:FILE has the settings of a file that `tune --baseline NAME` wrote."""
    improve: Annotated[str | None, tyro.conf.arg(metavar="NAME")] = None
    """A search to go on with from what the policy or baseline finds; `graphsched list` names
    them."""
    samples: int = 1
    """Keep the best of this many runs."""
    beam: int = 0
    """Width of a beam search, for policies."""
    rollouts: int = 0
    """Candidates of each decision that a policy tries by rollouts before it takes one; 0 tries none."""
    futures: Futures = 1
    horizon: Horizon = None
    margin: Margin = 0.0
    rollout_ms: RolloutMs = None
    symmetry: Annotated[str | None, tyro.conf.arg(metavar="NAMES")] = None
    """Equivalent views to solve as well, joined by commas, e.g. reverse."""
    temperature: float = 1.0
    """Of the policy's samples."""
    seed: int = 0
    """Of all random draws."""
    time_limit: Annotated[float | None, tyro.conf.arg(metavar="SECONDS")] = None
    """Processor time, s: searches and exact solvers go on until then (10 by default), policies and
    rules go on sampling."""
    workers: int = 1
    """Threads of an exact solver."""
    out: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """Write the solution here, as JSON."""
    gantt: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """Draw the solution into this .html, .png or .txt file."""
    json: bool = False
    """Print the result as JSON."""


def main(argv: Sequence[str]) -> int:
    """Run the command; raises InputError for bad input."""
    arguments = parse(SolveArguments, argv, "solve")
    domain = get_domain(arguments.domain)
    _check_options(arguments)
    instance = parse_instance(domain, arguments.instance)
    contender = request_contender(domain, instance, _request(arguments))
    solver = contender.make(arguments.seed, contender.time_limit_s)
    began = cpu_s()
    solution = solver(instance)
    seconds = cpu_s() - began
    violations = domain.check(instance, solution)
    facts = {
        "schema": 1,
        "domain": domain.name,
        "instance": instance.name,
        "solver": contender.name,
        "cost": domain.cost(instance, solution),
        "lower_bound": domain.lower_bound(instance),
        "best_known": domain.best_known(instance),
        "feasible": not violations,
        "seconds": seconds,
    }
    files = {}
    if arguments.out is not None:
        files[arguments.out] = json_text(solution.to_json()).encode()
    if arguments.gantt is not None:
        files[arguments.gantt] = picture(domain, instance, solution, arguments.gantt)
    write_files(files)
    print(json.dumps(facts) if arguments.json else _page(domain, facts))
    return _verdict(violations)


def _check_options(arguments: SolveArguments) -> None:
    if arguments.samples < 1:
        raise InputError("--samples", f"expected at least 1, found {arguments.samples}")
    if arguments.workers < 1:
        raise InputError("--workers", f"expected at least 1, found {arguments.workers}")
    if arguments.seed < 0:
        raise InputError("--seed", f"expected 0 or more, found {arguments.seed}")
    if arguments.out is not None:
        prepare_file(arguments.out)
    if arguments.gantt is not None:
        check_picture(arguments.gantt)
    _check_places(arguments)


def _check_places(arguments: SolveArguments) -> None:
    """What is written goes neither over the instance nor over what else is written."""
    parts = [arguments.instance, *re.split("[@+]", arguments.instance)]
    taken = {Path(part).resolve() for part in parts if part}
    for name in ("out", "gantt"):
        path: Path | None = getattr(arguments, name)
        if path is None:
            continue
        if path.resolve() in taken:
            raise InputError(f"--{name} {path}", "is the instance, or written to already")
        taken.add(path.resolve())


def _request(arguments: SolveArguments) -> Request:
    return Request(
        policy=arguments.policy,
        baseline=arguments.baseline,
        samples=arguments.samples,
        symmetries=tuple(split_words(arguments.symmetry or "")),
        temperature=arguments.temperature,
        beam=arguments.beam,
        ahead=ahead(arguments, arguments.rollouts),
        improve=arguments.improve,
        time_limit_s=arguments.time_limit,
        workers=arguments.workers,
    )


def _page(domain: Domain[Any, Any], facts: dict[str, Any]) -> str:
    cost, best, bound = facts["cost"], facts["best_known"], facts["lower_bound"]
    lines = [f"{facts['instance']}: {domain.objective} {cost:g} by {facts['solver']}"]
    if best:
        lines.append(f"  best known   {best:g} ({100 * (cost / best - 1):+.2f}%)")
    if bound > 0:
        lines.append(f"  lower bound  {bound:g} ({100 * (cost / bound - 1):+.2f}%)")
    lines.append(f"  time         {duration(facts['seconds'])}")
    return "\n".join(lines)


def _verdict(violations: Sequence[Violation]) -> int:
    for violation in violations:
        print(f"infeasible: {violation.kind}: {violation.message}", file=sys.stderr)
    return 1 if violations else 0
