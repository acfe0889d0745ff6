"""Discovery of domains: a folder of `graphsched.envs`, or an entry point of another package."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from importlib.metadata import entry_points
from typing import Any

import graphsched.envs
from graphsched.envs.core.domain import Domain
from graphsched.envs.core.errors import InputError

ENTRY_POINT_GROUP = "graphsched.domains"


@cache
def domain_names() -> tuple[str, ...]:
    """Names of all domains, those of entry points included, without importing them."""
    builtin = [m.name for m in pkgutil.iter_modules(graphsched.envs.__path__) if m.name != "core"]
    external = [entry.name for entry in entry_points(group=ENTRY_POINT_GROUP)]
    return tuple(sorted({*builtin, *external}))


@cache
def get_domain(name: str) -> Domain[Any, Any]:
    """The domain of that name. Raises InputError if there is none."""
    for entry in entry_points(group=ENTRY_POINT_GROUP):
        if entry.name == name:
            return _checked(name, entry.load())
    if name not in domain_names():
        raise InputError(f"domain {name!r}", f"not one of {', '.join(domain_names())}")
    return _checked(name, importlib.import_module(f"graphsched.envs.{name}").DOMAIN)


def has_domain(name: str) -> bool:
    """Whether there is a domain of that name, be it one that can't be imported."""
    return name in domain_names()


def _checked(name: str, domain: object) -> Domain[Any, Any]:
    if not isinstance(domain, Domain):
        raise InputError(f"domain {name!r}", f"expected a Domain, found {type(domain).__name__}")
    return domain
