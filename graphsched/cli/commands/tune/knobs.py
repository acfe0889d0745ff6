"""A baseline's knobs, swept on validation instances."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphsched.cli.commands.tune.linear import given_value
from graphsched.cli.screen import wide_console
from graphsched.cli.tables import Row, fitting_tables
from graphsched.envs.core.errors import InputError
from graphsched.envs.core.knobs import grid, written
from graphsched.envs.core.parts.reading import parse_json, read_text
from graphsched.envs.core.parts.writing import prepare_file, write_json
from graphsched.envs.core.registry import get_domain
from graphsched.training.instances import filled, is_generated, validation_instances
from graphsched.training.own import own_pools
from graphsched.training.paired import with_error
from graphsched.training.settings.config import MOST, TrainConfig, load_config
from graphsched.training.sweep import LEAST, document, in_turn, sweep

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from graphsched.cli.commands.tune.command import TuneArguments
    from graphsched.envs.core.domain import Domain
    from graphsched.envs.core.knobs import Knobs, Value
    from graphsched.training.paired import Estimate, Kinds
    from graphsched.training.sweep import Sweep

SHOWN = 20  # rows of a table
COUNT = 40  # instances of a generator: of fewer the best setting is a matter of luck


def tune_knobs(arguments: TuneArguments) -> int:
    """Sweep, print the table and write the best settings; raises InputError for bad input."""
    domain = get_domain(arguments.domain)
    name = domain.current_name(str(arguments.baseline))
    knobs = domain.known_baseline(name).knobs
    if not knobs:
        having = ", ".join(n for n, b in domain.baselines.items() if b.knobs) or "none"
        raise InputError(f"baseline {name!r}", f"has no knobs; those that have: {having}")
    settings = grid(knobs, _given(knobs, arguments.knob))
    if len(settings) < 2:
        raise InputError("--knob", "expected two settings at least to choose from, found one")
    out = arguments.out or Path(f"{name}-{domain.name}.json")
    _prepare(out)
    config = _config(arguments)
    instances, kinds = _instances(domain, config)
    found = sweep(
        domain, name, settings, instances, kinds, arguments.minutes, arguments.seed, _tell
    )
    weights, count = config.validation.instances or config.instances, config.validation.count
    write_json(out, document(domain, name, found, weights, count, arguments.seed))
    _print(domain, name, found)
    print(f"{written(found.rows[0].settings)}: {out}")
    return 0


def _given(knobs: Knobs, words: Sequence[str]) -> dict[str, list[Value]]:
    """Values by knob; raises InputError for an unknown knob or a value out of its range."""
    out: dict[str, list[Value]] = {}
    for word in words:
        name, equals, values = word.partition("=")
        if not equals or not values or name in out:
            raise InputError(f"--knob {word!r:.60}", "expected NAME=VALUE,VALUE, a name once")
        if name not in knobs:
            raise InputError(f"--knob {name!r:.40}", f"expected one of {', '.join(knobs)}")
        texts = map(given_value, values.split(","))
        out[name] = list(dict.fromkeys(knobs[name].checked(v, f"--knob {name}") for v in texts))
    return out


def _prepare(out: Path) -> None:
    """Raises InputError if the file can't be written, or holds something else than settings."""
    prepare_file(out)
    if not out.is_file() or out.stat().st_size == 0:
        return
    try:
        found = parse_json(read_text(out), out)
    except InputError:
        found = None
    if not isinstance(found, dict) or "settings" not in found:
        raise InputError(out, "exists and holds no settings; name another file")


def _config(arguments: TuneArguments) -> TrainConfig:
    """The preset with the instances, number and seed of the command."""
    given = arguments.instances
    words = [] if given is None else [word.strip() for word in given.split(",")]
    if not all(words):
        raise InputError(f"--instances {given!r:.60}", "expected words separated by single commas")
    count = COUNT if arguments.count is None else arguments.count
    if not 2 <= count <= MOST:
        raise InputError("--count", f"expected 2 to {MOST}, found {count}")
    checks: dict[str, Any] = {"count": count, "seed": arguments.seed}
    if words:
        checks["instances"] = dict.fromkeys(words, 1.0)
    if words and arguments.preset is None:  # a domain need have no preset of the usual name
        return TrainConfig.from_dict({"domain": arguments.domain, "validation": checks}, "options")
    return load_config(arguments.domain, arguments.preset, None, {"validation": checks})


def _instances(domain: Domain[Any, Any], config: TrainConfig) -> tuple[list[Any], Kinds]:
    """Validation instances, the kinds in turn; raises InputError for some of the benchmarks."""
    checks = config.validation
    weights: Mapping[str, float] = checks.instances or config.instances
    pools = own_pools(domain, config).validation
    known = {name for members in domain.library.sets.values() for name in members}
    for word, pool in pools.items():
        named = next((instance.name for instance in pool if instance.name in known), None)
        if named is not None and not is_generated(domain, word):
            problem = (
                f"holds the benchmark {named!r:.40}, which results are told of; tune on others"
            )
            raise InputError(f"--instances {word!r:.60}", problem)
    groups = validation_instances(domain, list(weights), checks.count, checks.seed, pools)
    if sum(map(len, groups)) < LEAST:
        raise InputError("--instances", f"expected {LEAST} instances at least, found one")
    shares = filled(weights, pools)
    return in_turn([group for group in groups if group], list(shares.values()))


def _tell(line: str) -> None:
    print(line, flush=True)


def _print(domain: Domain[Any, Any], name: str, found: Sweep) -> None:
    unit = "%" if domain.cost_ratios else "points"
    title = (
        f"{name}: {domain.objective}, {found.judged} validation instances, {found.tried} of "
        f"{found.grid} settings in {found.minutes:.1f} min; differences in {unit}"
    )
    rows = [
        Row(
            written(row.settings),
            [f"{row.mean_cost:.4g}", _difference(row.to_best), _difference(row.to_default)],
        )
        for row in found.rows[:SHOWN]
    ]
    columns = ("settings", "mean cost", "to the best", "to the defaults")
    console = wide_console()
    for table in fitting_tables(title, columns, rows, console.width):
        console.print(table)
    if len(found.rows) > SHOWN:
        print(f"and {len(found.rows) - SHOWN} more, which are in the file")


def _difference(estimate: Estimate) -> str:
    return with_error(estimate.mean, estimate.se, signed=True)
