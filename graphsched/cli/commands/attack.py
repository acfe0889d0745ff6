"""``graphsched attack``: search instances on which one solver is worst, held against another."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from pathlib import Path  # noqa: TC003 - read at run time by tyro
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from graphsched.cli.arguments import DomainWord, parse
from graphsched.cli.commands import INTERRUPTED
from graphsched.cli.screen import Bar, wide_console
from graphsched.cli.tables import Row, fitting_tables
from graphsched.envs.core.errors import InputError
from graphsched.envs.core.registry import get_domain
from graphsched.envs.core.specs import parse_instances
from graphsched.eval.attacks.attack import Attack, AttackSettings
from graphsched.eval.attacks.duel import Duel, side
from graphsched.eval.attacks.gallery import document, prepare_gallery, worst, write_gallery
from graphsched.eval.judging.wording import duration
from graphsched.eval.solvers.words import check_limit
from graphsched.training.instances import generator

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from graphsched.envs.core.domain import Domain


@dataclass(frozen=True)
class AttackArguments:
    """Search small instances on which a solver is worst, held against another one.

    Simulated annealing over instances: what the solvers' means over a benchmark hide. A solver is
    a baseline, a shipped policy (`default` is the one that serves the instance), or the folder of
    a bundle. The same seed finds the same, unless a time limit cuts the search off.
    """

    domain: DomainWord
    """Domain of the instances, e.g. soc."""
    solver: Annotated[str, tyro.conf.arg(metavar="NAME")]
    """The solver that shall look bad."""
    against: Annotated[str, tyro.conf.arg(metavar="NAME")]
    """The solver that shall look good beside it."""
    start: Annotated[str | None, tyro.conf.arg(metavar="INSTANCES")] = None
    """Instances to set out from (names, generators, files); by default random draws."""
    generator: Annotated[str | None, tyro.conf.arg(metavar="NAME")] = None
    """Generator of the random draws; `random` by default."""
    size: str | None = None
    """Size of the random draws; the generator's own by default."""
    draws: int = 8
    """Random draws of each restart, which sets out from the worst of them."""
    steps: int = 300
    """Moves of each restart."""
    restarts: int = 5
    """Independent searches, each of which gives one instance."""
    time_limit: Annotated[float | None, tyro.conf.arg(metavar="SECONDS")] = None
    """Processor time of the whole search."""
    largest: float = 1.5
    """Instances may grow to this multiple of the size they set out from."""
    seed: int = 0
    """Of all random draws."""
    solve_time: Annotated[float, tyro.conf.arg(metavar="SECONDS")] = 1.0
    """Limit for solvers that go on as long as they may, on each instance."""
    keep: int = 5
    """Worst instances that are shown and written."""
    out: Annotated[Path | None, tyro.conf.arg(metavar="FOLDER")] = None
    """Write the worst instances and attack.json here."""


def main(argv: Sequence[str]) -> int:
    """Run the command; raises InputError for bad input."""
    arguments = parse(AttackArguments, argv, "attack")
    domain = get_domain(arguments.domain)
    attack = _prepare(domain, arguments)
    if arguments.out is not None:
        prepare_gallery(arguments.out)
    with Bar(f"attack {domain.name}", arguments.steps * arguments.restarts) as bar:
        attack.tell = bar.advance
        attack.run()
    courses = worst(attack, arguments.keep)
    facts = document(attack, courses, ["graphsched", "attack", *argv])
    if arguments.out is not None:
        write_gallery(arguments.out, attack, courses, facts)
    _show(facts, arguments.out)
    for violations in facts["infeasible"]:
        print(f"infeasible: {'; '.join(violations)}", file=sys.stderr)
    return 1 if facts["infeasible"] else INTERRUPTED if attack.interrupted else 0


def _prepare(domain: Domain[Any, Any], arguments: AttackArguments) -> Attack:
    settings = AttackSettings(
        steps=arguments.steps,
        restarts=arguments.restarts,
        seed=arguments.seed,
        largest=arguments.largest,
        time_limit_s=math.inf if arguments.time_limit is None else arguments.time_limit,
    )
    for name in ("draws", "keep"):
        if getattr(arguments, name) < 1:
            problem = f"expected at least 1, found {getattr(arguments, name)}"
            raise InputError(f"--{name}", problem)
    check_limit("--solve-time", arguments.solve_time)
    if arguments.time_limit is not None:
        check_limit("--time-limit", arguments.time_limit)
    if arguments.solver == arguments.against:
        raise InputError("--against", f"expected another solver than {arguments.solver!r:.60}")
    both = [
        side(domain, word, arguments.seed, arguments.solve_time)
        for word in (arguments.solver, arguments.against)
    ]
    pool = _Pool(domain, arguments)
    example = pool.example()
    if both[0].source(example) == both[1].source(example):
        problem = f"expected another solver than {arguments.solver!r:.60}, which is the same"
        raise InputError("--against", problem)
    return Attack(Duel(domain, *both), pool, settings)


class _Pool:
    """Instances that a restart may set out from: its share of given ones, or random draws."""

    def __init__(self, domain: Domain[Any, Any], arguments: AttackArguments) -> None:
        self._restarts, self._draws = arguments.restarts, arguments.draws
        self._given: list[Any] = []
        if arguments.start is not None:
            if arguments.generator is not None or arguments.size is not None:
                raise InputError("--start", "excludes --generator and --size")
            self._given = parse_instances(domain, arguments.start)
        spec = f"{arguments.generator or 'random'}:{arguments.size or ''}"
        self._draw = None if self._given else generator(domain, spec)

    def example(self) -> Any:
        """An instance such as the search sets out from."""
        import numpy as np

        return self(0, np.random.default_rng(0))[0]

    def __call__(self, restart: int, rng: np.random.Generator) -> list[Any]:
        """The instances of a restart."""
        if self._draw is not None:
            return [self._draw(rng) for _ in range(self._draws)]
        return self._given[restart :: self._restarts] or [self._given[restart % len(self._given)]]


def _show(facts: dict[str, Any], out: Path | None) -> None:
    """The worst instances as a table, and the worst of all in a sentence."""
    if not facts["instances"]:
        print("no instance was compared")
        return
    measure, solver, against = facts["measure"], facts["solver"], facts["against"]
    title = f"{facts['domain']}: instances on which {solver} is worst, against {against}"
    columns = ("instance" if out is None else "file", "group", "from", measure)
    starts = {
        course["restart"]: course["trajectory"][0][1]
        for course in facts["restarts"]
        if course["trajectory"]
    }
    rows = []
    for k, row in enumerate(facts["instances"], start=1):
        cells = (starts[row["restart"]], row["score"])
        shown = [f"{value:.3f}" for value in cells]
        costs = [f"{row[key]:g}" for key in ("cost", "cost_against", "lower_bound")]
        name = str(k) if out is None else row["file"]
        rows.append(Row(name, [row["group"], *shown, *costs]))
    console = wide_console()
    for table in fitting_tables(
        title, [*columns, solver, against, "lower bound"], rows, console.width
    ):
        console.print(table)
    print(_sentence(facts))


def _sentence(facts: dict[str, Any]) -> str:
    score, effort = facts["instances"][0]["score"], duration(facts["seconds"])
    words = f"{facts['solver']} against {facts['against']}"
    spent = f"{facts['compared']} instances compared in {effort} of processor time"
    if facts["measure"] == "ratio":
        return f"{words}: at worst {score:.3f} times the {facts['objective']}; {spent}"
    return f"{words}: at worst a difference of {score:+.3f} ({facts['objective']}); {spent}"
