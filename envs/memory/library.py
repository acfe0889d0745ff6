"""Named instances, and the row of a report that an instance belongs to."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from importlib.resources import files

import numpy as np

from graphsched.envs.core.domain import Library
from graphsched.envs.core.errors import InputError
from graphsched.envs.memory.generators import TOY_OPTIMUM, toy
from graphsched.envs.memory.hardware.machine import MIB
from graphsched.envs.memory.instance import MemoryInstance, instance_from_json

SUFFIX = ".json.gz"
CAPACITIES = (8, 16, 32, 128)  # MiB
_SHIPPED = sorted(
    entry.name.removesuffix(SUFFIX)
    for entry in files("graphsched.envs.memory.data").iterdir()
    if entry.name.endswith(SUFFIX)
)
_KINDS = {"real-batch8": "-batch8", "real-train": "-training"}  # real: all others
PROGRAMS = {
    kind: tuple(name for name in _SHIPPED if name.endswith(end)) for kind, end in _KINDS.items()
}
PROGRAMS["real"] = tuple(name for name in _SHIPPED if not name.endswith(tuple(_KINDS.values())))
_SETS: dict[str, tuple[str, ...]] = {"toy": ("toy",)}
for _kind, _names in PROGRAMS.items():
    _SETS |= {f"{_kind}-{c}": tuple(f"{name}-{c}mib" for name in _names) for c in CAPACITIES}
    _SETS[_kind] = tuple(f"{name}-{c}mib" for name in _names for c in CAPACITIES)
_REAL = tuple(name for kind in PROGRAMS for name in _SETS[kind])


def _program(name: str) -> MemoryInstance:
    """A program of the library by name, such as ``gpt2-16mib``."""
    stem, _, capacity = name.rpartition("-")
    entry = files("graphsched.envs.memory.data") / f"{stem}{SUFFIX}"
    found = instance_from_json(json.loads(gzip.decompress(entry.read_bytes())))
    mib = int(capacity.removesuffix("mib"))
    return replace(found, name=name, machine=found.machine.with_capacity(mib * MIB))


def load(name: str) -> MemoryInstance:
    """Instance by name; raises InputError for an unknown one."""
    if name == "toy":
        return toy(np.random.default_rng(0))
    if name in _REAL:
        return _program(name)
    ends = ", ".join(f"-{c}mib" for c in CAPACITIES)
    problem = f"not one of toy and {', '.join(_SHIPPED)}, these with one of {ends}"
    raise InputError(f"instance {name!r:.40}", problem)


LIBRARY: Library[MemoryInstance] = Library(sets=_SETS, load=load)


def best_known(instance: MemoryInstance) -> float | None:
    """The optimum of the toy program, told by its numbers as well as its name; None elsewhere."""
    is_toy = instance.name == "toy" and instance.to_json() == load("toy").to_json()
    return TOY_OPTIMUM if is_toy else None


def group(instance: MemoryInstance) -> str:
    """Fast memory, in the nearest power of two of MiB, and whether decisions are many."""
    mib = max(instance.machine.fast_capacity / MIB, 2.0**-10)
    size = 2.0 ** round(float(np.log2(mib)))
    many = "> 1000" if instance.num_accesses > 1000 else "<= 1000"
    return f"{size:g} MiB, {many} accesses"
