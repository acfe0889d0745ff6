"""What `solve` is asked for, and the contender that does it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from graphsched.agents.shipped import DEFAULT
from graphsched.envs.core.errors import InputError
from graphsched.eval.contenders import beam_contender, check_served, make_contender
from graphsched.eval.entrants import Entrants, open_entrants
from graphsched.eval.words import Start, Word, check_limit, parse_word

if TYPE_CHECKING:
    from graphsched.agents.runtime import Policy
    from graphsched.envs.core.domain import Domain
    from graphsched.eval.contenders import Contender


@dataclass(frozen=True)
class Request:
    """How one instance is to be solved; by default by the policy that serves it.

    Attributes:
        policy: bundle or name of a shipped one.
        baseline: name of a baseline, or a contender's word.
        samples, symmetries, temperature: of its runs.
        beam: width of a beam search, for policies.
        improve: name of a search to go on with.
        time_limit_s: processor time for all of it. Given without policy and baseline, the domain's
            best solver within a time takes it.
        workers: threads of exact solvers.
    """

    policy: str | None = None
    baseline: str | None = None
    samples: int = 1
    symmetries: tuple[str, ...] = ()
    temperature: float = 1.0
    beam: int = 0
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
    text = _text(domain, instance, asked, policy)
    if policy is not None:
        entrants = Entrants(domain, {text: policy})
    else:
        own = [] if asked.baseline is not None or asked.policy is None else [text]
        words = [] if own else [text]
        entrants = open_entrants(domain, [instance], own, words)
    entrants = replace(entrants, workers=asked.workers, temperature=asked.temperature)
    word = _word(entrants, text, asked, literal=asked.policy is not None or policy is not None)
    if asked.beam:
        return _beam(entrants, word, asked)
    contender = make_contender(entrants, word)
    check_served(domain, [contender], [instance])
    return contender


def _text(domain: Domain[Any, Any], instance: Any, asked: Request, policy: Policy | None) -> str:
    """Name of the policy, or word of the contender, that is asked for."""
    if policy is not None:
        return "policy"
    named = asked.policy or asked.baseline
    if named is not None:
        return named
    plain = asked.samples == 1 and not asked.symmetries and not asked.beam
    if asked.time_limit_s is not None and plain and domain.anytime is not None:
        word = domain.anytime(instance)
        if asked.improve is None:
            return word
    return DEFAULT


def _word(entrants: Entrants, text: str, asked: Request, *, literal: bool) -> Word:
    """The text with what the other options add to it. Args: literal: it is a policy's name."""
    if literal:
        word = Word((Start(entrants.aliases.get(text, text)),))
    else:
        word = entrants.named(parse_word(text))
    if asked.samples > 1 or asked.symmetries:
        if len(word.starts) > 1:
            raise InputError("--samples and --symmetry", f"are for one solver, found {text!r:.60}")
        start = word.starts[0]
        start = replace(
            start,
            samples=max(asked.samples, start.samples),
            symmetries=tuple(dict.fromkeys([*start.symmetries, *asked.symmetries])),
        )
        word = replace(word, starts=(start,))
    if asked.improve is not None:
        if word.improver not in (None, asked.improve):
            raise InputError("--improve", f"expected one search, found {word.improver} as well")
        word = replace(word, improver=asked.improve)
    if asked.time_limit_s is not None:
        word = replace(word, time_limit_s=asked.time_limit_s)
    return word


def _beam(entrants: Entrants, word: Word, asked: Request) -> Contender:
    start = word.starts[0]
    if start.name not in entrants.policies or word.improver is not None:
        raise InputError("--beam", "is for policies alone")
    return beam_contender(entrants, start.name, start.symmetries, asked.beam)
