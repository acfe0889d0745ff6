"""Policies that travel with the package."""

from __future__ import annotations

from pathlib import Path

import graphsched.checkpoints
from graphsched.envs.core.errors import InputError

DEFAULT = "default"  # name of the one that serves all instances of a domain


def shipped_policies(domain: str) -> dict[str, Path]:
    """Name -> folder of the policies that ship with a domain, ``default`` first."""
    folder = Path(graphsched.checkpoints.__path__[0]) / domain
    found = sorted(path.parent for path in folder.glob("*/config.json"))
    return {path.name: path for path in sorted(found, key=lambda path: path.name != DEFAULT)}


def shipped_policy(domain: str, name: str) -> Path:
    """Folder of a policy that ships; raises InputError for an unknown one."""
    found = shipped_policies(domain)
    if name in found:
        return found[name]
    known = f"not one of {', '.join(found)}" if found else "no policy ships with the domain"
    raise InputError(f"domain {domain!r}: policy {name!r:.60}", f"no such bundle, and {known}")


def is_shipped(domain: str, word: str, folder: Path | None = None) -> bool:
    """Whether a word means a shipped policy: a name of one, or no path and no folder's name either.

    A folder that bears such a name is ``./name``.

    Args:
        domain: of the policy.
        word: that names it.
        folder: that relative paths start at; the working directory if None.
    """
    if Path(word).name != word:
        return False
    return word in shipped_policies(domain) or not ((folder or Path()) / word).is_dir()


def find_policy(domain: str, word: str) -> Path:
    """Folder of a bundle by its path, or of a policy that ships by its name; raises InputError."""
    return shipped_policy(domain, word) if is_shipped(domain, word) else Path(word)
