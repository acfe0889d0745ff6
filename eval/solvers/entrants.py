"""What contenders are made of: a domain's baselines, and the policies that were opened."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from graphsched.agents.bundles.shipped import DEFAULT, shipped_policies
from graphsched.eval.solvers.policies import open_policies, policy_word
from graphsched.eval.solvers.words import Word, parse_word

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from graphsched.agents.runtime import Policy
    from graphsched.envs.core.domain import Domain


@dataclass(frozen=True)
class Entrants:
    """Everything that words can name.

    Attributes:
        domain: of the instances; its baselines take part by name.
        policies: name -> policy.
        places: name of a policy -> the word that it was opened by: its bundle, say.
        aliases: what else policies and baselines may be called -> their names.
        workers: threads of exact solvers.
        temperature: of policies' samples.
        rule_temperature: of baselines' samples, see `SolverOptions`.
        tuned: word of a start -> its own temperature, see `tempering`.
    """

    domain: Domain[Any, Any]
    policies: Mapping[str, Policy] = field(default_factory=dict)
    places: Mapping[str, str] = field(default_factory=dict)
    aliases: Mapping[str, str] = field(default_factory=dict)
    workers: int = 1
    temperature: float = 1.0
    rule_temperature: float | None = None
    tuned: Mapping[str, float] = field(default_factory=dict)

    def named(self, word: Word) -> Word:
        """The word with every policy and baseline called by its name."""
        starts = tuple(replace(s, name=self.aliases.get(s.name, s.name)) for s in word.starts)
        return replace(word, starts=starts)


def open_entrants(
    domain: Domain[Any, Any],
    instances: Sequence[Any],
    policies: Sequence[str] = (),
    words: Sequence[str] = (),
    reference: str | None = None,
    **settings: Any,
) -> Entrants:
    """Open the policies that are asked for, and those shipped ones that contenders' words name.

    Args:
        domain: of the instances.
        instances: to solve: they say which policy ``default`` is.
        policies: bundles and names of shipped policies.
        words: of contenders, see `parse_word`; a baseline's name stands for the baseline,
            ``BASELINE:FILE`` for it with the settings of a file.
        reference: a baseline that takes part as well, if it isn't among the words.
        settings: further fields of `Entrants`.

    Raises:
        InputError: a policy, or a file of settings, isn't there, is damaged, or belongs to another
            domain or baseline.
    """
    starts = [start.name for word in words for start in parse_word(word).starts]
    domain = domain.with_tuned([*starts, *([reference] if reference else [])])
    known = {DEFAULT, *shipped_policies(domain.name)} - set(domain.baselines)
    named = [name for name in starts if name in known]
    wanted = {word: policy_word(domain, word, instances) for word in [*policies, *named]}
    opened = open_policies(domain, list(dict.fromkeys(wanted.values())))
    name_of = {place: name for name, (place, _) in opened.items()}
    aliases = {word: name_of[place] for word, place in wanted.items()}
    return Entrants(
        domain=domain,
        policies={name: policy for name, (_, policy) in opened.items()},
        places={name: place for name, (place, _) in opened.items()},
        aliases={**domain.aliases, **name_of, **aliases},
        **settings,
    )
