"""What every solver of a domain costs on its named instances, to the last digit.

A change that is to leave results alone is held against the costs from before it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graphsched.agents.bundles.shipped import shipped_policies
from graphsched.envs.core.domain import SolverOptions
from graphsched.envs.core.errors import InputError
from graphsched.envs.core.specs import parse_instances

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from graphsched.envs.core.domain import Domain

    Costs = dict[str, dict[str, float | None]]

SAMPLES = 4  # of each policy: draws have to be the same too


def named_specs(domain: Domain[Any, Any], first: int | None = None) -> list[str]:
    """Specifications of the instances of every set, then one of each kind that presets name.

    Args:
        domain: of the instances.
        first: so many of each set; all if None.
    """
    members = [name for names in domain.library.sets.values() for name in names[:first]]
    return list(dict.fromkeys([*members, *preset_specs(domain)]))


def presets(domain: Domain[Any, Any]) -> dict[str, Any]:
    """The domain's training presets as they are written, by name."""
    found: dict[str, Any] = domain.preset_tables().get("train", {})
    return found


def preset_specs(domain: Domain[Any, Any]) -> list[str]:
    """The kinds of instance that the domain's training presets name, each once."""
    parts = [
        part
        for preset in presets(domain).values()
        for part in (preset, preset.get("validation", {}))
    ]
    return list(dict.fromkeys(spec for part in parts for spec in part.get("instances", {})))


def solvers(domain: Domain[Any, Any]) -> Iterator[tuple[str, Callable[[Any], Any]]]:
    """Name and solver of each baseline that doesn't depend on the clock, and of each policy."""
    for name, baseline in domain.baselines.items():
        if not baseline.is_anytime:
            yield name, domain.baseline(name, SolverOptions())
    shipped = shipped_policies(domain.name)
    if not shipped:
        return
    from graphsched.agents.decoding.search import Decoding, policy_solver
    from graphsched.agents.runtime import load_policy

    for name in shipped:
        policy = load_policy(name, domain)
        yield f"policy {name}", policy_solver(domain, policy, Decoding())
        yield f"policy {name}@{SAMPLES}", policy_solver(domain, policy, Decoding(samples=SAMPLES))


def collect(
    domain: Domain[Any, Any],
    specs: Sequence[str],
    on_cost: Callable[[str], None] = lambda solver: None,
) -> Costs:
    """Instance -> solver -> cost; None where the solver is not for such an instance.

    Args:
        domain: whose solvers run.
        specs: of one instance each, see `parse_instances`.
        on_cost: called with the solver's name after each.
    """
    everyone = list(solvers(domain))
    out: Costs = {}
    for spec in specs:
        (instance,) = parse_instances(domain, spec)
        row = out.setdefault(spec, {})
        for name, solve in everyone:
            row[name] = _cost(domain, instance, solve)
            on_cost(name)
    return out


def _cost(domain: Domain[Any, Any], instance: Any, solve: Callable[[Any], Any]) -> float | None:
    try:
        solution = solve(instance)
    except InputError:
        return None
    return float(domain.cost(instance, solution))


def differences(before: Costs, after: Costs) -> list[str]:
    """A line for each cost that isn't the same in both, one missing on either side included."""
    lines = []
    for instance in dict.fromkeys([*before, *after]):
        old, new = before.get(instance, {}), after.get(instance, {})
        for solver in dict.fromkeys([*old, *new]):
            was, is_now = old.get(solver, "missing"), new.get(solver, "missing")
            if was != is_now:
                lines.append(f"{solver} on {instance}: {was!r} before, {is_now!r} now")
    return lines
