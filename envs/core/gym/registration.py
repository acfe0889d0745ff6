"""Gymnasium ids of all domains, without importing the domains."""

from __future__ import annotations

import ast
import importlib.util
import warnings
from importlib.metadata import entry_points
from pathlib import Path

import gymnasium

from graphsched.envs.core.registry import ENTRY_POINT_GROUP, domain_names, get_domain


def register_domains() -> None:
    """Register each domain's environment id, once. A domain that can't be read is warned of."""
    for name, module in _modules().items():
        try:
            env_id = _written_env_id(module) or get_domain(name).env_id
        except Exception as error:  # another package's fault must not break this one's import
            warnings.warn(f"graphsched skips the domain {name!r}: {error!r}", stacklevel=2)
            continue
        if env_id not in gymnasium.registry:
            gymnasium.register(
                env_id,
                entry_point="graphsched.envs.core.gym.env:GraphSchedEnv",
                vector_entry_point="graphsched.envs.core.gym.vec_env:GraphSchedVectorEnv",
                kwargs={"domain": name},
            )


def _modules() -> dict[str, str]:
    """Domain name -> module that holds it."""
    builtin = {name: f"graphsched.envs.{name}" for name in domain_names()}
    external = {entry.name: entry.module for entry in entry_points(group=ENTRY_POINT_GROUP)}
    return builtin | external


def _written_env_id(module: str) -> str | None:
    """The id if the module's source states it literally, as in ``Domain(env_id="JobShop-v0")``.

    Reading it there takes a millisecond; importing a domain compiles and loads its kernels.
    """
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        return None
    tree = ast.parse(Path(spec.origin).read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg == "env_id":
            value = node.value.value if isinstance(node.value, ast.Constant) else None
            return value if isinstance(value, str) else None
    return None
