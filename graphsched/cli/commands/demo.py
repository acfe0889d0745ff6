"""``graphsched demo``: the whole way in a few minutes, from training to a solved instance."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from graphsched.cli.arguments import parse
from graphsched.cli.commands import check, evaluate
from graphsched.envs.core.errors import InputError
from graphsched.envs.core.extras import require
from graphsched.envs.core.parts.writing import prepare_folder
from graphsched.envs.core.registry import get_domain
from graphsched.eval.evaluate import HTML

if TYPE_CHECKING:
    from collections.abc import Sequence

    from graphsched.envs.core.domain import Domain

# What the deployed policy runs as: importing torch fails.
TORCH_FREE = """
import sys

class NoTorch:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "torch":
            raise ImportError("torch is not needed here")

sys.meta_path.insert(0, NoTorch())
from graphsched.cli.main import main
sys.exit(main())
"""


@dataclass(frozen=True)
class DemoArguments:
    """Train a policy, evaluate it, export it and solve an instance with it."""

    domain: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="DOMAIN")] = "jobshop"
    """Domain with a [demo] table in its presets."""
    out: Annotated[Path, tyro.conf.arg(metavar="FOLDER")] = Path("demo")
    """Folder of everything that is made."""
    minutes: Annotated[float | None, tyro.conf.arg(metavar="MINUTES")] = None
    """Budget of training, instead of the preset's."""
    seed: int = 0
    """Of the training."""


@dataclass(frozen=True)
class DemoPlan:
    """A domain's [demo] table.

    Attributes:
        train: preset to train with.
        instances, baselines, samples, symmetry, time_limit: options of ``graphsched eval``.
        solve: instance to solve with the exported policy.
        note: what to make of the result, printed in the end.
    """

    train: str
    instances: str
    solve: str
    baselines: str = "rules"
    samples: str = "1"
    symmetry: str = "none"
    time_limit: str | None = None
    note: str = ""


def main(argv: Sequence[str]) -> int:
    """Run the command; raises InputError for bad input."""
    arguments = parse(DemoArguments, argv, "demo")
    require("demo", "torch", "torch_geometric", "stable_baselines3", "onnx", "jinja2")
    domain = get_domain(arguments.domain)
    plan = read_plan(domain)
    out = prepare_folder(arguments.out)
    policy = _train(domain, plan, arguments, out)
    report = prepare_folder(out / "report")
    print(f"\nEvaluating on {plan.instances}")
    status = evaluate.run(
        evaluate.EvalArguments(
            domain=domain.name,
            instances=plan.instances,
            policy=str(policy),
            baselines=plan.baselines,
            samples=plan.samples,
            symmetry=plan.symmetry,
            time_limit=plan.time_limit,
            out=report,
        ),
        command=f"graphsched demo {domain.name}",
    )
    status = status or _solve(domain, plan, policy, out)
    if plan.note:
        print(f"\n{plan.note.strip()}")
    print(f"\nThe report: {report.resolve() / HTML}")
    return status


def read_plan(domain: Domain[Any, Any]) -> DemoPlan:
    """The domain's [demo] table; raises InputError if it has none, or one with unknown keys."""
    table = domain.preset_tables().get("demo")
    if table is None:
        raise InputError(f"domain {domain.name!r}", "its presets have no [demo] table")
    try:
        return DemoPlan(**table)
    except TypeError as error:
        raise InputError(f"{domain.presets} [demo]", str(error)) from None


def _train(domain: Domain[Any, Any], plan: DemoPlan, arguments: DemoArguments, out: Path) -> Path:
    """Train and export; returns the bundle's folder."""
    from graphsched.training.running.outcome import export_run
    from graphsched.training.settings.config import load_config
    from graphsched.training.train import train

    folder, number = out / "run", 1
    while folder.exists():  # of an earlier demo, which is left alone
        number += 1
        folder = out / f"run-{number}"
    config = load_config(domain.name, plan.train)
    config = replace(config, seed=arguments.seed, out=str(folder))
    if arguments.minutes is not None:
        config = replace(config, minutes=arguments.minutes, steps=None)
    budget = f"{config.minutes:g} minutes" if config.minutes else f"{config.steps:,} decisions"
    print(f"Training a policy for {domain.name}: {budget}, on random instances only")
    result = train(config, show=True, export=False)
    bundle = export_run(result.folder, out / "policy", rules=result.rules).bundle
    print(f"Exported to {bundle}")
    return bundle


def _solve(domain: Domain[Any, Any], plan: DemoPlan, policy: Path, out: Path) -> int:
    """Solve an instance as a user of the bundle would, without torch, and check the solution."""
    solution, picture = out / "solution.json", out / "solution.html"
    words = ["solve", domain.name, plan.solve, "--policy", str(policy)]
    words += ["--out", str(solution), "--gantt", str(picture)]
    print(f"\nSolving {plan.solve} with the exported policy, without torch", flush=True)
    done = subprocess.run([sys.executable, "-c", TORCH_FREE, *words], check=False)
    if done.returncode:
        return done.returncode
    print(f"  solution     {solution}\n  picture      {picture}")
    return check.main([domain.name, plan.solve, str(solution)])
