"""Named instances, and the row of a report that an instance belongs to."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from graphsched.envs.batching.generators import GENERATORS
from graphsched.envs.core.domain import Library
from graphsched.envs.core.errors import InputError

if TYPE_CHECKING:
    from graphsched.envs.batching.instance import BatchingInstance

WORLDS = 20  # of each kind; from streams that no generator's seed reaches
SIZES = {"hetero": "200", "tight": "120", "tenants": "120", "sessions": "100"}
_SETS = {f"{kind}-test": tuple(f"{kind}-{k:02d}" for k in range(WORLDS)) for kind in SIZES}


def load(name: str) -> BatchingInstance:
    """Instance by name; raises InputError for an unknown one."""
    if not any(name in members for members in _SETS.values()):
        raise InputError(f"instance {name!r:.40}", f"not one of {', '.join(_SETS)}")
    kind, _, number = name.partition("-")
    made = GENERATORS[kind](np.random.default_rng((30, 17, int(number))), SIZES[kind])
    return replace(made, name=name)


LIBRARY: Library[BatchingInstance] = Library(sets=_SETS, load=load)


def best_known(instance: BatchingInstance) -> float | None:
    """Nothing is proven about any of them."""
    del instance
    return None


def group(instance: BatchingInstance) -> str:
    """Kind of instance, by the first word of its name, and its replicas."""
    kind = instance.name.partition("-")[0]
    count = len(instance.replicas)
    return f"{kind} on {count} replica{'s' if count > 1 else ''}"
