"""Policies named on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from graphsched.agents.runtime import Policy
    from graphsched.envs.core.domain import Domain

DEFAULT = "default"  # the policy that ships with the domain
ANONYMOUS = ("bundle", "policy")  # folder names that tell nothing: the folder above is named


def open_policy(domain: Domain[Any, Any], word: str) -> tuple[str, Policy]:
    """Name to show, and the policy: ``default`` is the shipped one, else the path of a bundle.

    Raises:
        InputError: there is none, it is damaged, or it belongs to another domain.
    """
    from graphsched.agents.runtime import load_policy

    if word == DEFAULT and not Path(word).is_dir():
        return f"policy {DEFAULT}", load_policy(None, domain)
    path = Path(word)
    policy = load_policy(path, domain)
    own = path.resolve()
    name = own.parent.name if own.name in ANONYMOUS else own.name
    return f"policy {name}", policy


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
