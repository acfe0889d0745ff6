"""Who takes part in a benchmark, made from the words of a command line."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from graphsched.envs.core.clock import cpu_s
from graphsched.envs.core.errors import InputError
from graphsched.eval.solvers.counting import Counter, counted
from graphsched.eval.solvers.pools import ANYTIME_S, Ask, start_pool
from graphsched.eval.solvers.tempering import tuned_temperatures
from graphsched.eval.solvers.words import Start, Word, parse_word

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from graphsched.agents.runtime import Policy
    from graphsched.envs.core.domain import Domain
    from graphsched.eval.solvers.entrants import Entrants
    from graphsched.eval.solvers.pools import Pool

Kind = Literal["policy", "rule", "heuristic", "search", "exact"]
RULES = "rules"  # stands for every baseline that is a rule
POPULATION = 16  # solutions at most that a search starts from
STARTS_SHARE = 0.5  # of the time, to starts that go on with time, before the search that follows
LEAST_S = 1e-6  # what is left to a search whose start took all of the time


@dataclass(frozen=True)
class Contender:
    """A named solver in a benchmark.

    Attributes:
        name: unique; ``rule@64`` is the best of 64 runs, ``cp-sat@10s`` has ten seconds.
        kind: how reports sort and colour it; ``policy`` wherever a policy takes part.
        make: (seed, time limit in seconds of processor time or None) -> solver.
        samples: runs of which the best is kept, a start's views not counted.
        tries: runs in all, views counted.
        base: name without the limit: the same contender with more or less time.
        time_limit_s: processor time that each instance may take; None: as long as it takes.
        summary: one line on what it is.
        improver: name of the search that it ends with, if any.
        counter: counts the decisions that the solver takes in the simulator.
        policies: that take part.
    """

    name: str
    kind: Kind
    make: Callable[[int, float | None], Callable[[Any], Any]]
    samples: int = 1
    tries: int = 1
    base: str = ""
    time_limit_s: float | None = None
    summary: str = ""
    improver: str | None = None
    counter: Counter | None = None
    policies: tuple[Policy, ...] = ()

    def __post_init__(self) -> None:
        """A contender without a base is the only one of it."""
        if not self.base:
            object.__setattr__(self, "base", self.name)

    @property
    def learned(self) -> bool:
        """Whether a policy takes part."""
        return self.kind == "policy"


def contenders(
    entrants: Entrants,
    words: Sequence[str | Word],
    improvers: Sequence[str] = (),
    time_limits_s: Sequence[float] = (),
    tune_on: Sequence[Any] = (),
) -> list[Contender]:
    """Contenders of words; each once for every time limit, and once more for every improver.

    Args:
        entrants: what they are made of.
        words: names of policies and baselines, or texts of them as `parse_word` reads them;
            ``rules`` stands for all rules, which are not improved.
        improvers: names of searches to go on with from each solution.
        time_limits_s: processor time for each; without any, contenders that end by themselves
            run to their end, others for `ANYTIME_S`.
        tune_on: instances apart from those of the evaluation, on which the temperature of all
            that sample is chosen; without any, the entrants' temperatures hold.

    Raises:
        InputError: an unknown name, a malformed word, a limit for a contender that doesn't
            improve with time, or a solver that can't run here.
    """
    found: dict[str, Contender] = {}
    composed = _composed(entrants, words, improvers)
    if tune_on:
        drawing = [s for w in composed for s in _drawing(entrants, w, time_limits_s)]
        entrants = replace(entrants, tuned=tuned_temperatures(entrants, drawing, tune_on))
    for word in composed:
        for limit in _limits(entrants, word, time_limits_s):
            contender = make_contender(entrants, replace(word, time_limit_s=limit))
            found.setdefault(contender.name, contender)
    return list(found.values())


def with_reference(
    entrants: Entrants, found: Sequence[Contender], reference: str | None
) -> list[Contender]:
    """The contenders and, unless it is one of them, the one that gaps are measured against.

    It runs to its end, whatever limits the others have; raises InputError as `contenders` does.
    """
    if reference is None or any(contender.name == reference for contender in found):
        return list(found)
    (added,) = contenders(entrants, [reference])
    return [*found, replace(added, name=reference)]


def _composed(
    entrants: Entrants, words: Sequence[str | Word], improvers: Sequence[str]
) -> list[Word]:
    """The words, those that `rules` stands for, and each with every improver."""
    out: list[Word] = []
    for given in words:
        if given == RULES:
            rules = [name for name, b in entrants.domain.baselines.items() if b.is_rule]
            out += [Word((Start(name),)) for name in rules]
            continue
        word = given if isinstance(given, Word) else entrants.named(parse_word(given))
        out.append(word)
        if word.improver is None and not _is_anytime(entrants, word):
            out += [replace(word, improver=name) for name in improvers]
    return out


def _drawing(entrants: Entrants, word: Word, limits: Sequence[float]) -> list[Start]:
    """The starts of a word that draw samples: more than one, or as many as fit the time."""
    timed = bool(limits) and word.improver is None
    plain = [
        start
        for start in word.starts
        if not (start.beam or start.ahead or _improves(entrants, start))
    ]
    return [start for start in plain if start.samples > 1 or timed]


def _limits(entrants: Entrants, word: Word, limits: Sequence[float]) -> Sequence[float | None]:
    if word.time_limit_s is not None:
        if not _is_anytime(entrants, word):
            problem = "does not go on with time by itself; --time-limit lets every contender do so"
            raise InputError(f"{word.name!r:.60}", problem)
        return [word.time_limit_s]
    if limits:
        return limits
    return [ANYTIME_S] if _is_anytime(entrants, word) else [None]


def _is_anytime(entrants: Entrants, word: Word) -> bool:
    return word.improver is not None or any(_improves(entrants, start) for start in word.starts)


def _improves(entrants: Entrants, start: Start) -> bool:
    """Whether it goes on to improve with time by itself."""
    baselines = entrants.domain.baselines
    return start.name in baselines and baselines[start.name].is_anytime


def make_contender(entrants: Entrants, word: Word) -> Contender:
    """The contender of one word; raises InputError as `contenders` does."""
    counter = Counter()
    watched, tuned = counted(entrants.domain, counter), entrants.tuned
    pools = [start_pool(entrants, s, tuned.get(s.word), watched) for s in word.starts]
    if word.improver is not None:
        entrants.domain.improver(word.improver)
    names = dict.fromkeys(start.name for start in word.starts)
    policies = tuple(entrants.policies[name] for name in names if name in entrants.policies)
    learned = bool(policies)
    return Contender(
        name=word.name,
        kind="policy" if learned else _kind(entrants, word),
        make=partial(_solver, entrants.domain, pools, word.improver),
        samples=sum(max(start.samples, start.beam) for start in word.starts),
        tries=word.tries,
        base=word.base,
        time_limit_s=word.time_limit_s,
        summary=_summary(entrants, word),
        improver=word.improver,
        counter=counter if learned else None,
        policies=policies,
    )


def _kind(entrants: Entrants, word: Word) -> Kind:
    if word.improver is not None or len(word.starts) > 1:
        return "search"
    baseline = entrants.domain.baselines[word.starts[0].name]
    if baseline.is_exact:
        return "exact"
    if baseline.is_anytime:
        return "search"
    return "rule" if baseline.is_rule else "heuristic"


def _summary(entrants: Entrants, word: Word) -> str:
    baselines = entrants.domain.baselines
    parts = []
    for start in word.starts:
        known = start.name in baselines
        part = baselines[start.name].summary if known else "a policy"
        chosen = entrants.tuned.get(start.word)
        parts.append(part if chosen is None else f"{part}, temperature {chosen:g} as tuned")
    if word.improver is not None:
        parts.append(f"then {entrants.domain.improvers[word.improver].summary}")
    return "; ".join(parts)


def _solver(
    domain: Domain[Any, Any],
    pools: Sequence[Pool],
    improver: str | None,
    seed: int,
    limit: float | None,
) -> Callable[[Any], Any]:
    """The best of what the pools find; with an improver, what it makes of it in the rest."""

    def solve(instance: Any) -> Any:
        began = cpu_s()
        whole = ANYTIME_S if limit is None else limit
        if improver is None:
            asks = Ask(instance, seed, None if limit is None else limit / len(pools))
        else:  # it has more use of the time than further runs: its starts run just once
            asks = Ask(instance, seed, None, POPULATION, STARTS_SHARE * whole / len(pools))
        found = [solution for pool in pools for solution in pool(asks)]
        found.sort(key=lambda solution: domain.cost(instance, solution))
        if improver is None:
            return found[0]
        left = whole - (cpu_s() - began)
        return domain.improve(improver, instance, found[:POPULATION], max(left, LEAST_S), seed)

    return solve


def check_served(
    domain: Domain[Any, Any], contenders: Sequence[Contender], instances: Sequence[Any]
) -> None:
    """Raise InputError if an improver named in a contender doesn't apply to an instance."""
    for name in {c.improver for c in contenders if c.improver is not None}:
        serves = domain.improver(name).serves
        for instance in instances:
            if serves is not None and not serves(instance):
                raise InputError(f"improver {name!r}", f"does not apply to {instance.name!r:.40}")
