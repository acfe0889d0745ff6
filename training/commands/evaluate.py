"""``graphsched eval``: policies against baselines, with a report."""

from __future__ import annotations

import shlex
import sys
from dataclasses import dataclass
from pathlib import Path  # noqa: TC003 - read at run time by tyro
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from graphsched.envs.core.errors import InputError
from graphsched.envs.core.extras import require
from graphsched.envs.core.registry import get_domain
from graphsched.envs.core.specs import parse_instances
from graphsched.eval.contenders import check_served, contenders
from graphsched.eval.entrants import open_entrants
from graphsched.eval.evaluate import HTML, evaluate, policy_facts
from graphsched.eval.files import prepare_folder
from graphsched.eval.words import Start, Word, split_words
from graphsched.training.commands.arguments import DomainWord, numbers, parse, time_limits
from graphsched.training.commands.screen import Bar, print_summary

if TYPE_CHECKING:
    from collections.abc import Sequence

    from graphsched.envs.core.domain import Domain
    from graphsched.eval.contenders import Contender
    from graphsched.eval.entrants import Entrants

NONE = "none"


@dataclass(frozen=True)
class EvalArguments:
    """Hold policies against baselines on the same instances; every solution is checked.

    With --out, report.json and the self-contained report.html are written there. The status is 1
    if any solution breaks the rules of the problem.
    """

    domain: DomainWord
    """Domain of the instances, e.g. jobshop."""
    instances: str
    """Sets, names, generators and files, joined by commas: taillard:15x15,ft06,my/folder."""
    policy: str = "default"
    """Bundles or names of shipped policies, joined by commas; `default` is the one that ships for
    such instances, `none` evaluates no policy."""
    baselines: str = "rules"
    """Names, joined by commas, and `rules` for all rules. NAME@N is the best of N runs,
    NAME+reverse solves an equivalent view as well, NAME@Ts gives a search or an exact solver T
    seconds, NAME>SEARCH goes on with a search, A&B>SEARCH from several solvers."""
    improve: str = "none"
    """Searches, joined by commas, to go on with from each policy and each named baseline, as
    further contenders; `graphsched list` names them."""
    samples: str = "1"
    """Runs of each policy of which the best is kept; several numbers are evaluated each."""
    beam: str = "0"
    """Widths of beam searches to evaluate as well."""
    symmetry: str = "none"
    """Equivalent views that policies solve as well: `none,reverse` evaluates both ways,
    `reverse+mirror` uses two views at once."""
    temperature: float = 1.0
    """Of the policies' samples."""
    rule_temperature: float | None = None
    """Strength of the noise in rules' samples; each baseline's own by default."""
    time_limit: Annotated[str | None, tyro.conf.arg(metavar="SECONDS")] = None
    """Processor time that every contender gets on every instance; several, joined by commas, are
    evaluated each. Without it contenders run to their end, searches and exact solvers for 10 s."""
    workers: int = 1
    """Threads of exact solvers."""
    reference: str | None = None
    """Baseline whose cost gaps are measured against, in place of bounds."""
    seed: str = "0"
    """Seeds, joined by commas; results are averaged over them."""
    out: Annotated[Path | None, tyro.conf.arg(metavar="FOLDER")] = None
    """Folder of the report; rows are written there as they come."""
    resume: bool = False
    """Go on with an interrupted evaluation in that folder."""


def main(argv: Sequence[str]) -> int:
    """Run the command; raises InputError for bad input."""
    return run(parse(EvalArguments, argv, "eval"), _command(argv))


def _command(argv: Sequence[str]) -> str:
    return shlex.join(["graphsched", "eval", *argv])


def run(arguments: EvalArguments, command: str = "") -> int:
    """Evaluate, print the table and write the report; returns the exit status."""
    domain = get_domain(arguments.domain)
    if arguments.out is not None:
        require("--out", "jinja2")
    elif arguments.resume:
        raise InputError("--resume", "needs --out, the folder of the interrupted evaluation")
    instances = parse_instances(domain, arguments.instances)
    seeds = numbers("--seed", arguments.seed, int, 0)
    entrants, found = _contenders(domain, arguments, instances)
    names = [contender.name for contender in found]
    if arguments.reference is not None and arguments.reference not in names:
        known = ", ".join(names)
        raise InputError("--reference", f"{arguments.reference!r:.40} is not one of {known}")
    if arguments.out is not None:
        prepare_folder(arguments.out)
    with Bar("evaluating", len(found) * len(seeds) * len(instances)) as bar:
        document = evaluate(
            domain,
            instances,
            found,
            seeds=seeds,
            out=arguments.out,
            command=command,
            policies=policy_facts(entrants),
            on_row=lambda row: bar.advance(row.solver),
            reference=arguments.reference,
            resume=arguments.resume,
        )
    print_summary(document)
    if arguments.out is not None:
        print(f"report: {arguments.out / HTML}")
    for broken in document["violations"]:
        first = broken["violations"][0]
        place = f"{broken['solver']} on {broken['instance']}, seed {broken['seed']}"
        print(f"INFEASIBLE: {place}: {first['kind']}: {first['message']}", file=sys.stderr)
    return 1 if document["violations"] else 0


def _contenders(
    domain: Domain[Any, Any], arguments: EvalArguments, instances: Sequence[Any]
) -> tuple[Entrants, list[Contender]]:
    if arguments.workers < 1:
        raise InputError("--workers", f"expected at least 1, found {arguments.workers}")
    limits = time_limits("--time-limit", arguments.time_limit)
    policies = [word for word in split_words(arguments.policy) if word != NONE]
    words = [word for word in split_words(arguments.baselines) if word != NONE]
    improvers = [word for word in split_words(arguments.improve) if word != NONE]
    entrants = open_entrants(
        domain,
        instances,
        policies,
        words,
        workers=arguments.workers,
        temperature=arguments.temperature,
        rule_temperature=arguments.rule_temperature,
    )
    names = list(dict.fromkeys(entrants.aliases[word] for word in policies))
    beams, starts = _beams(arguments, names), _starts(arguments, names)
    found = contenders(entrants, beams, (), limits)
    found += contenders(entrants, [*starts, *words], improvers, limits)
    if not found:
        raise InputError("eval", "expected a policy or baselines, found neither")
    check_served(domain, found, instances)
    return entrants, found


def _views(arguments: EvalArguments) -> list[tuple[str, ...]]:
    return [
        tuple(name for name in word.split("+") if name != NONE)
        for word in split_words(arguments.symmetry) or [NONE]
    ]


def _starts(arguments: EvalArguments, names: Sequence[str]) -> list[Word]:
    """Every policy with every number of samples and every choice of views."""
    samples, views = numbers("--samples", arguments.samples, int, 1), _views(arguments)
    return [Word((Start(name, k, v),)) for name in names for k in samples for v in views]


def _beams(arguments: EvalArguments, names: Sequence[str]) -> list[Word]:
    """Every policy with every width of a beam and every choice of views."""
    widths, views = numbers("--beam", arguments.beam, int, 0), _views(arguments)
    return [
        Word((Start(name, 1, v, width),))
        for name in names
        for width in widths
        if width
        for v in views
    ]
