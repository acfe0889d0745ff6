"""Solvers as pools: the best few solutions of many runs, within a number of runs or a time.

Rules, evolved linear rules and policies get the same means: random runs after the first, equivalent
views of the instance, and as many runs as fit a time limit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from graphsched.envs.core.clock import cpu_s
from graphsched.envs.core.domain import Domain, SolverOptions
from graphsched.envs.core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from graphsched.agents.runtime import Policy
    from graphsched.eval.solvers.entrants import Entrants
    from graphsched.eval.solvers.words import Start

AnyDomain = Domain[Any, Any]
ANYTIME_S = 10.0  # limit of what improves with time, where none is given
MOST_RUNS = 1024  # in one call of a baseline


@dataclass(frozen=True)
class Ask:
    """What a pool is asked for.

    Attributes:
        instance: to solve.
        seed: of all draws.
        time_limit_s: processor time in which to go on drawing; None for the start's own number
            of runs.
        number: solutions wanted.
        anytime_s: processor time of what improves with time by itself, where that is None.
    """

    instance: Any
    seed: int = 0
    time_limit_s: float | None = None
    number: int = 1
    anytime_s: float = ANYTIME_S


Pool = Callable[[Ask], list[Any]]
"""Ask -> solutions, the best first; at least one."""


def start_pool(
    entrants: Entrants,
    start: Start,
    temperature: float | None = None,
    watched: AnyDomain | None = None,
) -> Pool:
    """Pool of what a start names.

    Args:
        entrants: what starts are made of.
        start: a policy or a baseline, with its runs.
        temperature: of its samples; the entrants' if None.
        watched: domain in which a policy decides, in place of the entrants'.

    Raises:
        InputError: as `policy_pool` and `baseline_pool`.
    """
    if start.name in entrants.policies:
        chosen = entrants.temperature if temperature is None else temperature
        policy = entrants.policies[start.name]
        return policy_pool(watched or entrants.domain, policy, start, chosen)
    noise = entrants.rule_temperature if temperature is None else temperature
    return baseline_pool(entrants.domain, start, entrants.workers, noise)


def policy_pool(domain: AnyDomain, policy: Policy, start: Start, temperature: float = 1.0) -> Pool:
    """Pool of a policy's rollouts.

    Raises:
        InputError: the domain has no symmetry of a given name, or a beam is asked to sample too.
    """
    from graphsched.agents.decoding import search

    decoding = search.Decoding(
        samples=start.samples,
        beam=start.beam,
        ahead=start.ahead,
        symmetries=start.symmetries,
        temperature=temperature,
    )
    search.policy_pool(domain, policy, decoding)  # complains now, not in the middle of a benchmark

    def pool(ask: Ask) -> list[Any]:
        told = replace(decoding, seed=ask.seed, time_limit_s=ask.time_limit_s)
        return search.policy_pool(domain, policy, told)(ask.instance, ask.number)

    return pool


def baseline_pool(
    domain: AnyDomain, start: Start, workers: int = 1, temperature: float | None = None
) -> Pool:
    """Pool of a baseline's runs; of one that is anytime, its one solution.

    Raises:
        InputError: unknown baseline or symmetry, a beam, or a baseline that can't run here.
    """
    if start.beam:
        raise InputError(f"{start.word!r:.60}", "a beam is for policies")
    if start.ahead:
        raise InputError(f"{start.word!r:.60}", "rollouts at each decision are for policies")
    domain.baseline(start.name)  # complains now rather than in the middle of a benchmark
    for name in start.symmetries:
        domain.symmetry(name)
    if domain.baselines[start.name].is_anytime:
        return partial(_anytime, domain, start.name, workers)
    options = SolverOptions(workers=workers, temperature=temperature)
    return partial(_runs, domain, start, options)


def _anytime(domain: AnyDomain, name: str, workers: int, ask: Ask) -> list[Any]:
    limit = ask.anytime_s if ask.time_limit_s is None else ask.time_limit_s
    options = SolverOptions(seed=ask.seed, workers=workers, time_limit_s=limit)
    return [domain.baseline(name, options)(ask.instance)]


def _runs(domain: AnyDomain, start: Start, options: SolverOptions, ask: Ask) -> list[Any]:
    """Rounds of runs, the views in turn."""
    began = cpu_s()
    views = domain.views(start.symmetries, ask.instance)
    best: list[tuple[float, Any]] = []
    rounds = (
        _timed(began + ask.time_limit_s, len(views))
        if ask.time_limit_s is not None
        else _counted(start.samples, len(views), ask.number)
    )
    for i, (view, runs) in enumerate(rounds):
        told = replace(options, seed=ask.seed + i // len(views), samples=runs)
        solution = views[view][1](domain.baseline(start.name, told)(views[view][0]))
        best.append((domain.cost(ask.instance, solution), solution))
        best.sort(key=lambda pair: pair[0])
        del best[ask.number :]
    return [solution for _, solution in best]


def _counted(samples: int, views: int, number: int) -> Iterator[tuple[int, int]]:
    """(view, runs) of so many runs in all; as many rounds as solutions are wanted."""
    for view in range(views):
        share = max(1, samples // views + (view < samples % views))
        rounds = min(max(1, number // views), share)
        for k in range(rounds):
            yield view, share // rounds + (k < share % rounds)


def _timed(deadline: float, views: int) -> Iterator[tuple[int, int]]:
    """(view, runs) as long as they are expected to be done in time, but every view once."""
    for view in range(views):
        yield view, 1
    runs, pace, view = 4.0, 0.0, 0
    while (left := deadline - cpu_s()) > 0:
        size = int(max(1, min(runs, MOST_RUNS, left / pace if pace else runs)))
        begun = cpu_s()
        yield view, size
        pace = (cpu_s() - begun) / size
        if pace > deadline - cpu_s():
            return
        runs, view = 2.0 * size, (view + 1) % views
