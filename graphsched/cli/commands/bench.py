"""``graphsched bench``: throughput of simulators and training on this machine."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from graphsched.cli.arguments import DomainWord, parse
from graphsched.envs.core.registry import domain_names, get_domain
from graphsched.eval.bench import bench_domain
from graphsched.eval.machine import installed_versions, machine_facts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from graphsched.envs.core.domain import Domain


@dataclass(frozen=True)
class BenchArguments:
    """Measure throughput; metrics are per CPU-second of one thread where they say so."""

    domain: DomainWord = ""
    """Domain to measure; all of them without one."""
    json: bool = False
    """Print a JSON document for each domain, one a line."""
    seconds: float = 2.0
    """Processor time for each simulator metric."""
    simulator_only: bool = False
    """Leave out rollouts and training."""


def main(argv: Sequence[str]) -> int:
    """Run the command; raises InputError for bad input."""
    arguments = parse(BenchArguments, argv, "bench")
    for name in [arguments.domain] if arguments.domain else domain_names():
        domain = get_domain(name)
        metrics = measure(domain, arguments.seconds, training=not arguments.simulator_only)
        document = {
            "schema": 1,
            "domain": name,
            "metrics": metrics,
            "machine": machine_facts(),
            "versions": installed_versions(),
        }
        print(json.dumps(document) if arguments.json else _page(document))
    return 0


def measure(domain: Domain[Any, Any], seconds: float, training: bool) -> dict[str, float]:
    """All metrics of a domain; those of training only if torch is installed."""
    metrics = bench_domain(domain, seconds)
    if training and importlib.util.find_spec("torch") is not None:
        from graphsched.training.bench import training_metrics

        metrics |= training_metrics(domain)
    return metrics


def _page(document: dict[str, Any]) -> str:
    machine = document["machine"]
    lines = [f"{document['domain']} on {machine['processor']} ({machine['cores']} cores)"]
    width = max(len(name) for name in document["metrics"])
    lines += [f"  {name:<{width}} {value:>14,.1f}" for name, value in document["metrics"].items()]
    return "\n".join(lines)
