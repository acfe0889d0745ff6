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
