"""Who takes part in a benchmark, parsed from the words of a command line."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from graphsched.envs.core.domain import SolverOptions
from graphsched.envs.core.errors import InputError
from graphsched.eval.counting import Counter, counted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from graphsched.agents.runtime import Policy
    from graphsched.agents.search import Decoding
    from graphsched.envs.core.domain import Domain

Kind = Literal["policy", "rule", "heuristic", "search", "exact"]
RULES = "rules"  # stands for every baseline that is a rule
_WORD = re.compile(r"(?P<name>[^@]+)(@(?P<number>\d+(\.\d+)?)(?P<seconds>s)?)?")


@dataclass(frozen=True)
class Contender:
    """A named solver in a benchmark.

    Attributes:
        name: unique; ``rule@64`` is the best of 64 runs, ``cp-sat@10s`` has ten seconds.
        kind: how reports sort and colour it.
        make: (seed, time limit in seconds or None) -> solver; the limit is meant for anytime
            solvers, others ignore it.
        samples: runs of which the best is kept.
        time_limit_s: wall-clock limit of an anytime solver.
        time_of: name of an earlier contender whose time on the instance is this one's limit.
        counter: counts the decisions that the solver takes in the simulator.
        base: the name without time limit; those of the same base differ in it alone.
        tries: runs of which the best is kept, views of the instance counted too.
        summary: what it is, in a line.
        learned: whether a policy takes part.
    """

    name: str
    kind: Kind
    make: Callable[[int, float | None], Callable[[Any], Any]]
    samples: int = 1
    time_limit_s: float | None = None
    time_of: str | None = None
    counter: Counter | None = None
    base: str = ""
    tries: int = 1
    summary: str = ""
    learned: bool = False

    def __post_init__(self) -> None:
        """A contender without a base is the only one of it."""
        if not self.base:
            object.__setattr__(self, "base", self.name)


def split_words(text: str) -> list[str]:
    """Comma-separated words, blanks dropped, repetitions too."""
    return list(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))


def _parse(word: str) -> tuple[str, int, float | None]:
    """``name``, ``name@N`` or ``name@Ts`` -> name, samples, time limit in seconds."""
    match = _WORD.fullmatch(word)
    if match is None:
        raise InputError(f"baseline {word!r:.60}", "expected NAME, NAME@SAMPLES or NAME@SECONDSs")
    number = match["number"]
    if number is None:
        return match["name"], 1, None
    if match["seconds"]:
        return match["name"], 1, float(number)
    if not number.isdigit() or int(number) < 1:
        raise InputError(f"baseline {word!r:.60}", f"expected samples >= 1, found {number}")
    return match["name"], int(number), None


def _kind(domain: Domain[Any, Any], name: str) -> Kind:
    baseline = domain.baselines[name]
    return "exact" if baseline.is_exact else "rule" if baseline.is_rule else "heuristic"


def _baseline(domain: Domain[Any, Any], name: str, options: SolverOptions) -> Contender:
    def make(seed: int, limit: float | None) -> Callable[[Any], Any]:
        told = replace(options, seed=seed, time_limit_s=limit or options.time_limit_s)
        return domain.baseline(name, told)

    kind = _kind(domain, name)
    samples = options.samples
    shown = f"{name}@{samples}" if samples > 1 else name
    if kind != "exact":
        return Contender(shown, kind, make, samples, tries=samples)
    shown = f"{name}@{options.time_limit_s:g}s"
    return Contender(shown, kind, make, samples, time_limit_s=options.time_limit_s, base=name)


def baseline_contenders(
    domain: Domain[Any, Any],
    words: Sequence[str],
    time_limits_s: Sequence[float],
    workers: int = 1,
) -> list[Contender]:
    """Contenders of baseline words; an exact solver runs once for each time limit.

    Raises:
        InputError: unknown name, malformed word, or a solver that can't run here.
    """
    rules = [name for name, baseline in domain.baselines.items() if baseline.is_rule]
    expanded = [name for word in words for name in (rules if word == RULES else [word])]
    out: dict[str, Contender] = {}
    for word in expanded:
        name, samples, limit = _parse(word)
        domain.baseline(name)  # complains now rather than in the middle of the benchmark
        exact = domain.baselines[name].is_exact
        limits = [limit] if limit else list(time_limits_s) if exact else [60.0]
        for seconds in limits:
            options = SolverOptions(samples=samples, time_limit_s=seconds, workers=workers)
            contender = _baseline(domain, name, options)
            out[contender.name] = contender
    return list(out.values())


def portfolio(domain: Domain[Any, Any], first: Contender, second: Contender) -> Contender:
    """Both solvers on every instance, the better solution kept; takes the time of both."""

    def make(seed: int, limit: float | None) -> Callable[[Any], Any]:
        solvers = [contender.make(seed, limit) for contender in (first, second)]

        def solve(instance: Any) -> Any:
            found = [solver(instance) for solver in solvers]
            return min(found, key=lambda solution: domain.cost(instance, solution))

        return solve

    name = f"{first.name} or {second.name}"
    return replace(first, name=name, base=name, make=make)


def equal_time_contenders(
    domain: Domain[Any, Any],
    names: Sequence[str],
    policies: Sequence[Contender],
    workers: int = 1,
) -> list[Contender]:
    """Each named exact solver, given just the time that each policy took on the instance."""
    out = []
    for name in names:
        template = _baseline(domain, name, SolverOptions(workers=workers))
        for policy in policies:
            shown = f"{name} in the time of {policy.name}"
            out.append(replace(template, name=shown, time_limit_s=None, time_of=policy.name))
    return out


def exact_names(domain: Domain[Any, Any]) -> list[str]:
    """Names of the domain's exact baselines."""
    return [name for name, baseline in domain.baselines.items() if baseline.is_exact]


def decoding_suffix(decoding: Decoding) -> str:
    """``@128``, ``@beam8``, ``+reverse``: how a policy is decoded, for its name in a table."""
    suffix = f"@beam{decoding.beam}" if decoding.beam else ""
    suffix += f"@{decoding.samples}" if decoding.samples > 1 else ""
    return suffix + "".join(f"+{name}" for name in decoding.symmetries)


def policy_contender(
    domain: Domain[Any, Any], policy: Policy, decoding: Decoding, name: str
) -> Contender:
    """A policy with one way of decoding it; raises InputError for an unknown symmetry."""
    from graphsched.agents.search import policy_solver

    for symmetry in decoding.symmetries:
        if symmetry not in domain.symmetries:
            known = ", ".join(domain.symmetries) or "none: this domain has no symmetry"
            raise InputError(f"symmetry {symmetry!r:.40}", f"not one of {known}")
    counter = Counter()
    watched = counted(domain, counter)

    def make(seed: int, limit: float | None) -> Callable[[Any], Any]:
        told = replace(decoding, seed=seed, time_limit_s=limit or decoding.time_limit_s)
        return policy_solver(watched, policy, told)

    shown = name + decoding_suffix(decoding)
    samples = max(decoding.samples, decoding.beam, 1)
    return Contender(
        shown, "policy", make, samples, counter=counter, base=shown, tries=samples, learned=True
    )
