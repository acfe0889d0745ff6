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
from graphsched.eval.contenders import (
    baseline_contenders,
    equal_time_contenders,
    exact_names,
    policy_contender,
    portfolio,
    split_words,
)
from graphsched.eval.evaluate import HTML, evaluate, policy_facts
from graphsched.eval.files import prepare_folder
from graphsched.eval.policies import open_policies, policy_word
from graphsched.training.commands.arguments import DomainWord, numbers, parse
from graphsched.training.commands.screen import Bar, print_summary

if TYPE_CHECKING:
    from collections.abc import Sequence

    from graphsched.agents.runtime import Policy
    from graphsched.agents.search import Decoding
    from graphsched.envs.core.domain import Domain
    from graphsched.eval.contenders import Contender

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
    """Names, joined by commas; NAME@N is the best of N runs, NAME@Ts an exact solver given T
    seconds, and `rules` stands for all rules."""
    samples: str = "1"
    """Runs of each policy of which the best is kept; several numbers are evaluated each."""
    beam: str = "0"
    """Widths of beam searches to evaluate as well."""
    symmetry: str = "none"
    """Equivalent views that policies solve as well: `none,reverse` evaluates both ways,
    `reverse+mirror` uses two views at once."""
    temperature: float = 1.0
    """Of the policies' samples."""
    equal_time: Annotated[bool, tyro.conf.arg(aliases=["--cp-sat-equal-time"])] = False
    """Give exact solvers, on every instance, just the time that each policy took."""
    time_limit: str = "10"
    """Seconds for exact solvers; several numbers are evaluated each."""
    workers: int = 1
    """Threads of exact solvers."""
    portfolio: str | None = None
    """A baseline, such as heft: evaluate each policy also together with it, the better kept."""
    reference: str | None = None
    """Baseline whose cost gaps are measured against, in place of bounds."""
    seed: str = "0"
    """Seeds, joined by commas; results are averaged over them."""
    out: Annotated[Path | None, tyro.conf.arg(metavar="FOLDER")] = None
    """Folder of the report."""


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
    instances = parse_instances(domain, arguments.instances)
    seeds = numbers("--seed", arguments.seed, int, 0)
    words = [
        policy_word(domain, word, instances)
        for word in split_words(arguments.policy)
        if word != NONE
    ]
    policies = open_policies(domain, words)
    contenders = _contenders(domain, arguments, policies)
    names = [contender.name for contender in contenders]
    if arguments.reference is not None and arguments.reference not in names:
        known = ", ".join(names)
        raise InputError("--reference", f"{arguments.reference!r:.40} is not one of {known}")
    if arguments.out is not None:
        prepare_folder(arguments.out)
    facts = [policy_facts(name, word, policy) for name, (word, policy) in policies.items()]
    with Bar("evaluating", len(contenders) * len(seeds) * len(instances)) as bar:
        document = evaluate(
            domain,
            instances,
            contenders,
            seeds=seeds,
            out=arguments.out,
            command=command,
            policies=facts,
            on_row=lambda row: bar.advance(row.solver),
            reference=arguments.reference,
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
    domain: Domain[Any, Any],
    arguments: EvalArguments,
    policies: dict[str, tuple[str, Policy]],
) -> list[Contender]:
    if arguments.workers < 1:
        raise InputError("--workers", f"expected at least 1, found {arguments.workers}")
    limits = numbers("--time-limit", arguments.time_limit, float, 1e-3)
    # Without a policy there is nothing to decode, and no need of onnxruntime.
    decodings = _decodings(arguments) if policies else []
    ours = [
        policy_contender(domain, policy, decoding, name)
        for name, (_, policy) in policies.items()
        for decoding in decodings
    ]
    words = [word for word in split_words(arguments.baselines) if word != NONE]
    theirs = baseline_contenders(domain, words, limits, arguments.workers)
    if arguments.portfolio is not None:
        (partner,) = baseline_contenders(domain, [arguments.portfolio], limits[:1])
        ours += [portfolio(domain, contender, partner) for contender in ours]
    if arguments.equal_time:
        names = exact_names(domain)
        theirs += equal_time_contenders(domain, names, ours, arguments.workers)
    if not ours and not theirs:
        raise InputError("eval", "expected a policy or baselines, found neither")
    return ours + theirs


def _decodings(arguments: EvalArguments) -> list[Decoding]:
    """Every number of samples and every beam, with every choice of views."""
    from graphsched.agents.search import Decoding

    samples = numbers("--samples", arguments.samples, int, 1)
    beams = [width for width in numbers("--beam", arguments.beam, int, 0) if width]
    choices = [
        tuple(name for name in word.split("+") if name != NONE)
        for word in split_words(arguments.symmetry) or [NONE]
    ]
    heat = arguments.temperature
    out = [Decoding(samples=k, symmetries=s, temperature=heat) for k in samples for s in choices]
    return out + [Decoding(beam=k, symmetries=s) for k in beams for s in choices]
