"""``graphsched eval``: policies against baselines, with a report."""

from __future__ import annotations

import shlex
import sys
from dataclasses import dataclass, replace
from pathlib import Path  # noqa: TC003 - read at run time by tyro
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from graphsched.cli.arguments import (
    DomainWord,
    Futures,
    Horizon,
    Margin,
    RolloutMs,
    ahead,
    numbers,
    parse,
    time_limits,
)
from graphsched.cli.screen import Bar, print_summary
from graphsched.envs.core.errors import InputError
from graphsched.envs.core.extras import require
from graphsched.envs.core.parts.writing import prepare_folder
from graphsched.envs.core.registry import get_domain
from graphsched.envs.core.specs import parse_instances
from graphsched.envs.core.suites import Suite, open_suite
from graphsched.eval.evaluate import HTML, evaluate, policy_facts
from graphsched.eval.solvers.contenders import check_served, contenders, with_reference
from graphsched.eval.solvers.entrants import open_entrants
from graphsched.eval.solvers.words import NONE, Start, Word, named_words, split_words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from graphsched.envs.core.domain import Domain
    from graphsched.eval.solvers.contenders import Contender
    from graphsched.eval.solvers.entrants import Entrants


@dataclass(frozen=True)
class EvalArguments:
    """Hold policies against baselines on the same instances; every solution is checked.

    With --out, report.json and the self-contained report.html are written there. The status is 1
    if any solution breaks the rules of the problem.
    """

    domain: DomainWord
    """Domain of the instances, e.g. jobshop."""
    instances: str | None = None
    """Sets, names, generators and files, joined by commas: taillard:15x15,ft06,my/folder."""
    suite: Annotated[str | None, tyro.conf.arg(metavar="NAME|FILE")] = None
    """In place of --instances: a named suite, which shifts them away from what a policy was trained
    for and asks where it stops to help; `graphsched list` names them. Or a TOML file of one."""
    policy: str | None = None
    """Bundles or names of shipped policies, joined by commas; `default` is the one that ships for
    such instances, `none` evaluates no policy. By default `default`, or what the suite says."""
    baselines: str | None = None
    """Names, joined by commas, and `rules` for all rules, the default unless a suite says more. NAME@N is the best of N runs,
    NAME+reverse solves an equivalent view as well, NAME@Ts gives a search or an exact solver T
    seconds, NAME>SEARCH goes on with a search, A&B>SEARCH from several solvers. NAME:FILE has the settings
    of a file that `tune --baseline NAME` wrote."""
    improve: str = "none"
    """Searches, joined by commas, to go on with from each policy and each named baseline, as
    further contenders; `graphsched list` names them."""
    samples: str = "1"
    """Runs of each policy of which the best is kept; several numbers are evaluated each."""
    beam: str = "0"
    """Widths of beam searches to evaluate as well."""
    rollouts: str = "0"
    """Policies that try so many candidates of each decision by rollouts, to evaluate as well."""
    futures: Futures = 1
    horizon: Horizon = None
    margin: Margin = 0.0
    rollout_ms: RolloutMs = None
    symmetry: str = "none"
    """Equivalent views that policies solve as well: `none,reverse` evaluates both ways,
    `reverse+mirror` uses two views at once."""
    temperature: float = 1.0
    """Of the policies' samples."""
    rule_temperature: float | None = None
    """Strength of the noise in rules' samples; each baseline's own by default."""
    tune_temperature: Annotated[str | None, tyro.conf.arg(metavar="INSTANCES")] = None
    """Instances apart from --instances on which the temperature of every policy and baseline that
    samples is chosen; in place of the two above."""
    time_limit: Annotated[str | None, tyro.conf.arg(metavar="SECONDS")] = None
    """Processor time that every contender gets on every instance; several, joined by commas, are
    evaluated each. Without it contenders run to their end, searches and exact solvers for 10 s."""
    workers: int = 1
    """Threads of exact solvers."""
    reference: str | None = None
    """Baseline whose cost gaps are measured against, in place of bounds; it runs to its end if it
    isn't among the others."""
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
    asked = _asked(domain, arguments)
    instances, groups = asked.instances(domain)
    seeds = numbers("--seed", arguments.seed, int, 0)
    entrants, found = _contenders(domain, arguments, asked, instances)
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
            reference=asked.reference or None,
            groups=groups if arguments.suite else None,
            suite=asked.name if arguments.suite else None,
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


def _asked(domain: Domain[Any, Any], arguments: EvalArguments) -> Suite:
    """The suite, or the instances as one without shifts."""
    if (arguments.suite is None) == (arguments.instances is None):
        given = "neither" if arguments.suite is None else "both"
        raise InputError("--instances and --suite", f"expected one of them, found {given}")
    if arguments.suite is not None:
        suite = open_suite(domain, arguments.suite)
    else:
        suite = Suite("", "", "default", "rules", "", {"": arguments.instances or ""})
    policy = suite.policy if arguments.policy is None else arguments.policy
    baselines = suite.baselines if arguments.baselines is None else arguments.baselines
    reference = domain.current_name(arguments.reference or suite.reference)
    return replace(suite, policy=policy, baselines=baselines, reference=reference)


def _contenders(
    domain: Domain[Any, Any], arguments: EvalArguments, asked: Suite, instances: Sequence[Any]
) -> tuple[Entrants, list[Contender]]:
    if arguments.workers < 1:
        raise InputError("--workers", f"expected at least 1, found {arguments.workers}")
    limits = time_limits("--time-limit", arguments.time_limit)
    policies = named_words(asked.policy)
    words = named_words(asked.baselines)
    improvers = named_words(arguments.improve)
    entrants = open_entrants(
        domain,
        instances,
        policies,
        words,
        asked.reference or None,
        workers=arguments.workers,
        temperature=arguments.temperature,
        rule_temperature=arguments.rule_temperature,
    )
    names = list(dict.fromkeys(entrants.aliases[word] for word in policies))
    beams, starts = _beams(arguments, names), _starts(arguments, names)
    found = contenders(entrants, [*beams, *_ahead(arguments, names)], (), limits)
    apart = arguments.tune_temperature
    tune_on = [] if apart is None else parse_instances(domain, apart)
    found += contenders(entrants, [*starts, *words], improvers, limits, tune_on)
    if not found:
        raise InputError("eval", "expected a policy or baselines, found neither")
    found = with_reference(entrants, found, asked.reference or None)
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


def _ahead(arguments: EvalArguments, names: Sequence[str]) -> list[Word]:
    """Every policy with every number of tried candidates and every choice of views."""
    tried = [ahead(arguments, n) for n in numbers("--rollouts", arguments.rollouts, int, 0)]
    views = _views(arguments)
    return [
        Word((Start(name, 1, v, ahead=how),))
        for name in names
        for how in tried
        if how
        for v in views
    ]


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
