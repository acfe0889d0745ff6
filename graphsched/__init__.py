"""Train, judge and ship learned schedulers.

Importing the package registers every domain with Gymnasium, those of other packages included, so
that ``gymnasium.make("graphsched:JobShop-v0")`` works; no domain is imported before it is used,
and torch only by training.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from graphsched.envs.core.gym.registration import register_domains

if TYPE_CHECKING:
    from graphsched.agents.runtime import load_policy
    from graphsched.envs.core.registry import get_domain
    from graphsched.eval.api import evaluate, solve
    from graphsched.training.api import train

__version__ = "0.1.0"
__all__ = ["__version__", "evaluate", "get_domain", "load_policy", "solve", "train"]

_PLACES = {
    "evaluate": "graphsched.eval.api",
    "get_domain": "graphsched.envs.core.registry",
    "load_policy": "graphsched.agents.runtime",
    "solve": "graphsched.eval.api",
    "train": "graphsched.training.api",
}


def __getattr__(name: str) -> Any:
    """The functions of `__all__`, imported when they are first asked for."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(importlib.import_module(_PLACES[name]), name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


register_domains()
