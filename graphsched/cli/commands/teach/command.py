"""``graphsched teach``: write down what a solver or trials say, for policies to learn from."""

from __future__ import annotations

import shlex
import sys
from dataclasses import dataclass
from pathlib import Path  # noqa: TC003 - read at run time by tyro
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from graphsched.cli.arguments import DomainWord, Horizon, parse, put_change
from graphsched.cli.commands import INTERRUPTED
from graphsched.cli.screen import Bar, wide_console
from graphsched.cli.tables import Row, fitting_tables
from graphsched.envs.core.errors import InputError, Interrupted
from graphsched.envs.core.registry import get_domain
from graphsched.envs.core.specs import parse_instances
from graphsched.eval.judging.wording import duration
from graphsched.eval.solvers.policies import open_policy
from graphsched.training.running.lock import alone_in, made_for_run
from graphsched.training.settings.config import load_config
from graphsched.training.teaching.dataset import CARD, find_dataset
from graphsched.training.teaching.relabel import Relabelling
from graphsched.training.teaching.teach import Lesson, SelfTeacher, ask, open_teacher, teach
from graphsched.training.teaching.trials import Trials

if TYPE_CHECKING:
    from collections.abc import Sequence

    from graphsched.envs.core.domain import Domain
    from graphsched.training.settings.config import TrainConfig
    from graphsched.training.teaching.card import Card
    from graphsched.training.teaching.teach import Teacher

COUNT = 720


@dataclass(frozen=True)
class TeachArguments:
    """Solve instances and write down the decisions that lead to the solutions.

    Any solver can teach. Its solutions are followed through the simulator, by the candidates that
    are closest to what they do; the table at the end says how much is lost by that. Without a solver
    a policy teaches itself: with --rollouts, candidates of its decisions are tried out. The same
    command goes on with a dataset that was interrupted.
    """

    domain: DomainWord
    """Domain of the instances, e.g. jobshop."""
    out: Annotated[Path, tyro.conf.arg(metavar="FOLDER")]
    """Folder of the dataset."""
    solver: Annotated[str | None, tyro.conf.arg(metavar="NAME")] = None
    """Teacher: a baseline, a policy, or a word as `eval` takes it, such as heft>local-search."""
    time_limit: Annotated[float | None, tyro.conf.arg(metavar="SECONDS")] = None
    """Processor time of the teacher for each instance."""
    instances: Annotated[str | None, tyro.conf.arg(metavar="KINDS")] = None
    """Random instances, such as mixed:10x10-20x20, or with weights A=0.8,B=0.2; by default those
    of the preset."""
    given: Annotated[str | None, tyro.conf.arg(metavar="INSTANCES")] = None
    """Certain instances (names, generators, files) instead."""
    count: int | None = None
    """Episodes; by default 720, or all given instances."""
    seed: int = 0
    """Of instances and teacher."""
    preset: str | None = None
    """Training preset whose simulator options and instances are used; `default` by default."""
    policy: str | None = None
    """Bundle, or name of a shipped policy, whose own episodes the teacher labels; where the policy
    departs from it, a search of --moves moves finishes the policy's partial solution."""
    moves: int = 2000
    """Of that search."""
    rollouts: Annotated[int | None, tyro.conf.arg(metavar="CANDIDATES")] = None
    """In place of a solver: so many candidates of the policy's decisions are tried out."""
    futures: int = 2
    """Rollouts of each of them; what isn't known yet is drawn anew for each."""
    horizon: Horizon = None
    share: float = 0.15
    """Of the decisions that are tried out."""
    set: tuple[str, ...] = ()
    """Other simulator options, such as delay_window=1.0; may be given again."""


def main(argv: Sequence[str]) -> int:
    """Run the command; raises InputError for bad input."""
    arguments = parse(TeachArguments, argv, "teach")
    lesson, out = _lesson(arguments), arguments.out
    teacher = open_teacher(lesson)
    card = find_dataset(out, ask(lesson, teacher), lesson.domain)
    if card.episodes == card.count:
        print(f"{out} is finished already")
    else:
        try:
            card = _teach(lesson, teacher, out)
        except KeyboardInterrupt as stop:
            begun = (out / CARD).exists()
            go_on = f"go on with: {shlex.join(['graphsched', 'teach', *argv])}"
            words = f"stopped; {go_on}" if begun else "graphsched: interrupted before it began"
            print(words, file=sys.stderr)
            return stop.status if isinstance(stop, Interrupted) else INTERRUPTED
    _show(card, out)
    return 0


def _teach(lesson: Lesson, teacher: Teacher | SelfTeacher, out: Path) -> Card:
    title = f"teach {lesson.domain.name}"
    with made_for_run(out, "write"), alone_in(out, "teaching"), Bar(title, lesson.count) as bar:
        return teach(lesson, teacher, out, bar.advance)


def _lesson(arguments: TeachArguments) -> Lesson:
    domain = get_domain(arguments.domain)
    changes: dict[str, Any] = {}
    for change in arguments.set:
        put_change(changes, change)
    config = load_config(domain.name, arguments.preset, None, {"simulator": changes})
    given = _given(arguments)
    count = len(given) or COUNT if arguments.count is None else arguments.count
    return Lesson(
        domain=domain,
        options=config.simulator_options(),
        solver=arguments.solver or "",
        time_limit_s=arguments.time_limit,
        kinds={} if given else _kinds(arguments, config),
        given=given,
        spec=arguments.given or "",
        count=count,
        seed=arguments.seed,
        relabelling=_relabelling(arguments, domain),
        trials=_trials(arguments, domain),
    )


def _trials(arguments: TeachArguments, domain: Domain[Any, Any]) -> Trials | None:
    if arguments.rollouts is None:
        if arguments.solver is None:
            raise InputError("--solver", "expected a teacher, or --rollouts and a --policy")
        return None
    if arguments.solver is not None:
        raise InputError("--rollouts", "excludes --solver")
    if arguments.policy is None:
        raise InputError("--rollouts", "expected a --policy that is to be tried out")
    _, policy = open_policy(domain, arguments.policy)
    horizon, share = arguments.horizon, arguments.share
    return Trials(policy, arguments.rollouts, arguments.futures, horizon, share)


def _relabelling(arguments: TeachArguments, domain: Domain[Any, Any]) -> Relabelling | None:
    if arguments.policy is None or arguments.rollouts is not None:
        return None
    _, policy = open_policy(domain, arguments.policy)
    return Relabelling(policy, arguments.moves)


def _given(arguments: TeachArguments) -> list[Any]:
    if arguments.given is None:
        return []
    if arguments.instances is not None:
        raise InputError("--given", "excludes --instances")
    return parse_instances(get_domain(arguments.domain), arguments.given)


def _kinds(arguments: TeachArguments, config: TrainConfig) -> dict[str, float]:
    """Weight of each kind of instance."""
    if arguments.instances is None:
        return dict(config.instances)
    out: dict[str, float] = {}
    for word in arguments.instances.split(","):
        kind, equals, weight = word.strip().partition("=")
        try:
            value = float(weight) if equals else 1.0
        except ValueError:
            value = 0.0
        if not kind or not 0 < value < float("inf") or kind in out:
            expected = "expected different kinds GENERATOR:SIZE, or GENERATOR:SIZE=WEIGHT"
            raise InputError("--instances", f"{expected}, found {word!r:.60}")
        out[kind] = value
    return out


def _show(card: Card, folder: Path) -> None:
    """What was taught, how well, and where it lies."""
    quality = card.quality
    columns = ["teacher", "episodes", "decisions", "its gap", "followed", "inexact", "time"]
    gaps = [f"{quality[name]:.2f}%" for name in ("teacher_gap_pct", "replay_gap_pct")]
    shares = [f"{100 * quality['inexact_share']:.2f}%", duration(quality["seconds"])]
    cells = [f"{card.episodes:,}", f"{quality['decisions']:,}", *gaps, *shares]
    if card.teacher == SelfTeacher.name:
        columns[4:] = ["another is better", "spread", "noise", "time"]
        figures = [f"{quality[name]:.2f}%" for name in ("spread_pct", "noise_pct")]
        cells = [*cells[:2], gaps[0], f"{100 * quality['inexact_share']:.1f}%", *figures, shares[1]]
    console = wide_console()
    title = f"{card.domain}: gaps are mean costs above the lower bound"
    if card.policy is not None:
        title += f"; episodes of {card.policy}"
    for table in fitting_tables(title, columns, [Row(card.teacher, cells)], console.width):
        console.print(table)
    print(f"dataset: {folder}")
