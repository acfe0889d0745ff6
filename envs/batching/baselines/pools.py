"""``graphsched pools batching INSTANCES``: which replicas should compute prompts, and which decode."""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from graphsched.envs.batching.metrics import metrics
from graphsched.envs.core.domain import SolverOptions
from graphsched.envs.core.errors import InputError
from graphsched.envs.core.parts.arguments import Parser
from graphsched.envs.core.registry import get_domain
from graphsched.envs.core.specs import parse_instances

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable, Iterator, Sequence

    from graphsched.envs.batching.instance import BatchingInstance, Replica
    from graphsched.envs.batching.solution import BatchingSolution

    Solver = Callable[[BatchingInstance], BatchingSolution]
    Kinds = Counter[Replica]

MOST_SPLITS = 512
MEASURES = ("SLO %", "TTFT p99", "TPOT p99", "TBT p99", "moves")


class Split(NamedTuple):
    """How many replicas of each kind compute prompts; the others decode, or all do both."""

    prefill: tuple[int, ...]
    pooled: bool = True


class Row(NamedTuple):
    """What became of a split, means over instances."""

    name: str
    cost: float
    measures: tuple[float, ...]  # as `MEASURES`


def pools(words: Sequence[str]) -> int:
    """Run the command; raises InputError for what can't be done."""
    options = _arguments(words)
    domain = get_domain("batching")
    instances = parse_instances(domain, options.instances)
    kinds = _kinds(instances[0])
    for instance in instances:
        if _kinds(instance) != kinds:
            problem = f"expected the replicas of {instances[0].name}, found others"
            raise InputError(f"instance {instance.name}", problem)
    if options.baseline not in domain.baselines:
        known = ", ".join(domain.baselines)
        raise InputError(f"baseline {options.baseline!r:.40}", f"not one of {known}")
    solve = domain.baselines[options.baseline].make(SolverOptions())
    rows = [
        _row(_name(kinds, split), [_with_pools(i, kinds, split) for i in instances], solve)
        for split in _splits(instances[0], kinds)
    ]
    sys.stdout.write(_table(sorted(rows, key=lambda row: row.cost)))
    return 0


def _arguments(words: Sequence[str]) -> Namespace:
    parser = Parser("pools batching", __doc__)
    parser.add_argument("instances", help="all of the same replicas, such as pools:200:n=5")
    parser.add_argument("--baseline", default="distserve", help="who schedules (%(default)s)")
    return parser.parse(words)


def _alike(replica: Replica) -> Replica:
    return replace(replica, role="both")


def _kinds(instance: BatchingInstance) -> Kinds:
    """Replicas that differ in their roles alone are of one kind."""
    return Counter(_alike(replica) for replica in instance.replicas)


def _splits(instance: BatchingInstance, kinds: Kinds) -> Iterator[Split]:
    """All without pools, and every number of each kind for prompts that leaves somebody to decode."""
    count = int(np.prod([n + 1 for n in kinds.values()]))
    if count > MOST_SPLITS:
        raise InputError("replicas", f"expected {MOST_SPLITS} splits at most, found {count}")
    yield Split((), pooled=False)
    for prefill in product(*(range(n + 1) for n in kinds.values())):
        split = Split(prefill)
        try:
            _with_pools(instance, kinds, split)
        except InputError:
            continue  # a pool of size zero, or none of a model
        yield split


def _with_pools(instance: BatchingInstance, kinds: Kinds, split: Split) -> BatchingInstance:
    """The instance with roles; raises InputError where a pool is empty."""
    left = dict(zip(kinds, split.prefill, strict=False))
    fleet = []
    for replica in map(_alike, instance.replicas):
        role = "both"
        if split.pooled:
            role = "prefill" if left[replica] > 0 else "decode"
            left[replica] -= 1
        fleet.append(replace(replica, role=role))
    return replace(instance, replicas=tuple(fleet))


def _name(kinds: Kinds, split: Split) -> str:
    if not split.pooled:
        return "no pools"
    parts = []
    for (kind, count), prefill in zip(kinds.items(), split.prefill, strict=True):
        parts.append(f"{kind.gpu} {kind.model}/{kind.kv_blocks} {prefill} + {count - prefill}")
    return ", ".join(parts)


def _row(name: str, instances: Sequence[BatchingInstance], solve: Solver) -> Row:
    costs, measured = [], []
    for instance in instances:
        solution = solve(instance)
        found = metrics(instance, solution)
        costs.append(solution.cost)
        measured.append([found.get(measure, np.nan) for measure in MEASURES])
    return Row(name, float(np.mean(costs)), tuple(np.mean(measured, axis=0).tolist()))


def _table(rows: Sequence[Row]) -> str:
    head = ("prompts + decodes", "cost", *MEASURES)
    cells = [head] + [
        (row.name, f"{row.cost:.2f}", *(f"{value:.4g}" for value in row.measures)) for row in rows
    ]
    widths = [max(len(row[k]) for row in cells) for k in range(len(head))]
    lines = [
        "  ".join(cell.ljust(w) if k == 0 else cell.rjust(w) for k, (cell, w) in enumerate(pairs))
        for pairs in (list(zip(row, widths, strict=True)) for row in cells)
    ]
    return "\n".join(lines) + "\n"
