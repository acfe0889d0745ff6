"""The 162 classic instances by name, with the best bounds published on them.

Where the numbers come from is written in ``data/SOURCES.md``.
"""

from __future__ import annotations

import csv
import difflib
import gzip
import hashlib
import json
import re
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, NamedTuple

from graphsched.envs.core.domain import Library
from graphsched.envs.core.errors import InputError
from graphsched.envs.jobshop.instance import JobShopInstance

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_DATA = files("graphsched.envs.jobshop.data")
_SET_OF_PREFIX = {"ta": "taillard"}  # the other sets carry their instances' prefix


class Published(NamedTuple):
    """What is known of a classic instance; `lower` equals `upper` where the optimum is proven."""

    jobs: int
    machines: int
    lower: int
    upper: int
    source: str  # "optimum", or who found the lower and the upper bound

    @property
    def group(self) -> str:
        """Size as ``20x15``: jobs x machines."""
        return f"{self.jobs}x{self.machines}"


@cache
def published() -> Mapping[str, Published]:
    """Instance name -> published facts, in the usual order."""
    with (_DATA / "bounds.csv").open(encoding="utf-8") as file:
        rows = list(csv.reader(file))
    return {
        name: Published(int(jobs), int(machines), int(lower), int(upper), source)
        for name, jobs, machines, lower, upper, source in rows[1:]
    }


@cache
def _tables() -> dict[str, dict[str, list[list[int]]]]:
    """Instance name -> machines and durations, (jobs, machines) each."""
    tables: dict[str, dict[str, list[list[int]]]] = json.loads(
        gzip.decompress((_DATA / "instances.json.gz").read_bytes())
    )
    return tables


def load(name: str) -> JobShopInstance:
    """A classic instance; raises InputError that suggests the closest names."""
    if name not in published():
        close = difflib.get_close_matches(name.lower(), published(), n=3)
        hint = f"did you mean {' or '.join(close)}?" if close else f"not one of {', '.join(SETS)}"
        raise InputError(f"instance {name!r:.40}", hint)
    table = _tables()[name]
    jobs = [
        list(zip(*job, strict=True))
        for job in zip(table["machines"], table["durations"], strict=True)
    ]
    return JobShopInstance.from_jobs(name, jobs, published()[name].machines)


def content_hash(instance: JobShopInstance) -> str:
    """Digest of everything that the makespan depends on; the name is no part of it."""
    digest = hashlib.sha256(str(instance.num_machines).encode())
    arrays = (instance.job_ptr, instance.machine, instance.duration, instance.release_time)
    for array in arrays:
        assert array is not None
        digest.update(array.astype("<i8").tobytes())
    return digest.hexdigest()


@cache
def _best_by_hash() -> dict[str, float]:
    return {content_hash(load(name)): float(facts.upper) for name, facts in published().items()}


def best_known(instance: JobShopInstance) -> float | None:
    """Best published makespan if this is a classic instance, told by its numbers not its name."""
    return _best_by_hash().get(content_hash(instance))


def group(instance: JobShopInstance) -> str:
    """Size as ``20x15``: jobs x machines."""
    return f"{instance.num_jobs}x{instance.num_machines}"


def _named_sets(names: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """``all``, the families, and each family of several sizes once more by size."""
    families: dict[str, list[str]] = {}
    sizes: dict[str, list[str]] = {}
    for name in names:
        prefix = re.sub(r"\d+$", "", name)
        family = _SET_OF_PREFIX.get(prefix, prefix)
        families.setdefault(family, []).append(name)
        sizes.setdefault(f"{family}:{published()[name].group}", []).append(name)
    out = {"all": tuple(names)}
    for family, members in families.items():
        out[family] = tuple(members)
        parts = {key: tuple(part) for key, part in sizes.items() if key.startswith(f"{family}:")}
        out.update(parts if len(parts) > 1 else {})
    return out


SETS = _named_sets(published())
LIBRARY = Library(sets=SETS, load=load)
