"""What `solve` is asked for, and the contender that does it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from graphsched.agents.bundles.shipped import DEFAULT, shipped_policies
from graphsched.envs.core.errors import InputError
from graphsched.eval.solvers.contenders import check_served, make_contender
from graphsched.eval.solvers.entrants import Entrants, open_entrants
from graphsched.eval.solvers.words import Start, Word, check_limit, parse_word

if TYPE_CHECKING:
    from graphsched.agents.decoding.options import Ahead
    from graphsched.agents.runtime import Policy
    from graphsched.envs.core.domain import Domain
    from graphsched.eval.solvers.contenders import Contender

OPEN = "policy"  # name of a policy that was given as such


@dataclass(frozen=True)
class Request:
    """How one instance is to be solved; by default by the policy that serves it.

    Attributes:
        policy: bundle or name of a shipped one.
        baseline: name of a baseline, or a contender's word.
        samples, symmetries, temperature: of its runs.
        beam: width of a beam search, for policies.
        ahead: how candidates are tried by rollouts at each decision, for policies.
        improve: name of a search to go on with.
        time_limit_s: processor time for all of it. Given without policy and baseline, the domain's
            best solver within a time takes it, and where no policy ships, too.
        workers: threads of exact solvers.
    """

    policy: str | None = None
    baseline: str | None = None
    samples: int = 1
    symmetries: tuple[str, ...] = ()
    temperature: float = 1.0
    beam: int = 0
    ahead: Ahead | None = None
    improve: str | None = None
    time_limit_s: float | None = None
    workers: int = 1


def request_contender(
    domain: Domain[Any, Any], instance: Any, asked: Request, policy: Policy | None = None
) -> Contender:
    """The contender that does what is asked for.

    Args:
        domain: of the instance.
        instance: to solve.
        asked: how.
        policy: that decides, if it is open already.

    Raises:
        InputError: something isn't there, or doesn't fit.
    """
    if asked.baseline is not None and (asked.policy is not None or policy is not None):
        raise InputError("--policy and --baseline", "expected one of them, found both")
    if asked.time_limit_s is not None:
        check_limit("--time-limit", asked.time_limit_s)
    entrants, word = _entered(domain, instance, asked, policy)
    entrants = replace(entrants, workers=asked.workers, temperature=asked.temperature)
    contender = make_contender(entrants, _with_options(word, asked))
    check_served(domain, [contender], [instance])
    return contender


def _entered(
    domain: Domain[Any, Any], instance: Any, asked: Request, policy: Policy | None
) -> tuple[Entrants, Word]:
    """What is named, opened, and its word before the other options."""
    if policy is not None:
        return Entrants(domain, {OPEN: policy}), Word((Start(OPEN),))
    if asked.policy is not None:
        entrants = open_entrants(domain, [instance], [asked.policy])
        return entrants, Word((Start(entrants.aliases[asked.policy]),))
    text = asked.baseline or _usual(domain, instance, asked)
    entrants = open_entrants(domain, [instance], words=[text])
    return entrants, entrants.named(parse_word(text))


def _usual(domain: Domain[Any, Any], instance: Any, asked: Request) -> str:
    """The word where none is named: the policy, or what does best with time.

    The latter where a time is given, or no policy ships with the domain.
    """
    plain = asked.samples == 1 and not (
        asked.symmetries or asked.beam or asked.ahead or asked.improve
    )
    by_time = asked.time_limit_s is not None or not shipped_policies(domain.name)
    if by_time and plain and domain.anytime is not None:
        return domain.anytime(instance)
    return DEFAULT


def _with_options(word: Word, asked: Request) -> Word:
    """The word with what the other options add to it."""
    if asked.samples > 1 or asked.symmetries or asked.beam or asked.ahead:
        if len(word.starts) > 1:
            options = "--samples, --symmetry, --beam and --rollouts"
            raise InputError(options, f"are for one solver, found {word.name!r:.60}")
        start = word.starts[0]
        start = replace(
            start,
            samples=max(asked.samples, start.samples),
            symmetries=tuple(dict.fromkeys([*start.symmetries, *asked.symmetries])),
            beam=asked.beam,
            ahead=asked.ahead,
        )
        word = replace(word, starts=(start,))
    if asked.improve is not None:
        if word.improver not in (None, asked.improve):
            raise InputError("--improve", f"expected one search, found {word.improver} as well")
        word = replace(word, improver=asked.improve)
    if asked.beam and word.improver is not None:
        raise InputError("--beam", "is for policies alone")
    if asked.ahead and word.improver is not None:
        raise InputError("--rollouts", "is for policies alone")
    if asked.time_limit_s is not None:
        word = replace(word, time_limit_s=asked.time_limit_s)
    return word
