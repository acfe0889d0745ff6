"""Solving and judging in one call each, as ``graphsched solve`` and ``graphsched eval`` do."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphsched.agents.shipped import DEFAULT
from graphsched.envs.core.domain import Domain, SolverOptions
from graphsched.envs.core.errors import InputError
from graphsched.envs.core.extras import require
from graphsched.envs.core.registry import get_domain
from graphsched.envs.core.specs import parse_instance, parse_instances
from graphsched.eval.policies import open_policies, open_policy, policy_word

if TYPE_CHECKING:
    from collections.abc import Sequence

    from graphsched.agents.runtime import Policy
    from graphsched.eval.view import Document

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
) -> Any:
    """Solution of an instance, checked.

    Args:
        domain: or its name.
        instance: of the domain; or a text that names one, as on the command line.
        policy: that decides, or its bundle, or the name of a shipped one; the shipped policy that
            serves the instance if neither this nor a baseline is given.
        baseline: name of a baseline instead.
        samples: runs of which the best is kept.
        seed: of all draws.
        time_limit_s: for solvers that improve with time (60 by default), or for a policy to go on
            sampling.

    Raises:
        InputError: something isn't there, or doesn't fit.
        RuntimeError: the solver broke a rule of the domain.
    """
    domain = _domain(domain)
    if isinstance(instance, str | Path):
        instance = parse_instance(domain, str(instance))
    if baseline is not None:
        if policy is not None:
            raise InputError("policy and baseline", "expected one of them, found both")
        limit = 60.0 if time_limit_s is None else time_limit_s
        options = SolverOptions(seed=seed, samples=samples, time_limit_s=limit)
        solution = domain.baseline(baseline, options)(instance)
    else:
        from graphsched.agents.search import Decoding, policy_solver

        if policy is None or isinstance(policy, str | Path):
            word = policy_word(domain, str(policy or DEFAULT), [instance])
            _, policy = open_policy(domain, word)
        decoding = Decoding(samples=samples, seed=seed, time_limit_s=time_limit_s)
        solution = policy_solver(domain, policy, decoding)(instance)
    if violations := domain.check(instance, solution):
        raise RuntimeError(f"{violations[0].kind}: {violations[0].message}")
    return solution


def evaluate(
    domain: str | AnyDomain,
    instances: Any,
    *,
    policies: Sequence[Path | str] = (),
    baselines: Sequence[str] = ("rules",),
    samples: int = 1,
    seeds: Sequence[int] = (0,),
    reference: str | None = None,
    out: Path | str | None = None,
) -> Document:
    """Hold policies against baselines on the same instances; every solution is checked.

    Args:
        domain: or its name.
        instances: of the domain; or a text that names some, as on the command line.
        policies: their bundles, or names of shipped ones; ``default`` is the one that ships for
            such instances.
        baselines: as on the command line: names, ``NAME@N`` for the best of N runs, ``rules``.
        samples: runs of each policy of which the best is kept.
        seeds: each solver runs with each.
        reference: baseline whose costs gaps are measured against; bounds by default.
        out: folder for report.json and report.html; nothing is written without one.

    Returns:
        The content of report.json.

    Raises:
        InputError: something isn't there, or doesn't fit.
    """
    from graphsched.eval.contenders import baseline_contenders, policy_contender
    from graphsched.eval.evaluate import evaluate as run
    from graphsched.eval.evaluate import policy_facts
    from graphsched.eval.files import prepare_folder

    domain = _domain(domain)
    if isinstance(instances, str | Path):
        instances = parse_instances(domain, str(instances))
    if out is not None:
        require("out", "jinja2")
    opened = open_policies(domain, [policy_word(domain, str(p), instances) for p in policies])
    contenders = baseline_contenders(domain, baselines, [10.0])
    if opened:
        from graphsched.agents.search import Decoding

        decoding = Decoding(samples=samples)
        ours = [policy_contender(domain, p, decoding, name) for name, (_, p) in opened.items()]
        contenders = [*ours, *contenders]
    if not contenders:
        raise InputError("evaluate", "expected policies or baselines, found neither")
    return run(
        domain,
        instances,
        contenders,
        seeds=seeds,
        out=prepare_folder(Path(out)) if out is not None else None,
        policies=[policy_facts(name, word, policy) for name, (word, policy) in opened.items()],
        reference=reference,
    )


def _domain(domain: str | AnyDomain) -> AnyDomain:
    return get_domain(domain) if isinstance(domain, str) else domain
