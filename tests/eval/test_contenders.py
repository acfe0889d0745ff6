"""Words of the command line become contenders, or a line that says what is wrong."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from graphsched.agents.decoding.options import Ahead
from graphsched.envs.core.domain import Baseline, Domain, Improver, SolverOptions, Symmetry
from graphsched.envs.core.errors import InputError
from graphsched.eval.solvers.contenders import check_served, contenders
from graphsched.eval.solvers.entrants import Entrants
from graphsched.eval.solvers.words import Start, Word, parse_word, split_words
from tests.eval.samples import entered
from tests.toy_domain import DOMAIN as CREW

RULES = [name for name, baseline in CREW.baselines.items() if baseline.is_rule]


def _shortest(instance: Any, starts: Any, seconds: float, seed: int) -> Any:
    """An improver that also tries a rule."""
    del seconds, seed
    found = [*starts, CREW.baseline("shortest")(instance)]
    return min(found, key=lambda solution: CREW.cost(instance, solution))


def _other(instance: Any) -> bool:
    return str(instance.name) != "toy"


SAME: Symmetry[Any, Any] = Symmetry(lambda instance: instance, lambda _, solution: solution)
DOMAIN: Domain[Any, Any] = replace(
    CREW,
    improvers={
        "second": Improver(_shortest, "tries a second rule"),
        "picky": Improver(_shortest, "serves others", _other),
    },
    symmetries={"same": SAME},
)


def _names(words: list[str], improvers: list[str], limits: list[float]) -> list[str]:
    return [c.name for c in contenders(Entrants(DOMAIN), words, improvers, limits)]


def test_a_word_says_starts_samples_views_search_and_time() -> None:
    """Everything that can be asked for, read and written back."""
    text = "first@64+same&shortest>second@0.5s"
    word = parse_word(text)
    starts = (Start("first", 64, ("same",)), Start("shortest"))
    assert word == Word(starts, "second", 0.5)
    assert word.name == text
    assert word.base == "first@64+same&shortest>second"
    assert word.tries == 65
    assert Start("first", 1, ("same",)).tries == 2
    tried = Start("first", 1, ("same",), ahead=Ahead(4, futures=8, horizon=60))
    assert tried.tries == 64
    assert tried.word == "first@ahead4x8h60+same"


def test_rules_stand_for_every_rule_and_repetitions_are_dropped() -> None:
    """`rules` beside a rule names it once."""
    found = entered(["rules", "first"])
    assert [c.name for c in found] == RULES
    assert {c.kind for c in found} == {"rule"}


def test_numbers_are_samples_and_seconds_are_limits() -> None:
    """`@64` and `@2.5s`."""
    found = entered(["first@64", "exhaustive@2.5s"])
    assert [(c.name, c.samples, c.time_limit_s, c.kind) for c in found] == [
        ("first@64", 64, None, "rule"),
        ("exhaustive@2.5s", 1, 2.5, "exact"),
    ]


def test_everyone_runs_once_for_each_limit() -> None:
    """One clock for rules, searches and exact solvers; a limit of one's own stands."""
    assert _names(["first", "exhaustive@3s"], [], [1.0, 10.0]) == [
        "first@1s",
        "first@10s",
        "exhaustive@3s",
    ]
    assert _names(["first", "exhaustive"], [], []) == ["first", "exhaustive@10s"]


def test_improvers_follow_every_named_contender() -> None:
    """But not what `rules` stands for, nor what is a search already."""
    assert _names(["rules", "first", "exhaustive"], ["second"], [1.0]) == [
        *[f"{name}@1s" for name in RULES],
        "first>second@1s",
        "exhaustive@1s",
    ]


def test_a_chain_is_never_worse_than_its_starts() -> None:
    """Whatever the rules make of an instance, the search keeps the best."""
    found = contenders(Entrants(DOMAIN), ["first", "first>second", "first&shortest>second"])
    assert [c.kind for c in found] == ["rule", "search", "search"]
    for seed in range(5):
        instance = DOMAIN.generators["random"](np.random.default_rng(seed), "4x2")
        costs = [DOMAIN.cost(instance, c.make(0, None)(instance)) for c in found]
        both = [DOMAIN.cost(instance, DOMAIN.baseline(n)(instance)) for n in ("first", "shortest")]
        assert costs == [both[0], min(both), min(both)]


def test_a_start_that_goes_on_with_time_leaves_some_to_the_search() -> None:
    """Once it had ten seconds, whatever the limit of the whole."""
    told: list[float] = []

    def waits(options: SolverOptions) -> Any:
        told.append(options.time_limit_s)
        return CREW.baseline("first")

    domain = replace(
        DOMAIN, baselines={**DOMAIN.baselines, "waits": Baseline(waits, "", is_anytime=True)}
    )
    instance = domain.generators["toy"](np.random.default_rng(0), "")
    shares = {"waits": 2.0, "waits&first": 1.0, "waits>second": 1.0, "waits&first>second": 0.5}
    for word, seconds in shares.items():
        (contender,) = contenders(Entrants(domain), [f"{word}@2s"])
        told.clear()
        contender.make(0, contender.time_limit_s)(instance)
        assert told == [seconds]


def test_an_improver_that_makes_things_worse_is_caught() -> None:
    """Its promise is checked wherever it runs."""

    def spoil(instance: Any, starts: Any, seconds: float, seed: int) -> Any:
        del seconds, seed
        rules = [CREW.baseline(name)(instance) for name in RULES]
        return max([*starts, *rules], key=lambda solution: CREW.cost(instance, solution))

    domain = replace(DOMAIN, improvers={"spoil": Improver(spoil, "keeps the worst")})
    (chain,) = contenders(Entrants(domain), ["exhaustive>spoil"])
    instance = domain.generators["toy"](np.random.default_rng(0), "")
    with pytest.raises(RuntimeError, match="spoil made 'toy' worse"):
        chain.make(0, 0.1)(instance)


@pytest.mark.parametrize(
    "word", ["frist", "first@0", "first@1.5", "first@", "first@x", "@3", "first>", ">second"]
)
def test_bad_words_are_named(word: str) -> None:
    """A malformed word, or a name that isn't there."""
    with pytest.raises(InputError, match=r"baseline|expected"):
        contenders(Entrants(DOMAIN), [word])


@pytest.mark.parametrize(
    ("word", "problem"),
    [
        ("first@1s", "does not go on with time by itself"),
        ("exhaustive@0s", "expected more than 0"),
        ("exhaustive@1000000000s", "at most 86400 seconds"),
        ("first>third", "improver 'third': not one of picky, second"),
        ("first+mirror", "symmetry 'mirror': not one of same"),
    ],
)
def test_what_does_not_fit_is_said(word: str, problem: str) -> None:
    """Limits for what doesn't improve, unknown searches and views."""
    with pytest.raises(InputError, match=problem):
        contenders(Entrants(DOMAIN), [word])


def test_an_improver_that_does_not_apply_is_said_before_the_start() -> None:
    """Before anything is solved."""
    found = contenders(Entrants(DOMAIN), ["first>picky"])
    toy = DOMAIN.generators["toy"](np.random.default_rng(0), "")
    with pytest.raises(InputError, match="improver 'picky': does not apply to 'toy'"):
        check_served(DOMAIN, found, [toy])


def test_a_rule_goes_on_sampling_as_long_as_it_may() -> None:
    """Given time a rule is run again and again, every view of it at least once."""
    calls: list[int] = []

    def make(options: Any) -> Any:
        calls.append(options.samples)
        return CREW.baseline("first")

    baseline = replace(DOMAIN.baselines["first"], make=make)
    domain = replace(DOMAIN, baselines={"first": baseline})
    (found,) = contenders(Entrants(domain), ["first+same"], time_limits_s=[0.05])
    calls.clear()
    found.make(0, 0.05)(domain.generators["toy"](np.random.default_rng(0), ""))
    assert calls[:2] == [1, 1]
    assert len(calls) > 2


@pytest.mark.parametrize(("word", "shares"), [("first@7", [7]), ("first@7+same", [4, 3])])
def test_views_share_the_runs(word: str, shares: list[int]) -> None:
    """As many runs as were asked for, whatever the number of views."""
    asked: list[int] = []

    def make(options: Any) -> Any:
        asked.append(options.samples)
        return CREW.baseline("first")

    domain = replace(DOMAIN, baselines={"first": replace(DOMAIN.baselines["first"], make=make)})
    (found,) = contenders(Entrants(domain), [word])
    asked.clear()
    found.make(0, None)(domain.generators["toy"](np.random.default_rng(0), ""))
    assert asked == shares
    assert found.tries == 7


def test_words_are_split_at_commas() -> None:
    """Blanks and repetitions are dropped."""
    assert split_words(" a, b,,a ") == ["a", "b"]
