"""``graphsched train``: train a policy and export it."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from graphsched.cli.arguments import DomainWord, parse, put_change
from graphsched.cli.commands import INTERRUPTED
from graphsched.envs.core.errors import InputError, Interrupted
from graphsched.envs.core.extras import require
from graphsched.envs.core.parts.values import shown
from graphsched.envs.core.registry import get_domain
from graphsched.training.settings.config import TrainConfig, load_config

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Sequence


@dataclass(frozen=True)
class TrainArguments:
    """Train a policy on random instances or your own, keep the best weights and export them.

    Without --preset and --config the domain's preset `default` is used. A run lives in a folder;
    one that was stopped goes on with --resume --out FOLDER.
    """

    domain: DomainWord
    """What to train, e.g. jobshop."""
    preset: str | None = None
    """Preset of the domain to begin with."""
    config: Path | None = None
    """TOML file with changes to the preset."""
    instances: Annotated[tuple[str, ...], tyro.conf.arg(metavar="WORD")] = ()
    """What to train and validate on in place of the preset's: files, folders, sets and names of the
    library, GENERATOR:SIZE. WORD=2 weighs twice as much. Of files and the library a share,
    validation.held_out, is for validation only."""
    init: str | None = None
    """Bundle, or name of a shipped policy, whose weights to start from."""
    minutes: float | None = None
    """Budget of wall-clock time."""
    steps: int | None = None
    """Budget of decisions."""
    seed: int | None = None
    """Seed of all random streams."""
    out: Path | None = None
    """Folder of the run; by default a new one under runs/."""
    resume: bool = False
    """Go on with the run in --out."""
    teacher: tuple[str, ...] = ()
    """Datasets of `graphsched teach` that the policy imitates first; may be given again. With
    --steps 0 that is all it learns from."""
    device: str | None = None
    """auto, cpu or cuda."""
    set: tuple[str, ...] = ()
    """Changes such as ppo.learning_rate=0.001, in TOML's notation; may be given again."""
    refine: Path | None = None
    """Finished run whose gradient norms shape the learning rate."""
    quiet: bool = False
    """No progress bar."""


def main(argv: Sequence[str]) -> int:
    """Run the command; raises InputError for bad input."""
    arguments = parse(TrainArguments, argv, "train")
    require("train", "torch", "torch_geometric", "stable_baselines3", "tensorboard")
    config = _config(arguments)
    from graphsched.training.train import train  # torch takes seconds to import

    try:
        result = train(config, resume=arguments.resume, show=not arguments.quiet)
    except KeyboardInterrupt as stop:
        print(_stopped(config), file=sys.stderr)
        return stop.status if isinstance(stop, Interrupted) else INTERRUPTED
    from graphsched.training.paired import row_gap

    best = result.best
    rule_gap = best["best_rule_gap_pct"]
    against = f", best rule {rule_gap:.2f}%" if rule_gap is not None else ""
    print(f"validation gap {row_gap(best)}{against} ({best['vs_best_rule_pct']:+.2f}% cost)")
    if result.gain is not None:
        print(result.gain.in_words())
    print(f"{result.steps:,} decisions in {result.minutes:.1f} minutes, policy: {result.bundle}")
    return 0


def _stopped(config: TrainConfig) -> str:
    from graphsched.training.running.resume import CONFIG
    from graphsched.training.train import resume_command

    if not (Path(str(config.out)) / CONFIG).exists():
        return "graphsched: interrupted before the training began"
    return f"stopped; go on with: {resume_command(config)}"


def _config(arguments: TrainArguments) -> TrainConfig:
    if arguments.resume:
        return _resumed(arguments)
    config = load_config(
        arguments.domain, arguments.preset, arguments.config, _overrides(arguments)
    )
    if arguments.refine is not None:
        from graphsched.training.settings.schedules import refine
        from graphsched.training.train import gradient_norms

        course = refine(gradient_norms(arguments.refine))
        ppo = replace(config.ppo, lr_schedule="refined", lr_table=course)
        config = replace(config, ppo=ppo)
    if config.minutes is None and config.steps is None:
        raise InputError("budget", "expected --minutes or --steps: the preset has neither")
    if config.out is None:
        from graphsched.training.train import free_folder

        config = replace(config, out=str(free_folder(config)))
    return config


def _resumed(arguments: TrainArguments) -> TrainConfig:
    from graphsched.training.train import resumed_config

    fixed = ("preset", "config", "seed", "refine", "device", "init")
    given = [name for name in fixed if getattr(arguments, name) is not None]
    given += [name for name in ("set", "teacher", "instances") if getattr(arguments, name)]
    if given:
        raise InputError(f"--{given[0]}", "can't change in a run that goes on")
    if arguments.out is None:
        raise InputError("--resume", "expected --out FOLDER, the run that is to go on")
    config = resumed_config(arguments.out, arguments.minutes, arguments.steps)
    if config.domain != arguments.domain:
        problem = f"a run of domain {config.domain!r}, expected {arguments.domain!r}"
        raise InputError(arguments.out, problem)
    return config


def _overrides(arguments: TrainArguments) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for change in arguments.set:
        put_change(out, change)
    if arguments.instances:
        _put_instances(out, arguments)
    for name in ("minutes", "steps", "seed", "device", "init"):
        value = getattr(arguments, name)
        if value is not None:
            out[name] = value
    if arguments.teacher:
        folders = [str(Path(folder).resolve()) for folder in arguments.teacher]
        out.setdefault("teacher", {})["data"] = folders
    if arguments.out is not None:
        out["out"] = str(arguments.out)
    return out


def _put_instances(out: dict[str, Any], arguments: TrainArguments) -> None:
    """The words in place of all instances of the configuration, validation's and stages' too."""
    checks = out.setdefault("validation", {})
    if not isinstance(checks, dict):
        raise InputError("--set validation", f"expected a table, found {shown(checks)}")
    for name, table in (("instances", out), ("curriculum", out), ("validation.instances", checks)):
        if name.rpartition(".")[2] in table:
            raise InputError("--instances", f"expected no --set {name} besides it")
    generators = get_domain(arguments.domain).generators
    kinds: dict[str, float] = {}
    for word in arguments.instances:
        for kind, weight in _weighted(word, generators):
            kinds[kind] = kinds.get(kind, 0.0) + weight
    out |= {"instances": kinds, "curriculum": [], "validation": {**checks, "instances": {}}}


def _weighted(word: str, generators: Container[str]) -> Iterator[tuple[str, float]]:
    """Kinds and weights in ``a,b=2``; a file whose name has such an end is given a weight."""
    for part in word.split(","):
        kind, equals, number = part.rpartition("=")
        try:
            weight = float(number) if equals and kind else None
        except ValueError:
            weight = None
        # Numbers and seeds belong to evaluations: here a generator's word ends with its size.
        settings = kind.partition(":")[0] in generators and kind.endswith((":n", ":seed"))
        if settings:
            raise InputError(f"--instances {part!r:.60}", "expected GENERATOR:SIZE or ...=WEIGHT")
        yield (part, 1.0) if weight is None else (kind, weight)
