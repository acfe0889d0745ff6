"""A domain's linear rule, fitted by the cross-entropy method."""

from __future__ import annotations

import json
from dataclasses import asdict
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphsched.envs.core.errors import InputError
from graphsched.envs.core.parts.linear import load_weights, save_weights
from graphsched.envs.core.parts.writing import prepare_file, write_text
from graphsched.envs.core.registry import get_domain
from graphsched.training.settings.config import TrainConfig, load_config
from graphsched.training.settings.documents import check_key

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from graphsched.cli.commands.tune.command import TuneArguments
    from graphsched.training.cem import LinearRule

WHERE = "--option"


def tune_linear(arguments: TuneArguments) -> int:
    """Fit the rule and write its weights; raises InputError for bad input."""
    config = load_config(arguments.domain, arguments.preset, None, {"seed": arguments.seed})
    grid = option_grid(config, arguments.option)
    out = arguments.out or Path(f"linear-{arguments.domain}.json")
    prepare_file(out)
    start: Any = None
    begun: dict[str, Any] = {}
    if arguments.start:
        start, begun = load_weights(get_domain(arguments.domain).schema, arguments.start)
        if not start.any():
            raise InputError(arguments.start, "expected a weight that is not 0")
    minutes = arguments.minutes / len(grid)
    rules = [_search(config, options, minutes, start) for options in grid]
    best = min(rules, key=lambda rule: rule.gap_pct)
    schema = get_domain(arguments.domain).schema
    facts = _facts(config, best, arguments.minutes, begun)
    write_text(out, save_weights(schema, best.weights, **facts))
    print(f"validation gap {best.gap_pct:.2f}% with {asdict(best.options)}: {out}")
    return 0


def option_grid(config: TrainConfig, words: Sequence[str]) -> list[Any]:
    """Simulator options for every combination of the scanned values.

    Args:
        config: with the domain and the options that aren't scanned.
        words: ``NAME=VALUE,VALUE``.

    Raises:
        InputError: an unknown option or a bad value.
    """
    scanned: dict[str, list[Any]] = {}
    for word in words:
        name, equals, values = word.partition("=")
        if not equals or not values:
            raise InputError(f"{WHERE} {word!r:.60}", "expected NAME=VALUE,VALUE")
        check_key(name, [*asdict(config.simulator_options())], WHERE)
        scanned[name] = [given_value(text) for text in values.split(",")]
    make = get_domain(config.domain).options
    fixed = asdict(config.simulator_options())
    combinations = (dict(zip(scanned, v, strict=True)) for v in product(*scanned.values()))
    return [make(**{**fixed, **combination}) for combination in combinations]


def given_value(text: str) -> Any:
    """A value of an option: JSON, or a bare word."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _search(
    config: TrainConfig, options: object, minutes: float, start: NDArray[np.float32] | None
) -> LinearRule:
    from graphsched.training.cem import CemConfig, search_rule
    from graphsched.training.own import own_pools
    from graphsched.training.validation import Validation  # torch takes seconds to import

    domain, checks = get_domain(config.domain), config.validation
    kinds = checks.instances or config.instances
    pools = own_pools(domain, config)
    validation = Validation(
        domain, options, kinds, checks.count, checks.seed, pools=pools.validation
    )
    print(f"{options}, best rule {validation.best_rule}: {validation.best_rule_gap_pct}")
    search = CemConfig(seed=config.seed)
    return search_rule(
        domain,
        options,
        config.instances,
        validation,
        minutes,
        search,
        _tell,
        start,
        pools.training,
    )


def _tell(row: dict[str, float]) -> None:
    print(
        f"{row['minutes']:6.2f} min, generation {row['generations']:5.0f}: gap {row['gap']:.2f}%",
        flush=True,
    )


def _facts(
    config: TrainConfig, best: LinearRule, minutes: float, begun: dict[str, Any]
) -> dict[str, Any]:
    """What a file of weights says of its making; ``begun``: the document that it started from."""
    spent = begun.get("minutes")
    known = isinstance(spent, int | float) and not isinstance(spent, bool) and spent >= 0
    before = float(spent) if known else None  # type: ignore[arg-type]
    return {
        "domain": config.domain,
        "method": "cross-entropy method (graphsched tune)",
        "simulator": asdict(best.options),
        "instances": dict(config.instances),
        "seed": config.seed,
        "minutes": minutes + (before or 0.0),
        **({"start": {"minutes": before, "instances": begun.get("instances")}} if begun else {}),
        "generations": best.generations,
        "validation_gap_pct": round(best.gap_pct, 3),
    }
