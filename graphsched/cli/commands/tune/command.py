"""``graphsched tune``: what is fitted on validation instances, a linear rule or a baseline's knobs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path  # noqa: TC003 - read at run time by tyro
from typing import TYPE_CHECKING, Annotated

import tyro

from graphsched.cli.arguments import DomainWord, parse
from graphsched.cli.commands.tune.knobs import tune_knobs
from graphsched.cli.commands.tune.linear import tune_linear
from graphsched.envs.core.errors import InputError
from graphsched.training.settings.config import LARGEST_SEED

if TYPE_CHECKING:
    from collections.abc import Sequence

LINEAR_ONLY = ("option", "start")
KNOBS_ONLY = ("instances", "count", "knob")


@dataclass(frozen=True)
class TuneArguments:
    """Fit a linear rule over the policy's features by the cross-entropy method, or a baseline's knobs.

    Instances and validation are those of the training preset. Of a linear rule, simulator options
    can be scanned: the time is divided among all combinations, and the best on the validation
    instances wins. With --baseline its knobs are swept on validation instances by successive
    halving, and --out is a file that `solve` and `eval` take as NAME:FILE.
    """

    domain: DomainWord
    """What to tune for, e.g. jobshop."""
    baseline: Annotated[str | None, tyro.conf.arg(metavar="NAME")] = None
    """Baseline whose knobs are swept, in place of a linear rule; `graphsched list` names them."""
    minutes: float = 3.0
    """Wall-clock time in all."""
    preset: str | None = None
    """Training preset whose instances are used."""
    instances: Annotated[str | None, tyro.conf.arg(metavar="WORDS")] = None
    """Of a baseline: generators, files and folders to tune on, joined by commas, in place of the
    preset's. Generators are drawn from streams that nothing else draws from."""
    count: int | None = None
    """Of a baseline: instances of each generator; 40 by default."""
    knob: tuple[str, ...] = ()
    """Of a baseline: values to sweep in place of a knob's own, such as budget=256,512; may be given
    again. One value holds it fast."""
    option: tuple[str, ...] = ()
    """Of a linear rule: simulator options to scan, such as delay_window=0.2,0.33,0.5; may be given
    again."""
    seed: int = 0
    """Seed of all random streams."""
    start: Path | None = None
    """Of a linear rule: file of weights to start from, such as an earlier result."""
    out: Path | None = None
    """File of the result; by default linear-DOMAIN.json or NAME-DOMAIN.json."""


def main(argv: Sequence[str]) -> int:
    """Run the command; raises InputError for bad input."""
    arguments = parse(TuneArguments, argv, "tune")
    if not 0 < arguments.minutes < math.inf:
        raise InputError("--minutes", f"expected a positive number, found {arguments.minutes}")
    if not 0 <= arguments.seed <= LARGEST_SEED:
        raise InputError("--seed", f"expected 0 to {LARGEST_SEED}, found {arguments.seed}")
    foreign = KNOBS_ONLY if arguments.baseline is None else LINEAR_ONLY
    for name in foreign:
        if getattr(arguments, name) not in (None, ()):
            other = "needs --baseline" if arguments.baseline is None else "is for linear rules"
            raise InputError(f"--{name}", other)
    return tune_linear(arguments) if arguments.baseline is None else tune_knobs(arguments)
