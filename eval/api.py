"""Solving and judging in one call each, as ``graphsched solve`` and ``graphsched eval`` do."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphsched.envs.core.domain import Domain
from graphsched.envs.core.errors import InputError
from graphsched.envs.core.extras import require
from graphsched.envs.core.parts.values import python_value
from graphsched.envs.core.registry import get_domain
from graphsched.envs.core.specs import parse_instance, parse_instances
from graphsched.envs.core.suites import open_suite
from graphsched.eval.solvers.contenders import RULES, check_served, contenders, with_reference
from graphsched.eval.solvers.entrants import open_entrants
from graphsched.eval.solvers.request import Request, request_contender
from graphsched.eval.solvers.words import Start, Word, named_words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from graphsched.agents.runtime import Policy
    from graphsched.eval.judging.view import Document

AnyDomain = Domain[Any, Any]


def solve(
    domain: str | AnyDomain,
    instance: Any,
    *,
    policy: Policy | Path | str | None = None,
    baseline: str | None = None,
    samples: int = 1,
    seed: int = 0,
    time_limit_s: float | None = None,
    symmetries: Sequence[str] = (),
    improve: str | None = None,
) -> Any:
    """Solution of an instance, checked.

    Args:
        domain: or its name.
        instance: of the domain; or a text that names one, as on the command line.
        policy: that decides, or its bundle, or the name of a shipped one; the shipped policy that
            serves the instance if neither this nor a baseline is given, nor a time limit.
        baseline: name of a baseline instead, or a contender's word such as
            ``heft>local-search``.
        samples: runs of which the best is kept.
        seed: of all draws.
        time_limit_s: processor time in which to find the best solution. Where neither policy nor
            baseline is given, the domain's best solver for that takes it (see `Domain.anytime`);
            else a policy or rule goes on sampling, and searches and exact solvers, which take
            10 s by default, go on.
        symmetries: names of equivalent views to solve as well.
        improve: name of a search to go on with from what the policy or baseline finds.

    Raises:
        InputError: something isn't there, or doesn't fit.
        RuntimeError: the solver broke a rule of the domain.
    """
    domain = _domain(domain)
    if isinstance(instance, str | Path):
        instance = parse_instance(domain, str(instance))
    asked = Request(
        policy=str(policy) if isinstance(policy, str | Path) else None,
        baseline=baseline,
        samples=python_value(samples),
        symmetries=tuple(symmetries),
        improve=improve,
        time_limit_s=python_value(time_limit_s),
    )
    opened = None if policy is None or isinstance(policy, str | Path) else policy
    contender = request_contender(domain, instance, asked, opened)
    solution = contender.make(python_value(seed), contender.time_limit_s)(instance)
    if violations := domain.check(instance, solution):
        raise RuntimeError(f"{violations[0].kind}: {violations[0].message}")
    return solution


def evaluate(
    domain: str | AnyDomain,
    instances: Any = None,
    *,
    suite: Path | str | None = None,
    policies: Sequence[Path | str] | None = None,
    baselines: Sequence[str] | None = None,
    samples: int = 1,
    seeds: Sequence[int] = (0,),
    symmetries: Sequence[str] = (),
    improve: Sequence[str] = (),
    time_limits_s: Sequence[float] = (),
    tune_temperature: Any = (),
    reference: str | None = None,
    out: Path | str | None = None,
    resume: bool = False,
) -> Document:
    """Hold policies against baselines on the same instances; every solution is checked.

    Args:
        domain: or its name.
        instances: of the domain; or a text that names some, as on the command line.
        suite: in place of instances: the name of one of the domain's suites, or a TOML file of one.
        policies: their bundles, or names of shipped ones; ``default`` is the one that ships for
            such instances. None: those of the suite, without one no policy.
        baselines: as on the command line: names, ``NAME@N`` for the best of N runs,
            ``NAME+SYMMETRY``, ``NAME>IMPROVER``, ``rules``. None: those of the suite, without one
            all rules.
        samples: runs of each policy of which the best is kept.
        symmetries: names of equivalent views that policies solve as well.
        improve: names of searches to go on with from each policy and each named baseline.
        time_limits_s: processor time for every solver; each runs once for each.
        seeds: each solver runs with each.
        tune_temperature: instances, or a text that names some, apart from those that are solved, on
            which the temperature of every policy and baseline that samples is chosen.
        reference: baseline whose costs gaps are measured against; bounds by default. It runs to
            its end if it isn't among the others.
        out: folder for report.json and report.html; nothing is written without one.
        resume: go on with an evaluation that was interrupted.

    Returns:
        The content of report.json.

    Raises:
        InputError: something isn't there, or doesn't fit.
    """
    from graphsched.envs.core.parts.writing import prepare_folder
    from graphsched.eval.evaluate import evaluate as run
    from graphsched.eval.evaluate import policy_facts

    domain = _domain(domain)
    if (instances is None) == (suite is None):
        raise InputError("evaluate", "expected instances or a suite, and not both")
    opened = None if suite is None else open_suite(domain, str(suite))
    groups: list[str] | None = None
    if opened is not None:
        instances, groups = opened.instances(domain)
        policies = named_words(opened.policy) if policies is None else policies
        baselines = named_words(opened.baselines) if baselines is None else baselines
    elif isinstance(instances, str | Path):
        instances = parse_instances(domain, str(instances))
    policies, baselines = policies or (), (RULES,) if baselines is None else baselines
    if out is not None:
        require("out", "jinja2")
    reference = reference or (opened.reference if opened else None) or None
    entrants = open_entrants(domain, instances, [str(p) for p in policies], baselines, reference)
    runs, limits = python_value(samples), python_value(tuple(time_limits_s))
    starts = [Word((Start(entrants.aliases[str(p)], runs, tuple(symmetries)),)) for p in policies]
    if isinstance(tune_temperature, str | Path):
        tune_temperature = parse_instances(domain, str(tune_temperature))
    words: list[str | Word] = [*starts, *baselines]
    found = contenders(entrants, words, improve, limits, tune_temperature)
    if not found:
        raise InputError("evaluate", "expected policies or baselines, found neither")
    reference = entrants.domain.current_name(reference) if reference else None
    found = with_reference(entrants, found, reference)
    check_served(domain, found, instances)
    return run(
        domain,
        instances,
        found,
        seeds=python_value(tuple(seeds)),
        out=prepare_folder(Path(out)) if out is not None else None,
        policies=policy_facts(entrants),
        reference=reference,
        groups=groups,
        suite=None if opened is None else opened.name,
        resume=resume,
    )


def _domain(domain: str | AnyDomain) -> AnyDomain:
    return get_domain(domain) if isinstance(domain, str) else domain
