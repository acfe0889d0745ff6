"""``graphsched replay memory INSTANCE``: a mapping as XLA's stored solution, and back."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphsched.envs.core.domain import SolverOptions
from graphsched.envs.core.errors import InputError
from graphsched.envs.core.parts.arguments import Parser
from graphsched.envs.core.parts.reading import read_object
from graphsched.envs.core.parts.writing import json_text, prepare_file, write_file
from graphsched.envs.core.registry import get_domain
from graphsched.envs.core.specs import parse_instance
from graphsched.envs.memory.baselines.xla.replay import order_for, order_in, replay_of
from graphsched.envs.memory.baselines.xla.solver import assign_in_order
from graphsched.envs.memory.physics.mapping import solve_order
from graphsched.envs.memory.physics.program import problem_of
from graphsched.envs.memory.solution import solution_from_json

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Sequence

    from graphsched.envs.memory.instance import MemoryInstance
    from graphsched.envs.memory.solution import MemorySolution

SOURCES = ("mapping", "baseline", "read")


def _arguments(words: Sequence[str]) -> Namespace:
    parser = Parser("replay memory", __doc__)
    parser.add_argument("instance", help="name, generator or file of the program")
    parser.add_argument("--mapping", type=Path, help="as `solve --out` writes it")
    parser.add_argument("--baseline", help="maps the program, in place of --mapping")
    parser.add_argument("--read", type=Path, help="a replay file, to be made a mapping")
    parser.add_argument("--out", type=Path, required=True, help="replay file, or mapping of --read")
    return parser.parse(words)


def _mapping(instance: MemoryInstance, options: Namespace) -> MemorySolution:
    """The mapping that is told, if the checker has nothing against it."""
    domain = get_domain("memory")
    if options.baseline is not None:
        found: MemorySolution = domain.baseline(options.baseline, SolverOptions())(instance)
        return found
    path = options.mapping
    found = read_object(path, lambda document: solution_from_json(instance, document))
    violations = domain.check(instance, found)
    if violations:
        raise InputError(str(path), f"not a mapping of {instance.name}: {violations[0].message}")
    return found


def _rows(mapping: MemorySolution) -> list[tuple[int, int, int, int]]:
    """Residencies, sorted."""
    columns = (mapping.storage, mapping.start, mapping.end, mapping.offset)
    return sorted(zip(*(column.tolist() for column in columns), strict=True))


def _write(out: Path, document: dict[str, Any]) -> None:
    write_file(out, json_text(document).encode())


def _export(instance: MemoryInstance, options: Namespace, out: Path) -> str:
    """Write the replay file; what there is to say."""
    mapping = _mapping(instance, options)
    order = order_for(instance, mapping)
    _write(out, replay_of(instance, order))
    again, by_xla = solve_order(instance, order), assign_in_order(instance, order, SolverOptions())
    same = "the same mapping" if _rows(mapping) == _rows(again) else f"{again.cost:g} us"
    places = f"{len(order)} of {len(problem_of(instance).size)} storages placed"
    found = f"mapping {mapping.cost:g} us, read back {same}, in xla-msa {by_xla.cost:g} us"
    return f"{out}: {places}; {found}"


def replay(words: Sequence[str]) -> int:
    """Run the command; raises InputError for what can't be done."""
    options = _arguments(words)
    told = [name for name in SOURCES if getattr(options, name) is not None]
    if len(told) != 1:
        listed = ", ".join(f"--{name}" for name in SOURCES)
        found = " ".join(f"--{name}" for name in told) or "none"
        raise InputError("replay memory", f"expected one of {listed}, found {found}")
    instance = parse_instance(get_domain("memory"), options.instance)
    if options.read is None:
        line = _export(instance, options, prepare_file(options.out))
    else:
        order = read_object(options.read, lambda document: order_in(instance, document))
        mapping = solve_order(instance, order)
        out = prepare_file(options.out)
        _write(out, mapping.to_json())
        line = f"{out}: mapping of {mapping.cost:g} us"
    sys.stdout.write(f"{line}\n")
    return 0
