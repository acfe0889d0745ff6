"""Policies named on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphsched.agents.bundles.shipped import DEFAULT
from graphsched.envs.core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from graphsched.agents.runtime import Policy
    from graphsched.envs.core.domain import Domain

ANONYMOUS = ("bundle", "policy")  # folder names that tell nothing: the folder above is named


def open_policy(domain: Domain[Any, Any], word: str) -> tuple[str, Policy]:
    """Name to show, and the policy: the name of a shipped one, or the path of a bundle.

    Raises:
        InputError: there is none, it is damaged, or it belongs to another domain.
    """
    from graphsched.agents.runtime import load_policy

    path = Path(word)
    policy = load_policy(word, domain)
    own = path.resolve()
    name = own.parent.name if own.name in ANONYMOUS else own.name
    return f"policy {name}", policy


def policy_word(domain: Domain[Any, Any], word: str, instances: Sequence[Any]) -> str:
    """The word itself, or in place of ``default`` the shipped policy that serves the instances.

    Raises:
        InputError: they need different ones.
    """
    if word != DEFAULT or domain.shipped is None:
        return word
    names = sorted({domain.shipped(instance) for instance in instances})
    if len(names) > 1:
        problem = f"instances need different policies ({', '.join(names)}); take them apart"
        raise InputError("policy 'default'", problem)
    return names[0]


def open_policies(domain: Domain[Any, Any], words: list[str]) -> dict[str, tuple[str, Policy]]:
    """Name -> (word, policy); of several with the same name, later ones get a number."""
    out: dict[str, tuple[str, Policy]] = {}
    for word in words:
        name, policy = open_policy(domain, word)
        number = 1
        shown = name
        while shown in out:
            number += 1
            shown = f"{name} #{number}"
        out[shown] = word, policy
    return out
