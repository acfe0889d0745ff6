"""Instances named on the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graphsched.envs.core.errors import InputError
from graphsched.envs.core.specs import parse_instances

if TYPE_CHECKING:
    from graphsched.envs.core.domain import Domain


def one_instance(domain: Domain[Any, Any], spec: str) -> Any:
    """The only instance that a specification names; raises InputError if there are more."""
    found = parse_instances(domain, spec)
    if len(found) != 1:
        raise InputError(f"instance {spec!r:.60}", f"expected one instance, found {len(found)}")
    return found[0]
