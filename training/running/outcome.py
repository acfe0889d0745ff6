"""What a run leaves behind: its result, and the bundle made of its best weights."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from graphsched.agents.bundles.bundle import write_bundle
from graphsched.agents.bundles.export import networks
from graphsched.envs.core.errors import InputError
from graphsched.envs.core.registry import get_domain
from graphsched.training.model import build_policy
from graphsched.training.paired import with_error
from graphsched.training.running.cost import cost_in_words, learning_cost
from graphsched.training.running.data import training_data, validation_data, without_places
from graphsched.training.running.resume import (
    core_seconds,
    judged_of,
    read_checkpoint,
    read_run_config,
)
from graphsched.training.teaching.imitation import in_words, teachers_of
from graphsched.training.validation import Validation

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import torch

    from graphsched.agents.learning.policy import GraphPolicy
    from graphsched.training.paired import Improvement
    from graphsched.training.settings.config import TrainConfig

CURVE = ("minutes", "steps", "gap_pct", "best_rule_gap_pct")


@dataclass(frozen=True)
class RunResult:
    """Outcome of a training run.

    Attributes:
        folder, bundle: of the run, and of the policy exported from it.
        steps, minutes: used budget.
        best: row of the history whose weights were exported.
        rules: gap of each rule on the validation instances, in percent.
        history: one row for each validation, in order.
        gain: of the exported weights over those that the run began with, instance by instance;
            None if the checkpoint is of a time when that wasn't kept.
        teachers: a line on each dataset that the policy imitated first.
    """

    folder: Path
    bundle: Path
    steps: int
    minutes: float
    best: Mapping[str, Any]
    rules: Mapping[str, float]
    history: Sequence[Mapping[str, Any]] = field(repr=False)
    gain: Improvement | None = None
    teachers: Sequence[Mapping[str, Any]] = ()


def export_run(
    folder: Path,
    out: Path,
    weights: Literal["best", "last"] = "best",
    rules: Mapping[str, float] | None = None,
) -> RunResult:
    """Write the bundle of a run, finished or not, from its latest checkpoint.

    Args:
        folder: of the run.
        out: folder of the bundle; replaced if it exists.
        weights: those of the best validation, or the latest average.
        rules: gaps of the rules on the run's validation instances; computed anew if None.

    Raises:
        InputError: no training run, or none that has been checkpointed yet.
    """
    config = read_run_config(folder)
    domain = get_domain(config.domain)
    state = read_checkpoint(folder, domain.instance_from_json)
    if state is None or not state["history"]:
        raise InputError(folder, "nothing to export yet: no checkpoint with a validation")
    policy = build_policy(config, domain)
    policy.load_state_dict(_chosen(state, weights))
    judged = judged_of(state, folder)
    if rules is None:
        rules = _rules(config) if judged is None else judged.rules
    gain = None if judged is None else judged.improvement(weights)
    result = result_of(folder, out, state["steps"], state["history"], rules, weights, gain)
    machine = state.get("machine", "an unrecorded machine")
    taught_s = sum(line["seconds"] for line in result.teachers)
    cost = learning_cost(config, core_seconds(state) + taught_s, machine)
    write_policy(policy, config, result, cost)
    return result


def result_of(
    folder: Path,
    bundle: Path,
    steps: int,
    history: Sequence[Mapping[str, Any]],
    rules: Mapping[str, float],
    weights: str = "best",
    gain: Improvement | None = None,
) -> RunResult:
    """Result of a run with at least one validation, by the row of its best or last weights."""
    best = history[-1] if weights == "last" else _best(history)
    minutes, teachers = history[-1]["minutes"], teachers_of(folder)
    return RunResult(folder, bundle, steps, minutes, best, rules, history, gain, teachers)


def write_policy(
    policy: GraphPolicy, config: TrainConfig, result: RunResult, cost: dict[str, Any]
) -> None:
    """Write a policy with the metrics and the card of its run; ``cost`` as `learning_cost`'s."""
    write_bundle(
        result.bundle,
        get_domain(config.domain),
        networks(policy.encoder, policy.decoder),
        simulator_options=config.simulator_options(),
        training=without_places(config, config.to_dict()),
        seed=config.seed,
        metrics=without_places(config, {**metrics(config, result), "cost": cost}),
        card=card(config, result, cost),
    )


def metrics(config: TrainConfig, result: RunResult) -> dict[str, Any]:
    """JSON document: used budget, scores on the validation instances and the training curve."""
    return {
        "schema": 1,
        "minutes": result.minutes,
        "steps": result.steps,
        "validation": dict(result.best),
        "validation_instances": dict(config.validation.instances or config.instances),
        "validation_count": config.validation.count,
        "own": dict(config.own),
        "init": dict(config.init_record),
        "teachers": list(result.teachers),
        "improvement": None if result.gain is None else result.gain.to_json(),
        "rules": dict(result.rules),
        "curve": [{name: row[name] for name in CURVE} for row in result.history],
    }


def card(config: TrainConfig, result: RunResult, cost: dict[str, Any]) -> str:
    """Model card: data, budget, cost, seeds, results against the rules, limits."""
    best = result.best
    rows = [("**this policy, greedy**", with_error(best["gap_pct"], best.get("gap_se")))]
    if best["sampled_gap_pct"] is not None:
        rows.append(("this policy, mean of sampled runs", f"{best['sampled_gap_pct']:.2f}"))
    rules = sorted(result.rules.items(), key=lambda item: item[1])
    rows += [(name, f"{gap:.2f}") for name, gap in rules]
    options = ", ".join(f"{k} = {v}" for k, v in vars(config.simulator_options()).items())
    return "\n".join(
        [
            f"# A learned scheduler for `{config.domain}`",
            "",
            "Load it with `graphsched.agents.runtime.load_policy`, or name this folder as "
            "`--policy` on the command line.",
            "",
            "## Training",
            "",
            f"* Data: {training_data(config)}",
            f"* Budget: {result.minutes:.1f} minutes, {result.steps:,} decisions; preset "
            f"`{config.preset}`, seed {config.seed}.",
            f"* Cost: {cost_in_words(cost, config.init is not None)}.",
            f"* Simulator: {options or 'default options'}.",
            f"* Start: {_start(config)}.",
            *_teachers(config, result),
            f"* Weights: those of the best validation, after {best['minutes']:.1f} minutes.",
            "",
            "## Results on the validation instances",
            "",
            f"{validation_data(config)}; mean gap above a lower bound, ± its standard error. The "
            "best weights were chosen on these instances, so expect slightly less elsewhere.",
            "",
            "| solver | mean gap % |",
            "|---|---|",
            *(f"| {name} | {gap} |" for name, gap in rows),
            "",
            f"Cost against the best rule: {best['vs_best_rule_pct']:+.2f}%.",
            "",
            f"Against the start: {_gain(result.gain)}.",
            "",
            "## Limits",
            "",
            "The policy is a heuristic: its solutions are feasible, without a bound on their "
            "distance from the optimum. Expect less of it far from the kinds and sizes above, and "
            "compare it with the rules on your own instances first.",
            "",
        ]
    )


def _teachers(config: TrainConfig, result: RunResult) -> list[str]:
    """Whom the policy imitated, and whom the one that it starts as."""
    lines = [f"* Teacher: {in_words(line)}." for line in result.teachers]
    before = config.init_record.get("teachers", ())
    return lines + [f"* Teacher of its start: {in_words(line)}." for line in before]


def _gain(gain: Improvement | None) -> str:
    return "not recorded" if gain is None else gain.in_words()


def _best(history: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    def score(row: Mapping[str, Any]) -> float:
        sampled = row["sampled_gap_pct"]
        gap: float = row["gap_pct"]
        return gap if sampled is None else 0.5 * (gap + sampled)

    return min(history, key=score)


def _chosen(state: Mapping[str, Any], weights: str) -> dict[str, torch.Tensor]:
    if weights == "best":
        best: dict[str, torch.Tensor] = state["best_weights"]
        return best
    return {**state["policy"], **state["average"]["weights"]}


def _rules(config: TrainConfig) -> Mapping[str, float]:
    checks = config.validation
    kinds = checks.instances or config.instances
    domain, options = get_domain(config.domain), config.simulator_options()
    return Validation(domain, options, kinds, checks.count, checks.seed).rules


def _start(config: TrainConfig) -> str:
    """What the policy knew before its first update."""
    if config.init is not None:
        record = config.init_record
        return f"as the policy `{record['name']}` (sha256 of its weights: {record['sha256']})"
    network = config.network
    kind = "linear rule" if network.hidden_rule is None else "rules with a hidden layer"
    return f"as the {kind} of `{network.rule}`" if network.rule else "knowing nothing"
